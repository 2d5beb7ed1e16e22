"""What rules ask of evidence that may not be there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.doctor.facts import Facts, Interface, Reached, Seen
from manageout.doctor.rules.evidence import (
    events,
    gateway,
    holding,
    inner,
    label,
    location,
    quotes,
    stated,
)
from manageout.wire.host_port import host_of


def test_only_what_is_there_is_quoted() -> None:
    assert quotes(None, Seen(1, "one"), None, Interface("x", quote="card")) == ("one", "card")
    assert quotes() == ()


def test_a_value_is_stated_by_its_quote() -> None:
    assert stated(Seen("disabled", "State: Disabled"), "default", "disabled") == ("State: Disabled",)
    assert stated(Seen(False, "no"), False) == ("no",)
    assert stated(Seen(False, "no"), True) == () == stated(None, None)


def test_an_interface_is_called_by_its_words_or_its_name() -> None:
    one = Interface("isatap.x", ipv6=[IPv6Address("fd12::1")])
    assert (label(one), holding(one, one.ipv6)) == ("isatap.x", "isatap.x: fd12::1")
    one.quote = "Tunnel adapter isatap.x:"
    assert label(one) == "Tunnel adapter isatap.x:"


def test_events_are_quoted_one_by_one() -> None:
    facts = Facts("x", events=["a 0x490", "b", "c 0x490"])
    assert list(events(facts, "0x490")) == [("a 0x490",), ("c 0x490",)]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://DA.example.net:443/IPHTTPS", "da.example.net"),
        ("da.example.net", ""),
        ("", ""),
        ("https://[fd12::1", ""),
    ],
)
def test_the_host_of_whatever_is_called_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
    assert gateway(Facts("x", iphttps_url=Seen(url, url))) == host
    assert gateway(Facts("x")) == "" == location(Facts("x"))


@pytest.mark.parametrize(
    ("address", "is_inner"), [("10.0.0.1", True), ("fd00::1", True), ("203.0.113.1", False)]
)
def test_addresses_of_intranets(address: str, is_inner: bool) -> None:
    found = IPv6Address(address) if ":" in address else IPv4Address(address)
    assert inner(Reached(False, "no", found)) is is_inner
    assert not inner(Reached(False, "no"))
