"""Who gets which address, step by step; with the store and the loop in ``test_keeper.py``."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from manageout.protocol.leases.leases import Leases
from manageout.service.leases.allotment import Allotment, Batch, Periods
from manageout.service.process.presence import Presence
from manageout.service.state.leases import AuditRow

SIX = bytes.fromhex("fd12345678 9a1000 00000000 000000".replace(" ", ""))
FIRST, SECOND = bytes((10, 0, 8, 1)), bytes((10, 0, 8, 2))
PEER = "198.51.100.7:5000"


class Scene:
    """Two addresses, an hour of grace, none of quarantine; what a batch says is told at once."""

    def __init__(self, *left_open: AuditRow) -> None:
        self.connected = Presence()
        self.allotment = Allotment(self.connected, Periods(7, list(left_open)))
        self.allotment.table = Leases(IPv4Network("10.0.8.0/30"), grace=3600, quarantine=0)

    def arrive(self, number: int, identity: str, now: float) -> None:
        self.allotment.opened(number, identity, PEER, "ip-https", now)
        self.allotment.bound(number, v6(number))

    def batch(self, now: float, limit: int = 100) -> Batch:
        found = self.allotment.batch(now, limit)
        for identity, client in found.clients.items():
            if client is None:
                self.connected.absent(identity)
            else:
                self.connected.present(client)
        return found

    def leases(self) -> dict[str, bytes | None]:
        return {client.identity: client.lease for client in self.connected}


def v6(number: int) -> bytes:
    return SIX[:15] + bytes([number])


def test_a_period_has_a_beginning_and_an_end_with_its_reason() -> None:
    scene = Scene()
    scene.arrive(1, "laptop", 100.0)
    (begun,) = scene.batch(100.0).audit
    assert begun == AuditRow(7, "held", 100.0, FIRST, "laptop", v6(1), "ip-https", PEER, "")
    assert scene.batch(101.0).audit == []
    scene.allotment.closed(1, "the connection broke")
    found = scene.batch(200.0)
    assert found.audit == [begun._replace(event="ended", at=200.0, reason="the connection broke")]
    assert found.clients == {"laptop": None} and found.released == []


def test_what_a_killed_gateway_left_open_is_stored_once_and_first() -> None:
    left = AuditRow(3, "ended", 50.0, FIRST, "laptop", v6(1), "ip-https", PEER, "the gateway was killed")
    scene = Scene(left)
    scene.arrive(1, "laptop", 100.0)
    assert [row.period for row in scene.batch(100.0).audit] == [3, 7]
    assert scene.batch(101.0).audit == []


def test_who_comes_by_another_connection_has_another_period_of_the_same_lease() -> None:
    scene = Scene()
    scene.arrive(1, "laptop", 100.0)
    scene.batch(100.0)
    scene.arrive(2, "laptop", 150.0)
    scene.allotment.closed(1, "disconnected")
    ended, begun = scene.batch(150.0).audit
    assert (ended.event, begun.event, begun.period, begun.v4, begun.v6) == ("ended", "held", 8, FIRST, v6(2))


def test_the_first_to_wait_is_the_first_to_be_served(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    for number, name in enumerate(("one", "two", "third", "fourth"), 1):
        scene.arrive(number, name, 100.0)
    scene.batch(100.0)
    assert scene.leases() == {"one": FIRST, "two": SECOND, "third": None, "fourth": None}
    assert list(scene.allotment.waiting) == ["third", "fourth"] and scene.allotment.denied == 2
    assert caplog.text.count("no lease for") == 1, "the finding names the rest"
    scene.allotment.closed(1, "disconnected")
    scene.batch(200.0)
    found = scene.batch(200.0 + 3601)
    assert found.released == [("one", FIRST)]
    assert scene.leases() == {"two": SECOND, "third": FIRST, "fourth": None}


def test_no_more_than_asked_for_at_a_time() -> None:
    scene = Scene()
    for number, name in enumerate(("one", "two"), 1):
        scene.arrive(number, name, 100.0)
    assert list(scene.batch(100.0, 1).clients) == ["one"] and scene.allotment.dirty == 1
    assert list(scene.batch(100.0, 1).clients) == ["two"] and scene.allotment.dirty == 0


def test_an_address_that_rules_give_to_another_is_released_by_who_had_it() -> None:
    """Both are here: watchers hear of it before they hear who has it now."""
    scene = Scene()
    for number, name in enumerate(("one", "two"), 1):
        scene.arrive(number, name, 100.0)
    scene.batch(100.0)
    assert scene.leases() == {"one": FIRST, "two": SECOND} and scene.allotment.table is not None
    block = IPv4Network("10.0.8.0/29")
    lost = scene.allotment.table.configure(200.0, block, grace=3600, quarantine=0, fixed={"one": SECOND})
    scene.allotment.forbidden(lost, "the site file changed")
    found = scene.batch(200.0)
    assert sorted(found.released) == [("one", FIRST), ("two", SECOND)]
    assert scene.leases()["one"] == SECOND and scene.leases()["two"] not in (SECOND, None)


def test_without_a_table_there_are_clients_and_no_leases() -> None:
    scene = Scene()
    scene.allotment.table = None
    scene.arrive(1, "laptop", 100.0)
    found = scene.batch(100.0)
    assert scene.leases() == {"laptop": None}
    assert (found.changes, found.audit, list(scene.allotment.waiting)) == ({}, [], [])
