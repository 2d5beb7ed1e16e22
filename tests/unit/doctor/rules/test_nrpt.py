"""Name rules: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import NrptRule, Seen
from tests.unit.doctor.bundles import CLIENT, facts
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import alone, theme, with_facts


@pytest.mark.parametrize("name", theme("nrpt"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


VPN = NrptRule(".vpn.example", ("10.8.0.1",), "local rule .vpn.example", direct=False)


def test_an_empty_policy_silences_the_rules_of_others() -> None:
    empty = Seen(0, "DnsPolicyConfig is there, and empty")
    assert set(found(with_facts(CLIENT, nrpt_policy=empty, nrpt_local=[VPN]))) == {"NRPT-OVERRIDDEN"}
    assert set(found(with_facts(CLIENT, nrpt_policy=empty))) == {"NRPT-OVERRIDDEN"}
    assert not found(with_facts(CLIENT, nrpt_policy=empty, nrpt_local=[]))  # of nobody


def test_a_policy_with_rules_silences_them_too() -> None:
    ours = Seen(3, "DnsPolicyConfig holds 3 rules")
    told = found(with_facts(CLIENT, nrpt_policy=ours, nrpt_local=[VPN]))
    assert VPN.quote in told["NRPT-OVERRIDDEN"].seen
    assert not found(with_facts(CLIENT, nrpt_policy=ours))
    assert set(found(with_facts(CLIENT, nrpt_local=[VPN]))) == {"NRPT-OVERRIDDEN"}


def test_a_local_rule_in_effect_is_not_silenced() -> None:
    machine = facts(CLIENT)
    machine.nrpt_local = [VPN]
    assert machine.nrpt is not None
    machine.nrpt.append(VPN)
    assert not found(machine)


def test_own_name_rules_that_are_not_in_effect_as_they_are_pasted() -> None:
    own = "PS C:\\> Get-DnsClientNrptRule\n\nName        : {A1B2C3D4-0000-1111-2222-333344445555}\n"
    own += "Namespace   : {.vpn.example}\nNameServers : {10.8.0.1}\n\n"
    effective = "PS C:\\> Get-DnsClientNrptPolicy\n\nNamespace              : .corp.example\n"
    effective += "DirectAccessDnsServers : fd12:3456:789a:3333::1\n\n"
    both = "Namespace              : .vpn.example\nNameServers            : 10.8.0.1\n"
    assert "NRPT-OVERRIDDEN" in pasted(own + effective)
    assert "NRPT-OVERRIDDEN" not in pasted(own + effective + both)
    assert "NRPT-OVERRIDDEN" not in pasted(effective + both)


RULES = """PS C:\\> Get-DnsClientNrptPolicy | ft Namespace,DirectAccessDnsServers

