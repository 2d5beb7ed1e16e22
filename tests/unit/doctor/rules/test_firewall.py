"""The client's firewall: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from manageout.doctor.facts import Facts, FirewallRule, Interface, Seen
from tests.unit.doctor.judging import found
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
