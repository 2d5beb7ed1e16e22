"""The lab with traffic running through its gateway: what an outage is measured by."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

from manageout.lab import network, process, site
from manageout.lab.process import wait_until
from tests.tools import lab as support

PORT = 7007
TICKER = str(Path(__file__).parents[1] / "programs" / "ticker.py")
BOUND = 20.0
"""Seconds to wait for traffic: a busy machine's; the benchmark ``outage_gap`` measures the two that are promised."""


class Flow:
    """One TCP connection through the gateway."""

    def __init__(self, node: str, address: object) -> None:
        self._file = network.directory(node) / "ticks"
        self._file.unlink(missing_ok=True)
        argv = [sys.executable, TICKER, "call", str(address), str(PORT), str(self._file)]
        self._process = process.start(node, "ticker", argv)
        wait_until(f"{node}'s connection carries", lambda: len(self.ticks()) > 5, 10, [self._process])

    def ticks(self) -> list[tuple[float, float]]:
        """When each was sent and came back."""
        lines = self._file.read_text().splitlines(keepends=True) if self._file.exists() else []
        pairs = (line.split() for line in lines if line.endswith("\n"))
        return [(float(sent), float(back)) for sent, back in pairs]

    def flows(self, since: float, within: float = BOUND) -> None:
        """What was sent after ``since`` comes back, ``within`` seconds; nothing waited longer before."""
        wait_until(
            "it carries again", lambda: self.ticks()[-1][0] > since + 0.1, within + 0.5, [self._process]
        )
        backs = [back for _, back in self.ticks() if back >= since - 1]
        gaps = [after - before for before, after in pairwise(backs)]
        assert max(gaps) < within + 0.5

    def carries(self) -> None:
        """It goes on after it was stopped for long: TCP waits as long again before its next try (RFC 6298 5.5)."""
        since = now()
        wait_until("it carries again", lambda: self.ticks()[-1][0] > since, 90, [self._process])

    def stop(self) -> None:
        """End it."""
        process.stop(self._process)


@contextlib.contextmanager
def flows() -> Iterator[list[Flow]]:
    """From the helpdesk by ISATAP and from app by the laptop's lease, to the laptop."""
    text = (network.directory("gateway") / "site.toml").read_text()
    for listed in ('["icmp", "tcp/22", "tcp/80"]', '["icmp", "tcp/80"]'):
        text = text.replace(f"services = {listed}", 'services = ["any"]')
    support.reload("gateway", text)
    server = process.start("laptop", "ticks", [sys.executable, TICKER, "serve", str(PORT)])
    wait_until("it listens", lambda: server.listens(PORT), 10, [server])
    lease: IPv4Address = wait_until("the laptop has a lease", lambda: site.lease("laptop"), 20)
    opened = [Flow("helpdesk", site.laptop_address()), Flow("app", lease)]
    try:
        yield opened
    finally:
        for flow in opened:
            flow.stop()
        process.stop(server)


def codes() -> set[str]:
    """Of the gateway's findings."""
    return {row["code"] for row in site.ask("gateway", "status")["findings"]}


def at_gateway(command: str) -> None:
    """Run something there."""
    network.run("gateway", command.split())


def now() -> float:
    """By the flows' clock."""
    return time.monotonic()
