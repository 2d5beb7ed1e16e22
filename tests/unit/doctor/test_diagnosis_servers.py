"""Rules on servers, farms and firewalls against evidence that says yes, no, and nothing; remedies with their names."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from manageout.doctor.facts import Facts, FirewallRule, Interface, Seen
from tests.unit.doctor.bundles import CLIENT, MANAGER, SERVER, Bundle, changed, facts, interface
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.test_diagnosis_rules import (
    NAME,
    clients_interface,
    farm,
    lookups,
    server_interface,
)

# Servers


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


def test_of_a_manager_several_routers_are_a_note() -> None:
    told = found(lookups(MANAGER, (NAME, "A", ["10.0.0.1", "10.0.0.2"])))
    assert told["ISATAP-SEVERAL-ROUTERS"].severity == "note"


# Edge traversal


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


def test_a_router_of_several_words_is_no_argument() -> None:
    machine = facts(MANAGER)
    machine.isatap_state = Seen("disabled", "State : disabled")
    machine.isatap_router = Seen("x -Force", "Router Name : x -Force")
    assert "-Router ROUTER" in found(machine)["ISATAP-DISABLED"].remedy[0]
    machine.isatap_router = Seen("r.corp.example", "Router Name : r.corp.example")
    assert "-Router r.corp.example" in found(machine)["ISATAP-DISABLED"].remedy[0]


def test_the_node_that_dnscmd_was_asked_for() -> None:
    blocked = "C:\\>dnscmd /info /globalqueryblocklist\n\nQuery result:\nString:  wpad\nString:  isatap\n\n"
    asked = "C:\\>dnscmd /enumrecords corp.example {}\nReturned records:\n@ 3600 A\t10.0.0.1\n"
    assert "DNS-BLOCKED" in pasted(blocked + asked.format("isatap"))
    assert "DNS-BLOCKED" not in pasted(blocked + asked.format("router"))
    assert "DNS-BLOCKED" not in pasted(blocked + asked.format("@"))


def test_the_interface_that_clients_connect_to() -> None:
    assert not found(clients_interface())
    for off in ({"Forwarding": "Disabled"}, {"Advertising": "Disabled"}):
        told = found(clients_interface(**off))
        assert set(told) == {"SERVER-CLIENTS-CUT"}
        assert told["SERVER-CLIENTS-CUT"].remedy[0].startswith("Set-NetIPInterface -InterfaceIndex 7 ")
    on_a_client = changed(CLIENT, "interfaces", [interface(20)])
    assert not found(on_a_client)
