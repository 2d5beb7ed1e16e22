"""How many connections the gateway takes, counted by source."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.newcomers import SOURCE_MOST, SPARE_BURST, Source
from manageout.service.iphttps.connection import LEAST, TURN, Admission, Connection, source_of
from manageout.service.iphttps.trust import Trust
from manageout.service.tls.pki import Authority
from manageout.service.tls.stream import RECEIVE, TlsStream
from manageout.site.tables.site import GatewayTable, IpHttpsTable

A, B, C = (Source((name,)) for name in "abc")


def test_an_ipv6_source_is_its_64_in_wider_nets() -> None:
    assert source_of("2001:db8:1:2ab:3:4:5:6").nets == (
        "2001:db8:1:2ab::/64",
        "2001:db8:1:200::/56",
        "2001:db8:1::/48",
    )
    assert source_of("2001:db8:1:2ab::9").name == "2001:db8:1:2ab::/64"
    assert source_of("fe80::1%eth0").name == "fe80::/64"
    assert source_of("192.0.2.1").nets == ("192.0.2.1",)


def test_who_keeps_the_others_waiting_is_read_in_smaller_parts(tmp_path: Path) -> None:
    files = Authority.create(tmp_path, "CA").issue("gateway", server=True)
    table = {"certificate": files.certificate, "key": files.key, "authentication": "none"}
    left, right = socket.socketpair()
    with left, right:
        trust = Trust(GatewayTable.model_validate(table))
        stream = TlsStream(left, trust.context, server_side=True)
        connection = Connection(1, stream, ("192.0.2.1", 50000), A, trust, 0.0)
        assert connection.share == RECEIVE
        for _ in range(10):
            connection.served(connection.share, TURN * 2)
        assert connection.share == LEAST
        connection.served(100, 0.0)
        assert connection.share == LEAST
        for _ in range(10):
            connection.served(connection.share, TURN / 2)
        assert connection.share == RECEIVE


def connect(admission: Admission, number: int, source: Source) -> None:
    """A connection that has come to the end of its HTTP head."""
    assert admission.refuse(source, 1.0) is None
    admission.enter(number, source)
    admission.established(number, source)


def test_each_limit_has_its_own_name() -> None:
    admission = Admission(IpHttpsTable(max_connections=3, max_per_source=2))
    for number in (1, 2):
        connect(admission, number, A)
    assert admission.refuse(A, 1.0) is Drop.TOO_MANY_FROM_SOURCE
    connect(admission, 3, B)
    assert admission.refuse(C, 1.0) is Drop.TOO_MANY_CONNECTIONS
    admission.leave(1, A, at_fault=False)
    assert admission.refuse(A, 1.0) is None


def test_who_is_on_his_way_takes_nobodys_place_among_the_clients() -> None:
    admission = Admission(IpHttpsTable(max_connections=3, max_handshakes=8))
    connect(admission, 1, A)
    for number in (2, 3):
        admission.enter(number, B)
    assert admission.refuse(C, 1.0) is None and admission.who_yields(C) == (2, B)
    assert admission.pressed
    admission.leave(2, B, at_fault=True)
    connect(admission, 4, C)
    admission.leave(3, B, at_fault=True)
    connect(admission, 5, C)
    assert admission.refuse(B, 1.0) is Drop.TOO_MANY_CONNECTIONS


def test_who_is_on_his_way_takes_no_place_of_his_neighbours_behind_a_nat() -> None:
    admission = Admission(IpHttpsTable(max_per_source=3))
    connect(admission, 1, A)
    admission.enter(2, B)
    for number in (3, 4):
        admission.enter(number, A)
    assert admission.refuse(A, 1.0) is None and admission.who_yields(A) == (3, A)
    assert admission.who_yields(C) is None


def test_a_connection_holds_a_place_until_its_head_has_come() -> None:
    admission = Admission(IpHttpsTable(max_handshakes=1))
    assert admission.who_yields(B) is None
    admission.enter(1, A)
    assert admission.who_yields(B) == (1, A)
    admission.leave(1, A, at_fault=True)
    assert admission.who_yields(B) is None
    admission.enter(2, A)
    admission.established(2, A)
    assert admission.who_yields(B) is None
    admission.leave(2, A, at_fault=True)
    assert admission.handshakes == admission.total == 0


def test_what_never_came_to_its_head_counts_as_failed_once() -> None:
    admission = Admission(IpHttpsTable(max_handshakes=8))
    for number in range(1000):
        admission.enter(number, A)
        admission.yielded(number, A, at_fault=False)
        admission.leave(number, A, at_fault=True)
    assert admission.refuse(A, time.monotonic()) is None
    for number in range(int(SOURCE_MOST) + 10):
        admission.enter(number, A)
        admission.leave(number, A, at_fault=True)
    refusals = [admission.refuse(A, time.monotonic()) for _ in range(int(SPARE_BURST) + 10)]
    assert Drop.TOO_MANY_FAILURES in refusals
    assert admission.refuse(B, time.monotonic()) is None


def test_many_on_their_way_are_pressure() -> None:
    admission = Admission(IpHttpsTable(max_handshakes=4))
    for number in range(2):
        admission.enter(number, A)
    assert not admission.pressed
    admission.enter(2, B)
    assert admission.pressed
