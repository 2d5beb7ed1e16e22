"""The driver of the DNS64: sockets for clients at its own address, which the packet filter shows only to our links.

Those to the servers are in :mod:`manageout.service.resolver.upstream`.
"""

import asyncio
import fnmatch
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network

from manageout.errors import ManageoutError
from manageout.linux.packets.mmsg import Datagrams
from manageout.protocol.dns import lease_name
from manageout.protocol.dns.dns64 import Dns64, Dns64Config
from manageout.protocol.dns.forwarder import MAX_QUERY, Reply
from manageout.protocol.dns.prefixes import Prefixes
from manageout.service.process import presence, role, rows
from manageout.service.process.finding import Finding, finding
from manageout.service.process.metrics import Metric
from manageout.service.resolver.listener import DnsListener, unbound
from manageout.service.resolver.upstream import PORT
from manageout.site.plan import Plan
from manageout.site.tables.site import Site, needed
from manageout.wire import dns
from manageout.wire.host_port import HostPort

BATCH = 64
"""Datagrams taken before anything else gets its turn."""
LARGEST = MAX_QUERY + 1
"""Bytes taken of a datagram: one more than a query may have. (Room for 65,535 would cost half of the speed.)"""
BUFFER = 1 << 20
MAX_CONNECTIONS = 256
MAX_PER_CLIENT = 16
BIND_SECONDS = 10.0
MAX_BLOCKED_CLIENTS = 1024

log = logging.getLogger(__name__)


def settings(site: Site, plan: Plan) -> Dns64Config:
    """What the machine needs of the site."""
    table = needed(site.dns64)
    anything = (IPv4Network("0.0.0.0/0"),)
    prefixes = [(each.prefix, each.ipv4) for each in table.prefixes]
    if not prefixes and site.translation is not None:
        prefixes = [(plan.nat64, anything)]
    domain = site.site.domain
    blocked = [*table.blocked, *(f"{name}.{domain}" for name in table.blocked if domain)]
    return Dns64Config(
        servers=table.upstreams,
        prefixes=Prefixes(prefixes, table.exclude_prefixes),
        exclude_domains=tuple(map(dns.to_wire, table.exclude_domains)),
        blocked=tuple(map(dns.to_wire, dict.fromkeys(blocked))),
        cache_size=table.cache_size,
        serve_stale=table.serve_stale,
    )