Namespace               DirectAccessDnsServers
---------               ----------------------
{}    fd12:9a44:d0e1:3333::1
nls.corp.contoso.example
"""


def test_a_rule_for_a_domain_begins_with_a_dot() -> None:
    assert set(pasted(RULES.format("corp.contoso.example"))) == {"NRPT-NO-DOT"}
    assert not pasted(RULES.format(".corp.contoso.example"))
    assert not pasted(RULES.format("app.corp.contoso.example"))


UP = "PS C:\\> Get-NetIPHttpsState\n\nLastErrorCode   : 0x0\nInterfaceStatus : IPHTTPS interface active\n\n"


def test_no_rule_is_in_effect_though_the_tunnel_is_up() -> None:
    nothing = "PS C:\\> Get-DnsClientNrptPolicy\nPS C:\\>\n"
    allowed = (
        "PS C:\\> Get-DAClientExperienceConfiguration | fl Prefer*\n\nPreferLocalNamesAllowed : True\n\n"
    )
    found = pasted(UP + allowed + nothing)
    assert (
        set(found) == {"NRPT-DISCONNECTED"}
        and "PreferLocalNamesAllowed True" in found["NRPT-DISCONNECTED"].seen[0]
    )
    assert not pasted(UP + allowed + RULES.format(".corp.contoso.example"))
    assert not pasted(allowed + nothing)  # as inside


@pytest.mark.parametrize(("options", "codes"), [("0x2", {"NRPT-OPTIONS"}), ("0x4", set()), ("0x14", set())])
def test_a_rule_that_counts_for_directaccess_alone_by_its_bit(options: str, codes: set[str]) -> None:
    key = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\DNSClient\\DnsPolicyConfig\\{3D1C5B2A}"
    text = f"{key}\n    Version    REG_DWORD    0x1\n    ConfigOptions    REG_DWORD    {options}\n"
    text += "    Name    REG_MULTI_SZ    .corp.example\n    DirectAccessDNSServers    REG_SZ    fd12:8:1:3333::1\n"
    assert set(pasted(text)) == codes


ACTIVE = (
    "PS C:\\> Get-NetIPHttpsState\n\nLastErrorCode   : 0x0\nInterfaceStatus : IPHTTPS interface active\n\n"
)
EXEMPT = "PS C:\\> Get-DnsClientNrptPolicy\n\nNamespace              : {}\nDirectAccessDnsServers : {}\n\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (ACTIVE + EXEMPT.format("nls.corp.example", ""), {"NRPT-MISSING"}),
        (EXEMPT.format("nls.corp.example", ""), set()),
        (ACTIVE + EXEMPT.format(".corp.example", "fd12:8:1:3333::1"), set()),
        ("PS C:\\> Get-NetIPHttpsConfiguration\nPS C:\\> \n" + EXEMPT.format(".corp.example", "fd12:8:1:3333::1"),
         {"IPHTTPS-NO-URL"}),
    ],
)  # fmt: skip
def test_rules_without_any_server_and_servers_without_a_gateway(text: str, codes: set[str]) -> None:
    assert {code for code, one in pasted(text).items() if one.severity != "note"} == codes


AT_HOME = """The laptop at home, on its own wifi, comes and goes.

PS C:\\> Get-DnsClientNrptPolicy

Namespace              : .in.harbour.example
DirectAccessDnsServers : fd5a:91c0:77e2:3333::1
DirectAccessProxyType  : NoProxy
{exempt}
PS C:\\> Resolve-DnsName nls.in.harbour.example

Name                     Type   TTL   Section    IPAddress
----                     ----   ---   -------    ---------
nls.in.harbour.example   AAAA   600   Answer     fd5a:91c0:77e2:7777::a0c:210
"""
EXEMPT = """
Namespace              : nls.in.harbour.example
DirectAccessDnsServers :
DirectAccessProxyType  : UseDefault
"""


def test_a_location_server_that_is_not_exempt_is_known_by_its_name() -> None:
    told = pasted(AT_HOME.format(exempt=""))["NRPT-LOCATION"]
    assert told.severity == "error" and "-DnsSuffix nls.in.harbour.example" in told.remedy[1]
    assert any("a0c:210" in seen for seen in told.seen)


def test_one_that_is_exempt_is_not() -> None:
    assert "NRPT-LOCATION" not in pasted(AT_HOME.format(exempt=EXEMPT))


def test_outside_its_page_comes_through_the_tunnel_alone() -> None:
    text = AT_HOME.format(exempt="").partition("PS C:\\> Resolve")
    outside = f"{text[0].partition('PS C')[0]}{text[1]}{text[2]}"
    assert "NRPT-LOCATION" in pasted(outside)
    assert "NRPT-LOCATION" not in pasted(outside.replace("at home, on its own wifi", "in the office"))


def test_the_longest_name_of_a_list_may_stand_at_its_colon() -> None:
    text = """PS> Get-NCSIPolicyConfiguration

CorporateWebsiteProbeURL      : http://directaccess-WebProbeHost.in.harbour.example
DomainLocationDeterminationURL: https://where.in.harbour.example/

"""
    assert "NRPT-LOCATION" in pasted(text + AT_HOME.format(exempt="").partition("\n\n")[2])
