"""DirectAccess servers and farms: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from tests.unit.doctor.bundles import CLIENT, SERVER, Bundle, changed, interface
from tests.unit.doctor.judging import found, pasted, pasted_all
from tests.unit.doctor.rules.cases import (
    NAME,
    alone,
    clients_interface,
    farm,
    lookups,
    server_interface,
    theme,
)


@pytest.mark.parametrize("name", theme("server"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


@pytest.mark.parametrize(
    "word", ["NotConfigured", "Not Configured", "Disabled", "None", "", "Nicht konfiguriert"]
)
def test_a_server_without_load_balancing_is_no_farm(word: str) -> None:
    assert not [name for name in found(farm(LoadBalancing=word)) if name.startswith("FARM-")]


@pytest.mark.parametrize("word", ["ThirdParty", "WindowsNLB", "NLB", "ExternalLoadBalancer"])
def test_a_farm_with_a_64_is_told_its_own_59(word: str) -> None:
    case = lookups(
        farm(LoadBalancing=word, TeredoState="Disabled"), (NAME, "A", ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    )
    (step,) = found(case)["FARM-CLIENT-PREFIX"].remedy
    assert step.startswith("Set-DAServer -ClientIPv6Prefix fd12:3456:789a:1000::/59 ")


def test_the_reset_names_the_index_and_the_command() -> None:
    told = found(server_interface(Forwarding="Disabled", Advertising="Disabled"))
    assert (
        told["SERVER-RESET"]
        .remedy[0]
        .startswith("Set-NetIPInterface -InterfaceIndex 15 -Forwarding Enabled -Advertising Enabled")
    )


def two_cards(**inner: str) -> Bundle:
    """Adapter 15 is the internal card's, 16 that of the card outside, which is no router and need not be."""
    on = {"Forwarding": "Enabled", "Advertising": "Enabled", "AdvertiseDefaultRoute": "Enabled"}
    made = changed(SERVER, "interfaces", [interface(15, **(on | inner)), interface(16)])
    outside = {
        "Name": "isatap.{11111111-2222-3333-4444-555555555555}",
        "InterfaceDescription": "Microsoft ISATAP Adapter #2",
        "ifIndex": 16,
        "Status": "Up",
    }
    made = changed(made, "adapters", lambda rows: [*rows, outside])
    address = {"IPAddress": "fd99::5efe:10.9.0.1", "InterfaceIndex": 16}
    made = changed(made, "addresses", lambda rows: [*rows, address])
    return changed(made, "remoteAccess", lambda rows: [rows[0] | {"InternalInterface": "Ethernet0"}])


def test_the_adapter_of_the_card_outside_need_not_forward() -> None:
    assert not found(two_cards())
    assert set(found(two_cards(Forwarding="Disabled", Advertising="Disabled"))) == {"SERVER-RESET"}


def test_before_2016_nothing_is_lost_at_a_restart() -> None:
    old = server_interface(Forwarding="Disabled", Advertising="Disabled") | {"build": 9600}
    assert set(found(old)) == {"SERVER-FORWARDING", "SERVER-ADVERTISING"}


def test_several_records_are_right_for_nlb_alone() -> None:
    three = (NAME, "A", ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    wide = {"ClientIPv6Prefix": "fd12:3456:789a:1000::/59", "TeredoState": "Disabled"}
    assert not found(lookups(farm(LoadBalancing="WindowsNLB", **wide), three))
    assert set(found(lookups(farm(LoadBalancing="ThirdParty", **wide), three))) == {"FARM-EXTERNAL-NAMES"}
    one = (NAME, "A", ["10.0.0.1"])
    assert set(found(lookups(farm(LoadBalancing="ThirdParty", **wide), one))) == {"FARM-EXTERNAL"}


def test_the_interface_that_clients_connect_to() -> None:
    assert not found(clients_interface())
    for off in ({"Forwarding": "Disabled"}, {"Advertising": "Disabled"}):
        told = found(clients_interface(**off))
        assert set(told) == {"SERVER-CLIENTS-CUT"}
        assert told["SERVER-CLIENTS-CUT"].remedy[0].startswith("Set-NetIPInterface -InterfaceIndex 7 ")
    on_a_client = changed(CLIENT, "interfaces", [interface(20)])
    assert not found(on_a_client)


def test_what_runs_is_not_to_be_switched_on() -> None:
    steps = found(changed(SERVER, "natTransition", [{"State": "Disabled"}]))["SERVER-TRANSLATION-OFF"].remedy
    assert steps == ("Set-NetNatTransitionConfiguration -State Enabled",)
    steps = found(changed(SERVER, "dnsTransition", [{"State": "Disabled"}]))["SERVER-TRANSLATION-OFF"].remedy
    assert steps == ("Set-NetDnsTransitionConfiguration -State Enabled",)


FARM = """
Two DirectAccess nodes with NLB: node 1 is {prefix}.11, node 2 is {prefix}.12, VIP {prefix}.10.
{more}
C:\\>nslookup {name}
Server:  dc1.corp.example
Address:  10.5.0.2

Name:    {name}
Addresses:  {prefix}.11
          {prefix}.12

"""
SETTING = """
PS C:\\> Get-NetIsatapConfiguration

State  : Enabled
Router : {router}

"""


def farms(text: str) -> set[str]:
    return {code for code in pasted(text) if code.startswith("FARM-")}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("da-isatap.corp.example", ""),
        ("isatap.corp.example", ""),
        ("gw.corp.example", SETTING.format(router="gw.corp.example")),
    ],
)
def test_the_routers_name_is_rightly_of_each_node(name: str, more: str) -> None:
    """With NLB it has every node's own address: no word that it ought to lead to the virtual one alone."""
    assert farms(FARM.format(name=name, more=more, prefix="10.5.1")) == {"FARM-NLB-NAMES"}


