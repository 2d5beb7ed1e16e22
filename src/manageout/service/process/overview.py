"""What a process tells about itself: the answers of the control socket and the figures for Prometheus."""

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar, cast

from manageout import __version__
from manageout.errors import ManageoutError
from manageout.linux.host import privileges
from manageout.linux.netlink.links import Netlink
from manageout.protocol.core.drops import Drop
from manageout.service.process import rows
from manageout.service.process.metrics import Metric
from manageout.service.process.role import Role

_T = TypeVar("_T")
HISTORY = 300.0
SAMPLE = 15.0

SEVERITIES = ("error", "warning", "note")
MEANINGS = {drop.label: drop.meaning for drop in Drop}


class DropHistory:
    """How many drops there were lately, by reason, from samples of totals that only grow."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, int]]] = deque()

    def sample(self, now: float, totals: dict[str, int]) -> None:
        """Note ``totals``; keep the last :data:`HISTORY` seconds."""
        self._samples.append((now, totals))
        while len(self._samples) > 1 and self._samples[1][0] <= now - HISTORY:
            self._samples.popleft()

    def recent(self, now: float, totals: dict[str, int]) -> rows.RecentDrops:
        """Growth since the oldest sample."""
        start, before = self._samples[0] if self._samples else (now, {})
        growth = {reason: count - before.get(reason, 0) for reason, count in totals.items()}
        counts = {reason: count for reason, count in growth.items() if count > 0}
        return {"seconds": now - start, "counts": counts}


class LastSeen:
    """When each counter of drops last grew, for counters of the kernel, which do not say."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, ...], tuple[int, float]] = {}

    def fill(self, drops: Iterable[rows.DropRow], now: float) -> None:
        """Give every row without a ``last`` the time when its count was first seen to be what it is."""
        known: dict[tuple[str | None, ...], tuple[int, float]] = {}
        for row in drops:
            if row.get("last") is None:
                key = (row["reason"], row["source"], row.get("to"), row.get("service"))
                count, last = self._known.get(key, (0, now))
                row["last"] = last = last if row["count"] == count else now
                known[key] = row["count"], last
        self._known = known


