"""What PowerShell's cmdlets print, pasted, is judged as the collector's file would be."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from manageout.doctor.diagnosis import Diagnosis, diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read import bundle
from tests.unit.doctor.powershell_texts import ANSWER, INTERFACES, SERVICES, SETTINGS

RULES_IN_POLICY = """PS C:\\> netsh interface httpstunnel show interfaces

Role                       : client
URL                        : https://da.corp.example:443/IPHTTPS
Last Error Code            : 0x2af9
Interface Status           : failed to connect to the IPHTTPS server. Waiting to reconnect

PS C:\\> Get-DnsClientNrptPolicy

Namespace                        : nls.corp.example
DirectAccessDnsServers           :
DirectAccessProxyType            : UseDefault

Namespace                        : .corp.example
DirectAccessDnsServers           : {fd12:3456:789a:3333::1,
                                   fd12:3456:789a:3333::2}
DirectAccessProxyType            : NoProxy
"""


JSON = (
    'PS C:\\> Get-NetIPHttpsState | ConvertTo-Json\n{\n "InterfaceStatus": "x",\n "LastErrorCode": 10060\n}\n'
)


def read(text: str) -> Facts:
    (found,) = bundle.read_pasted(text)
    return found


def judged(text: str) -> dict[str, Diagnosis]:
    return {one.code: one for one in diagnose([read(text)])}


def test_the_state_of_ip_https_by_cmdlet() -> None:
    text = "PS C:\\> Get-NetIPHttpsState\n\nLastErrorCode   : 0x274c\nInterfaceStatus : Failed to connect to the\n"
    found = judged(text)
    assert list(found) == ["IPHTTPS-TIMEOUT"]
    assert found["IPHTTPS-TIMEOUT"].seen[0] == "IP-HTTPS last error 0x274c"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "LastErrorCode InterfaceStatus\n------------- ---------------\n        10060 Verbindung getrennt\n",
            0x274C,
        ),
        ("PS C:\\> (Get-NetIPHttpsState).LastErrorCode\n11001\n", 0x2AF9),
        ("> LastErrorCode   : 0x103\n> InterfaceStatus : Kein Zertifikat\n", 0x103),
    ],
)
def test_the_code_in_other_forms(text: str, code: int) -> None:
    found = read(text).iphttps_error
    assert found is not None and found.value == code


def test_a_connection_that_is_none_says_why() -> None:
    text = """
netsh interface httpstunnel show interfaces

Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://da.example.net:443/IPHTTPS
Last Error Code            : 0x0
Interface Status           : IPHTTPS interface active

Get-DAConnectionStatus

Status    : Error
Substatus : RemoteNetworkAuthenticationFailure
"""
    (one,) = judged(text).values()
    assert one.code == "LOCATION-FAILED" and "RemoteNetworkAuthenticationFailure" in one.seen[0]


def test_the_name_rules_of_the_policy() -> None:
    found = judged(RULES_IN_POLICY)
    assert list(found) == ["NRPT-GATEWAY"] and "IPHTTPS-NAME" in found["NRPT-GATEWAY"].hidden


def test_a_servers_settings_are_known_and_it_is_said_what_for() -> None:
    found = judged(SETTINGS)
    assert list(found) == ["SERVER-SETTINGS-ONLY"]
    assert "manageout import" in found["SERVER-SETTINGS-ONLY"].remedy[0]
    machine = read(SETTINGS)
    assert machine.role == "server" and machine.load_balancing and machine.load_balancing.value == "none"


def test_a_server_that_has_lost_its_settings() -> None:
    found = judged(
        "InterfaceIndex : 16\nInterfaceAlias : isatap.{0123}\nAddressFamily  : IPv6\nForwarding     : Disabled\n"
        "Advertising    : Disabled\n\n" + SETTINGS
    )
    assert "SERVER-RESET" in found and "SERVER-SETTINGS-ONLY" not in found


def test_a_table_of_interfaces_says_nothing_of_forwarding() -> None:
    machine = read(INTERFACES)
    assert [(one.index, one.mtu, one.connected) for one in machine.interfaces] == [
        (14, 1280, True),
        (1, 4294967295, True),
    ]
    assert machine.interfaces[0].kind == "isatap" and machine.interfaces[0].forwarding is None


def test_addresses_are_quoted_as_they_stood() -> None:
    text = """
