"""Commits one at a time in a thread; what fails is tried again with what has come meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from manageout.service.leases import commit_queue
from manageout.service.leases.commit_queue import CommitQueue
from manageout.service.state.leases import AuditRow, Changes, LeaseStore, StoredLease

V4 = bytes((10, 0, 0, 130))


def stored(v4: bytes, identity: str = "laptop.corp.example") -> Changes:
    return {v4: StoredLease(v4, identity, "held", 1.0, b"")}


class Disk(LeaseStore):
    """A real store whose disk refuses ``fails`` times, and which waits for ``goes`` before each commit."""

    def __init__(self, directory: Path, fails: int = 0) -> None:
        super().__init__(directory)
        self.fails, self.attempts = fails, 0
        self.threads: set[str] = set()
        self.goes = threading.Event()
        self.goes.set()

    def commit(self, changes: Changes, audit: list[AuditRow]) -> None:  # type: ignore[override]
        self.goes.wait(30)
        self.attempts += 1
        self.threads.add(threading.current_thread().name)
        if self.attempts <= self.fails:
            raise sqlite3.OperationalError("disk I/O error")
        super().commit(changes, audit)


def run(disk: Disk, act: Callable[[CommitQueue], None], ends: int) -> tuple[CommitQueue, list[bool]]:
    """Give a queue what ``act`` does, and wait until so many attempts have ended."""
    told: list[bool] = []

    async def scene() -> CommitQueue:
        enough = asyncio.Event()

        def ended(good: bool) -> None:
            told.append(good)
            if len(told) >= ends:
                enough.set()

        queue = CommitQueue(disk, ended)
        act(queue)
        disk.goes.set()
        await asyncio.wait_for(enough.wait(), 30)
        return queue

    return asyncio.run(scene()), told


def test_what_is_given_is_on_the_disk_when_it_is_told(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    queue, told = run(disk, lambda queue: queue.write(stored(V4), []), 1)
    assert (told, queue.busy, queue.running) == ([True], False, False)
    assert queue.close() == ({}, [])
    assert [lease.v4 for lease in LeaseStore(tmp_path).load()] == [V4]
    assert all(name.startswith("leases") for name in disk.threads), "never in the event loop's own thread"


def test_a_commit_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_queue, "RETRY", 0.0)
    queue, told = run(Disk(tmp_path, fails=2), lambda queue: queue.write(stored(V4), []), 3)
    assert told == [False, False, True]
    assert not queue.busy
    queue.close()
    assert [lease.v4 for lease in LeaseStore(tmp_path).load()] == [V4]


def test_while_it_waits_to_be_tried_again_more_may_come(tmp_path: Path) -> None:
    disk = Disk(tmp_path, fails=1)
    queue, told = run(disk, lambda queue: queue.write(stored(V4), []), 1)
    assert (told, queue.running, queue.busy) == ([False], False, True)
    queue.write(stored(V4, "tablet.corp.example"), [])
    assert disk.attempts == 1, "not before its time"
    changes, _ = queue.close()
    assert changes == stored(V4, "tablet.corp.example"), "the later one of an address, to be kept elsewhere"


def test_what_is_under_way_at_the_end_is_ended_and_not_told_any_more(tmp_path: Path) -> None:
    told: list[bool] = []
    disk = Disk(tmp_path)

    async def scene() -> tuple[Changes, list[AuditRow]]:
        disk.goes.clear()
        queue = CommitQueue(disk, told.append)
        queue.write(stored(V4), [])
        assert queue.running and queue.busy
        threading.Timer(0, disk.goes.set).start()
        left = queue.close()
        await asyncio.sleep(0)
        return left

    assert asyncio.run(scene())[0] == stored(V4), "whoever ends it cannot know yet"
    assert told == []
    assert [lease.v4 for lease in LeaseStore(tmp_path).load()] == [V4]


def test_of_a_log_that_waits_too_long_the_oldest_are_lost_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_queue, "MAX_UNSTORED", 3)
    disk = Disk(tmp_path, fails=1)
    rows: list[AuditRow] = [(number,) for number in range(5)]  # type: ignore[misc]
    queue, _ = run(disk, lambda queue: queue.write({}, rows), 1)
    assert (queue.lost, queue.close()[1]) == (2, rows[2:])
