"""How many distinct hosts a second the daemon answers, from raw socket to raw socket."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator

from tests.bench.isatap_daemon import daemon, solicit
from tests.bench.report import Result, say

NAMES = ("isatap_rs_per_second",)
HOSTS = 60000
RUNS = 5


def measure(wanted: Collection[str]) -> Iterator[Result]:
    """Every run has a daemon of its own, whose registry is empty."""
    if not wanted:
        return
    rates = []
    for _ in range(RUNS):
        with daemon() as running:
            rate = solicit(HOSTS)
            role = running.ask("status")["roles"]["isatap"]
        say(f"  {role['hosts']} hosts, {role['advertisements']} advertisements, {rate:,.0f} a second")
        assert role["hosts"] == role["advertisements"] == HOSTS, "every host must be answered once"
        rates.append(rate)
    yield Result("isatap_rs_per_second", statistics.median(rates), "hosts/s")