IPAddress                      InterfaceAlias      PrefixLength
---------                      --------------      ------------
fe80::200:5efe:203.0.113.27%55 isatap.corp.example          128

State   Router
-----   ------
Enabled mo-isatap.corp.example
"""
    found = judged(text)["ISATAP-LINK-LOCAL-ONLY"]
    assert found.seen == ("isatap.corp.example: fe80::200:5efe:203.0.113.27%55",)
    assert read(text).interfaces[0].index == 55


def test_routes_of_which_it_is_not_told_whether_they_are_published() -> None:
    routes = """
ifIndex DestinationPrefix                              NextHop                                  RouteMetric PolicyStore
------- -----------------                              -------                                  ----------- -----------
16      fd12:3456:789a:1::/64                          ::                                               256 ActiveStore
16      ::/0                                           fe80::5efe:10.0.0.9                              256 ActiveStore
12      0.0.0.0/0                                      10.0.0.1                                           0 ActiveStore
"""
    text = "InterfaceIndex : 16\nInterfaceAlias : isatap.x\nForwarding     : Enabled\n\n" + SETTINGS + routes
    assert "SERVER-ROUTE-UNPUBLISHED" not in judged(text)
    machine = read(text)
    assert machine.routes and [route.published for route in machine.routes] == [None, None]
    assert machine.interfaces[0].gateways == [ip_address("fe80::5efe:a00:9")]


def test_a_stopped_service_in_another_language() -> None:
    assert "IPHLPSVC-STOPPED" in judged(SERVICES)


def test_answers_of_resolve_dnsname() -> None:
    (one,) = read(ANSWER).lookups
    assert one.name == "da.corp.example" and len(one.addresses) == 2


def test_a_blocked_record() -> None:
    text = """
HostName                  RecordType Type       Timestamp            TimeToLive      RecordData
--------                  ---------- ----       ---------            ----------      ----------
isatap                    A          1          0                    01:00:00        10.0.0.9
laptop                    AAAA       28         11/2/2026 9:00:00 AM 00:20:00        fd12:3456:789a:1:0:5efe:a00:63

Enable : True
List   : {wpad, isatap}
"""
    assert "DNS-BLOCKED" in judged(text)
    assert [record.name for record in read(text).records] == ["isatap", "laptop"]


def test_a_connection_that_does_not_come_about() -> None:
    text = """
ComputerName     : da.example.net
RemoteAddress    : 203.0.113.10
RemotePort       : 443
InterfaceAlias   : WLAN
SourceAddress    : 192.168.1.5
PingSucceeded    : False
TcpTestSucceeded : False
"""
    assert "IPHTTPS-UNREACHED" in judged(text)
    assert "IPHTTPS-UNREACHED" not in judged(
        text.replace("TcpTestSucceeded : False", "TcpTestSucceeded : True")
    )


def test_windows_own_judgement() -> None:
    text = """
Component    RemoteAccessServer  HealthState TimeStamp            Heuristics
---------    ------------------  ----------- ---------            ----------
Server       DA1.corp.example    Error       11/2/2026 9:00:00 AM
Isatap       DA1.corp.example    Error       11/2/2026 9:00:00 AM {RemoteAccessHealthHeuristic}
Dns          DA1.corp.example    OK          11/2/2026 9:00:00 AM
"""
    found = judged(text)["SERVER-HEALTH"]
    assert found.severity == "error" and len(found.seen) == 2
    assert found.seen[1] == "Get-RemoteAccessHealth of DA1.corp.example: Isatap Error"


def test_a_firewall_rule_and_its_filters() -> None:
    text = """PS C:\\> $r = Get-NetFirewallRule -DisplayName 'Helpdesk RDP'; $r; $r | Get-NetFirewallPortFilter

