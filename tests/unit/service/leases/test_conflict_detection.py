"""What follows from who answers for addresses of the pool."""

from __future__ import annotations

import asyncio

import pytest

from manageout.errors import KernelError
from manageout.service.leases import conflict_detection
from manageout.service.leases.conflict_detection import PROXIES, ConflictDetection
from manageout.service.process.presence import Client, Presence

ONE, TWO = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


def v4(number: int) -> bytes:
    return bytes((10, 0, 0, number))


def client(number: int) -> Client:
    return Client(f"c{number}", bytes(15) + bytes([number]), (), v4(number), "", "ip-https", 0.0)


class Scene:
    def __init__(self) -> None:
        self.changes = 0
        self.conflicts = ConflictDetection(lambda: None, lambda _: [], self.changed)
        self.connected = Presence(self.conflicts)

    def changed(self) -> None:
        self.changes += 1

    def codes(self) -> list[str]:
        return [finding.code for finding in self.conflicts.findings()]


def test_an_address_that_nobody_has_yet_is_taken_until_it_is_silent_twice() -> None:
    scene = Scene()
    scene.conflicts.heard({v4(1): ONE}, [], [v4(1), v4(2)])
    assert list(scene.conflicts.taken) == [v4(1)] and scene.changes == 1
    scene.conflicts.heard({}, [], [v4(1)])
    scene.conflicts.heard({v4(1): ONE}, [], [v4(1)])
    scene.conflicts.heard({}, [], [v4(1)])
    assert scene.codes() == ["POOL-ADDRESS-TAKEN"] and scene.changes == 1
    scene.conflicts.heard({}, [], [v4(2)])  # not asked for
    assert scene.conflicts.taken
    scene.conflicts.heard({}, [], [v4(1)])
    assert scene.codes() == [] and scene.changes == 2


def test_of_a_lease_only_a_new_one_is_taken_away() -> None:
    scene = Scene()
    for number in (1, 2):
        scene.connected.present(client(number))
    scene.conflicts.heard({v4(1): ONE, v4(2): TWO}, [v4(2)], [v4(1), v4(2)])
    assert list(scene.conflicts.taken) == [v4(2)] and list(scene.conflicts.contested) == [v4(1)]
    assert scene.codes() == ["POOL-ADDRESS-TAKEN", "LEASE-CONTESTED"]
    scene.connected.released("c1", v4(1))
    assert scene.codes() == ["POOL-ADDRESS-TAKEN"]


def test_a_proxy_for_everything_takes_nothing_also_if_it_is_heard_one_by_one() -> None:
    scene = Scene()
    for number in range(1, PROXIES + 1):
        scene.conflicts.heard({v4(number): ONE}, [v4(number)], [v4(number)])
    assert len(scene.conflicts.taken) == PROXIES
    scene.conflicts.heard({v4(9): ONE, v4(10): TWO}, [v4(9)], [v4(9)])
    assert list(scene.conflicts.taken) == [v4(10)] and scene.codes() == ["POOL-ADDRESS-TAKEN", "POOL-PROXIED"]
    scene.conflicts.heard({}, [], [v4(number) for number in range(1, 10)])
    assert scene.codes() == ["POOL-ADDRESS-TAKEN"]


def test_no_more_than_half_of_the_pool_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflict_detection, "PROXIES", 100)
    scene = Scene()
    scene.conflicts.room = 3
    scene.conflicts.heard({v4(number): ONE for number in range(1, 9)}, [], [])
    assert len(scene.conflicts.taken) == 3


def test_a_client_that_is_told_again_is_not_asked_for_again() -> None:
    scene = Scene()
    scene.connected.present(client(1))
    scene.conflicts._new.clear()
    scene.connected.present(client(1)._replace(others=(bytes(16),)))
    assert not scene.conflicts._new
    scene.connected.absent(client(1).identity)
    scene.connected.present(client(1))
    assert list(scene.conflicts._new) == [v4(1)]


def test_a_device_that_goes_at_that_moment_ends_nothing() -> None:
    def gone() -> tuple[str, bytes]:
        raise KernelError("no network device e0")

    conflicts = ConflictDetection(gone, lambda _: [v4(1)], lambda: None)
    conflicts.present(client(1), None)
    asyncio.run(conflicts._ask(True))
    assert list(conflicts._new) == [v4(1)]
