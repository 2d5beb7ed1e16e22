"""A reload with 100,000 open connections: how long until each is judged, and what that adds to a client's ping.

``MANAGEOUT_PYTHON`` names the interpreter of another build, for the same figures beside ours. Without: the same reloads
at the same pace with no connection to judge.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path
from statistics import median

from manageout.lab.process import wait_until
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.messages import attribute
from manageout.linux.netlink.netfilter import NETFILTER
from tests.bench.iphttps_flood import percentile
from tests.bench.report import Result, say
from tests.tools.places.iphttps import SITE, Pair, Running, sh

NAMES = ("rejudge_100k_seconds", "rejudge_100k_p99_ms")
CONNECTIONS, REFUSED = 100_000, 500
RUNS = 3
SECONDS = 12
PAUSE = 2.0
"""Seconds between two reloads."""
_MANAGERS = """
[[policy.managers]]
from = ["fd99::/64"]
services = ["tcp/22", "udp/1000-2000", "icmp"]
[[policy.managers]]
from = ["fd98::/64"]
to = ["lap*"]
services = ["any"]
"""
_DONE = "refused from now on"
_NEW, _NESTED = 1 << 8, 0x8000


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Seconds from the signal to the word of the log; milliseconds that judging adds to the 99th percentile."""
    with Pair() as pair:
        gateway = pair.start_gateway(policy='intranet = ["fd99::/64"]', tables=_MANAGERS)
        pair.start_client()
        pair.address()
        without, added, took = [], [], []
        for _ in range(RUNS):
            sh("ip netns exec gw conntrack -F")
            _settle(gateway)
            without.append(_p99_under_reloads(gateway, [], 0))
            fill = [sys.executable, "-m", "tests.bench.rejudge", str(CONNECTIONS), str(REFUSED)]
            sh(f"ip netns exec gw {' '.join(fill)}")
            _settle(gateway)
            seconds: list[float] = []
            added.append(_p99_under_reloads(gateway, seconds, REFUSED) - without[-1])
            took += seconds
            say(f"  without {without[-1]:.2f} ms, judging +{added[-1]:.2f} ms, {seconds}")
        results = (
            Result("rejudge_100k_seconds", median(took), "s", f"the longest {max(took):.2f} s"),
            Result("rejudge_100k_p99_ms", median(added), "ms", f"without {median(without):.2f} ms"),
        )
        yield from (result for result in results if result.name in wanted)


def _settle(gateway: Running) -> None:
    """Until the gateway has heard of all connections that came or went."""

    def busy() -> float:
        fields = Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle() -> bool:
        before = busy()
        time.sleep(0.5)
        return busy() - before < 0.05

    wait_until("the gateway is idle", idle, 120)


def _p99_under_reloads(gateway: Running, seconds: list[float], refused: int) -> float:
    """Of the client's ping, while the gateway reloads again and again; how long each judging took."""
    end = threading.Event()

    def reload() -> None:
        while not end.is_set():
            before, begun = gateway.text().count(_DONE), time.monotonic()
            os.kill(gateway.pid, signal.SIGHUP)
            if refused:
                wait_until("all are judged", lambda: gateway.text().count(_DONE) > before, 120)  # noqa: B023
                seconds.append(time.monotonic() - begun)
            end.wait(max(0.0, begun + PAUSE - time.monotonic()))

    worker = threading.Thread(target=reload)
    worker.start()
    try:
        return percentile(SECONDS)
    finally:
        end.set()
        worker.join()


# --- In the gateway's namespace ---------------------------------------------------------------------------


def fill(count: int, refused: int) -> None:
    """Put ``count`` connections of UDP into the kernel's table, of which the rules refuse ``refused``."""
    netlink = rtnetlink.Socket(protocol=NETFILTER)
    seed = random.Random(1)
    for number in range(count):
        client = IPv6Address(f"{SITE}1000::1:0").packed[:12] + (1 + seed.randrange(5000)).to_bytes(4, "big")
        other = IPv6Address("fd97::" if number < refused else "fd99::").packed[:12] + struct.pack(
            "!I", number
        )
        ends = (client, other) if number % 2 and number >= refused else (other, client)
        ports = 1024 + seed.randrange(60_000), 1000 + seed.randrange(1000)
        body = struct.pack("!BBH", 10, 0, 0)
        body += _tuple(1, ends[0], ends[1], *ports) + _tuple(2, ends[1], ends[0], *ports[::-1])
        body += attribute(3, struct.pack("!I", 0xE)) + attribute(7, struct.pack("!I", 3600))
        netlink.request(_NEW, body, "add a connection", 0x400)


def _tuple(kind: int, source: bytes, destination: bytes, sport: int, dport: int) -> bytes:
    addresses = attribute(3, source) + attribute(4, destination)
    protocol = (
        attribute(1, b"\x11")
        + attribute(2, struct.pack("!H", sport))
        + attribute(3, struct.pack("!H", dport))
    )
    return attribute(kind | _NESTED, attribute(1 | _NESTED, addresses) + attribute(2 | _NESTED, protocol))


if __name__ == "__main__":
    fill(int(sys.argv[1]), int(sys.argv[2]))