DisplayName                   : Helpdesk RDP
Enabled                       : True
Profile                       : Domain
Direction                     : Inbound
Action                        : Allow
EdgeTraversalPolicy           : Block

Protocol      : TCP
LocalPort     : 3389
RemotePort    : Any

LocalAddress  : Any
RemoteAddress : {fd12:3456:789a:1:0:5efe::/96, 10.0.0.0/8}

Status            : ConnectedRemotely
Substatus         : None
"""
    machine = read(text)
    assert machine.role == "client" and machine.firewall is not None
    (one,) = machine.firewall
    assert (one.protocol, one.ports, one.profiles, one.edge) == (
        "TCP",
        ("3389",),
        frozenset(["domain"]),
        False,
    )
    assert "FIREWALL-PROFILE" in judged(text)


def test_a_firewall_rule_without_its_ports_is_named_as_not_judged() -> None:
    text = "DisplayName : Helpdesk\nEnabled     : False\nDirection   : Inbound\nProfile     : Domain\n"
    assert any("Get-NetFirewallRule Helpdesk: not judged" in line for line in read(text).unread)
    assert list(judged(text)) == ["EVIDENCE"]


def test_the_registry_by_cmdlet() -> None:
    text = """
DisabledComponents : 255
PSPath             : Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\
                     Tcpip6\\Parameters
PSParentPath       : Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services
PSChildName        : Parameters
PSDrive            : HKLM
PSProvider         : Microsoft.PowerShell.Core\\Registry
"""
    found = read(text).value(r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters", "DisabledComponents")
    assert found is not None and found.value == 255


def test_the_registry_by_get_item() -> None:
    text = r"""
    Hive: HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip6

Name                           Property
----                           --------
Parameters                     Dhcpv6DUID         : {0, 1, 0, 1...}
                               DisabledComponents : 1
"""
    found = read(text).value(r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters", "DisabledComponents")
    assert found is not None and found.value == 1


def test_the_build_of_windows() -> None:
    table = "Major  Minor  Build  Revision\n-----  -----  -----  --------\n10     0      19045  0\n"
    assert read(table).build == 19045
    text = "SystemDirectory : C:\\Windows\nBuildNumber     : 17763\nVersion         : 10.0.17763\n"
    assert read(text).build == 17763


def test_ipconfig_and_cmdlets_speak_of_the_same_interface() -> None:
    text = """PS C:\\> ipconfig /all

Windows IP Configuration

   Host Name . . . . . . . . . . . . : HELPDESK1

Ethernet adapter Ethernet:

   Link-local IPv6 Address . . . . . : fe80::1%12(Preferred)
   IPv4 Address. . . . . . . . . . . : 10.0.0.5(Preferred)
   Subnet Mask . . . . . . . . . . . : 255.255.255.0
   Default Gateway . . . . . . . . . : 10.0.0.1

PS C:\\> Get-NetIPConfiguration

InterfaceAlias       : Ethernet
InterfaceIndex       : 12
IPv4Address          : 10.0.0.5
IPv6DefaultGateway   :
IPv4DefaultGateway   : 10.0.0.1
DNSServer            : 10.0.0.2
                       10.0.0.3
"""
    (one,) = read(text).interfaces
    assert one.ipv4 == [ip_address("10.0.0.5")] and one.gateways == [ip_address("10.0.0.1")]


def test_a_rule_with_its_ports_in_one_object() -> None:
    text = """PS C:\\> Get-NetFirewallRule | select Name, @{n='RemoteAddress';e={$_|Get-NetFirewallAddressFilter}}

