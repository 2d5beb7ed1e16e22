"""A client's ping while strangers flood the gateway with handshakes, and what connections leave in its memory.

``MANAGEOUT_PYTHON`` names the interpreter of another build, for the same figures beside ours.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from math import ceil
from statistics import median
from typing import Any

from manageout.lab.process import wait_until
from tests.bench.leases_load import name_of
from tests.bench.report import Result, say
from tests.tools.places.iphttps import GATEWAY_V6, Pair, Running, sh
from tests.tools.places.iphttps_strangers import come_and_go, memory_of, padded_contexts

NAMES = ("iphttps_flood_p99_ms", "iphttps_flood_newcomers", "iphttps_padded_bytes")
RUNS = 3
SECONDS = 15
INTERVAL = 0.01
RATE, SOURCES = 1500, 16
NEWCOMERS, CLIENTS = 20, 60
PADDED_TIMES, PADDING = 400, 4000


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Milliseconds that the flood adds to the 99th percentile; per cent of newcomers served; bytes."""
    with Pair() as pair:
        if "iphttps_padded_bytes" in wanted:
            yield _padded(pair)
        if wanted - {"iphttps_padded_bytes"}:
            yield from (result for result in _flood(pair) if result.name in wanted)


def _padded(pair: Pair) -> Result:
    gateway = pair.start_gateway()
    clients = padded_contexts(pair, PADDING)
    come_and_go(pair, clients, 20)  # what is made once
    before = memory_of(gateway.pid)
    served = come_and_go(pair, clients, PADDED_TIMES)
    wait_until("all are gone", lambda: not pair.ask("status")["roles"]["iphttps"]["handshakes"])
    grown = memory_of(gateway.pid) - before
    gateway.stop()
    return Result("iphttps_padded_bytes", grown, "bytes", f"{served} connections")


def _flood(pair: Pair) -> Iterator[Result]:
    sources = _crowd(pair)
    pair.add_client("new")
    for number in range(CLIENTS):
        pair.ca.issue(name_of(number), server=False)
    gateway = pair.start_gateway()
    client = pair.start_client()
    pair.address()
    added, calm, loads = [], [], []
    for _ in range(RUNS):
        calm.append(percentile(SECONDS))
        flood = _load(pair, "bad", "strangers", RATE, *sources)
        new = _load(pair, "new", "newcomers", NEWCOMERS, str(pair.ca.directory), str(CLIENTS))
        added.append(percentile(SECONDS) - calm[-1])
        loads.append((_said(flood), _said(new)))
        say(f"  quiet {calm[-1]:.2f} ms, flood +{added[-1]:.2f} ms, {loads[-1]}")
    client.stop()
    gateway.stop()
    tried = sum(flood["begun"] for flood, _ in loads) / RUNS / SECONDS
    served = sum(flood["answered"] for flood, _ in loads) / RUNS / SECONDS
    versus = f"quiet {median(calm):.2f} ms; {tried:.0f} tried, {served:.0f} answered a second"
    yield Result("iphttps_flood_p99_ms", median(added), "ms", versus)
    begun = sum(new["begun"] for _, new in loads)
    slowest = max(new["slowest"] for _, new in loads)
    share = 100 * sum(new["served"] for _, new in loads) / begun
    yield Result("iphttps_flood_newcomers", share, "%", f"{begun}, the slowest {slowest:.2f} s")


def _crowd(pair: Pair) -> list[str]:
    """The strangers' namespace; its addresses."""
    pair.add_client("bad")
    addresses = [f"198.51.100.{number}" for number in range(100, 100 + SOURCES)]
    for address in addresses:
        sh(f"ip -n bad address add {address}/24 dev eth0")
    return addresses


def _load(pair: Pair, namespace: str, kind: str, rate: int, *more: str) -> Running:
    """Other machines have other processors: what they compute gives way to what is measured."""
    argv = (sys.executable, "-m", "tests.bench.iphttps_load", kind, str(rate), str(SECONDS), *more)
    return pair.start(namespace, "nice", "-n", "10", *argv, name=kind)


def _said(load: Running) -> dict[str, Any]:
    assert load.process.wait(60) == 0, load.text()
    found: dict[str, Any] = json.loads(load.text())
    return found


def percentile(seconds: float) -> float:
    """The 99th of the connected client's ping, in milliseconds; a lost one is the slowest."""
    times = int(seconds / INTERVAL)
    argv = ["ip", "netns", "exec", "cl", "ping", "-i", str(INTERVAL), "-c", str(times), "-W", "2", GATEWAY_V6]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds * 4)
    seen = sorted(float(value) for value in re.findall(r"time=([0-9.]+) ms", done.stdout))
    seen += [2000.0] * (times - len(seen))
    return seen[ceil(times * 0.99) - 1]
