"""How long traffic through the gateway stands still when somebody else takes something of ours away.

Two TCP connections, by ISATAP and by lease, tick 20 times a second; the figure is the longest gap of either over
all that is done to the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from itertools import pairwise

from manageout.lab import network, site
from manageout.lab.process import wait_until
from manageout.lab.topology import topology
from tests.bench.report import Result, say
from tests.tools.places.outage import Flow, flows, now

NAMES = ("outage_gap",)
DONE = (
    "sysctl -qw net.ipv6.conf.all.forwarding=0",
    "sysctl -qw net.ipv4.conf.all.forwarding=0",
    "ip link set mo-isatap0 down",
    "ip link set mo-iphttps0 down",
    "ip link set mo-xlat0 down",
    "ip -6 address flush dev mo-iphttps0",
    "ip -6 route flush proto 61",
    "nft flush ruleset",
)


def measure(wanted: Collection[str]) -> Iterator[Result]:
    """In the lab, with eBPF."""
    if not wanted:
        return
    try:
        site.up(topology("single"), fast_path=True)
        with flows() as running:
            worst = max(_gap(running, command) for command in DONE)
    finally:
        network.down()
    yield Result("outage_gap", worst, "s")


def _gap(running: list[Flow], command: str) -> float:
    since = now()
    network.run("gateway", command.split())
    time.sleep(4)  # the longest gap that is of interest, and to spare
    for flow in running:
        wait_until("it carries again", lambda: flow.ticks()[-1][0] > since + 4, 30)  # noqa: B023
    backs = [[back for _, back in flow.ticks() if back >= since - 1] for flow in running]
    gap = max(after - before for each in backs for before, after in pairwise(each))
    say(f"  {gap:.2f} s after: {command}")
    return gap
