"""How many connections the gateway takes, counted by source."""

from __future__ import annotations

import socket

import pytest

from manageout.config import IpHttpsTable
from manageout.errors import KernelError
from manageout.protocol.drops import Drop
from manageout.service.iphttps_connection import Admission, listen, source_of


def test_an_ipv6_source_is_its_64() -> None:
    assert source_of("2001:db8:1:2:3:4:5:6") == source_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert source_of("fe80::1%eth0") == "fe80::/64"
    assert source_of("192.0.2.1") == "192.0.2.1"


def test_each_limit_has_its_own_name() -> None:
    admission = Admission(IpHttpsTable(max_connections=3, max_per_source=2, max_handshakes=2))
    for source in ("a", "a"):
        assert admission.refuse(source) is None
        admission.enter(source)
    assert admission.refuse("a") is Drop.TOO_MANY_FROM_SOURCE
    assert admission.refuse("b") is Drop.TOO_MANY_HANDSHAKES
    admission.established()
    admission.established()
    assert admission.refuse("b") is None
    admission.enter("b")
    assert admission.refuse("c") is Drop.TOO_MANY_CONNECTIONS
    admission.leave("a", established=True)
    assert admission.refuse("a") is None


def test_a_connection_is_half_open_until_its_head_has_come() -> None:
    admission = Admission(IpHttpsTable(max_handshakes=1))
    admission.enter("a")
    assert admission.refuse("b") is Drop.TOO_MANY_HANDSHAKES
    admission.leave("a", established=False)
    assert admission.refuse("b") is None
    admission.enter("a")
    admission.established()
    admission.leave("a", established=True)
    assert admission.handshakes == 0


def test_one_source_alone_cannot_use_up_the_handshakes() -> None:
    limits = IpHttpsTable()
    assert limits.max_handshakes > limits.max_per_source


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KernelError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen(f"127.0.0.1:{port}")
    with pytest.raises(
        KernelError, match=r"cannot listen on 192\.0\.2\.1:1: Cannot assign requested address"
    ):
        listen("192.0.2.1:1")


def test_both_families_can_be_had_at_once() -> None:
    with listen("0.0.0.0:0") as first, listen(f"[::]:{first.getsockname()[1]}") as second:
        assert second.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
