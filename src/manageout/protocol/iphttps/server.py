"""The IP-HTTPS server ([MS-IPHTTPS] 3.2) as a machine: streams of clients, packets of the kernel.

A connection's way: ``open`` -> HTTP head -> 200 (or a refusal and ``Close``) -> packets -> ``Close`` or ``closed``.
This file has the connections and their time-outs; the packets are in ``iphttps_link``, Neighbour Discovery is
in ``iphttps_nd``, and who holds which address in ``neighbours``.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from http import HTTPStatus
from itertools import count
from math import ceil, inf
from operator import attrgetter

from manageout.errors import HeadError, OversizeError, WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps import values
from manageout.protocol.iphttps.discovery import Discovery
from manageout.protocol.iphttps.link import Link
from manageout.protocol.iphttps.owners import Neighbours
from manageout.protocol.iphttps.session import Outbox, Session
from manageout.protocol.offload.cut import harmless
from manageout.wire import iphttps as wire
from manageout.wire.virtio import VNET_HEADER

TICK = 10.0
"""Seconds between two looks at a connection, where nothing asks for an earlier one."""
ADDRESS_IDLE = 900.0
"""An address unused for so many seconds is solicited, once a tick, and released after three silences."""
ADDRESS_PROBES = 3
RETURN_AFTER = 1.0
"""Seconds that a restart takes at least; who comes earlier is refused by the kernel, and tries again."""
RETURN_EACH, RETURN_SPREAD = 0.003, 2.5
"""Seconds for each returning client, more than one handshake takes; and for all of them, so that nobody waits long."""
PROBES_IN_DEAD_TIME = 10
"""A silent client is probed so many times in ``dead_after``, until half of it is over."""
_place = attrgetter("prefix", "link_local", "address")


class IpHttpsServer:
    """One link with all its clients. Endpoints: ``TUN``, or a session's number."""

    def __init__(
        self,
        config: values.ServerConfig,
        date: Callable[[], str],
        random: Callable[[], float],
        keeper: Callable[[bytes], str | None] = lambda address: None,
    ) -> None:
        """``date``: the present time as an HTTP Date; ``random``: 0.0 <= x < 1.0; ``keeper``: for which identity an
        address is kept though it may be away.
        """
        self._keeper = keeper
        self._date = date
        self._random = random
        self._sessions: dict[int, Session] = {}
        self._identities: dict[str, list[Session]] = {}
        """The sessions of each identity, the oldest first."""
        self._up: dict[int, Session] = {}
        """Those of ``_sessions`` that carry packets."""
        self._events: list[values.ServerEvent] = []
        self._wakes: list[tuple[float, int, Session]] = []
        self._serial = 0
        self._order = count()
        self._outbox = Outbox(config.vnet_hdr)
        self._header = VNET_HEADER if config.vnet_hdr else 0
        self._build(config)

    def _build(self, config: values.ServerConfig) -> None:
        own = frozenset({config.address.packed, config.link_local.packed})
        prefix = config.prefix.network_address.packed[:8]
        self._neighbours = Neighbours(prefix, own, self._events, self._keeper)
        self._discovery = Discovery(self._neighbours, self._outbox, self._up, self._random)
        self._link = Link(self._neighbours, self._discovery, self._outbox)
        self._apply(config)

    def _apply(self, config: values.ServerConfig) -> None:
        self._config = config
        self._paths = frozenset(path.lower() for path in config.paths)
        reserved = {address.packed: name for name, address in config.fixed.items()}
        self._neighbours.configure(reserved, config.max_addresses)
        self._discovery.configure(config)
        self._link.configure(config)

    # --- Connections ------------------------------------------------------------------------------------

    def open(self, session: int, peer: values.Peer, now: float) -> None:
        """A connection has finished TLS; its HTTP head comes next. ``session`` must never have been used."""
        self._serial += 1
        entry = self._sessions[session] = Session(session, self._serial, peer, now)
        if self._config.mode == "certificates" and peer.identity is None:
            self._refuse(entry, 403, "no client certificate")
            return
        if peer.identity is not None:
            self._make_way(self._identities.setdefault(peer.identity, []), entry)
        self._schedule(entry, now + self._config.head_timeout)

    def _make_way(self, others: list[Session], newcomer: Session) -> None:
        """The newest wins: a client that comes again may have lost the old connection without a word."""
        others.append(newcomer)
        for oldest in others[: -self._config.max_per_identity]:
            most = self._config.max_per_identity
            reason = f"newer connections of the same certificate, of which it may have {most}"
            self._end(oldest, reason, Drop.TOO_MANY_OF_CERTIFICATE)

    def closed(self, session: int, reason: str, now: float) -> None:
        """The transport of a connection was lost. Unknown numbers are ignored: a ``Close`` came first."""
        entry = self._sessions.get(session)
        if entry is not None:
            self._forget(entry)

    def congested(self, session: int, full: bool) -> None:
        """The driver holds more unsent bytes for the connection than it may (or no longer does)."""
        entry = self._sessions.get(session)
        if entry is not None:
            entry.blocked = full

    def _forget(self, session: Session) -> None:
        del self._sessions[session.number]
        if session.identity is not None and (siblings := self._identities.get(session.identity)):
            siblings.remove(session)
            if not siblings:
                del self._identities[session.identity]
        self._up.pop(session.number, None)
        self._neighbours.forget(session)

    def _end(self, session: Session, reason: str, drop: Drop | None = None) -> None:
        if drop is not None:
            self._outbox.drop(drop, session.name)
        self._forget(session)
        self._events.append(values.Close(session.number, reason, drop))

    def _refuse(self, session: Session, status: int, reason: str) -> None:
        phrase, header = HTTPStatus(status).phrase, self._config.server_header
        self._outbox.stream(session, wire.build_refusal(status, phrase, header, self._date()))
        self._end(session, reason)

    # --- Input ------------------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview, source: int, now: float) -> None:
        """Bytes of a connection's stream, or one packet of the kernel (``TUN``)."""
        self._outbox.now = now
        if source == values.TUN:
            self._link.from_kernel((bytes(data),), now)
            return
        session = self._sessions.get(source)
        if session is None:
            return
        session.last_seen = now
        try:
            whole = self._stream(session, data, now)
        except WireError as error:
            drop = Drop.OVERSIZE if isinstance(error, OversizeError) else Drop.NOT_IPV6
            self._end(session, error.message, drop)
            return
        if whole or not session.pending:
            session.half_since = 0.0
        if session.pending and not session.half_since:
            session.half_since = now
            self._schedule(session, now + self._config.stall_timeout)
        if self._neighbours.contests:
            self._discovery.settle(now)

    def _stream(self, session: Session, data: bytes | memoryview, now: float) -> int:
        """Serve what ``data`` completes; how many packets or records that was."""
        if session.stock is not None:
            packets = session.stock.feed(data)
            self._link.from_client(session, packets, now, self._header)
            return len(packets)
        if session.own is not None:
            records = session.own.feed(data)
            self._records(session, records, now)
            return len(records)
        return self._head(session, session.head, data, now) if session.head else 0

    def from_kernel(self, packets: Sequence[bytes], now: float) -> None:
        """Packets of the kernel: the fast way for a batch."""
        self._outbox.now = now
        self._link.from_kernel(packets, now)

    def receive_blocks(self, data: memoryview, spans: Sequence[tuple[int, int]], now: float) -> None:
        """Packets of the kernel without ``virtio_net_hdr``, back to back in stretches of ``data``.

        All packets of a stretch have MTU bytes, of which the last may be shorter. The fastest way.
        """
        self._outbox.now = now
        self._link.from_kernel_blocks(data, spans, now)

    def _records(self, session: Session, records: list[tuple[int, bytes]], now: float) -> None:
        supers = self._harmless(session, [body for kind, body in records if kind == wire.SUPER_PACKET])
        plain = [body for kind, body in records if kind == wire.PACKET]
        for packet in plain:
            if len(packet) > values.STRICT_LIMIT:
                raise OversizeError(len(packet), values.STRICT_LIMIT)
        # Neighbour Discovery comes in plain records: what it binds, the others may use.
        if plain:
            self._link.from_client(session, plain, now)
        if supers:
            self._link.from_client(session, supers, now, VNET_HEADER)
        for kind, body in records:
            if kind == wire.KEEPALIVE and not session.blocked:
                self._outbox.stream(session, wire.build_record(wire.KEEPALIVE, body))

    def _harmless(self, session: Session, supers: list[bytes]) -> list[bytes]:
        kept = [packet for packet in supers if harmless(packet)]
        if len(kept) < len(supers):
            self._outbox.drop(Drop.MALFORMED, session.name, len(supers) - len(kept))
        return kept

    # --- The HTTP exchange (3.2.5.1) --------------------------------------------------------------------

    def _head(self, session: Session, parser: wire.HeadParser, data: bytes | memoryview, now: float) -> int:
        try:
            parser.feed(data)
        except HeadError as error:
            self._refuse(session, error.status, error.message)
            return 0
        head = parser.head
        if head is None:
            return 0
        if not isinstance(head, wire.RequestHead):
            self._refuse(session, 400, "an HTTP answer, not a request")
        elif head.method != "POST":
            self._refuse(session, 405, f"method {head.method}, not POST")
        elif head.path.partition("?")[0].lower() not in self._paths:
            self._refuse(session, 404, f"path {head.path[:100]} is not served")
        elif "transfer-encoding" in head.headers:
            # 2.1: the body is bare packets, which no length but 2^64-1 describes. Chunks would stand in between.
            self._refuse(session, 501, "request with a transfer coding")
        else:
            return self._accept(session, head, parser.rest, now)
        return 0

    def _accept(self, session: Session, head: wire.RequestHead, rest: bytes, now: float) -> int:
        config = self._config
        asked = head.headers.get(values.FRAMING_HEADER.lower())
        own = asked == "1" and config.own_framing and config.vnet_hdr
        extra = [(values.FRAMING_HEADER, "1")] if own else []
        fixed = config.fixed.get(session.identity or "")
        if asked is not None and fixed is not None:
            extra.append((values.ADDRESS_HEADER, str(fixed)))
        self._outbox.stream(session, wire.build_response(config.server_header, self._date(), extra))
        session.establish(own, config.vnet_hdr, config.coalesce)
        session.returns = own and values.RETURN_HEADER.lower() in head.headers
        self._up[session.number] = session
        self._events.append(values.Opened(session.number, session.identity, session.framing))
        session.next_ra = self._discovery.next_advertisement(now)
        self._schedule(session, now + TICK)
        return self._stream(session, rest, now) if rest else 1

    # --- Time -------------------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""
        contest = self._neighbours.next_end()
        wake = self._wakes[0][0] if self._wakes else None
        return contest if wake is None else wake if contest is None else min(wake, contest)

    def on_timer(self, now: float) -> None:
        """Do what is due at ``now``."""
        self._outbox.now = now
        self._discovery.settle(now)
        while self._wakes and self._wakes[0][0] <= now:
            when, _, session = heappop(self._wakes)
            if session.wake == when and self._sessions.get(session.number) is session:
                session.wake = inf
                self._look_after(session, now)

    def _schedule(self, session: Session, when: float) -> None:
        if when < session.wake:
            session.wake = when
            heappush(self._wakes, (when, next(self._order), session))

    def _look_after(self, session: Session, now: float) -> None:
        config = self._config
        if session.head is not None:
            reason = f"no HTTP head within {config.head_timeout:g} s"
            self._refuse(session, 408, reason)
            return
        if session.half_since and now >= session.half_since + config.stall_timeout:
            reason = f"a packet stayed half received for {config.stall_timeout:g} s"
            self._end(session, reason, Drop.TRUNCATED)
            return
        probing, ending = session.last_seen + config.dead_after, session.last_seen + config.dead_after * 1.5
        if now >= ending:
            self._end(session, f"dead peer: silent for {config.dead_after * 1.5:g} s")
            return
        if now >= probing and now >= session.next_probe:
            self._probe(session)
            session.next_probe = now + config.dead_after / PROBES_IN_DEAD_TIME
        if now >= session.next_ra:
            self._discovery.advertise(session)
            session.next_ra = self._discovery.next_advertisement(now)
        self._age(session, now)
        # Whole seconds let many connections share one wake-up.
        due = min(float(ceil(now + TICK)), ending, max(probing, session.next_probe))
        self._schedule(
            session, min(due, session.half_since + config.stall_timeout) if session.half_since else due
        )

    def _probe(self, session: Session) -> None:
        """Dead-peer detection: any answer is a sign of life. A client without an address cannot be asked."""
        latest = max(session.addresses.values(), key=lambda neighbour: neighbour.used, default=None)
        if latest is not None:
            self._discovery.probe(session, latest.address)

    def _age(self, session: Session, now: float) -> None:
        for neighbour in [n for n in session.addresses.values() if now - n.used >= ADDRESS_IDLE]:
            if neighbour.probes >= ADDRESS_PROBES:
                self._neighbours.release(neighbour.address)
            else:
                neighbour.probes += 1
                self._discovery.probe(session, neighbour.address)

    # --- Administration (3.2.4, 3.2.7) ------------------------------------------------------------------

    def shutdown(self, now: float, reason: str = "the gateway stopped", *, returning: bool = False) -> None:
        """End every connection, after a last Router Advertisement that withdraws the routes.

        ``returning``: a process like this one is to follow. Clients that understand it keep their routes, and are told
        when to come back: soon, but not all at the same moment.
        """
        spread = min(len(self._up) * RETURN_EACH, RETURN_SPREAD)
        for session in self._up.values():
            if returning and session.returns:
                self._outbox.stream(session, wire.build_return(RETURN_AFTER, spread))
            else:
                self._discovery.advertise(session, farewell=True)
        for session in list(self._sessions.values()):
            self._end(session, reason)

    def reconfigure(self, config: values.ServerConfig, now: float) -> None:
        """Use ``config`` from now on. ``vnet_hdr`` belongs to the device and cannot change."""
        before = self._config
        if config.mode != before.mode:
            self.shutdown(now, "the authentication mode was changed")  # 3.2.7.1
        elif _place(config) != _place(before):
            self.shutdown(now, "the addresses of the link were changed")
        else:
            self._apply(config)
            self._discovery.tell_changes(before)
            return
        self._build(config)

    # --- Output -----------------------------------------------------------------------------------------

    def transmit(self) -> list[tuple[int, list[bytes]]]:
        """For each end point its chunks: stream bytes of a session, or packets for ``TUN``, one write each."""
        return self._outbox.take()

    def events(self) -> list[values.ServerEvent]:
        """What happened, in order."""
        taken = self._events.copy()
        self._events.clear()
        return taken

    def clients(self) -> list[Session]:
        """Who is connected, by time of connection; to be read only."""
        return list(self._up.values())

    def drops(self) -> list[tuple[Drop, str, int]]:
        """Reason, client (``""``: the kernel's side) and count, the latest first; bounded."""
        return [(d.reason, d.source.decode(), d.times) for d in self._outbox.drops.by_source()]

    def drop_totals(self) -> dict[Drop, int]:
        """Exact counts by reason."""
        return dict(self._outbox.drops.totals)
