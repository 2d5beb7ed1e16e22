"""The client's firewall: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts, FirewallRule, Interface, Seen
from manageout.doctor.read.bundle import read_pasted
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import alone, theme


@pytest.mark.parametrize("name", theme("firewall"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def with_edge(
    edge: bool | None, *, state: str = "", address: str = "", name: str = "RDP from managers"
) -> Facts:
    machine = Facts("(pasted)", role="client")
    remote = ("fd12:3456:789a:1:0:5efe::/96", "fd12:3456:789a:1:200:5efe::/96")
    rule = FirewallRule("TCP", ("3389",), frozenset({"any"}), remote, edge, f"rule {name}", name)
    machine.firewall = [rule]
    machine.teredo_state = Seen(state, f"State : {state}") if state else None
    if address:
        machine.interfaces = [Interface("Teredo", kind="teredo", ipv6=[IPv6Address(address)])]
    return machine


def test_edge_traversal_counts_where_teredo_is_in_use() -> None:
    told = found(with_edge(False, state="qualified"))["FIREWALL-EDGE"]
    assert (
        told.remedy[0] == 'netsh advfirewall firewall set rule name="RDP from managers" dir=in new edge=yes'
    )
    assert "FIREWALL-EDGE" in found(with_edge(False, address="2001:0:cb00:710a::1"))
    for well in (
        with_edge(True, state="qualified"),
        with_edge(None, state="qualified"),
        with_edge(False, state="offline"),
        with_edge(False),
        with_edge(False, address="2001:db8::1"),
    ):
        assert "FIREWALL-EDGE" not in found(well)


@pytest.mark.parametrize("name", ['x" & calc & "', "$(calc)", "a`b", "x;y", "x|y", "", "-Confirm"])
def test_a_name_that_would_be_a_command_stays_a_word(name: str) -> None:
    told = found(with_edge(False, state="qualified", name=name))["FIREWALL-EDGE"]
    assert told.remedy[0] == 'netsh advfirewall firewall set rule name="RULE" dir=in new edge=yes'


PIPED = """
PS C:\\> Get-NetFirewallRule -DisplayName "Support {name}" | select DisplayName,Enabled,Profile,Action

DisplayName : Support {name}
Enabled     : True
Profile     : Private, Public
Action      : Allow

PS C:\\> Get-NetFirewallRule -DisplayName "Support {name}" | Get-NetFirewallAddressFilter

LocalAddress  : Any
RemoteAddress : {scope}

PS C:\\> Get-NetFirewallRule -DisplayName "Support {name}" | Get-NetFirewallPortFilter

Protocol      : {protocol}
LocalPort     : {port}
RemotePort    : Any
IcmpType      : Any
DynamicTarget : Any
"""
NETSH = """
C:\\>netsh advfirewall firewall show rule name="Support {name}"

Rule Name:                            Support {name}
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Private,Public
Grouping:
LocalIP:                              Any
RemoteIP:                             {scope}
Protocol:                             {protocol}
LocalPort:                            {port}
RemotePort:                           Any
Edge traversal:                       No
Action:                               Allow
Ok.
"""
FILTERS = """
PS C:\\> Get-NetFirewallRule -DisplayName "Support {name}" | Get-NetFirewallAddressFilter | ft

LocalAddress RemoteAddress
------------ -------------
Any          {scope}

PS C:\\> Get-NetFirewallRule -DisplayName "Support {name}" | Get-NetFirewallPortFilter | ft Protocol,LocalPort

