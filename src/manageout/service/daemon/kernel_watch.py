"""The role that keeps the kernel as desired between two reloads, and tells what it cannot mend.

::

    netlink event   -> 30 ms later a look at everything (at most four a second) -> repairs, findings
    every second    -> a glance at parameters, which have no events, and at eBPF programs
    every 10 s      -> a look at everything: events may be lost

What is ours alone (devices, their addresses, our routes) is put back each time, slower when it is taken again and
again. What others own too (parameters of the kernel) is put back three times in a minute and then left, with a
finding, until it is right again. What is not ours (cards, their addresses) is a finding.

The packet filter of ours is watched by :mod:`manageout.service.policy.policy`, those of others by
:mod:`manageout.service.policy.filter_watch`.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from manageout.errors import ManageoutError
from manageout.linux.netlink.events import KernelMonitor
from manageout.linux.netlink.links import KernelRoute, Netlink
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.restraint import Restraint
from manageout.service.daemon import advertised
from manageout.service.daemon.desired import Desired, DesiredRoute, without_rules
from manageout.service.daemon.network_cards import NetworkCards
from manageout.service.daemon.reconcile import Reconciler, Step, StepKind
from manageout.service.policy.filter_watch import FilterWatch
from manageout.service.policy.surroundings import Surroundings
from manageout.service.process.finding import Board, Finding, finding
from manageout.service.process.loops import woken
from manageout.service.process.metrics import Metric
from manageout.service.process.role import Role
from manageout.service.process.rows import RoleStatus
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

DEBOUNCE = 0.03
"""Changes come in groups."""
PAUSE, SHARE = 0.25, 8
"""At least so many seconds between two looks, and so many times what the last one took: where there are a thousand
devices it takes longer, and packets come first."""
GLANCE = 1.0
LOOK = 10.0
OURS, OURS_AT_ONCE = 0.5, 20.0
"""So many times a second, and at once, is one thing of ours put back; then there is a rest."""
REST = 1.0
_SHARED = frozenset(kind.value for kind in StepKind if kind.shared)


class KernelWatch(Role):
    """The role, on every machine.

    ``around`` says how the machine is; ``reload_rules`` loads the packet filter for it. ``others`` are the other roles,
    each of which is asked to look at what it has put into the kernel itself.
    """

    name = "kernel"

    def __init__(
        self,
        site: Site,
        plan: Plan,
        netlink: Netlink,
        reconciler: Reconciler,
        around: Callable[[], Surroundings],
        reload_rules: Callable[[], None],
        others: Sequence[Role],
    ) -> None:
        self._site, self._plan, self._netlink, self._reconciler = site, plan, netlink, reconciler
        self._around, self._reload_rules = around, reload_rules
        self._others = others
        self._seen = around()
        self._board = Board()
        self._filters = FilterWatch(site, plan, self._board)
        self._restraint = Restraint()
        self._ours: dict[tuple[str, str], TokenBucket] = {}
        self._rests: dict[tuple[str, str], float] = {}
        """Until when something of ours is not put back, because it was too often."""
        self._refusals: dict[tuple[str, str], str] = {}
        """What the kernel said when something was last put back in vain."""
        self._cards = NetworkCards(netlink)
        self._changed = asyncio.Event()
        self._looked = self._began = 0.0
        self._pause = PAUSE
        self._looks = 0
        self._mended: Counter[str] = Counter()

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        monitor = KernelMonitor()
        self.ready.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_events(monitor), name="kernel-events")
                group.create_task(self._filters.run(), name="kernel-filters")
        finally:
            self.ready.clear()
            asyncio.get_running_loop().remove_reader(monitor.fileno())
            monitor.close()

    async def _follow_events(self, monitor: KernelMonitor) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # Not heard again before it is read: however many messages there are, they wake us once.
            loop.remove_reader(monitor.fileno())
            self._changed.set()

        loop.add_reader(monitor.fileno(), wake)
        while True:
            concerns = False
            if await woken(self._changed, GLANCE):
                await asyncio.sleep(max(DEBOUNCE, self._looked + self._pause - time.monotonic()))
                concerns = monitor.drain(self._wanted().prefixes)
                self._changed.clear()
                loop.add_reader(monitor.fileno(), wake)
            self._turn(concerns)

    def reload(self, site: Site, plan: Plan) -> None:
        """Go on with another site file, which is applied by now: what was left is wanted again."""
        self._site, self._plan = site, plan
        self._filters.reload(site, plan)
        self._restraint.forget()
        self._ours.clear()
        self._rests.clear()
        self._cards = NetworkCards(self._netlink)
        self._seen = self._around()
        self._look(time.monotonic())

    def _turn(self, concerns: bool) -> None:
        now = time.monotonic()
        rested = any(self._looked < rest <= now for rest in self._rests.values())
        if concerns or rested or now - self._looked >= LOOK:
            self._look(now)
        elif now - self._began >= GLANCE:
            self._glance(now)

    # --- Looks ------------------------------------------------------------------------------------------

    def _wanted(self) -> Desired:
        return without_rules(self._site, self._plan, self._seen)

    def _glance(self, now: float) -> None:
        """What has no events: parameters, programs."""
        self._began = now
        try:
            self._board.show("settings", self._mend(now, self._reconciler.repairs(self._wanted(), True)), now)
            self._board.show("overruled", self._overruled(), now)
        except (ManageoutError, OSError) as error:
            self._board.say(logging.WARNING, f"a look at the kernel was not finished: {error}", now)
        self._recheck(False, now)

    def _look(self, now: float) -> None:
        """At everything."""
        self._looks += 1
        try:
            around = self._around()
            # The rules name the devices that hold the locators, and those that lead to other ISATAP routers.
            if (around.underlays, around.towards) != (self._seen.underlays, self._seen.towards):
                self._reload_rules()
            self._seen = around
            shown = self._mend(now, self._reconciler.repairs(self._wanted()))
            self._board.show("settings", [row for row in shown if row.code in _SHARED], now)
            self._board.show("ours", [row for row in shown if row.code not in _SHARED], now)
            self._board.show("overruled", self._overruled(), now)
            self._board.show("advertised", advertised.learnt(self._netlink, self._reconciler.learnt), now)
            self._board.show("cards", self._cards.look(self._site), now)
        except (ManageoutError, OSError) as error:  # something went while it was looked at: its event follows
            self._board.say(logging.WARNING, f"a look at the kernel was not finished: {error}", now)
        self._recheck(True, now)
        self._looked = self._began = time.monotonic()
        self._pause = max(PAUSE, SHARE * (self._looked - now))

    def _overruled(self) -> list[Finding]:
        """Routes of ours that are there, but that no packet follows."""
        return list(_overruled(self._reconciler.overruled(self._wanted())))

    def _recheck(self, changed: bool, now: float) -> None:
        for role in self._others:
            try:
                role.recheck(changed)
            except (ManageoutError, OSError) as error:
                self._board.say(logging.WARNING, f"a look at the kernel was not finished: {error}", now)

    # --- Mending ----------------------------------------------------------------------------------------

    def _mend(self, now: float, steps: Iterator[Step]) -> list[Finding]:
        """Take the steps that may be taken; what stays wrong."""
        rows: list[Finding] = []
        wrong: set[Hashable] = set()
        for step in steps:
            key = (step.kind.value, step.about)
            wrong.add(key)
            if row := self._take(step, key, now):
                rows.append(row)
        for left in self._restraint.left - wrong:
            self._restraint.found_right(left)
        return rows

    def _take(self, step: Step, key: tuple[str, str], now: float) -> Finding | None:
        if step.kind.shared and not self._restraint.may(key, now):
            why = self._refusals.get(key, "set otherwise again and again")
            return _unmended(step, f"{why}; left so")
        if now < self._rests.get(key, 0.0):
            return _unmended(step, "taken away again and again")
        try:
            self._reconciler.act(step)
        except ManageoutError as error:
            self._refusals[key] = error.message
            return _unmended(step, error.message)
        self._refusals.pop(key, None)
        if not self._ours.setdefault(key, TokenBucket(OURS, OURS_AT_ONCE)).take(now):
            self._rests[key] = now + REST
        self._mended[step.kind.value or "OTHER"] += 1
        self._board.say(logging.WARNING, f"put back what somebody changed: {step.text}", now)
        return None

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> RoleStatus:
        """For ``manageout status``."""
        return {"put_back": sum(self._mended.values()), "looks": self._looks}

    def findings(self) -> list[Finding]:
        """What is wrong now."""
        return self._board.findings()

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        rows = [({"code": code}, float(count)) for code, count in self._mended.items()]
        yield Metric("kernel_put_back", rows)
        yield Metric("kernel_looks", self._looks)


def _unmended(step: Step, why: str) -> Finding:
    """A step that was not taken, or failed."""
    last = step.about.split("/")[-1]
    return finding(step.kind.value, step.about, why=why, wanted=step.text, last=last)


def _overruled(routes: Iterable[tuple[DesiredRoute, KernelRoute | None]]) -> Iterator[Finding]:
    """Ours, and those that packets follow instead."""
    for ours, other in routes:
        way = f"on {other.dev}" if other else "nowhere"
        way = f"via {other.via} {way}" if other and other.via else way
        about = f"{ours.prefix} overruled"
        yield finding("ROUTE-TAKEN.overruled", about, prefix=ours.prefix, way=way, ours=ours)