def test_a_router_that_is_set_by_one_nodes_address_needs_a_name_of_all() -> None:
    text = FARM.partition("C:")[0].format(more=SETTING.format(router="10.5.1.11"), prefix="10.5.1")
    assert farms(text) == {"FARM-NLB-NAMES"}


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("directaccess-nls.corp.example", {"FARM-NODE-ADDRESS"}),
        ("remote.corp.example", {"FARM-NODE-ADDRESS"}),
        ("da-east.corp.example", set()),
        ("dave.corp.example", set()),
    ],
)
def test_a_nodes_own_name_rightly_leads_to_it(name: str, codes: set[str]) -> None:
    assert farms(FARM.format(name=name, more="", prefix="10.5.1")) == codes


def test_what_is_found_outside_belongs_to_the_virtual_address_outside() -> None:
    text = FARM.format(name="da.corp.example", more="", prefix="203.0.113")
    text = text.replace("VIP 203", "internal VIP 10.5.1.10, external VIP 203")
    assert pasted(text)["FARM-NODE-ADDRESS"].remedy[0] == "let da.corp.example lead to 203.0.113.10"


MARKED = """
NLB cluster of two DA servers.

DA1: internal NIC
   IPv4 Address. . . . . . . . . . . : 10.8.0.51(Preferred)
   IPv4 Address. . . . . . . . . . . : 10.8.0.50(Preferred)   <- internal VIP

C:\\>nslookup fox-isatap
Server:  dc1.corp.example
Address:  10.8.0.10

Name:    fox-isatap.corp.example
Addresses:  10.8.0.51
          10.8.0.52
          {third}

C:\\>netsh int isatap show router
Router Name                         : fox-isatap.corp.example
Use Relay                           : enabled
Resolution Interval                 : default
"""


def test_the_address_that_the_routers_name_lacks_is_named() -> None:
    told = pasted(MARKED.format(third=""))["FARM-NLB-NAMES"]
    assert told.seen[-1] == "without 10.8.0.50" and "10.8.0.50" in told.remedy[0]
    assert "FARM-NLB-NAMES" not in pasted(MARKED.format(third="10.8.0.50"))


NODES = """
PS C:\\> Get-NlbCluster

Name       IPAddress  SubnetMask    ClusterMode
----       ---------  ----------    -----------
DAFARM     10.21.4.20 255.255.255.0 UNICAST

PS C:\\> Get-NlbClusterNode

Name State              Interface HostID
---- -----              --------- ------
DA1  Converged(default) LAN       1
DA2  {state}          LAN       2

C:\\>nslookup da-isatap.corp.example
Server:  dc7.corp.example
Address:  10.21.0.10

Name:    da-isatap.corp.example
Addresses:  10.21.4.21
          10.21.4.22
          {third}
"""


@pytest.mark.parametrize(("state", "down"), [("Converged", False), ("Suspended", True), ("Stopped  ", True)])
def test_a_node_that_takes_no_part(state: str, down: bool) -> None:
    assert ("FARM-NODE-DOWN" in pasted(NODES.format(state=state, third="10.21.4.20"))) == down


@pytest.mark.parametrize(("third", "missing"), [("10.21.4.20", False), ("10.21.4.23", True)])
def test_the_virtual_address_is_the_clusters(third: str, missing: bool) -> None:
    told = pasted(NODES.format(state="Converged", third=third))
    assert ("FARM-NLB-NAMES" in told) == missing
    assert not missing or "without 10.21.4.20" in told["FARM-NLB-NAMES"].seen


