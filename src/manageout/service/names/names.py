"""The role ``names``: clients in the intranet's DNS. Tells a worker what to update, and keeps the queue on disk."""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from manageout.directory.dns.gss_tsig import KerberosSigner
from manageout.directory.dns.tsig import KeySigner
from manageout.directory.dns.update import Signer, Updater
from manageout.directory.dns.zones import Zones
from manageout.errors import ManageoutError
from manageout.protocol.names.claims import plain
from manageout.protocol.names.registrar import Names, Outcome, Problem, StoredEntry, Task
from manageout.service.process import loops, presence, role, rows
from manageout.service.process.finding import Finding, finding, texts
from manageout.service.process.metrics import Metric
from manageout.service.state.names import NamesStore
from manageout.service.tls.certificates import load_certificate, names_of
from manageout.site.plan import Plan
from manageout.site.tables.names import NamesTable
from manageout.site.tables.site import Site, needed
from manageout.wire.host_port import host_of
from manageout.words import listed

WORKERS = 4
"""Updates at a time; with Kerberos one, because a context orders its messages."""
BATCH = 0.05
"""Seconds in which what happens together is stored together."""
RETRY = 5.0
"""Seconds until what a full disk has refused is stored again."""
FAREWELL = 5.0
"""Seconds for updates that are under way at a stop."""
SHOWN = 3

log = logging.getLogger(__name__)


def remedy_of(code: str, table: NamesTable | None) -> str:
    """What mends a trouble of updates, in the values of the site file."""
    return _finding(code, "", table).remedy


def _finding(code: str, what: str, table: NamesTable | None) -> Finding:
    keytab, principal = (table.keytab, table.principal) if table else (None, "")
    kinit = f"kinit -k -t {keytab} {principal}" if principal else f"klist -k {keytab}, kinit -k -t {keytab}"
    return finding(code if code in texts() else "DNS-FAILED", what=what, kinit=kinit)._replace(code=code)


def machine_of(site: Site) -> Names:
    """The machine for a site with a ``[names]`` table."""
    table = needed(site.names)
    zone = table.zone or site.site.domain
    return Names(zone, table.reverse, table.keep == "grace", reserved=own_names(site))


def own_names(site: Site) -> frozenset[str]:
    """Names of the site's own machines, as far as its file tells: no client gets one, also while nobody has it.

    Whole names, or first labels where the file has only those.
    """
    return frozenset(plain(name) for name in _own_names(site) if name)


def _own_names(site: Site) -> Iterator[str]:
    if site.names is not None:
        yield from site.names.reserved
    if site.dns64 is not None:
        yield from site.dns64.blocked
    if site.isatap is not None:
        yield site.isatap.name
    if site.rollout is not None:
        yield site.rollout.gateway_name
        for url in (site.rollout.location_url, *(text.partition(":")[2] for text in site.rollout.resources)):
            yield host_of(url) if "//" in url else url
    for manager in site.policy.managers:  # whoever has the name has its permissions
        yield from (source for source in manager.source if isinstance(source, str))
    yield socket.gethostname().partition(".")[0]
    if site.gateway is not None:
        with contextlib.suppress(ManageoutError):
            yield from names_of(load_certificate(site.gateway.certificate))


def updater_of(site: Site, plan: Plan) -> Updater:
    """What carries out the tasks. Raises :class:`ManageoutError` for a key or keytab that cannot be used."""
    table = needed(site.names)
    # All gateways of a site own its names together.
    mark = f"manageout {site.site.prefix}"
    return Updater(zones_of(site), signer_of(table), mark, table.ttl, plan.client_prefix)


def zones_of(site: Site) -> Zones:
    """Where the site's names are updated."""
    assert site.names is not None
    return Zones(site.names.servers, site.dns64.upstreams if site.dns64 else ())


def signer_of(table: NamesTable) -> Signer | None:
    """What signs updates, or None. Raises :class:`ManageoutError` for a key or keytab that cannot be used."""
    if table.authentication == "tsig" and table.key_file is not None:
        return KeySigner(table.key_file)
    if table.authentication == "kerberos" and table.keytab is not None:
        return KerberosSigner(table.keytab, table.principal)
    return None


