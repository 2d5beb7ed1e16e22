"""What is known of a machine is found however it is written."""

from __future__ import annotations

from ipaddress import IPv6Address

from manageout.doctor.facts import Facts, Interface, Seen
from tests.unit.doctor import live_cases


def test_registry_values_in_any_case() -> None:
    value: Seen[object] = Seen(1, "Enabled = 1")
    facts = Facts("x", registry={("software\\x", "enabled"): value})
    assert facts.value("SOFTWARE\\X", "Enabled") is value
    assert facts.value("SOFTWARE\\X", "Other") is None


def test_interfaces_by_kind_and_index() -> None:
    card, isatap = Interface("Ethernet", index=7), Interface("isatap.x", kind="isatap", index=15)
    facts = Facts("x", interfaces=[card, isatap])
    assert facts.of_kind("isatap") == [isatap] and facts.interface(7) is card
    assert facts.of_kind("teredo") == [] and facts.interface(8) is None


def test_addresses_are_printed_as_the_machine_did() -> None:
    one = IPv6Address("fe80::5efe:a00:1")
    shown = Interface("x", shown={one: "fe80::5efe:10.0.0.1%15"})
    assert shown.printed([one, IPv6Address("fd12::1")]) == "fe80::5efe:10.0.0.1%15, fd12::1"


def test_what_kind_of_machine_it_is() -> None:
    assert Facts("x", role="manager").kind == "manager"
    assert live_cases.facts(live_cases.HOST).kind == "host"
