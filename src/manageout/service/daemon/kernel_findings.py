"""What is wrong with the kernel's state and not mended, as rows for the administrator; told to the log once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from manageout.linux.netlink.links import KernelRoute
from manageout.service.daemon.desired import DesiredRoute
from manageout.service.daemon.reconcile import Step, StepKind
from manageout.service.process.finding import Trouble

REMEDIES = {
    StepKind.FORWARDING: "find who switches it off: grep -r forward /etc/sysctl.conf /etc/sysctl.d /etc/ufw;"
    " then sysctl -w {about}=1",
    StepKind.IPV6: "find who switches it off: grep -r disable_ipv6 /etc/sysctl.conf /etc/sysctl.d;"
    " then sysctl -w {about}=0",
    StepKind.SETTING: "find who sets it: grep -r {last} /etc/sysctl.conf /etc/sysctl.d; then reload manageout",
    StepKind.DEVICE: "find who sets it down (NetworkManager, systemd-networkd: let them leave mo-* alone)",
    StepKind.ADDRESS: "find who takes it away (NetworkManager, systemd-networkd: let them leave mo-* alone)",
    StepKind.ROUTE: "see `ip route` and `ip -6 route`: the next hop must be on a link of this machine, and nobody may"
    " take routes of protocol 61 away (systemd-networkd: ManageForeignRoutes=no)",
}


def unmended(step: Step, why: str) -> Trouble:
    """A step that was not taken, or failed."""
    warning = step.kind is StepKind.SETTING
    remedy = REMEDIES.get(step.kind, "see the log").format(about=step.about, last=step.about.split("/")[-1])
    what = f"{step.about}: {why}; wanted: {step.text}"
    return Trouble(step.kind.value, step.about, "warning" if warning else "error", what, remedy)


def overruled(routes: Iterable[tuple[DesiredRoute, KernelRoute | None]]) -> Iterator[Trouble]:
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
        yield Trouble(StepKind.ROUTE.value, f"{ours.prefix} overruled", "error", what, remedy)
