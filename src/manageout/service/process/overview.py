"""What the daemon tells about itself: the answers of the control socket and the figures for Prometheus."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from manageout import __version__
from manageout.errors import ManageoutError
from manageout.linux.host import privileges
from manageout.linux.netlink.links import Netlink
from manageout.protocol.core.drops import MEANING, Drop
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.service.process.role import Shown

HISTORY = 300.0
SAMPLE = 15.0

MEANINGS = {drop.label: MEANING[drop] for drop in Drop}


class DropHistory:
    """How many drops there were lately, by reason, from samples of totals that only grow."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, dict[str, int]]] = deque()

    def sample(self, now: float, totals: dict[str, int]) -> None:
        """Note ``totals``; keep the last :data:`HISTORY` seconds."""
        self._samples.append((now, totals))
        while len(self._samples) > 1 and self._samples[1][0] <= now - HISTORY:
            self._samples.popleft()

    def recent(self, now: float, totals: dict[str, int]) -> dict[str, object]:
        """Growth since the oldest sample."""
        start, before = self._samples[0] if self._samples else (now, {})
        growth = {reason: count - before.get(reason, 0) for reason, count in totals.items()}
        counts = {reason: count for reason, count in growth.items() if count > 0}
        return {"seconds": now - start, "counts": counts}


class LastSeen:
    """When each counter of drops last grew, for counters of the kernel, which do not say."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, ...], tuple[int, float]] = {}

    def fill(self, rows: list[dict[str, Any]], now: float) -> None:
        """Give every row without a ``last`` the time when its count was first seen to be what it is."""
        known: dict[tuple[str | None, ...], tuple[int, float]] = {}
        for row in rows:
            if row.get("last") is None:
                key = (row["reason"], row["source"], row.get("to"), row.get("service"))
                count, last = self._known.get(key, (0, now))
                known[key] = row["count"], last if row["count"] == count else now
                row["last"] = known[key][1]
        self._known = known


class Overview:
    """Reads the roles on demand. ``about`` adds what only the daemon knows (configuration, reloads)."""

    def __init__(
        self, roles: Mapping[str, Shown], netlink: Netlink, about: Callable[[], dict[str, object]]
    ) -> None:
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
        self._last_seen.fill(self._rows("drops"), time.time())

    async def keep_sampling(self) -> None:
        """Until cancelled, for a process that does nothing else at this pace: so that old drops are not recent ones."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE)

    def handlers(self) -> dict[str, Callable[[], object]]:
        """For the control socket."""
        return {
            "status": self.status,
            "hosts": self.hosts,
            "clients": self.clients,
            "leases": self.leases,
            "audit": self.audit,
            "drops": self.drops,
            "sessions": self.sessions,
            "nat64": self.nat64,
        }

    def status(self) -> dict[str, object]:
        """Everything on one screen."""
        return {
            "what": "daemon",
            "version": __version__,
            "pid": os.getpid(),
            "node": socket.gethostname(),
            "since": self._started,
            **self._about(),
            "roles": {name: self._role(role) for name, role in self._roles.items()},
            "findings": self.findings(),
            "links": self._links(),
            "recent_drops": self.history.recent(time.monotonic(), self.drop_totals()),
            "privileges": {
                "capabilities": privileges.names(privileges.effective()),
                "no_new_privs": privileges.no_new_privileges(),
            },
        }

    def hosts(self) -> Iterator[dict[str, Any]]:
        """ISATAP hosts of every role that has some. Raises :class:`ManageoutError` when none can have any."""
        self._need("hosts", "no ISATAP router", "the router's lists its hosts")
        return self._many("hosts")

    def leases(self) -> Iterator[dict[str, Any]]:
        """IPv4 addresses of remote clients. Raises :class:`ManageoutError` when nobody gives any."""
        self._need("leases", "no gateway", "the gateway's lists the leases")
        return self._many("leases")

    def audit(self) -> Iterator[dict[str, Any]]:
        """Who held which of them from when to when. Raises :class:`ManageoutError` when nobody gives any."""
        self._need("audit", "no gateway", "the gateway's lists the leases")
        return self._many("audit")

    def findings(self) -> list[dict[str, Any]]:
        """What somebody should look at, the worst first."""
        severity = ("error", "warning", "note")
        rows: list[Finding] = self._rows("findings")
        return [row._asdict() for row in sorted(rows, key=lambda row: severity.index(row.severity))]

    def clients(self) -> list[dict[str, Any]]:
        """Remote clients of every role that has some. Raises :class:`ManageoutError` when none can have any."""
        self._need("clients", "no gateway", "the gateway's lists its clients")
        return self._rows("clients")

    def nat64(self) -> dict[str, object]:
        """The NAT64 prefixes that hold here, and who says so."""
        for role in self._roles.values():
            if read := getattr(role, "nat64", None):
                return {"process": self._about().get("what", "daemon"), **read()}
        raise ManageoutError("this process knows no NAT64 prefix", "ask `manageout connect` or a gateway")

    def sessions(self) -> Iterator[dict[str, Any] | None]:
        """Who is connected to whom, through this machine. Raises :class:`ManageoutError` when nobody can be."""
        self._need("sessions", "no gateway and no ISATAP router", "theirs list who is connected to whom")
        return self._many("sessions")

    def drops(self) -> list[dict[str, Any]]:
        """Counters by reason and source, each with its meaning, the latest first."""
        rows = self._rows("drops")
        self._last_seen.fill(rows, time.time())
        rows.sort(key=lambda row: row["last"], reverse=True)
        return [row | {"meaning": MEANINGS.get(row["reason"], "")} for row in rows]

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
        yield Metric("drops", "Packets that were refused, by reason.", "counter", drops)
        yield Metric("start_time_seconds", "Unix time of the start.", "gauge", [({}, self._started)])
        yield Metric("build_info", "Version.", "gauge", [({"version": __version__}, 1.0)])
        expiries = []
        for name, role in self._roles.items():
            certificate = role.status().get("certificate")
            if isinstance(certificate, dict):
                expiries.append(({"role": name}, float(certificate["not_after"])))
        yield Metric("certificate_expiry_seconds", "Unix time when it ends.", "gauge", expiries)
        found = Counter((row["code"], row["severity"]) for row in self.findings())
        labelled = [({"code": code, "severity": kind}, float(n)) for (code, kind), n in found.items()]
        yield Metric("findings", "What `manageout status` shows as found.", "gauge", labelled)
        for role in self._roles.values():
            yield from role.metrics()

    def _need(self, kind: str, lacking: str, hint: str) -> None:
        if not any(hasattr(role, kind) for role in self._roles.values()):
            what = self._about().get("what", "daemon")
            raise ManageoutError(f"this process ({what}) is {lacking}", f"ask another: --runtime-dir; {hint}")

    def _many(self, kind: str) -> Iterator[Any]:
        """Rows of every role that has some, asked for as they are sent."""
        reads = [getattr(role, kind, None) for role in self._roles.values()]
        return chain.from_iterable([read() for read in reads if read])

    def _rows(self, kind: str) -> list[Any]:
        rows: list[Any] = []
        for role in self._roles.values():
            read = getattr(role, kind, None)
            rows += read() if read else []
        return rows

    def _role(self, role: Shown) -> dict[str, object]:
        return {"ready": role.ready.is_set(), **role.status()}

    def _links(self) -> list[dict[str, object]]:
        ours = [link for link in self._netlink.links() if link.name.startswith("mo-")]
        return [
            link._asdict() | {"addresses": [str(address) for address in self._netlink.addresses(link.name)]}
            for link in ours
        ]
