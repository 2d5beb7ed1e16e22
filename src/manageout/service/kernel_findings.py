"""What is wrong with the kernel's state and not mended, as rows for the administrator; told to the log once each."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Literal, NamedTuple

from manageout.config import Site
from manageout.errors import ManageoutError
from manageout.linux.netlink import Interface, Link
from manageout.protocol.allowance import Allowance
from manageout.service.finding import Finding
from manageout.service.reconcile import Kind, Step

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


def refused(step: Step, error: ManageoutError) -> Row:
    """A step that the kernel refuses."""
    return unmended(step, error.message)


def underlays(site: Site, holdings: Iterable[tuple[Link, list[Interface]]]) -> Iterator[Row]:
    """Addresses of this machine that the site file names, and that nobody could reach now. Not ours to put back."""
    holders = {address.ip: link for link, addresses in holdings for address in addresses}
    for address, place in _places(site).items():
        ip = ip_address(address)
        link = holders.get(ip)
        if link is None:
            what = f"{address} ({place}) is on no device of this machine: its card, or the address, is gone"
            remedy = f"bring the card back, or: ip address add {address}/LENGTH dev DEVICE; the rest comes by itself"
            yield Row("UNDERLAY-GONE", address, "error", what, remedy)
        elif not link.up:
            what = f"{link.name}, which holds {address} ({place}), is set down"
            yield Row("UNDERLAY-DOWN", address, "error", what, f"ip link set {link.name} up")
        elif not link.carrier:
            what = f"{link.name}, which holds {address} ({place}), has no carrier"
            yield Row(
                "UNDERLAY-DOWN", address, "error", what, f"look at cable and switch: ip link show {link.name}"
            )


def _places(site: Site) -> dict[str, str]:
    places = dict.fromkeys(map(str, site.isatap.locators), "isatap.locators") if site.isatap else {}
    for listen in site.gateway.listen if site.gateway else ():
        address = listen.rpartition(":")[0].strip("[]")
        if not ip_address(address).is_unspecified:
            places.setdefault(address, "gateway.listen")
    return places


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
