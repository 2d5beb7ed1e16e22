"""Addresses and ports as people write them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from manageout.errors import AddressError
from manageout.wire.host_port import HostPort, host_of


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [("10.0.0.10:5353", "10.0.0.10", 5353), ("[fd12::1]:53", "fd12::1", 53), ("[::]:0", "::", 0)],
)
def test_address_and_port(text: str, address: str, port: int) -> None:
    assert HostPort.parse(text) == HostPort.parse(text, 80) == HostPort(ip_address(address), port)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.10", "10.0.0.10"),
        ("fd12::1", "fd12::1"),
        ("[fd12::1]", "fd12::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_the_usual_port(text: str, host: str) -> None:
    found = HostPort.parse(text, 53)
    assert (found.host, found.port) == (host, 53)
    with pytest.raises(AddressError):
        HostPort.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":53",
        "[]:53",
        "10.0.0.10:",
        "10.0.0.10:65536",
        "10.0.0.10:+5",
        "10.0.0:53",
        "[10.0.0.1]:53",
        "fd12::1:x",
        "[fd12::1]:53 ",
        "[fd12::1",
        "server:53",
        "10.0.0.10:53:53",
        "1.1.1.1\n:53",
        "[::1]x:53",
    ],
)
def test_what_is_neither(text: str) -> None:
    with pytest.raises(AddressError, match="is not ADDRESS:PORT"):
        HostPort.parse(text)
    with pytest.raises(AddressError):
        HostPort.parse(text, 53)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://DA.Corp.example:443/IPHTTPS", "da.corp.example"),
        ("https://[fd00::1]/", "fd00::1"),
        ("name", ""),
        ("//[", ""),
    ],
)
def test_the_host_in_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
