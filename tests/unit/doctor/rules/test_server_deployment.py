"""A DirectAccess server's cards and settings, in pastes of several forms."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.read.bundle import read_pasted
from tests.unit.doctor.judging import pasted, pasted_all

SERVER = """
PS C:\\> Get-RemoteAccess | fl InternetInterface, InternalInterface

InternetInterface : Perimeter
InternalInterface : Office
"""


ACTIVE = """
C:\\>route print -4
===========================================================================
Schnittstellenliste
 11...00 15 5d 01 02 03 ......Microsoft Hyper-V Network Adapter
===========================================================================

IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0       172.20.5.1       172.20.5.9    271
{more}        10.60.1.0    255.255.255.0   Auf Verbindung        10.60.1.7    271
===========================================================================
"""
SECOND = "          0.0.0.0          0.0.0.0        10.60.1.1        10.60.1.7    271\n"
PERSISTENT = """
C:\\>route print -4
===========================================================================
Itinéraires persistants :
  Adresse réseau    Masque réseau  Adresse passerelle Métrique
          0.0.0.0          0.0.0.0       172.20.5.1  Par défaut
          0.0.0.0          0.0.0.0        10.60.1.1       1
===========================================================================
"""
NET_ROUTE = """
PS C:\\> Get-NetRoute -DestinationPrefix 0.0.0.0/0 | ft ifIndex,InterfaceAlias,DestinationPrefix,NextHop

ifIndex InterfaceAlias DestinationPrefix NextHop
------- -------------- ----------------- -------
      4 Perimeter      0.0.0.0/0         172.20.5.1
      7 Office         0.0.0.0/0         10.60.1.1
"""
IPCONFIG = """
C:\\>ipconfig

Configuration IP de Windows

Carte Ethernet Perimeter :

   Adresse IPv4. . . . . . . . . . . . . .: 172.20.5.9
   Masque de sous-réseau. . . . . . . . . : 255.255.255.0
   Passerelle par défaut. . . . . . . . . : 172.20.5.1

Carte Ethernet Office :

   Adresse IPv4. . . . . . . . . . . . . .: 10.60.1.7
   Masque de sous-réseau. . . . . . . . . : 255.255.255.0
   Passerelle par défaut. . . . . . . . . : 10.60.1.1
"""
CONFIGURATION = """
PS C:\\> Get-NetIPConfiguration

InterfaceAlias       : Perimeter
InterfaceIndex       : 4
InterfaceDescription : Microsoft Hyper-V Network Adapter
NetProfile.Name      : Network 2
IPv4Address          : 172.20.5.9
IPv4DefaultGateway   : 172.20.5.1
DNSServer            : 10.60.1.10

InterfaceAlias       : Office
InterfaceIndex       : 7
InterfaceDescription : Microsoft Hyper-V Network Adapter #2
NetProfile.Name      : corp.marlin.example
IPv4Address          : 10.60.1.7
IPv4DefaultGateway   : 10.60.1.1
DNSServer            : 10.60.1.10
"""


@pytest.mark.parametrize("text", [ACTIVE.format(more=SECOND), PERSISTENT, NET_ROUTE, IPCONFIG, CONFIGURATION])
def test_two_default_gateways(text: str) -> None:
    assert "SERVER-TWO-GATEWAYS" in pasted(SERVER + text)
    assert "SERVER-TWO-GATEWAYS" not in pasted(text)  # a notebook in a dock has two


def test_the_internal_card_loses_its_gateway() -> None:
    steps = pasted(SERVER + NET_ROUTE)["SERVER-TWO-GATEWAYS"].remedy
    assert steps[0].startswith('Remove-NetRoute -InterfaceAlias "Office" -DestinationPrefix 0.0.0.0/0')
    assert "-NextHop 10.60.1.1" in steps[1]


@pytest.mark.parametrize(
    "text",
    [
        ACTIVE.format(more=""),
        ACTIVE.format(more="          0.0.0.0          0.0.0.0       172.20.5.2       172.20.5.9    281\n"),
        IPCONFIG.replace("par défaut. . . . . . . . . : 10.60.1.1", "par défaut. . . . . . . . . :"),
    ],
)
def test_one_card_with_a_gateway_is_right(text: str) -> None:
    assert "SERVER-TWO-GATEWAYS" not in pasted(SERVER + text)


TABLE = """
PS C:\\> Get-NetConnectionProfile | ft InterfaceAlias,NetworkCategory

InterfaceAlias NetworkCategory
-------------- ---------------
Perimeter      {outer}
Office         {inner}
"""
LIST = """
PS C:\\> Get-NetConnectionProfile

