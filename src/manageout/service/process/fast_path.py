"""A role's fast path: attached if it may and can be, put back when it is lost, its drops shown with the slow path's.

A device that goes takes its programs along, which is nobody's will: that is met as often as devices come, a few times
a minute. Programs that vanish from a device that stays were detached by somebody: three times in a minute they are put
back, then left; packets take the slow path meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Generic, TypeVar

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf import pins
from manageout.linux.bpf.fast_path import FastPath
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.restraint import Restraint
from manageout.service.process.finding import Finding, finding
from manageout.service.process.rows import DropRow, RoleStatus
from manageout.service.process.runtime import Succession
from manageout.wire.address import written

VOUCH = 1.0
"""Seconds from one word for the programs to the next, at most; at least four come before they close."""
LOADS, AT_ONCE = 0.2, 6.0
"""Times a second, and at once, that programs are loaded for other devices: a card may come and go for hours."""

log = logging.getLogger(__name__)
Programs = TypeVar("Programs", bound=FastPath)


class RoleFastPath(Generic[Programs]):
    """``name``: of the role, in the log and the finding. ``drops``: what the slow path has refused.

    ``load`` attaches programs, or raises :class:`FastPathUnavailable`; it returns None where there are to be none.
    ``leaving`` is called before they end; ``off`` is why there are none when nothing has failed. ``kept``: the TUN that
    outlives this process together with them, if they do, and the kind of their names.
    """

    def __init__(
        self,
        name: str,
        drops: DropTable,
        load: Callable[[], Programs | None],
        leaving: Callable[[], None] = lambda: None,
        off: str = "switched off by daemon.fast_path",
        kept: tuple[Tun, Succession, str] | None = None,
    ) -> None:
        self._name, self._drops, self._load, self._leaving = name, drops, load, leaving
        self._kept = kept
        self._restraint = Restraint()
        self._loads = TokenBucket(LOADS, AT_ONCE)
        self._waits = False
        self._why_not = off
        self.programs: Programs | None = None

    # --- There or not -----------------------------------------------------------------------------------

    def attach(self) -> None:
        """Put the programs in front, if they may and can be."""
        try:
            self.programs = self._load()
        except FastPathUnavailable as error:
            self._why_not = error.message
            log.warning("no fast path, going on without: %s (%s)", error.message, error.hint)
        if self._kept is not None:
            tun, after, kind = self._kept
            if (
                self.programs is None and after.pins is not None
            ):  # those of before would close when nobody vouches
                pins.keep_only(after.pins, kind, ())
            # Without programs in front of it the device would pass what nobody guards.
            tun.persist(self.programs is not None and self.programs.kept)

    async def vouch(self) -> None:
        """Go on telling the programs that somebody guards them."""
        orphan = self._kept[1].orphan if self._kept is not None else 0.0
        while True:
            if self.programs is not None:
                self.programs.vouch()
            await asyncio.sleep(min(VOUCH, orphan / 4) or VOUCH)

    def detach(self) -> None:
        """The programs end; what they have counted stays. They go on where another process follows."""
        programs = self.programs
        if programs is None:
            return
        self._leaving()
        now, table = time.monotonic(), self._drops
        totals = {reason: table.totals.get(reason, 0) + count for reason, count in programs.totals().items()}
        for reason, source, times in programs.drops():
            table.count(reason, source, now, times)
        table.totals.update(totals)
        self.programs = None
        if self._kept is not None and self._kept[1].follows and programs.kept:
            programs.leave()
            return
        if self._kept is not None:
            self._kept[0].persist(False)
        programs.close()

    def attach_again(self) -> None:
        """With other settings, or on other devices."""
        self.detach()
        self.attach()

    @property
    def lost(self) -> bool:
        """Whether a program is no longer where it was put."""
        return self.programs is not None and not self.programs.attached

    def recheck(self, devices_differ: bool) -> None:
        """Put back what is lost. ``devices_differ`` from those that the programs were put on: then at once, or as
        soon as that is allowed.
        """
        self._waits |= devices_differ
        if self._waits and self._loads.take(time.monotonic()):
            self._waits = False
            log.info("%s: the devices are others; attaching to them", self._name)
            self.attach_again()
        if self._waits or self._restraint.left or not self.lost:
            return
        if self._restraint.may(self._name, time.monotonic()):
            log.warning("%s: somebody detached an eBPF program; attaching it again", self._name)
            self.attach_again()
        else:
            log.error("%s: somebody detached an eBPF program again and again; it is left so", self._name)

    def reload(self) -> None:
        """The administrator wants it as the file says."""
        self._restraint.forget()

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> RoleStatus:
        """For ``manageout status``."""
        on = self.programs is not None
        return {"on": on, "reason": "" if on else self._why_not}

    def findings(self) -> list[Finding]:
        """What was left."""
        return [finding("FAST-PATH-DETACHED", role=self._name)] if self._restraint.left else []

    def drops(self) -> list[DropRow]:
        """Refused packets by reason and source, of both paths; what only the fast path knows has no ``last``."""
        offset = time.time() - time.monotonic()
        rows = {
            (row.reason, row.source): _row(row.reason, row.source, row.times, row.last + offset)
            for row in self._drops.by_source()
        }
        for reason, source, times in self.programs.drops() if self.programs else ():
            rows.setdefault((reason, source), _row(reason, source, 0, None))["count"] += times
        return list(rows.values())

    def drop_totals(self) -> dict[str, int]:
        """Exact totals by reason."""
        totals = {reason.label: count for reason, count in self._drops.totals.items()}
        for reason, count in self.programs.totals().items() if self.programs else ():
            totals[reason.label] = totals.get(reason.label, 0) + count
        return totals


def _row(reason: Drop, source: bytes, count: int, last: float | None) -> DropRow:
    text = written(ip_address(source)) if source else ""
    return {"reason": reason.label, "source": text, "count": count, "last": last}
