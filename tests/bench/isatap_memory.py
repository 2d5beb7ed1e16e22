"""What a registered ISATAP host costs the daemon, measured at 100,000 hosts."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.bench.isatap_daemon import Daemon, daemon, solicit
from tests.bench.report import Result, say

NAMES = ("isatap_host_bytes",)
HOSTS = 100_000
WARM = 1000
BATCH = 20_000
QUIET, PATIENCE = 5, 60
"""Seconds."""


def measure(wanted: Collection[str]) -> Iterator[Result]:
    """Memory with 100,000 hosts less that with 1,000, when both have settled, by process."""
    if not wanted:
        return
    with daemon() as running:
        _grow(running, 0, WARM)
        before = _settled(running)
        for start in range(WARM, HOSTS, BATCH):
            _grow(running, start, min(start + BATCH, HOSTS))
        after = _settled(running)
        say(f"  {before:,} bytes with {WARM} hosts, {after:,} with {HOSTS}")
    yield Result("isatap_host_bytes", (after - before) / (HOSTS - WARM), "bytes")


def _grow(running: Daemon, start: int, end: int) -> None:
    """Solicit until the registry has ``end`` hosts; what was lost on the way asks again, as hosts do."""
    for _ in range(5):
        solicit(end - start, start)
        if running.ask("status")["roles"]["isatap"]["hosts"] == end:
            return
    raise AssertionError(f"not all of {end} hosts were registered")


def _settled(running: Daemon) -> int:
    """Memory that the process has for itself, once it has not changed for some seconds."""
    taken = [_memory(running.pid)]
    while len(taken) < PATIENCE and len(set(taken[-QUIET:])) + (len(taken) < QUIET) > 1:
        time.sleep(1)
        taken.append(_memory(running.pid))
    return taken[-1]


def _memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss in smaps_rollup")