class Dns64Service(DnsListener[Dns64], role.Role, presence.Watcher):
    """The role; also told who is connected, for the clients that are excluded."""

    name = "dns64"

    def __init__(self, site: Site, plan: Plan, clients: presence.Presence) -> None:
        self._address = plan.dns64
        super().__init__(Dns64(settings(site, plan), random.SystemRandom().random, self._whose))
        self._patterns = _patterns(site)
        self._connected = clients
        self._excluded: set[bytes] = set()
        """Addresses of clients that get no synthesised ones."""
        self._leasing = site.translation is not None
        self._blocked: Counter[tuple[str, str]] = Counter()

    async def run(self) -> None:
        """Serve until cancelled. Raises :class:`ManageoutError` when the address cannot be had."""
        udp = await self._bind(socket.SOCK_DGRAM)
        tcp = await self._bind(socket.SOCK_STREAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._datagrams = Datagrams(udp, LARGEST, BATCH)
        self.ready.set()  # what comes from here on waits in the sockets
        log.info("DNS64 at %s, from %s", self._address, ", ".join(self.machine.config.servers))
        await self._listen(udp, tcp)

    def reload(self, site: Site, plan: Plan) -> None:
        """Other servers, prefixes, names; the cache begins anew."""
        if plan.dns64 != self._address:
            raise ManageoutError("the DNS64 address has changed", "restart the daemon")
        self.machine.configure(settings(site, plan))
        self._patterns = _patterns(site)
        excluded = (client for client in self._connected if self._is_excluded(client.identity))
        self._excluded = {address for client in excluded for address in client.addresses}

    # --- Who is connected -------------------------------------------------------------------------------

    def present(self, client: presence.Client, before: presence.Client | None) -> None:
        """It has arrived, or its addresses have changed."""
        if before is not None:
            self.absent(before)
        if self._is_excluded(client.identity):
            self._excluded.update(client.addresses)
        else:
            self._excluded.difference_update(client.addresses)

    def absent(self, client: presence.Client) -> None:
        """It has gone; an address that another client has by now stays as that one's."""
        for address in client.addresses:
            if self._connected.owner(address) in (None, client.identity):
                self._excluded.discard(address)

    def _identity(self, source: str) -> str | None:
        """Whose address this is; one of the link alone, with its zone, is nobody's."""
        return None if "%" in source else self._connected.owner(_packed(source))

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in self._patterns)

    # --- Clients ----------------------------------------------------------------------------------------

    async def _bind(self, kind: socket.SocketKind) -> socket.socket:
        """A socket at our address, which may have to come up first."""
        deadline = time.monotonic() + BIND_SECONDS
        while True:
            sock = unbound(str(self._address), kind)
            try:
                sock.bind((str(self._address), PORT))
            except OSError as error:
                sock.close()
                if time.monotonic() > deadline:
                    hint = f"see what uses it: ss -lnp 'src [{self._address}]:{PORT}'"
                    raise ManageoutError(
                        f"DNS64 cannot use {self._address} port {PORT}: {error.strerror}", hint
                    ) from None
            else:
                if kind is socket.SOCK_STREAM:
                    sock.listen(128)
                return sock
            await asyncio.sleep(0.1)

    def _on_clients(self, udp: socket.socket) -> None:
        machine, datagrams, now = self.machine, self._datagrams, time.monotonic()
        excluded, quick, answer, unsent = self._excluded, machine.quick, datagrams.answer, 0
        slow = begin = slot = 0
        for slot, message in enumerate(datagrams.receive(), 1):
            at = slot - 1
            reply = quick(message, now) if not excluded or datagrams.source(at) not in excluded else None
            if reply is not None:
                answer(at, reply)
                continue
            unsent += datagrams.send(begin, at)
            begin, slow = slot, slow + 1
            client = datagrams.name(at)
            self._receive(message, client[0], client, now)
        if unsent := unsent + datagrams.send(begin, slot):
            machine.counts["unsent"] += unsent
        if slow:
            self._pump()

    def _receive(self, message: bytes, source: str, client: object, now: float, *, tcp: bool = False) -> None:
        """For the machine, unless somebody asks for its own lease."""
        if not (self._leasing and lease_name.asks(message)):
            excluded = bool(self._excluded) and _packed(source) in self._excluded
            self.machine.receive(message, client, now, tcp=tcp, excluded=excluded)
            return
        client_of = self._connected.get(self._identity(source) or "")
        lease = client_of.lease if client_of is not None else None
        reply = lease_name.answer(message, lease, known=client_of is not None)
        if reply is not None:
            self._reply(Reply(client, reply))

    def _welcome(self, source: str) -> bool:
        others = [self._identity(each) or each for each in self._connections.values()]
        full = len(others) >= MAX_CONNECTIONS
        if full or others.count(self._identity(source) or source) >= MAX_PER_CLIENT:
            self.machine.counts["busy"] += 1
            return False
        return True

    def _whose(self, client: object) -> str:
        """The identity of a client, which may have many addresses; without one, the address it has asked from."""
        if isinstance(client, asyncio.StreamWriter):
            address = self._connections.get(client, "")
        else:
            address = str(client[0]) if isinstance(client, tuple) else ""
        return self._identity(address) or address

    def _pump(self) -> None:
        super()._pump()
        for event in self.machine.events():
            name = b".".join(dns.labels_of(event.name)).decode("ascii", "replace")
            key = (self._whose(event.client), name)
            if key in self._blocked or len(self._blocked) < MAX_BLOCKED_CLIENTS:
                self._blocked[key] += 1

    # --- Report -----------------------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        machine, cache = self.machine, self.machine.cache
        silent = machine.silent(machine.config.servers, time.monotonic())
        shown: dict[str, rows.Json] = {
            "address": str(self._address),
            "servers": [f"{each} (silent)" if each in silent else each for each in machine.config.servers],
            "prefixes": [str(prefix) for prefix in machine.config.prefixes.all],
            "queries": cache.hits + cache.misses,
            "cached": len(cache),
            "pending": machine.pending(),
        }
        if self._blocked:
            shown["blocked"] = [
                f"{who} asked for {what}: {count}" for (who, what), count in self._blocked.most_common(5)
            ]
        return shown

    def findings(self) -> list[Finding]:
        """Servers that do not answer."""
        servers = self.machine.config.servers
        silent = self.machine.silent(servers, time.monotonic())
        if len(silent) < len(servers):
            return []
        host, port = HostPort.parse(silent[0], PORT)
        return [finding("DNS-SERVERS-SILENT", servers=", ".join(silent), host=host, port=port)]

    def metrics(self) -> Iterable[Metric]:
        """What Prometheus may know."""
        machine, cache = self.machine, self.machine.cache
        lookups = [({"cache": "hit"}, cache.hits), ({"cache": "miss"}, cache.misses)]
        yield Metric("dns64_queries", lookups)
        kinds = [({"kind": kind}, count) for kind, count in sorted(machine.counts.items())]
        yield Metric("dns64_events", kinds)
        yield Metric("dns64_cached", len(cache))
        blocked: Counter[str] = Counter()
        for (_, name), count in self._blocked.items():
            blocked[name] += count
        named = [({"name": name}, count) for name, count in blocked.items()]
        yield Metric("dns64_blocked", named)


def _packed(source: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, source.partition("%")[0])  # a tenth of IPv6Address's time


def _patterns(site: Site) -> tuple[str, ...]:
    return tuple(pattern.lower() for pattern in site.dns64.exclude_clients) if site.dns64 else ()
