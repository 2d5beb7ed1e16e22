"""Rows about clients and refusals."""

from __future__ import annotations

import time

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.session import Neighbour, Session
from manageout.protocol.iphttps.values import Peer
from manageout.service.iphttps import report
from manageout.service.iphttps.refusals import Refusals


def connected(bytes_in: int = 2) -> Session:
    session = Session(1, 1, Peer("2001:db8::1", 5, "laptop"), 10.0)
    session.addresses = {address: Neighbour(address, session, 10.0) for address in (bytes(15) + b"\1",)}
    session.packets_in, session.bytes_in, session.packets_out, session.bytes_out = 1, bytes_in, 3, 4
    return session


def test_a_client_is_a_row() -> None:
    (row,) = report.clients([connected()])
    assert row["addresses"] == ["::1"] and row["peer"] == "[2001:db8::1]:5"
    assert (row["rx_packets"], row["rx_bytes"], row["tx_packets"], row["tx_bytes"]) == (1, 2, 3, 4)
    assert abs(row["since"] - (time.time() - time.monotonic() + 10)) < 1


def test_drops_have_one_shape() -> None:
    table = Refusals()
    table.count(Drop.CERTIFICATE_MISSING, "192.0.2.1")
    (refused,), (packet,) = report.refusals(table), report.packet_drops([(Drop.HAIRPIN, "laptop", 3)])
    assert refused.keys() == packet.keys()
    assert (refused["reason"], refused["source"], refused["count"]) == ("certificate-missing", "192.0.2.1", 1)
    assert report.totals({Drop.HAIRPIN: 3}, table) == {"hairpin": 3, "certificate-missing": 1}


def test_a_name_that_is_connected_twice_has_one_label() -> None:
    metrics = {
        metric.name: list(metric.labelled())
        for metric in report.metrics([connected(), connected(bytes_in=7)])
    }
    assert metrics["iphttps_clients"] == [({}, 2.0)]
    assert metrics["iphttps_client_receive_bytes"] == [({"client": "laptop"}, 7.0)]
