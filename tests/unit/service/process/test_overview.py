"""Drops of the last minutes, from totals that only grow; what several roles tell, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from manageout.errors import ManageoutError
from manageout.linux.netlink.links import Netlink
from manageout.protocol.core.drops import Drop
from manageout.service.process.finding import Finding
from manageout.service.process.overview import HISTORY, MEANINGS, DropHistory, LastSeen, Overview
from manageout.service.process.role import Role
from manageout.service.process.rows import About, DropRow, LeaseRow, Severity


def test_growth_since_the_start() -> None:
    history = DropHistory()
    history.sample(0.0, {})
    assert history.recent(10.0, {"loop": 3}) == {"seconds": 10.0, "counts": {"loop": 3}}


def test_only_the_last_minutes_count() -> None:
    history = DropHistory()
    for number in range(100):
        history.sample(number * 15.0, {"loop": number, "ecn": 7})
    recent = history.recent(99 * 15.0, {"loop": 99, "ecn": 7})
    assert recent == {"seconds": HISTORY, "counts": {"loop": 20}}


def test_memory_is_bounded() -> None:
    history = DropHistory()
    for number in range(10_000):
        history.sample(float(number), {})
    assert len(history._samples) <= HISTORY + 2


def test_a_counter_of_the_kernel_gets_its_time() -> None:
    seen = LastSeen()

    def last(count: int, now: float) -> float | None:
        row: DropRow = {"reason": "loop", "source": "10.0.1.40", "count": count, "last": None}
        told: DropRow = {"reason": "ecn", "source": "10.0.1.40", "count": 1, "last": 5.0}
        seen.fill([row, told], now)
        assert told["last"] == 5.0
        return row["last"]

    assert [last(3, 10.0), last(3, 25.0), last(4, 40.0), last(4, 55.0)] == [10.0, 10.0, 40.0, 40.0]
    seen.fill([], 70.0)
    assert last(4, 85.0) == 85.0, "what is no longer there is forgotten"


def test_every_reason_has_a_meaning() -> None:
    assert len(MEANINGS) == len(Drop)
    assert all(MEANINGS.values())


class Finder(Role):
    """A role that has found something."""

    def __init__(self, name: str, *severities: Severity) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._severities = severities

    async def run(self) -> None:
        """Serves nothing."""

    def findings(self) -> list[Finding]:
        return [Finding("A-CODE", kind, "w", "r") for kind in self._severities]

    def leases(self) -> Iterator[LeaseRow]:
        yield lease_of(self.name)


def lease_of(name: str) -> LeaseRow:
    return {
        "name": name,
        "ipv4": "10.0.8.1",
        "state": "held",
        "fixed": False,
        "until": None,
        "address": None,
        "others": [],
        "since": 1.0,
        "peer": None,
        "transport": None,
    }


def test_what_roles_find_is_told_the_worst_first_and_counted() -> None:
    roles = {"a": Finder("a", "note", "warning"), "b": Finder("b", "error", "note")}
    with Netlink() as netlink:
        overview = Overview(roles, netlink, About)
        found: Any = overview.status()["findings"]
    assert [row["severity"] for row in found] == ["error", "warning", "note", "note"]
    (metric,) = [metric for metric in overview.metrics() if metric.name == "findings"]
    counts = {labels["severity"]: number for labels, number in metric.labelled()}
    assert counts == {"error": 1.0, "warning": 1.0, "note": 2.0}


def test_rows_of_several_roles_are_one_list() -> None:
    with Netlink() as netlink:
        overview = Overview({name: Finder(name) for name in "ab"}, netlink, About)
    assert list(overview.leases()) == [lease_of("a"), lease_of("b")]
    with pytest.raises(ManageoutError):
        overview.audit()