Protocol LocalPort
-------- ---------
{protocol:8} {port}
"""
SERVICES = [
    ("WinRM", "TCP", "5985"), ("RDP", "TCP", "3389"), ("SMB", "TCP", "445"), ("RPC", "TCP", "135"),
    ("SCCM", "TCP", "2701"), ("echo", "ICMPv6", "Any"),
]  # fmt: skip


@pytest.mark.parametrize("form", [PIPED, NETSH, FILTERS])
@pytest.mark.parametrize(("name", "protocol", "port"), SERVICES)
@pytest.mark.parametrize("scope", ["LocalSubnet", "10.44.0.0/16", "10.44.0.1-10.44.0.99"])
def test_managers_come_from_no_local_network(
    form: str, name: str, protocol: str, port: str, scope: str
) -> None:
    told = pasted(form.format(name=name, protocol=protocol, port=port, scope=scope))
    assert told["FIREWALL-NO-IPV6"].severity == "error"


@pytest.mark.parametrize("form", [PIPED, NETSH])
@pytest.mark.parametrize("scope", ["Any", "fd55:1:2:1:0:5efe::/96", "fd55:1:2::/48"])
def test_a_scope_with_the_managers_lets_them_in(form: str, scope: str) -> None:
    said = "The helpdesk has fd55:1:2:1:0:5efe:10.44.7.19.\n"
    told = pasted(said + form.format(name="RDP", protocol="TCP", port="3389", scope=scope))
    assert not told.keys() & {"FIREWALL-NO-IPV6", "FIREWALL-SCOPE-ELSEWHERE"}


@pytest.mark.parametrize("form", [PIPED, NETSH])
@pytest.mark.parametrize("scope", ["fd55:1:2:9:0:5efe::/96", "fd99::1-fd99::ff", "2001:db8:7::/48"])
def test_a_scope_without_the_managers_keeps_them_out(form: str, scope: str) -> None:
    rule = form.format(name="RDP", protocol="TCP", port="3389", scope=scope)
    told = pasted(f"The helpdesk has fd55:1:2:1:0:5efe:10.44.7.19.\n{rule}")["FIREWALL-SCOPE-ELSEWHERE"]
    assert "fd55:1:2:1:0:5efe" in told.remedy[0]
    assert "FIREWALL-SCOPE-ELSEWHERE" not in pasted(rule)  # nobody says where they are


def test_filters_are_of_the_rule_with_their_identifier() -> None:
    text = """
PS C:\\> Get-NetFirewallRule -DisplayName "Support*" | fl Name,DisplayName,Enabled,Profile,Direction,Action

Name        : {B-2}
DisplayName : Support RDP
Enabled     : True
Profile     : Public
Direction   : Inbound
Action      : Allow

Name        : {A-1}
DisplayName : Support WinRM
Enabled     : True
Profile     : Public
Direction   : Inbound
Action      : Allow

PS C:\\> Get-NetFirewallRule -DisplayName "Support*" | Get-NetFirewallAddressFilter | fl *

InstanceID    : {A-1}
LocalAddress  : Any
RemoteAddress : fd55:1:2::/48

InstanceID    : {B-2}
LocalAddress  : Any
RemoteAddress : LocalSubnet

PS C:\\> Get-NetFirewallRule -DisplayName "Support*" | Get-NetFirewallPortFilter | fl *

InstanceID : {A-1}
Protocol   : TCP
LocalPort  : 5985

InstanceID : {B-2}
Protocol   : TCP
LocalPort  : 3389
"""
    assert "Support RDP" in pasted(text)["FIREWALL-NO-IPV6"].remedy[0]
    assert "Support" not in str(
        [one.seen for code, one in pasted(text).items() if code != "FIREWALL-NO-IPV6"]
    )


GERMAN = """
C:\\>netsh advfirewall firewall show rule name="Support RDP"

Regelname:                            Support RDP
----------------------------------------------------------------------
Aktiviert:                            {on}
Richtung:                             {way}
Profile:                              Domäne,Privat,Öffentlich
Gruppierung:
Lokales IP:                           Beliebig
Remote-IP:                            {scope}
Protokoll:                            TCP
Lokaler Port:                         3389
Remoteport:                           Beliebig
Edgeausnahme:                         Nein
Aktion:                               {action}
OK.
"""


def test_netsh_in_another_language_is_known_by_its_order() -> None:
    good = {"on": "Ja", "way": "Eingehend", "scope": "LocalSubnet", "action": "Zulassen"}
    assert "FIREWALL-NO-IPV6" in pasted(GERMAN.format(**good))
    for other in ({"on": "Nein"}, {"way": "Ausgehend"}, {"scope": "Beliebig"}, {"action": "Blocken"}):
        assert "FIREWALL-NO-IPV6" not in pasted(GERMAN.format(**{**good, **other}))


MANAGERS = """
== HD-01 ==
C:\\>ipconfig
Tunnel adapter isatap.corp.example:

   IPv6 Address. . . . . . . . . . . : 2002:51a9:140a:1:0:5efe:10.14.2.31
   Link-local IPv6 Address . . . . . : fe80::5efe:10.14.2.31%15

== HD-02 ==
C:\\>ipconfig
Tunnel adapter isatap.corp.example:

   IPv6 Address. . . . . . . . . . . : 2002:51a9:140a:1:{manager}
   Link-local IPv6 Address . . . . . : fe80::{manager}%12

Firewall rule on the client, from the GPO:

