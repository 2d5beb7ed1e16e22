"""Who opens connections to clients, by ISATAP, by lease or natively, recorded for `manageout retire`.

The kernel tells of each connection when it begins and, with its bytes, when it ends. What began while nobody listened
(a restart, or more events than were read) is found in its table of connections. The record is a row a day for each
manager, way, client and service; a manager that calls very many, such as a scanner, is summed up in one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Network
from pathlib import Path

from manageout.errors import ManageoutError
from manageout.linux.netlink.conntrack import ConntrackEntry, connections, towards
from manageout.linux.netlink.conntrack_events import ConnectionEvents
from manageout.service.policy.sessions import PROTOCOLS, Call
from manageout.service.process.clock import SteadyClock
from manageout.service.process.finding import Finding, finding
from manageout.service.process.metrics import Metric
from manageout.service.process.role import Role
from manageout.service.process.rows import RoleStatus
from manageout.service.state.usage import DAY, Usage, UsageStore
from manageout.service.usage.rows import Key, UsageRows
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

FLUSH = 1.0
HEARTBEAT = 20.0
"""Without anything to write: so that a killed daemon leaves a gap no longer than this."""
MAX_NAMES = 4096

Describe = Callable[[ConntrackEntry], Call | None]
log = logging.getLogger(__name__)


class UsageLog(Role):
    """The role, on every machine. ``describe``: a connection as the call of a manager, if it is one."""

    name = "usage"

    def __init__(self, site: Site, plan: Plan, state_dir: Path, describe: Describe) -> None:
        self._describe = describe
        self._days, self._prefixes = site.daemon.usage_days, client_prefixes(plan)
        self._store = UsageStore(state_dir)
        self._writer = ThreadPoolExecutor(1, "usage")
        self._events: ConnectionEvents | None = None
        self._fault = ""
        self._clock = SteadyClock()
        now = self._clock.now()
        self._rows = UsageRows(now, self._store.keys(int(now // DAY)))
        self._tidied = 0
        self._due = 0.0
        self._names: dict[bytes, str] = {}
        self._begun, self._read_until = self._store.run(now)
        self._lost, self._listening_since = -1, now
        """Before it listened, what began is in the table only."""
        self._recorded = 0

    async def run(self) -> None:
        """Serve until cancelled; what cannot be watched is a finding, not a failure."""
        try:
            self._listen()
            while True:
                self._mind_the_clock()
                if self._events is not None and self._events.lost != self._lost:
                    until = self._listening_since if self._lost < 0 else time.time()
                    self._lost = self._events.lost
                    await self._look(self._read_until, until)
                self.ready.set()
                if self._rows or time.monotonic() >= self._due:
                    self._due = time.monotonic() + HEARTBEAT
                    rows, loop = self._rows.take(), asyncio.get_running_loop()
                    if not await loop.run_in_executor(self._writer, self._write, rows):
                        self._rows.give_back(rows)
                await asyncio.sleep(FLUSH)
        finally:
            self.ready.clear()
            self._unlisten()
            self._writer.shutdown()
            self._write(self._rows.take())
            self._store.close()

    def reload(self, site: Site, plan: Plan) -> None:
        """Other prefixes or another number of days."""
        prefixes = client_prefixes(plan)
        before, self._days = self._days, site.daemon.usage_days
        if prefixes != self._prefixes or bool(before) != bool(self._days):
            if not before:
                self._begun = self._read_until = time.time()
            self._prefixes = prefixes
            self._unlisten()
            self._listen()
        self._tidied = 0
        self._due = 0.0

    def _mind_the_clock(self) -> None:
        """A clock that was set ends what is watched without a gap: the time in between has not passed."""
        jump = self._clock.look()
        if jump:
            log.warning("the clock was set by %.0f seconds", jump)
            self._begun = self._read_until = self._clock.now()

    def _listen(self) -> None:
        if not self._days:
            return
        self._fault = ""
        try:
            self._events = ConnectionEvents(self._prefixes)
        except ManageoutError as error:
            self._fault = error.message
            log.warning("who opens connections is not recorded: %s (%s)", error.message, error.hint)
            return
        self._lost, self._listening_since = -1, time.time()
        asyncio.get_running_loop().add_reader(self._events.fileno(), self._on_events, self._events)

    def _unlisten(self) -> None:
        if self._events is not None:
            asyncio.get_running_loop().remove_reader(self._events.fileno())
            self._events.close()
            self._events = None

    # --- What happens -----------------------------------------------------------------------------------

    def _on_events(self, events: ConnectionEvents) -> None:
        now = time.time()
        for event in events.read():
            (self._ended if event.ended else self._began)(event.connection, event.connection.start or now)
        if events.lost == self._lost:
            self._read_until = now

    async def _look(self, since: float, until: float) -> None:
        """Record what the kernel's table still has of connections that began in between.

        Where events were lost, those that were not may count twice.
        """
        wanted = towards(self._prefixes)

        def read() -> list[ConntrackEntry]:
            return [each for each in connections(wanted) if each.start is None or since < each.start <= until]

        try:
            missed = await asyncio.get_running_loop().run_in_executor(self._writer, read)
        except ManageoutError as error:
            self._fault = error.message
            log.warning("the table of connections cannot be read: %s (%s)", error.message, error.hint)
            return
        self._fault = ""
        for connection in missed:
            self._began(connection, connection.start or until)
        self._read_until = until

    def _began(self, connection: ConntrackEntry, now: float) -> None:
        key = self._key(connection)
        if key is not None:
            self._recorded += 1
            self._rows.began(key, now)

    def _ended(self, connection: ConntrackEntry, begun: float) -> None:
        key = self._key(connection)
        if key is not None:
            answered = connection.received_packets > 0 or connection.state == "replied"
            self._rows.ended(key, begun, answered, connection.sent_bytes + connection.received_bytes)

    def _key(self, connection: ConntrackEntry) -> Key | None:
        call = self._describe(connection)
        if call is None:
            return None
        # The client may have gone before its connection: then only we remember its name.
        name = call.client or self._names.get(connection.destination, "")
        if call.client:
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            self._names[connection.destination] = name
        protocol = PROTOCOLS.get(connection.protocol, str(connection.protocol))
        return str(call.manager), str(call.way), name or call.client_address, protocol, connection.port

    # --- To disk ----------------------------------------------------------------------------------------

    def _write(self, rows: list[Usage]) -> bool:
        now = self._clock.now()  # steady: a clock that is set ahead must not make the present run longer
        today = int((now - self._clock.ahead) // DAY)  # nor let the record of what really was be given up
        if today != self._tidied or not self._days:
            self._tidied = today
            self._store.bound(self._days)
        if not self._days:
            return True
        return self._store.write(rows, None if self._fault else self._begun, now, today - self._days + 1)

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> RoleStatus:
        """For ``manageout status``."""
        if not self._days:
            return {"calls": "not recorded: daemon.usage_days is 0"}
        return {"calls": f"{self._recorded} recorded since the start, kept for {self._days} days"}

    def findings(self) -> list[Finding]:
        """What an administrator should know."""
        found = list(self._clock.findings())
        if not self._days:
            return found
        found += list(self._store.findings("USAGE", "a retirement is judged by them"))
        if self._fault:
            found.append(finding("USAGE-NOT-RECORDED", why=self._fault))
        return found

    def metrics(self) -> Iterator[Metric]:
        """For Prometheus."""
        yield Metric("usage_recorded", self._recorded)


def client_prefixes(plan: Plan) -> tuple[IPv6Network, ...]:
    """Where clients are."""
    wanted: Iterable[IPv6Network] = (plan.client_prefix, plan.client_aggregate, *plan.advertised)
    kept = dict.fromkeys(wanted)
    return tuple(each for each in kept if not any(each != other and each.subnet_of(other) for other in kept))
