"""Each store on a disk that fills at every single write: nothing kept is lost, and it heals when there is room."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.protocol.isatap.registry import HostRecord
from manageout.protocol.names.registrar import NOTHING, StoredEntry
from manageout.service.state.hosts import RegistryStore
from manageout.service.state.leases import AuditRow, LeaseStore, StoredLease
from manageout.service.state.names import NamesStore
from manageout.service.state.usage import Usage, UsageStore

PAGE = 4096
STEPS = 48
"""Pages that are free, from none to more than any of them needs at first."""


def _lease(store: LeaseStore, number: int) -> bool:
    v4 = number.to_bytes(4, "big")
    held = AuditRow(number, "held", float(number), v4, f"c{number}", b"", "ip-https", "192.0.2.1:1", "")
    try:
        store.commit({v4: StoredLease(v4, f"c{number}", "held", float(number), b"")}, [held])
    except sqlite3.Error:
        return False
    return True


def _host(store: RegistryStore, number: int) -> bool:
    return store.write([HostRecord(number.to_bytes(4, "big"), 0, 1, 1, 1, 1, 1, 1, 1, "", 0)], [])


def _name(store: NamesStore, number: int) -> bool:
    name = f"c{number}.corp.example"
    return not store.write([(name, StoredEntry(name, f"c{number}", frozenset({("A", "10.0.0.1")}), NOTHING))])


def _call(store: UsageStore, number: int) -> bool:
    return store.write(
        [Usage(20000, "10.0.1.1", "ISATAP", f"c{number}", "tcp", 22, 1, 2, 1, 0, 9)], 1.0, 2.0, 0
    )


STORES: dict[str, tuple[Callable[[Path], Any], Callable[[Any, int], bool], Callable[[Any], int]]] = {
    "leases": (LeaseStore, _lease, lambda store: len(store.load())),
    "hosts": (RegistryStore, _host, lambda store: len(store.load())),
    "names": (NamesStore, _name, lambda store: len(store.load())),
    "usage": (UsageStore, _call, lambda store: len(store.keys(20000))),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, free: int) -> None:
    """All but ``free`` pages."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    found = os.statvfs(disk)
    with filler.open("wb", buffering=0) as file:
        for _ in range(found.f_bavail * found.f_frsize // PAGE - free):
            file.write(bytes(PAGE))


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("stop", [True, False], ids=["stopped", "killed"])
def test_a_disk_that_fills_at_each_single_write(disk: Path, name: str, stop: bool) -> None:
    make, write, count = STORES[name]
    for free in range(STEPS):
        for file in disk.iterdir():
            file.unlink()
        first = make(disk)
        assert write(first, 1)
        if stop:
            first.close()
        fill(disk, free)
        second = make(disk)  # the other one's process is gone, as far as the file can tell
        kept = {1} | {number for number in range(2, 40) if write(second, number)}
        assert count(second) == len(kept), "what was said to be stored is"
        if len(kept) < 39:
            assert [finding.severity for finding in second.findings("X", "so")] == ["error"]
        (disk / "filler").unlink()
        kept |= {number for number in range(2, 40) if write(second, number)}
        assert kept == set(range(1, 40)) and not list(second.findings("X", "so"))
        second.close()
        if not stop:
            first.close()
        third = make(disk)
        assert count(third) == 39 and third.aside is None
        third.close()