Rule Name:                            Manage-out ICMPv6
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Private,Public
LocalIP:                              Any
RemoteIP:                             2002:51a9:140a:1:0:5efe::/96
Protocol:                             ICMPv6
Edge traversal:                       Yes
Action:                               Allow
"""


@pytest.mark.parametrize(
    ("manager", "severity"), [("200:5efe:141.20.33.7", "error"), ("0:5efe:10.14.2.32", "note")]
)
def test_a_manager_that_the_scope_shuts_out(manager: str, severity: str) -> None:
    told = [
        one for one in diagnose(read_pasted(MANAGERS.format(manager=manager))) if one.code == "FIREWALL-SCOPE"
    ]
    assert [one.severity for one in told] == [severity]
    assert (manager in told[0].seen[-1]) == (severity == "error")


@pytest.mark.parametrize(
    ("manager", "code"),
    [
        ("0:5efe:10.0.0.7", None),
        ("200:5efe:192.88.99.7", "FIREWALL-SCOPE"),
        ("9:9:9:9", "FIREWALL-SCOPE-ELSEWHERE"),
    ],
)
def test_a_manager_of_the_other_form_of_address(manager: str, code: str | None) -> None:
    prefix = "fd12:3456:789a:1" if "5efe" in manager else "fd12:3456:789a:2"
    address = f"{prefix}:{manager if '5efe' in manager else '0:5efe:10.0.0.7'}"
    text = (
        f"C:\\>ipconfig\n\nTunnel adapter isatap.x:\n\n   IPv6 Address. . . . . . . . . . . : {address}\n\n"
    )
    text += "on the client:\n\nC:\\>netsh advfirewall firewall show rule name=rdp\n\n"
    text += f"Rule Name:                            rdp\n{'-' * 70}\n"
    for label, value in (
        ("Enabled", "Yes"), ("Direction", "In"), ("Profiles", "Private,Public"), ("LocalIP", "Any"),
        ("RemoteIP", "fd12:3456:789a:1:0:5efe::/96"), ("Protocol", "TCP"), ("LocalPort", "3389"),
        ("RemotePort", "Any"), ("Edge traversal", "Yes"), ("Action", "Allow"),
    ):  # fmt: skip
        text += f"{label + ':':38}{value}\n"
    found_ = diagnose(read_pasted(text))
    assert {one.code for one in found_ if one.severity != "note"} == ({code} if code else set())


ASKED = 'C:\\>netsh advfirewall firewall show rule name="RDP manage-out"\n\n'
THROWN = """PS C:\\> Get-NetFirewallRule -DisplayName "Manage-out RDP"
Get-NetFirewallRule : Es wurden keine MSFT_NetFirewallRule-Objekte gefunden.
    + CategoryInfo          : ObjectNotFound: (Manage-out RDP:String) [Get-NetFirewallRule], CimJobException
    + FullyQualifiedErrorId : CmdletizationQuery_NotFound_DisplayName,Get-NetFirewallRule
"""
RULE = f"Rule Name:                            RDP manage-out\n{'-' * 70}\n" + "".join(
    f"{label + ':':38}{value}\n"
    for label, value in (
        ("Enabled", "Yes"), ("Direction", "In"), ("Profiles", "Private,Public"), ("LocalIP", "Any"),
        ("RemoteIP", "fd12:1:2:1::/64"), ("Protocol", "TCP"), ("LocalPort", "3389"), ("RemotePort", "Any"),
        ("Edge traversal", "Yes"), ("InterfaceTypes", "Any"), ("Security", "NotRequired"), ("Action", "Allow"),
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (ASKED + "No rules match the specified criteria.\n", {"FIREWALL-MISSING"}),
        (ASKED + "Keine Regeln stimmen mit den angegebenen Kriterien überein.\n", {"FIREWALL-MISSING"}),
        (THROWN, {"FIREWALL-MISSING"}),
        (ASKED.replace("RDP", "Block RDP") + "No rules match the specified criteria.\n", set()),
        (ASKED + RULE, set()),
        (ASKED + RULE.replace("NotRequired", "Authenticate"), {"FIREWALL-SECURITY"}),
        (ASKED + RULE.replace("NotRequired", "AuthEnc"), {"FIREWALL-SECURITY"}),
    ],
)
def test_a_rule_that_is_not_there_or_wants_ipsec(text: str, codes: set[str]) -> None:
    assert {one.code for one in pasted(text).values() if one.severity != "note"} == codes


def test_the_firewall_of_a_machine_with_a_tunnel_is_off() -> None:
    off = "PS C:\\> Get-NetFirewallProfile | ft Name,Enabled\n\nName    Enabled\n----    -------\n"
    off += "Domain     True\nPrivate   False\nPublic    False\n\n"
    tunnel = (
        "PS C:\\> Get-NetIPHttpsState\n\nLastErrorCode   : 0x0\nInterfaceStatus : IPHTTPS interface active\n"
    )
    assert set(pasted(off + tunnel)) == {"FIREWALL-OFF"}
    assert "FIREWALL-OFF" not in pasted(off) and not pasted(off.replace("False", " True") + tunnel)
