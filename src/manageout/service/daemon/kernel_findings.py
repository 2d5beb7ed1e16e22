"""What is wrong with the kernel's state and not mended, as rows for the administrator; told to the log once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from manageout.linux.netlink.links import KernelRoute
from manageout.service.daemon.desired import DesiredRoute
from manageout.service.daemon.reconcile import Step
from manageout.service.process.finding import Finding, finding


def unmended(step: Step, why: str) -> Finding:
    """A step that was not taken, or failed."""
    last = step.about.split("/")[-1]
    return finding(step.kind.value, step.about, why=why, wanted=step.text, last=last)


def overruled(routes: Iterable[tuple[DesiredRoute, KernelRoute | None]]) -> Iterator[Finding]:
    """Ours, and those that packets follow instead."""
    for ours, other in routes:
        way = (
            f"via {other.via} on {other.dev}"
            if other and other.via
            else f"on {other.dev}"
            if other
            else "nowhere"
        )
        about = f"{ours.prefix} overruled"
        yield finding("ROUTE-TAKEN.overruled", about, prefix=ours.prefix, way=way, ours=ours)
