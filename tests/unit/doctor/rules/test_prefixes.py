"""A deployment's prefixes: what still carries an old one, and what is rightly elsewhere."""

from __future__ import annotations

import pytest

from tests.unit.doctor.judging import pasted, pasted_all
from tests.unit.doctor.rules.cases import alone, theme


@pytest.mark.parametrize("name", theme("prefixes"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


RULES = """
PS C:\\> Get-NetFirewallRule -Name "{{0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A}}" | Get-NetFirewallAddressFilter | fl *

InstanceID    : {{0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A}}
LocalAddress  : {address}
RemoteAddress : Any

PS C:\\> Get-RemoteAccess | fl InternalIPv6Prefix, ConnectToAddress

InternalIPv6Prefix : {{fd31:7a2b:9c01:1::/64}}
ConnectToAddress   : da.marlin.example
"""


def test_the_rules_for_an_old_dns64_address() -> None:
    told = pasted(RULES.format(address="fdc4:29bd:abde:3333::1"))["SERVER-DNS64-RULES"]
    assert "to fd31:7a2b:9c01:3333::1 in" in told.remedy[1]
    assert "SERVER-DNS64-RULES" not in pasted(RULES.format(address="fd31:7a2b:9c01:3333::1"))


SITES = """
PS> foreach($e in 'Lyon','Madrid'){Get-RemoteAccess -EntrypointName $e | fl EntrypointName,ClientIPv6Prefix}


EntrypointName     : Lyon
ConnectToAddress   : da-lyon.corvel.eu
LoadBalancing      : Enabled
ClientIPv6Prefix   : fd90:7d1c:22e4:1000::/59




EntrypointName     : Madrid
ConnectToAddress   : da-madrid.corvel.eu
LoadBalancing      : Disabled
ClientIPv6Prefix   : PREFIX
"""


@pytest.mark.parametrize("prefix", ["fd90:7d1c:22e4:1010::/64", "fd90:7d1c:22e4:1000::/59"])
def test_client_prefixes_of_two_entry_points_that_overlap(prefix: str) -> None:
    told = pasted(SITES.replace("PREFIX", prefix))["SITE-CLIENT-PREFIXES"]
    assert [line.rpartition(" ")[2] for line in told.seen] == ["fd90:7d1c:22e4:1000::/59", prefix]
    assert told.severity == "error" and '"Madrid"' in told.remedy[1]


def test_client_prefixes_side_by_side() -> None:
    assert "SITE-CLIENT-PREFIXES" not in pasted(SITES.replace("PREFIX", "fd90:7d1c:22e4:1020::/64"))


OLD, NOW = "fd5c:81d0:6e02", "fd77:4b19:a3c8"
HELD = """
PS C:\\> Get-NetIPAddress -AddressFamily IPv6 -InterfaceAlias LAN | select IPAddress,PrefixLength

IPAddress                    PrefixLength
---------                    ------------
fe80::3cb2:91ff:fe07:6a11%4            64
{now}:3333::1                128
"""
TRANSLATES = """
PS C:\\> Get-NetNatTransitionConfiguration

InstanceName        : DANat
State               : Enabled
PrefixMapping       : {{{prefix}:7777::/96,0.0.0.0/0}}
IPv4AddressPortPool : {{10.21.4.8,6001-47000}}
"""
ONE_RULE = """
PS C:\\> Get-NetFirewallRule -Name {key} -PolicyStore ActiveStore | % {{ $_; $_ | Get-NetFirewallAddressFilter }}

Name        : {key}
DisplayName : Domain Name Server (TCP-In)
Enabled     : True
Action      : Allow

LocalAddress  : {prefix}:3333::1
RemoteAddress : Any
"""
BY_NETSH = """
C:\\>netsh advfirewall firewall show rule name="Domain Name Server (UDP-In)"

Rule Name:                            Domain Name Server (UDP-In)
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Domain,Private,Public
Grouping:                             DirectAccess
LocalIP:                              {prefix}:3333::1/128
RemoteIP:                             Any
Protocol:                             UDP
LocalPort:                            53
RemotePort:                           Any
Edge traversal:                       No
Action:                               Allow
"""
DEPLOYED = """
PS C:\\> Get-RemoteAccess | fl InternalIPv6Prefix,ClientIPv6Prefix,ServerGpoName

InternalIPv6Prefix : {{{now}:1::/64}}
ClientIPv6Prefix   : {prefix}:1000::/64
ServerGpoName      : corp.example\\DirectAccess Server Settings
"""
MOVED = DEPLOYED.replace("{prefix}", "{now}")
NAMES = """
the laptop:
C:\\>netsh namespace show effectivepolicy

DNS Effective Name Resolution Policy Table Settings

Settings for .corp.example
----------------------------------------------------------------------
DirectAccess (Certification Authority)  :
DirectAccess (DNS Servers)              : {prefix}:3333::1
DirectAccess (Proxy Settings)           : Bypass proxy
"""
KEY = "24FD98AA-178E-4B01-9220-D0DADA9C8503"
"""Of one of DirectAccess' own rules."""


@pytest.mark.parametrize("rules", [ONE_RULE, BY_NETSH])
@pytest.mark.parametrize("known", [HELD, TRANSLATES, DEPLOYED])
def test_firewall_rules_that_keep_the_old_address(rules: str, known: str) -> None:
    now = known.format(now=NOW, prefix=NOW)
    told = pasted(now + rules.format(prefix=OLD, key=KEY))
    assert {one for one in told if told[one].severity == "error"} == {"SERVER-DNS64-RULES"}
    assert f"{NOW}:3333::1" in told["SERVER-DNS64-RULES"].remedy[1]
    assert not {"SERVER-DNS64-RULES", "SERVER-OLD-PREFIX"} & set(
        pasted(now + rules.format(prefix=NOW, key=KEY))
    )


@pytest.mark.parametrize(
    ("known", "part"),
    [(HELD, TRANSLATES), (MOVED, TRANSLATES), (DEPLOYED, ""), (MOVED, NAMES),
     (MOVED, HELD.replace("{now}", "{prefix}"))],
)  # fmt: skip
def test_what_else_keeps_the_old_prefix(known: str, part: str) -> None:
    text = "the DA server:\n" + known + part
    told = pasted_all(text.format(now=NOW, prefix=OLD))
    assert "SERVER-OLD-PREFIX" in told
    assert any(OLD in line for line in told["SERVER-OLD-PREFIX"].seen)
    assert "SERVER-OLD-PREFIX" not in pasted_all(text.format(now=NOW, prefix=NOW))


def test_a_prefix_of_ones_own_for_clients_is_no_old_one() -> None:
    """Whoever has native IPv6 chooses it anywhere."""
    text = DEPLOYED.format(now="2001:db8:40", prefix="2001:db8:90").replace(":1000::/64", ":d000::/64")
    assert "SERVER-OLD-PREFIX" not in pasted(text)


def test_one_of_several_internal_prefixes_is_no_old_one() -> None:
    text = DEPLOYED.replace(":1::/64}}", ":1::/64, {prefix}:1::/64}}").format(now=NOW, prefix=OLD)
    assert "SERVER-OLD-PREFIX" not in pasted(text + TRANSLATES.format(prefix=OLD))


CARDS = """
The DirectAccess server:

C:\\>ipconfig

Ethernet adapter {outer}:

   IPv4 Address. . . . . . . . . . . : 203.0.113.9
   Default Gateway . . . . . . . . . : 203.0.113.1

Ethernet adapter {inner}:

   IPv4 Address. . . . . . . . . . . : {address}
   Default Gateway . . . . . . . . . :
"""
BY_CMDLET = """
PS DAEDGE> Get-RemoteAccess | fl InternetInterface,InternalInterface

InternetInterface : Net0
InternalInterface : Net1

PS DAEDGE> Get-NetIPAddress -AddressFamily IPv4 | ft InterfaceAlias,IPAddress,PrefixLength

InterfaceAlias IPAddress    PrefixLength
-------------- ---------    ------------
Net0           203.0.113.9            29
Net1           {address}              24
"""


@pytest.mark.parametrize("form", [CARDS.format(outer="WAN", inner="LAN", address="{address}"), BY_CMDLET])
def test_a_public_address_inside_that_the_card_alone_shows(form: str) -> None:
    """A doubt: some intranets have public addresses by design."""
    told = pasted(form.format(address="131.107.0.44"))["SERVER-PUBLIC-INSIDE"]
    assert told.severity == "warning" and "131.107.0.44" in told.seen[0]
    assert "SERVER-PUBLIC-INSIDE" not in pasted(form.format(address="10.21.4.8"))


def test_a_single_card_is_no_inner_one() -> None:
    text = BY_CMDLET.replace("InternalInterface : Net1", "InternalInterface : Net0")
    assert "SERVER-PUBLIC-INSIDE" not in pasted(text.format(address="10.21.4.8"))


MADE_OF = """
PS DAEDGE> Get-RemoteAccess | fl InternalIPv6Prefix,LoadBalancing

InternalIPv6Prefix : {{2002:836b:1:1::/64}}
LoadBalancing      : {farm}

PS DAEDGE> Get-NetIPAddress -AddressFamily IPv4 | ft InterfaceAlias,IPAddress

InterfaceAlias IPAddress
-------------- ---------
Net0           {address}
Net1           10.21.4.8
"""


@pytest.mark.parametrize(
    ("address", "farm", "told"),
    [("198.51.100.7", "Disabled", True), ("131.107.0.1", "Disabled", False), ("198.51.100.7", "Enabled", False),
     ("10.21.9.8", "Disabled", False)],
)  # fmt: skip
def test_a_6to4_prefix_of_an_address_that_is_gone(address: str, farm: str, told: bool) -> None:
    """Behind a balancer the address is the balancer's."""
    found = pasted(MADE_OF.format(address=address, farm=farm))
    assert ("SERVER-OLD-ADDRESS" in found) == told and "SERVER-NO-ISATAP" not in found


TUNNEL = """
C:\\>ipconfig

Tunnel adapter iphttpsinterface:

   IPv6 Address. . . . . . . . . . . : {now}:{subnet}:2c1f:aa01:9d4e:7b15
"""
FAILED = """
PS C:\\> Resolve-DnsName fs1.corp.example
Resolve-DnsName : fs1.corp.example : This operation returned because the timeout period expired
    + FullyQualifiedErrorId : ERROR_TIMEOUT,Microsoft.DnsClient.Commands.ResolveDnsName
"""


@pytest.mark.parametrize(
    ("now", "subnet", "more", "severity"),
    [(NOW, "1000", FAILED, ["error"]), (NOW, "1000", "", ["warning"]), (OLD, "1000", FAILED, []),
     (NOW, "d000", "", [])],
)  # fmt: skip
def test_a_client_whose_name_rules_are_old(now: str, subnet: str, more: str, severity: list[str]) -> None:
    rules = NAMES.partition("C:")[2].join(["C:", ""]).format(prefix=OLD)
    told = pasted(rules + TUNNEL.format(now=now, subnet=subnet) + more)
    assert [one.severity for code, one in told.items() if code == "NRPT-OLD-PREFIX"] == severity


NAMES64 = """
PS C:\\> Get-NetDnsTransitionConfiguration | fl State,PrefixMapping

State         : Enabled
PrefixMapping : {{{prefix}:7777::/96,0.0.0.0/0}}
"""


@pytest.mark.parametrize(("prefix", "told"), [(OLD, True), (NOW, False)])
def test_dns64_and_nat64_of_two_prefixes(prefix: str, told: bool) -> None:
    found = pasted(NAMES64.format(prefix=prefix) + TRANSLATES.format(prefix=NOW))
    assert ("SERVER-OLD-PREFIX" in found) == told


PUBLISHED = """
PS C:\\> Get-NetRoute -AddressFamily IPv6 | ? Publish -eq Yes | ft ifIndex,DestinationPrefix,Publish

ifIndex DestinationPrefix       Publish
------- -----------------       -------
17      {prefix}:1::/64  Yes

PS C:\\> Get-NetAdapter -IncludeHidden | ? Name -match isatap | ft Name,ifIndex

Name                ifIndex
----                -------
isatap.corp.example      17
"""


@pytest.mark.parametrize(("prefix", "told"), [(OLD, True), (NOW, False)])
def test_a_picked_route_of_the_old_prefix(prefix: str, told: bool) -> None:
    found = pasted(DEPLOYED.format(now=NOW, prefix=NOW) + PUBLISHED.format(prefix=prefix))
    assert ("SERVER-PREFIX-DIFFERS" in found) == told


NATIVE = """
[DA2]: PS C:\\> Get-RemoteAccess | Select-Object InternalIPv6Prefix, ClientIPv6Prefix

InternalIPv6Prefix   ClientIPv6Prefix
------------------   ----------------
{{{prefix}}} {clients}

DESK4 C:\\>ipconfig
{host}
"""
WAITS = """
Tunnel adapter isatap.ad.example:

   Link-local IPv6 Address . . . . . : fe80::5efe:10.20.1.5%15
   Default Gateway . . . . . . . . . :
"""
WELL = WAITS.replace(
    "   Link", "   IPv6 Address. . . . . . . . . . . : 2001:db8:9:1:0:5efe:10.20.1.5\n   Link"
).replace("Gateway . . . . . . . . . :", "Gateway . . . . . . . . . : fe80::5efe:10.30.0.4%15")


@pytest.mark.parametrize("prefix", ["2001:db8:9::/48", "fd77:1:2::/48", "2001:db8:9:1::/64"])
def test_a_server_that_was_given_a_prefix_is_no_isatap_router(prefix: str) -> None:
    clients = prefix.partition("::")[0].removesuffix(":1") + ":1000::/64"
    told = pasted_all(NATIVE.format(prefix=prefix, clients=clients, host=WAITS))
    assert next(iter(told)) == "SERVER-NO-ROUTER" and told["SERVER-NO-ROUTER"].severity == "error"
    well = pasted_all(NATIVE.format(prefix=prefix, clients=clients, host=WELL))
    assert all(one.severity == "note" for one in well.values())  # there is a router of its own


@pytest.mark.parametrize("prefix", ["fd77:1:2:1::/64", "2002:836b:1:1::/64"])
def test_a_prefix_that_the_wizard_has_made_is_that_of_a_router(prefix: str) -> None:
    clients = prefix.partition(":1::/64")[0] + ":1000::/64"
    assert "SERVER-NO-ROUTER" not in pasted_all(NATIVE.format(prefix=prefix, clients=clients, host=WAITS))


EDGE = """
C:\\>ipconfig

Windows IP Configuration

Ethernet adapter {outer}:

   IPv4 Address. . . . . . . . . . . : 198.41.30.5
   Default Gateway . . . . . . . . . : 198.41.30.1

Ethernet adapter {inner}:

   IPv4 Address. . . . . . . . . . . : 193.47.80.20
   Default Gateway . . . . . . . . . :

Tunnel adapter isatap.{{0A1B2C3D-0000-1111-2222-333344445555}}:

   Link-local IPv6 Address . . . . . : fe80::200:5efe:193.47.80.20%17
   Default Gateway . . . . . . . . . :
"""


@pytest.mark.parametrize(("outer", "inner"), [("WAN", "LAN"), ("Extern", "Intern"), ("Internet", "Corpnet")])
def test_a_machine_with_cards_of_both_sides_is_the_server(outer: str, inner: str) -> None:
    told = pasted(EDGE.format(outer=outer, inner=inner))
    assert next(iter(told)) == "SERVER-PUBLIC-INSIDE"
    assert "SERVER-PUBLIC-INSIDE" not in pasted(EDGE.format(outer="Ethernet", inner="Ethernet 2"))