Name             : Netz 3
InterfaceAlias   : Perimeter
InterfaceIndex   : 4
NetworkCategory  : {outer}
IPv4Connectivity : Internet
IPv6Connectivity : NoTraffic

Name             : corp.marlin.example
InterfaceAlias   : Office
InterfaceIndex   : 7
NetworkCategory  : {inner}
IPv4Connectivity : LocalNetwork
IPv6Connectivity : NoTraffic
"""


@pytest.mark.parametrize("form", [TABLE, LIST])
@pytest.mark.parametrize(
    ("outer", "inner", "code"),
    [
        ("DomainAuthenticated", "DomainAuthenticated", {"SERVER-EXTERNAL-DOMAIN"}),
        ("Public", "Private", {"SERVER-INTERNAL-PUBLIC"}),
        ("Private", "Public", {"SERVER-INTERNAL-PUBLIC"}),
        ("Public", "DomainAuthenticated", set()),
    ],
)
def test_the_profiles_of_the_cards(form: str, outer: str, inner: str, code: set[str]) -> None:
    told = pasted(SERVER + form.format(outer=outer, inner=inner))
    assert {one for one in told if one in ("SERVER-EXTERNAL-DOMAIN", "SERVER-INTERNAL-PUBLIC")} == code


CURRENT = """
C:\\>netsh advfirewall show currentprofile

{title}:
----------------------------------------------------------------------
State                                 ON
"""


def test_the_profile_in_force() -> None:
    assert "SERVER-EXTERNAL-DOMAIN" in pasted(SERVER + CURRENT.format(title="Domain Profile Settings"))
    french = pasted(SERVER + CURRENT.format(title="Paramètres Profil public"))
    assert "SERVER-INTERNAL-PUBLIC" in french and "SERVER-EXTERNAL-DOMAIN" not in french


def test_a_single_card_is_rightly_in_the_domain() -> None:
    one = SERVER.replace("Perimeter", "Office") + TABLE.format(
        outer="DomainAuthenticated", inner="DomainAuthenticated"
    )
    assert "SERVER-EXTERNAL-DOMAIN" not in pasted(one)


def listed(**said: str) -> str:
    width = max(map(len, said))
    return "PS C:\\> Get-RemoteAccess | fl *\n\n" + "\n".join(
        f"{name:{width}} : {value}" for name, value in {"DAStatus": "Installed", **said}.items()
    )


def table(**said: str) -> str:
    rows = {"DAStatus": "Installed", **said}
    width = {name: max(len(name), len(value)) + 1 for name, value in rows.items()}
    lines = (
        " ".join(f"{one:{width[name]}}" for name, one in zip(rows, words, strict=True)).rstrip()
        for words in (rows.keys(), ["-" * len(name) for name in rows], rows.values())
    )
    return f"PS C:\\> Get-RemoteAccess | select {','.join(rows)}\n\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", [listed, table])
@pytest.mark.parametrize(
    ("code", "bad", "good"),
    [
        ("SERVER-TEREDO-NAT", {"TeredoState": "Enabled", "IsNatDeployed": "True"}, {"TeredoState": "Disabled"}),
        ("SERVER-TEREDO-NAT", {"TeredoState": "Enabled", "IsSingleNic": "True"}, {"IsSingleNic": "False"}),
        ("SERVER-MANAGE-OUT-ONLY", {"DAInstallType": "ManageOut"}, {"DAInstallType": "FullInstall"}),
        (
            "SERVER-ALL-COMPUTERS",
            {"ClientSecurityGroupNameList": "{MARLIN\\Domain Computers}"},
            {"ClientSecurityGroupNameList": "{MARLIN\\DA-Notebooks}"},
        ),
        (
            "SERVER-DOWNLEVEL",
            {"Downlevel": "Enabled", "ComputerCertAuthentication": "Disabled"},
            {"ComputerCertAuthentication": "Enabled"},
        ),
        ("SERVER-NAP", {"HealthCheck": "Enabled"}, {"HealthCheck": "Disabled"}),
        ("SERVER-FORCE-TUNNEL", {"ForceTunnel": "Enabled"}, {"ForceTunnel": "Disabled"}),
        ("SERVER-CONNECT-NAME", {"ConnectToAddress": "10.60.1.7"}, {"ConnectToAddress": "198.51.100.4"}),
        ("SERVER-CONNECT-NAME", {"ConnectToAddress": "edge1"}, {"ConnectToAddress": "da.marlin.example"}),
        ("SERVER-LOCATION-UNREACHED", {"NlsReachability": "Unreachable"}, {"NlsReachability": "Reachable"}),
    ],
)  # fmt: skip
def test_what_the_deployment_is_set_to(
    form: object, code: str, bad: dict[str, str], good: dict[str, str]
) -> None:
    assert callable(form)
    assert code in pasted(form(**bad))
    assert code not in pasted(form(**{**bad, **good}))


TEREDO = """
C:\\>ipconfig /all