DisplayName   : Helpdesk RDP
Enabled       : True
Profile       : Domain
Direction     : Inbound
Protocol      : TCP
LocalPort     : 3389
RemoteAddress : Any
"""
    (one,) = read(text).firewall or []
    assert (one.name, one.ports, one.remote) == ("Helpdesk RDP", ("3389",), ("Any",))


def test_bare_values_of_which_the_command_says_what_they_are() -> None:
    key = r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
    for command in (
        f"(Get-ItemProperty HKLM:\\{key}).DisabledComponents",
        f"Get-ItemPropertyValue 'HKLM:\\{key}' -Name DisabledComponents",
    ):
        found = read(f"PS C:\\> {command}\n255\n").value(key, "DisabledComponents")
        assert found is not None and found.value == 255
    quiet = (
        "PS C:\\> tnc da.example.net -Port 443 -InformationLevel Quiet\nWARNING: TCP connect failed\nFalse\n"
    )
    assert "IPHTTPS-UNREACHED" in judged(quiet)
    assert read(quiet.replace("False", "True")).tcp["da.example.net", 443].value


def test_another_host_than_the_gateway_does_not_count() -> None:
    url = "ServerURL : https://other.example.net:443/IPHTTPS\nState     : Default\n\n"
    text = "ComputerName     : www.example.net\nRemotePort       : 443\nTcpTestSucceeded : False\n"
    assert "IPHTTPS-UNREACHED" in judged(text) and "IPHTTPS-UNREACHED" not in judged(url + text)


def test_rows_that_a_mail_has_broken_are_whole_and_whole_ones_stay() -> None:
    text = """
IPAddress                InterfaceAlias           PrefixOrigin InterfaceIndex
---------                --------------           ------------ --------------
fe80::5efe:10.0.1.30%14  isatap.corp.example      WellKnown                14
fe80::a1b2%12 Ethernet WellKnown 12
fd12::a1b2               Ethernet with a longer   RouterAdvertisement
12
"""
    found = {one.name: (one.index, len(one.link_local), len(one.ipv6)) for one in read(text).interfaces}
    assert found["isatap.corp.example"] == (14, 1, 0) and found["Ethernet"] == (12, 1, 0)


def test_states_that_other_cmdlets_tell() -> None:
    off = "ServerURL : https://da.example.net:443/IPHTTPS\nState     : Disabled\n"
    assert "IPHTTPS-OFF" in judged(off) and "IPHTTPS-OFF" not in judged(off.replace("Disabled", "Default"))
    adapter = """
Name                      InterfaceDescription      ifIndex Status
----                      --------------------      ------- ------
isatap.{7D21C3A0-9D6E-... Microsoft ISATAP Adapter       22 Not Present

State   Router
-----   ------
Enabled mo-isatap.corp.example
"""
    assert "ISATAP-DISCONNECTED" in judged(adapter)
    assert "ISATAP-DISCONNECTED" not in judged(adapter.replace("Not Present", "Up"))


def test_own_rules_that_are_not_in_effect() -> None:
    own = "Namespace   : {.corp.example}\nNameServers : {fd12::1}\nVersion     : 2\nDisplayName : x\n"
    none = f"PS C:\\> Get-DnsClientNrptPolicy\nPS C:\\> Get-DnsClientNrptRule\n\n{own}"
    assert "NRPT-OVERRIDDEN" in judged(none)
    same = "Namespace   : .corp.example\nNameServers : fd12::1\nQueryPolicy :\n"
    assert "NRPT-OVERRIDDEN" not in judged(f"{own}\nPS C:\\> Get-DnsClientNrptPolicy\n\n{same}")


def test_entry_points_of_a_deployment() -> None:
    text = "EnterpriseName                   : Company\nGslbFqdn                         :\n"
    text += "ManualEntryPointSelectionAllowed : Enabled\nDAEntryPoints                    : "
    assert read(text + "{Entry Point 1, Entry Point 2}").sites == 2
    assert read(text + "Entry Point 1").sites == 1


def test_a_test_of_the_way_with_labels_of_two_words() -> None:
    text = """WARNING: TCP connect to (203.0.113.10 : 443) failed

ComputerName           : da.example.net
RemoteAddress          : 203.0.113.10
RemotePort             : 443
PingReplyDetails (RTT) : 0 ms
TcpTestSucceeded       : False
"""
    assert "IPHTTPS-UNREACHED" in judged(text)