BALANCED = """
PS C:\\> Get-RemoteAccessLoadBalancerNode | fl

ComputerName                : DA1.corp.example
NodeState                   : Online
InternalDedicatedIPAddress  : {10.21.4.21/255.255.255.0}

ComputerName                : DA2.corp.example
NodeState                   : STATE
InternalDedicatedIPAddress  : {10.21.4.22/255.255.255.0}
"""


@pytest.mark.parametrize(("state", "down"), [("Online", False), ("Offline", True)])
def test_nodes_of_remote_access(state: str, down: bool) -> None:
    assert ("FARM-NODE-DOWN" in pasted(BALANCED.replace("STATE", state))) == down


PICKED = """on the DA server:
PS C:\\> Get-NetRoute -AddressFamily IPv6 | ? DestinationPrefix -like 'fd77*' | ft

DestinationPrefix           InterfaceAlias      NextHop Publish
-----------------           --------------      ------- -------
fd77:4b19:a3c8:1::/64       isatap.corp.example ::      {}
fd77:4b19:a3c8:1000::/64    IPHTTPSInterface    ::      Yes
"""


@pytest.mark.parametrize(("publish", "told"), [("No", True), ("Yes", False)])
def test_a_route_that_somebody_has_picked_shows_whether_it_is_published(publish: str, told: bool) -> None:
    assert ("SERVER-ROUTE-UNPUBLISHED" in pasted_all(PICKED.format(publish))) == told


def test_a_route_that_somebody_has_not_picked_may_be_there() -> None:
    text = PICKED.format("Yes").replace("fd77:4b19:a3c8:1::/64 ", "fd77:4b19:a3c8:1::/128")
    assert "SERVER-ROUTE-UNPUBLISHED" not in pasted_all(text)


UNPUBLISHED = """
PS C:\\> Get-RemoteAccessHealth | ? Component -eq ISATAP | fl Component,HealthState,Heuristics

Component   : ISATAP
HealthState : {}
Heuristics  : {{The ISATAP name is not published}}

PS C:\\> Resolve-DnsName isatap.corp.example
Resolve-DnsName : isatap.corp.example : DNS name does not exist
    + FullyQualifiedErrorId : DNS_ERROR_RCODE_NAME_ERROR,Microsoft.DnsClient.Commands.ResolveDnsName
"""


@pytest.mark.parametrize(("state", "severity"), [("Error", "error"), ("OK", "warning")])
def test_the_router_name_that_is_missing_is_why_isatap_is_ill(state: str, severity: str) -> None:
    told = pasted(UNPUBLISHED.format(state))
    assert next(iter(told)) == "SERVER-NAME-UNPUBLISHED"
    assert told["SERVER-NAME-UNPUBLISHED"].severity == severity
    assert state == "OK" or "(The ISATAP name is not published)" in told["SERVER-HEALTH"].seen[0]


CUT = """on the DA server:
PS C:\\> Get-NetIPInterface -InterfaceAlias IPHTTPSInterface -AddressFamily IPv6 | fl Forwarding,Advertising,ifIndex

Forwarding  : {}
Advertising : Enabled
ifIndex     : 20
"""


@pytest.mark.parametrize(("state", "told"), [("Disabled", True), ("Enabled", False)])
def test_the_interface_that_the_command_alone_names(state: str, told: bool) -> None:
    assert ("SERVER-CLIENTS-CUT" in pasted_all(CUT.format(state))) == told


SIX = """{words}

PS C:\\> Get-NetDnsTransitionConfiguration | fl State,OnlySendAQuery

State          : Enabled
OnlySendAQuery : True

C:\\>nslookup app6.corp.example 10.21.0.10
Server:  dc7.corp.example
Address:  10.21.0.10

Name:    app6.corp.example
Address:  2001:db8:77:20::15
"""


@pytest.mark.parametrize(
    ("words", "severity"), [("Two v6-only servers are not found.", "error"), ("Hello.", "note")]
)
def test_servers_that_somebody_says_have_ipv6_alone(words: str, severity: str) -> None:
    assert pasted_all(SIX.format(words=words))["SERVER-DNS64-ONLY-A"].severity == severity


def test_a_sentence_below_a_look_up_is_none_of_its_addresses() -> None:
    text = """A farm with NLB.

C:\\>nslookup da-isatap.corp.example
Server:  dc7.corp.example
Address:  10.21.0.10

Name:    da-isatap.corp.example
Addresses:  10.21.4.21
          10.21.4.22

VIP is 10.21.4.20, DIPs are 10.21.4.21 and 10.21.4.22.
"""
    told = pasted_all(text)["FARM-NLB-NAMES"]
    assert "without 10.21.4.20" in told.seen
