"""How many clients a second come all the way: TLS, address, lease on the disk, names queued.

The clients run on the same machine, so the figure is what gateway and clients reach together.
"""

from __future__ import annotations

import signal
import statistics
import sys
import time
from collections.abc import Collection, Iterator

from manageout.lab.process import wait_until
from tests.bench.leases_load import name_of
from tests.bench.report import Result, say
from tests.tools.places.iphttps import GATEWAY_V4, Pair

NAMES = ("leases_connect_per_second",)
CLIENTS = 600
LOADERS = 2
RUNS = 3
TABLES = f"""
[translation]
pool = "10.77.0.0/16"
[names]
zone = "corp.example"
servers = ["{GATEWAY_V4}"]
"""


def measure(wanted: Collection[str]) -> Iterator[Result]:
    """Every run has a gateway whose leases are all free."""
    if not wanted:
        return
    with Pair() as pair:
        for number in range(1, CLIENTS + 1):
            pair.ca.issue(name_of(number), server=False)
        rates = []
        for run in range(RUNS):
            rates.append(_run(pair))
            say(f"  run {run + 1}: {rates[-1]:,.0f} clients a second")
    yield Result("leases_connect_per_second", statistics.median(rates), "clients/s")


def _run(pair: Pair) -> float:
    gateway = pair.start_gateway(iphttps="max_per_source = 60000\nmax_handshakes = 60000", tables=TABLES)
    share = CLIENTS // LOADERS
    loaders = []
    for first in range(1, CLIENTS + 1, share):
        arguments = (str(pair.ca.directory), str(first), str(share))
        loaders.append(pair.start("cl", sys.executable, "-m", "tests.bench.leases_load", *arguments))
    wait_until("all are prepared", lambda: all("prepared" in loader.text() for loader in loaders), 60)
    start = time.monotonic()
    for loader in loaders:
        loader.process.send_signal(signal.SIGUSR1)
    wait_until("all are connected", lambda: all("connected" in loader.text() for loader in loaders), 60)
    wait_until("all have a lease", lambda: pair.ask("status")["roles"]["leases"]["held"] == CLIENTS)
    rate = CLIENTS / (time.monotonic() - start)
    rows = pair.ask("leases")
    assert len({row["ipv4"] for row in rows}) == len({row["name"] for row in rows}) == CLIENTS
    assert all(row["peer"] for row in rows), "somebody was not told of yet"
    for loader in loaders:
        loader.stop()
    gateway.stop()
    for file in (pair.directory / "state").glob("leases.db*"):
        file.unlink()
    return rate