class NamesService(role.Role, presence.Watcher):
    """The role; a watcher of clients."""

    name = "names"

    def __init__(self, site: Site, plan: Plan, state_dir: Path, clients: presence.Presence) -> None:
        """A key or keytab that cannot be used is a finding, tried again with each update: tunnels do without names.

        Raises :class:`ManageoutError` when the store cannot be used.
        """
        self._site, self._plan = site, plan
        self.machine = machine_of(site)
        self._updater: Updater | None = None
        self._fault: ManageoutError | None = None
        try:
            self._updater = updater_of(site, plan)
        except ManageoutError as error:
            self._fault = error
            log.error("%s; no names are registered (%s)", error.message, error.hint)
        self._former: Updater | None = None
        """What could change the zone of before a reload, to take its records away."""
        self._store = NamesStore(state_dir)
        self._unstored: dict[str, StoredEntry | None] = {}
        self.connected = clients
        self._outcomes: Counter[str] = Counter()
        self._told: dict[str, str] = {}
        self._running: set[asyncio.Future[tuple[Outcome, Problem | None]]] = set()
        self._wake = asyncio.Event()

    # --- Watcher ----------------------------------------------------------------------------------------

    def present(self, client: presence.Client, before: presence.Client | None = None) -> None:
        """Register it."""
        self.machine.present(client.identity, client.address, self._lease(client), time.monotonic())
        self._wake.set()

    def absent(self, client: presence.Client) -> None:
        """Remove its records, or wait for the end of its grace."""
        self.machine.absent(client.identity, time.monotonic())
        if client.lease is None:  # there is no grace that could end
            self.machine.released(client.identity, time.monotonic())
        self._wake.set()

    def _lease(self, client: presence.Client) -> bytes | None:
        """For the A record: none with masquerade, where nobody reaches the lease."""
        translation = self._site.translation
        return None if translation is not None and translation.masquerade else client.lease

    def released(self, identity: str, lease: bytes) -> None:
        """Remove its records, if they are still there and it has not returned."""
        if self.connected.get(identity) is None:
            self.machine.released(identity, time.monotonic())
            self._wake.set()

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled. The records stay: most stops are restarts, after which the same clients come back.

        The next start removes those of clients that do not; ``manageout names remove`` all, after the last one.
        """
        self.machine.restore(self._store.load(), time.monotonic())
        for client in self.connected:  # they came before us
            self.present(client)
        kerberos = self._site.names is not None and self._site.names.authentication == "kerberos"
        self._pool = ThreadPoolExecutor(1 if kerberos else WORKERS, thread_name_prefix="names")
        self._limit = 1 if kerberos else WORKERS
        self.ready.set()
        with ThreadPoolExecutor(1, thread_name_prefix="names-store") as self._disk:
            try:
                while True:
                    await self._turn()
            finally:
                self.ready.clear()
                if self._running:  # begin nothing more; know of what was begun
                    await asyncio.wait(set(self._running), timeout=FAREWELL)
                await self._keep()
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._disk.submit(self._store.close)

    async def _turn(self) -> None:
        """Store what has changed, start what is due, wait for the next event."""
        await self._start()
        due = self.machine.timer() if len(self._running) < self._limit else None
        timeout = None if due is None else max(0.0, due - time.monotonic())
        if self._unstored:
            timeout = RETRY if timeout is None else min(timeout, RETRY)
        await loops.woken(self._wake, timeout)
        await asyncio.sleep(BATCH)
        self._wake.clear()

    async def _start(self) -> None:
        """First it is noted, then sent: a process that is killed in between leaves nothing that no start knows of."""
        tasks = self.machine.tasks(time.monotonic(), self._limit - len(self._running))
        await self._keep()
        loop = asyncio.get_running_loop()
        for task in tasks:
            future = loop.run_in_executor(self._pool, self._perform, task)
            self._running.add(future)
            future.add_done_callback(lambda done, task=task: self._finished(task, done))  # type: ignore[misc]

    def _perform(self, task: Task) -> tuple[Outcome, Problem | None]:
        """In a worker. What could not be used before may have been mended."""
        if self._former is not None and not task.wanted and self._elsewhere(task.name):
            outcome, problem = self._former.perform(task)
            if outcome is not Outcome.FAILED:
                return outcome, problem
        if self._updater is None:
            try:
                self._updater = updater_of(self._site, self._plan)
            except ManageoutError as error:
                self._fault = error
                return Outcome.FAILED, None
            self._fault = None
        return self._updater.perform(task)

    def _elsewhere(self, name: str) -> bool:
        """It lies in a zone that the site had before."""
        return not name.endswith((f".{self.machine.zone}", ".arpa"))

    def _finished(self, task: Task, done: asyncio.Future[tuple[Outcome, Problem | None]]) -> None:
        self._running.discard(done)
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            log.error("update of %s failed inside", task.name, exc_info=error)
            outcome: Outcome = Outcome.FAILED
            problem: Problem | None = Problem("DNS-FAILED", f"{task.name}: internal error: {error}")
        else:
            outcome, problem = done.result()
        self._outcomes[outcome.value] += 1
        self._tell(task, outcome, problem)
        self.machine.finished(task, outcome, problem, time.monotonic())
        self._wake.set()

    def _tell(self, task: Task, outcome: Outcome, problem: Problem | None) -> None:
        """Once for each change of fortune of a name, not for each attempt; of looks that nobody answers the finding."""
        if task.look and outcome in (Outcome.FAILED, Outcome.DOUBTFUL):
            return
        if problem is None:
            self._told.pop(task.name, None)
            if outcome is Outcome.RESTORED:
                log.warning("DNS: %s was not there any more as we had put it: registered again", task.name)
            elif outcome is Outcome.DONE and not task.look:
                texts = ", ".join(text for _, text in sorted(task.wanted)) or "removed"
                log.info("DNS: %s: %s", task.name, texts)
        elif self._told.get(task.name) != problem.code:
            if len(self._told) > 10_000:
                self._told.clear()
            self._told[task.name] = problem.code
            log.warning("DNS: %s (%s)", problem.words, remedy_of(problem.code, self._site.names))

    async def _keep(self) -> None:
        """In a thread: packets must not wait for a sync of the disk."""
        self._unstored.update(self.machine.changes())
        if not self._unstored:
            return
        write = partial(self._store.write, tuple(self._unstored.items()))
        if not await asyncio.get_running_loop().run_in_executor(self._disk, write):
            self._unstored.clear()

    def reload(self, site: Site, plan: Plan) -> None:
        """Another zone or key: names move there. Raises :class:`ManageoutError` before anything has changed."""
        if site.names is None:
            return
        before = self._site
        machine = machine_of(site)
        changed = (site.names, site.site, site.dns64) != (before.names, before.site, before.dns64)
        if changed or site.translation != before.translation or machine.reserved != self.machine.reserved:
            updater = updater_of(site, plan)
            if machine.zone != self.machine.zone:
                self._former = self._updater
            self._updater, self._site, self._plan, self._fault = updater, site, plan, None
            self.machine.zone, self.machine.reverse = machine.zone, machine.reverse
            self.machine.keep_in_grace, self.machine.reserved = machine.keep_in_grace, machine.reserved
            for client in self.connected:
                self.present(client)
        self.machine.look_again(time.monotonic())
        self._wake.set()

    # --- What others may know ---------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        table = self._site.names
        return {
            "ready": self.ready.is_set(),
            "zone": self.machine.zone,
            "authentication": table.authentication if table else "",
            "registered": self.machine.registered,
            "waiting": self.machine.waiting,
        }

    def findings(self) -> list[Finding]:
        """One for each kind of trouble, with the first few names."""
        kinds: dict[str, list[Problem]] = {}
        left = []
        for name, problem in self.machine.problems():
            if name in self.machine.entries and self._elsewhere(name):
                left.append(name)
            else:
                kinds.setdefault(problem.code, []).append(problem)
        found = [*self._store.findings("NAMES", "after a crash some would stay in the DNS")]
        if left:  # of a zone that the site had before, and that its key cannot change
            found.append(finding("NAMES-LEFT-BEHIND", names=listed(left, SHOWN), first=left[0]))
        if self._fault is not None:
            found.append(Finding("NAMES-UNUSABLE", "error", self._fault.message, self._fault.hint))
        for code, problems in sorted(kinds.items()):
            each = list(dict.fromkeys(problem.words for problem in problems))
            words = "; ".join(each[:SHOWN])
            more = f"; and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
            found.append(_finding(code, words + more, self._site.names))
        return found

    def metrics(self) -> Iterable[Metric]:
        """For Prometheus."""
        yield Metric("names_registered", self.machine.registered)
        yield Metric("names_waiting", self.machine.waiting)
        outcomes = sorted(self._outcomes.items())
        yield Metric("names_updates", [({"outcome": outcome}, count) for outcome, count in outcomes])
