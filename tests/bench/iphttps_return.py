"""How soon clients are back after their gateway was away, and how long a flow stands still when a client moves.

Seconds from READY to the last of 500 clients, which come from two addresses, as behind two NATs. Five minutes away are
measured with ``MANAGEOUT_BENCH_LONG=1``.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator

from manageout.lab.process import wait_until
from tests.bench.leases_load import name_of
from tests.bench.report import Result, say
from tests.tools.places.iphttps import GATEWAY_V6, Pair, Running, sh
from tests.tools.places.iphttps_flow import CABLE, Flow, lay_cable

AWAY = {"iphttps_back_1s": 1.0, "iphttps_back_20s": 20.0, "iphttps_back_5min": 300.0}
LONG = ("iphttps_back_5min",) if os.environ.get("MANAGEOUT_BENCH_LONG") else ()
NAMES = ("iphttps_move_gap", "iphttps_back_1s", "iphttps_back_20s", *LONG)
CLIENTS = 500
RUNS = 3
MOVES = 5
LIMITS = "max_handshakes = 1024"


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Seconds."""
    if "iphttps_move_gap" in wanted:
        with Pair() as pair:
            yield _move(pair)
    times = [name for name in AWAY if name in wanted]
    if times:
        with Pair() as pair:
            yield from _back(pair, times)


def _back(pair: Pair, names: list[str]) -> Iterator[Result]:
    pair.add_client("cl2")
    for number in range(1, CLIENTS + 1):
        pair.ca.issue(name_of(number), server=False)
    gateway = pair.start_gateway(iphttps=LIMITS)
    share = CLIENTS // 2
    loaders = []
    for namespace, first in (("cl", 1), ("cl2", share + 1)):
        arguments = (str(pair.ca.directory), str(first), str(share))
        # Real clients have processors of their own.
        argv = ("nice", "-n", "15", sys.executable, "-m", "tests.bench.return_load", *arguments)
        loaders.append(pair.start(namespace, *argv, name=namespace))
    wait_until("all are connected", lambda: _all(loaders, "all up"), 60)
    for name in names:
        found = []
        for run in range(1 if AWAY[name] > 100 else RUNS):
            time.sleep(10)  # a connection that ended sooner counts as none
            # A clean stop, and one without a word.
            sign = signal.SIGKILL if run % 2 else signal.SIGTERM
            gateway, seconds = _once(pair, gateway, loaders, AWAY[name], sign)
            found.append(seconds)
            say(f"  {name}: away {AWAY[name]:g} s by {sign.name}: {seconds:.2f} s after READY")
            for loader in loaders:
                say(f"    failures meanwhile: {loader.text().splitlines()[-2]}")
        yield Result(name, max(found), "s")


def _once(
    pair: Pair, gateway: Running, loaders: list[Running], away: float, sign: signal.Signals
) -> tuple[Running, float]:
    gateway.process.send_signal(sign)
    gateway.process.wait(20)
    ended = time.monotonic()
    wait_until("all have noticed", lambda: _all(loaders, "all lost", ended - 20), 20)
    time.sleep(max(0.0, ended + away - time.monotonic()))
    gateway = pair.start_gateway(iphttps=LIMITS)
    ready = time.monotonic()
    last = wait_until("all are back", lambda: _all(loaders, "all up", ended), 120)
    assert len(pair.ask("clients")) == CLIENTS
    return gateway, max(0.0, last - ready)


def _all(loaders: list[Running], what: str, since: float = 0.0) -> float:
    """When the last loader said so after ``since``, or 0."""
    times = []
    for loader in loaders:
        lines = [line for line in loader.text().splitlines() if line.startswith("all ")]
        if not lines or not lines[-1].startswith(what) or float(lines[-1].split()[-1]) < since:
            return 0.0
        times.append(float(lines[-1].split()[-1]))
    return max(times)


def _move(pair: Pair) -> Result:
    """Wi-Fi goes, the cable is there; and back."""
    lay_cable(pair)
    pair.start_gateway()
    pair.start_client()
    pair.address()
    wait_until("the tunnel carries", lambda: sh(f"ip netns exec cl ping -c 1 -W 2 {GATEWAY_V6}"))
    gaps = []
    for _ in range(MOVES):
        flow = Flow(pair)
        address = pair.ask("clients")[-1]["peer"].rpartition(":")[0].strip("[]")
        sh(f"ip -n cl addr del {address}/24 dev eth0; ip -n cl link set eth0 down")
        time.sleep(6)
        flow.close()
        gaps.append(flow.gap)
        sh(f"ip -n cl link set eth0 up; ip -n cl addr add {address}/24 dev eth0")
        wait_until(
            "it is back on the first way",
            lambda: not str(pair.ask("clients")[-1]["peer"]).startswith(CABLE),
            20,
        )
        time.sleep(4)  # the budget of moves
    say("  gaps: " + ", ".join(f"{gap:.2f}" for gap in gaps))
    return Result("iphttps_move_gap", statistics.median(gaps), "s")
