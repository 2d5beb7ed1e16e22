"""What is wrong with the kernel's state and not mended, as rows for the administrator; told to the log once each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from manageout.linux.netlink.links import Route
from manageout.protocol.core.allowance import Allowance
from manageout.service.daemon.desired import WantedRoute
from manageout.service.daemon.reconcile import Kind, Step
from manageout.service.process.finding import Finding

LINES, BURST = 0.2, 20.0
"""Lines of log a second, and at once: a card that comes and goes must not fill a disk."""

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One finding. ``about`` tells rows with the same code apart."""

    code: str
    about: str
    severity: Literal["error", "warning"]
    what: str
    remedy: str


REMEDIES = {
    Kind.FORWARDING: "find who switches it off: grep -r forward /etc/sysctl.conf /etc/sysctl.d /etc/ufw;"
    " then sysctl -w {about}=1",
    Kind.IPV6: "find who switches it off: grep -r disable_ipv6 /etc/sysctl.conf /etc/sysctl.d;"
    " then sysctl -w {about}=0",
    Kind.SETTING: "find who sets it: grep -r {last} /etc/sysctl.conf /etc/sysctl.d; then reload manageout",
    Kind.DEVICE: "find who sets it down (NetworkManager, systemd-networkd: let them leave mo-* alone)",
    Kind.ADDRESS: "find who takes it away (NetworkManager, systemd-networkd: let them leave mo-* alone)",
    Kind.ROUTE: "see `ip route` and `ip -6 route`: the next hop must be on a link of this machine, and nobody may"
    " take routes of protocol 61 away (systemd-networkd: ManageForeignRoutes=no)",
}


def unmended(step: Step, why: str) -> Row:
    """A step that was not taken, or failed."""
    warning = step.kind is Kind.SETTING
    remedy = REMEDIES.get(step.kind, "see the log").format(about=step.about, last=step.about.split("/")[-1])
    what = f"{step.about}: {why}; wanted: {step.text}"
    return Row(step.kind.value, step.about, "warning" if warning else "error", what, remedy)


def overruled(routes: Iterable[tuple[WantedRoute, Route | None]]) -> Iterator[Row]:
    """Ours, and those that packets follow instead."""
    for ours, other in routes:
        way = (
            f"via {other.via} on {other.dev}"
            if other and other.via
            else f"on {other.dev}"
            if other
            else "nowhere"
        )
        what = f"packets to {ours.prefix} go {way}, not {ours}"
        remedy = (
            f"ip route show {ours.prefix}: another route with a smaller metric stands before ours; remove it"
        )
        yield Row(Kind.ROUTE.value, f"{ours.prefix} overruled", "error", what, remedy)


class Board:
    """The rows that stand, by the part of the look that found them. The log hears of what comes and what goes."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[tuple[str, str], Row]] = {}
        self._lines = Allowance(LINES, BURST)
        self._unsaid = 0

    def show(self, part: str, rows: Iterable[Row], now: float) -> None:
        """``rows`` are all that ``part`` has found now."""
        before = self._parts.get(part, {})
        after = {(row.code, row.about): row for row in rows}
        self._parts[part] = after
        for key, row in after.items():
            if key not in before:
                level = logging.ERROR if row.severity == "error" else logging.WARNING
                self.say(level, f"{row.code}: {row.what} ({row.remedy})", now)
        for key, row in before.items():
            if key not in after:
                self.say(logging.INFO, f"{row.code}: {row.about} is right again", now)

    def say(self, level: int, text: str, now: float) -> None:
        """A line in the log, unless there were too many."""
        if not self._lines.take(now):
            self._unsaid += 1
            return
        if self._unsaid:
            log.warning("%d lines about changes of this machine's network were left out", self._unsaid)
            self._unsaid = 0
        log.log(level, "%s", text)

    def findings(self) -> list[Finding]:
        """All of them."""
        rows = [row for part in self._parts.values() for row in part.values()]
        return [Finding(row.code, row.severity, row.what, row.remedy) for row in rows]
