"""When a fast path's programs are no longer where they were put: put them back, but do not fight over them.

A device that goes takes its programs along, which is nobody's will: that is met as often as devices come, a few times
a minute. Programs that vanish from a device that stays were detached by somebody: three times in a minute they are put
back, then left; packets take the slow path meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from manageout.protocol.core.allowance import Allowance
from manageout.protocol.core.restraint import Restraint
from manageout.service.process.finding import Finding

LOADS, AT_ONCE = 0.2, 6.0
"""Times a second, and at once, that programs are loaded for other devices: a card may come and go for hours."""

log = logging.getLogger(__name__)


class FastPath(Protocol):
    """What is watched."""

    @property
    def attached(self) -> bool:
        """Whether every program is still where it was put."""


class FastPathWatch:
    """``name``: of the fast path, in the log and the finding. ``again`` detaches what is left and attaches anew."""

    def __init__(self, name: str, again: Callable[[], None]) -> None:
        self._name, self._again = name, again
        self._restraint = Restraint()
        self._loads = Allowance(LOADS, AT_ONCE)
        self._waits = False

    def moved(self, devices_differ: bool) -> None:
        """Other devices than those that the programs were put on: at once, or as soon as that is allowed."""
        self._waits |= devices_differ
        if self._waits and self._loads.take(time.monotonic()):
            self._waits = False
            log.info("%s: the devices are others; attaching to them", self._name)
            self._again()

    def look(self, fast: FastPath | None) -> None:
        """Whether somebody detached something from devices that are still there."""
        if fast is None or self._waits or fast.attached:
            return
        if self._restraint.left:
            return
        if self._restraint.may(self._name, time.monotonic()):
            log.warning("%s: somebody detached an eBPF program; attaching it again", self._name)
            self._again()
        else:
            log.error("%s: somebody detached an eBPF program again and again; it is left so", self._name)

    def reload(self) -> None:
        """The administrator wants it as the file says."""
        self._restraint.forget()

    def findings(self) -> list[Finding]:
        """What was left."""
        if not self._restraint.left:
            return []
        what = f"{self._name}: somebody detaches our eBPF program again and again: packets go through Python, slowly"
        remedy = (
            "find who does (bpftool net, tc filter show dev DEVICE ingress), then systemctl reload manageout"
        )
        return [Finding("FAST-PATH-DETACHED", "warning", what, remedy)]