class Overview:
    """Reads the roles on demand. ``about`` adds what only the process knows (configuration, reloads)."""

    def __init__(self, roles: Mapping[str, Role], netlink: Netlink, about: Callable[[], rows.About]) -> None:
        self._roles = roles
        self._netlink = netlink
        self._about = about
        self._started = time.time()
        self.history = DropHistory()
        self.history.sample(time.monotonic(), {})
        self._last_seen = LastSeen()

    def sample(self) -> None:
        """To be called every :data:`SAMPLE` seconds."""
        self.history.sample(time.monotonic(), self.drop_totals())
        self._last_seen.fill(self._drops(), time.time())

    def handlers(self) -> dict[str, Callable[[], object]]:
        """For the control socket: those of :data:`~manageout.service.process.rows.ANSWERS`."""
        return {command: getattr(self, command) for command in rows.ANSWERS}

    def status(self) -> rows.Status:
        """Everything on one screen."""
        about: rows.About = {"what": "daemon", **self._about()}
        return {
            **about,
            "version": __version__,
            "pid": os.getpid(),
            "node": socket.gethostname(),
            "since": self._started,
            "roles": {
                name: {"ready": role.ready.is_set(), **role.status()} for name, role in self._roles.items()
            },
            "findings": self.findings(),
            "links": self._links(),
            "recent_drops": self.history.recent(time.monotonic(), self.drop_totals()),
            "privileges": {
                "capabilities": privileges.names(privileges.effective()),
                "no_new_privs": privileges.no_new_privileges(),
            },
        }

    def hosts(self) -> Iterator[rows.HostRow]:
        """ISATAP hosts. Raises :class:`ManageoutError` when this process can have none, as the following do."""
        return self._joined(lambda role: role.hosts(), "no ISATAP router", "the router's lists its hosts")

    def clients(self) -> Iterator[rows.ClientRow]:
        """Remote clients."""
        return self._joined(lambda role: role.clients(), "no gateway", "the gateway's lists its clients")

    def leases(self) -> Iterator[rows.LeaseRow]:
        """IPv4 addresses of remote clients."""
        return self._joined(lambda role: role.leases(), "no gateway", "the gateway's lists the leases")

    def audit(self) -> Iterator[rows.LeasePeriod]:
        """Who held which of them from when to when."""
        return self._joined(lambda role: role.audit(), "no gateway", "the gateway's lists the leases")

    def sessions(self) -> Iterator[rows.SessionRow | None]:
        """Who is connected to whom, through this machine."""
        lacking, hint = "no gateway and no ISATAP router", "theirs list who is connected to whom"
        return self._joined(lambda role: role.sessions(), lacking, hint)

    def _joined(self, read: Callable[[Role], Iterable[_T] | None], lacking: str, hint: str) -> Iterator[_T]:
        """Rows of every role that has some, asked for as they are sent."""
        found = [some for role in self._roles.values() if (some := read(role)) is not None]
        if not found:
            what = self._about().get("what", "daemon")
            raise ManageoutError(f"this process ({what}) is {lacking}", f"ask another: --runtime-dir; {hint}")
        return chain.from_iterable(found)

    def nat64(self) -> rows.Nat64Row:
        """The NAT64 prefixes that hold here, and who says so."""
        for role in self._roles.values():
            if (found := role.nat64()) is not None:
                return {"process": self._about().get("what", "daemon"), **found}
        raise ManageoutError("this process knows no NAT64 prefix", "ask `manageout connect` or a gateway")

    def findings(self) -> list[rows.FindingRow]:
        """What somebody should look at, the worst first."""
        found = [row for role in self._roles.values() for row in role.findings()]
        return [row.shown() for row in sorted(found, key=lambda row: SEVERITIES.index(row.severity))]

    def drops(self) -> list[rows.DropRow]:
        """Counters by reason and source, each with its meaning, the latest first."""
        found = self._drops()
        self._last_seen.fill(found, time.time())
        found.sort(key=lambda row: row["last"] or 0.0, reverse=True)
        return [{**row, "meaning": MEANINGS.get(row["reason"], "")} for row in found]

    def _drops(self) -> list[rows.DropRow]:
        return [row for role in self._roles.values() for row in role.drops()]

    def drop_totals(self) -> dict[str, int]:
        """Counters by reason, exact where a role keeps exact ones."""
        totals: dict[str, int] = {}
        for role in self._roles.values():
            for reason, count in role.drop_totals().items():
                totals[reason] = totals.get(reason, 0) + count
        return totals

    def metrics(self) -> Iterable[Metric]:
        """Ours, then those of the roles."""
        drops = [({"reason": reason}, float(count)) for reason, count in self.drop_totals().items()]
        yield Metric("drops", drops)
        yield Metric("start_time_seconds", self._started)
        yield Metric("build_info", [({"version": __version__}, 1.0)])
        expiries = []
        for name, role in self._roles.items():
            certificate = role.status().get("certificate")
            if isinstance(certificate, dict):
                expiries.append(({"role": name}, float(certificate["not_after"])))
        yield Metric("certificate_expiry_seconds", expiries)
        found = Counter((row["code"], row["severity"]) for row in self.findings())
        labelled = [({"code": code, "severity": kind}, float(n)) for (code, kind), n in found.items()]
        yield Metric("findings", labelled)
        for role in self._roles.values():
            yield from role.metrics()

    def _links(self) -> list[rows.LinkRow]:
        ours = [link for link in self._netlink.links() if link.name.startswith("mo-")]
        addresses = [[str(address) for address in self._netlink.addresses(link.name)] for link in ours]
        pairs = zip(ours, addresses, strict=True)
        return [cast(rows.LinkRow, link._asdict() | {"addresses": held}) for link, held in pairs]