Ethernet adapter Internet:

   IPv4 Address. . . . . . . . . . . : 81.169.20.10(Preferred)
   Subnet Mask . . . . . . . . . . . : 255.255.255.240
   IPv4 Address. . . . . . . . . . . : 81.169.20.{last}(Preferred)
   Subnet Mask . . . . . . . . . . . : 255.255.255.240
   Default Gateway . . . . . . . . . : 81.169.20.1

PS C:\\> (Get-RemoteAccess).TeredoState
{state}
"""


def test_a_teredo_server_needs_two_consecutive_addresses() -> None:
    told = pasted(TEREDO.format(last=13, state="Enabled"))["TEREDO-PAIR"]
    assert told.severity == "error" and "81.169.20.10, 81.169.20.13" in told.seen[1]


@pytest.mark.parametrize(("last", "state"), [(11, "Enabled"), (9, "Enabled"), (13, "Disabled")])
def test_consecutive_addresses_and_no_teredo(last: int, state: str) -> None:
    assert "TEREDO-PAIR" not in pasted(TEREDO.format(last=last, state=state))


ONLY_A = """
DA client:
PS C:\\> Resolve-DnsName app6.corp.example -Server 2001:db8:40:3333::1
Resolve-DnsName : app6.corp.example : DNS name does not exist
At line:1 char:1
+ Resolve-DnsName app6.corp.example -Server 2001:db8:40:3333::1

inside:
PS C:\\> Resolve-DnsName app6.corp.example

Name                                           Type   TTL   Section    IPAddress
----                                           ----   ---   -------    ---------
app6.corp.example                              AAAA   1200  Answer     {address}

DA server:
PS C:\\> Get-NetDnsTransitionConfiguration

State                  : Enabled
OnlySendAQuery         : {only}
LatencyMilliseconds    : 200
AlwaysSynthesize       : False
"""


@pytest.mark.parametrize(
    ("address", "only", "severity"),
    [
        ("2001:db8:40:12::61", "True", ["error"]),
        ("2001:db8:40:1:0:5efe:a0c:20b", "True", ["note"]),
        ("2001:db8:40:7777::a0c:20b", "True", ["note"]),
        ("2001:db8:40:1000::61", "True", ["note"]),
        ("2001:db8:40:12::61", "False", []),
    ],
)
def test_dns64_that_hides_a_native_address(address: str, only: str, severity: list[str]) -> None:
    machines = read_pasted(ONLY_A.format(address=address, only=only))
    told = [one for one in diagnose(machines) if one.code == "SERVER-DNS64-ONLY-A"]
    assert [one.severity for one in told] == severity
    assert all((address in " ".join(one.seen)) == (one.severity == "error") for one in told)


@pytest.mark.parametrize(
    ("state", "only_a", "told"), [("Enabled", True, ["note"]), ("Enabled", False, []), ("Disabled", True, [])]
)
def test_dns64_that_nobody_calls_a_server(state: str, only_a: bool, told: list[str]) -> None:
    """Its output alone: it was read, and "nothing wrong" was said of it."""
    text = f"PS C:\\> Get-NetDnsTransitionConfiguration\n\nState : {state}\nOnlySendAQuery : {only_a}\n"
    found = diagnose(read_pasted(text))
    assert [one.severity for one in found if one.code == "SERVER-DNS64-ONLY-A"] == told


@pytest.mark.parametrize("command", ["Get-RemoteAccess", "Get-DANetworkLocationServer"])
@pytest.mark.parametrize(("year", "ended"), [("2025", True), ("2027", False)])
def test_the_location_servers_certificate_without_the_rest(command: str, year: str, ended: bool) -> None:
    text = f"""PS C:\\> {command} | fl NlsLocation,NlsUrl,NlsCertificate,NlsReachability

NlsLocation     : OnDaServer
NlsUrl          : https://nls.marlin.example/
NlsCertificate  : [Subject]
                    CN=nls.marlin.example

                  [Not Before]
                    11/20/2023 9:00:00 AM

                  [Not After]
                    11/19/{year} 9:00:00 AM

NlsReachability : Reachable

PS C:\\> Get-Date

Monday, November 30, 2026 10:12:44 AM
"""
    assert ("SERVER-CERTIFICATE-ENDED" in pasted_all(text)) == ended
