"""The IP-HTTPS client ([MS-IPHTTPS] 3.1) as a machine: the state table, the HTTP exchange, packets.

TCP, the way through an HTTP proxy, and TLS are the driver's: it connects when told by ``Connect``, and answers with
``connected`` or ``failed``. Addresses and routes are in ``iphttps_host``, waits between attempts in ``reconnect``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

from manageout.errors import WireError
from manageout.protocol.drops import Drop
from manageout.protocol.iphttps import (
    ADDRESS_HEADER,
    FRAMING_HEADER,
    MTU,
    SERVER,
    STRICT_LIMIT,
    TUN,
    ClientConfig,
    ClientEvent,
    Connect,
    ConnectFault,
    Disconnect,
    Failed,
    LinkDown,
    LinkUp,
)
from manageout.protocol.iphttps_host import Host, InterfaceId
from manageout.protocol.iphttps_link import ODD_HEADERS, hidden_by_extensions
from manageout.protocol.iphttps_states import TRANSITIONS, ClientState, Trigger
from manageout.protocol.reconnect import Reconnect
from manageout.protocol.segment import PLAIN, alike, more, packets_of, segment
from manageout.protocol.stock_stream import StockStream
from manageout.wire import ipv6, nd
from manageout.wire.iphttps import (
    PACKET,
    SUPER_PACKET,
    VNET_HEADER,
    DeChunker,
    HeadParser,
    OwnFramer,
    PacketFramer,
    StatusHead,
    build_record,
    build_request,
)

PROBES_IN_DEAD_TIME = 10
"""A silent server is probed so many times in ``dead_after``, until half of it is over."""


class IpHttpsClient:
    """One tunnel. Endpoints: ``TUN`` and ``SERVER``."""

    def __init__(self, config: ClientConfig, interface_id: InterfaceId, random: Callable[[], float]) -> None:
        """``interface_id``: see :data:`~manageout.protocol.iphttps_host.InterfaceId`; ``random``: 0 <= x < 1."""
        self._config = config
        self.state = ClientState.DISABLED
        self._events: list[ClientEvent] = []
        self._stream: list[bytes] = []
        self._tun: list[bytes] = []
        self._own_packets: list[bytes] = []
        """Neighbour Discovery that ``_host`` wants to send."""
        self._host = Host(interface_id, random, self._own_packets, self._events)
        self._reconnect = Reconnect(random, config.first_retry, config.last_retry)
        self._drops: dict[Drop, int] = {}
        self.packets_in = self.bytes_in = self.packets_out = self.bytes_out = 0
        self._reset()

    def _reset(self) -> None:
        """Forget what belongs to one connection."""
        self._head: HeadParser | None = None
        self._chunks: DeChunker | None = None
        self._stock: StockStream | PacketFramer | None = None
        self._own: OwnFramer | None = None
        self._answer_by = math.inf
        self._heard = 0.0
        self._next_probe = 0.0
        self._half_since = math.inf
        self._full = False

    def _move(self, trigger: Trigger) -> bool:
        state = TRANSITIONS.get((self.state, trigger))
        if state is None:
            return False
        self.state = state
        return True

    # --- What the driver tells --------------------------------------------------------------------------

    def enable(self, now: float) -> None:
        """The user wants the tunnel: connect now, and again whenever it is lost."""
        if self._move(Trigger.ENABLE) and self._move(Trigger.START):
            self._events.append(Connect(0.0))

    def disable(self, now: float) -> None:
        """Tear everything down (3.1.4.2): transport, addresses, routes."""
        connected = self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP)
        if self._move(Trigger.DISABLE):
            if connected:
                self._events.append(Disconnect("disabled"))
            self._reset()
            self._host.stop()
            self._own_packets.clear()
            self._reconnect.succeeded()

    def retry(self, now: float) -> None:
        """The network has changed: do not wait for the timer."""
        if self.state is ClientState.LINK_DOWN:
            self._events.append(Connect(0.0))

    def connected(self, now: float) -> None:
        """TCP and TLS are up."""
        if not self._move(Trigger.CONNECTED):
            return
        self._reset()
        self._head = HeadParser()
        self._heard, self._answer_by = now, now + self._config.response_timeout
        extra = [(FRAMING_HEADER, "1" if self._config.vnet_hdr else "0")] if self._config.own_framing else []
        self._stream.append(build_request(self._config.path, self._config.host, extra))

    def failed(self, fault: ConnectFault, reason: str, now: float) -> None:
        """The attempt that ``Connect`` asked for came to nothing."""
        if self.state is ClientState.LINK_DOWN:
            self._lost(reason, fault, now)

    def closed(self, reason: str, now: float) -> None:
        """The transport was lost. Ignored when the machine gave it up itself (``Disconnect``)."""
        if self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP):
            self._lost(reason, ConnectFault.OTHER, now)

    def congested(self, full: bool) -> None:
        """The driver holds more unsent bytes than it may (or no longer does)."""
        self._full = full

    def _lost(self, reason: str, fault: ConnectFault, now: float) -> None:
        was_up = self.state is ClientState.LINK_UP
        if self._move(Trigger.LOST):
            self._reset()
            self._stream.clear()
            self._own_packets.clear()
            self._host.link_down()
            self._events.append(LinkDown(reason) if was_up else Failed(reason, fault))
            self._events.append(Connect(self._reconnect.failed(now)))

    def _give_up(self, reason: str, now: float, fault: ConnectFault = ConnectFault.OTHER) -> None:
        self._events.append(Disconnect(reason))
        self._lost(reason, fault, now)

    # --- From the server --------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview, source: int, now: float) -> None:
        """Bytes of the stream from ``SERVER``, or one packet from ``TUN``."""
        if source == TUN:
            self._from_kernel((bytes(data),))
        elif self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP):
            self._heard = now
            try:
                whole = self._feed(data, now)
            except WireError as error:
                # 3.1.5.3 says discard; behind a bad byte there is no next packet to find.
                self._give_up(error.message, now)
                return
            self._note_half(whole, now)

    def receive_many(self, packets: Sequence[bytes], source: int, now: float) -> None:
        """Like :meth:`receive`, for a batch."""
        if source == TUN:
            self._from_kernel(packets)
        else:
            self.receive(b"".join(packets), source, now)

    def _note_half(self, whole: int, now: float) -> None:
        framer = self._own or self._stock
        pending = framer.pending if framer else 0
        if whole or not pending:
            self._half_since = math.inf
        if pending and self._half_since == math.inf:
            self._half_since = now

    def _feed(self, data: bytes | memoryview, now: float) -> int:
        """Serve what ``data`` completes; how many packets that was."""
        if self._head is not None:
            return self._answer(self._head, data, now)
        if self._chunks is not None:
            data = self._chunks.feed(data)
            if self._chunks.done:
                raise WireError("the server ended the stream")
        if self._own is not None:
            records = self._own.feed(data)
            self._from_server([body for kind, body in records if kind == PACKET], now, 0)
            self._from_server([body for kind, body in records if kind == SUPER_PACKET], now, VNET_HEADER)
            return len(records)
        if self._stock is not None:
            packets = self._stock.feed(data)
            self._from_server(packets, now, VNET_HEADER if self._config.vnet_hdr else 0)
            return len(packets)
        return 0

    def _answer(self, parser: HeadParser, data: bytes | memoryview, now: float) -> int:
        parser.feed(data)
        head = parser.head
        if head is None:
            return 0
        if not isinstance(head, StatusHead):
            raise WireError("not an HTTP answer")
        if head.status != 200:
            self._give_up(f"the server answered {head.status} {head.reason}".rstrip(), now)
            return 0
        self._head, self._answer_by = None, math.inf
        # Against the rule, but seen behind proxies: a coded body.
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            self._chunks = DeChunker()
        own = self._config.own_framing and head.headers.get(FRAMING_HEADER.lower()) == "1"
        if own and self._config.vnet_hdr:
            self._own = OwnFramer()
        else:
            config = self._config
            joins = config.coalesce
            self._stock = StockStream(STRICT_LIMIT, joins) if config.vnet_hdr else PacketFramer(STRICT_LIMIT)
        self._move(Trigger.ANSWERED)
        self._reconnect.succeeded()
        self._events.append(LinkUp("own" if self._own else "stock"))
        self._host.link_up(self._fixed(head), now)
        return self._feed(parser.rest, now) if parser.rest else 1

    def _fixed(self, head: StatusHead) -> bytes | None:
        text = head.headers.get(ADDRESS_HEADER.lower())
        if text is None or not self._config.own_framing:
            return None
        try:
            return IPv6Address(text).packed
        except ValueError:
            raise WireError(f"{ADDRESS_HEADER}: {text[:60]!r} is no IPv6 address") from None

    def _from_server(self, packets: Sequence[bytes], now: float, header: int) -> None:
        """Whole packets, each behind ``header`` bytes (those of a ``virtio_net_hdr``, or none)."""
        mine = self._host.assigned
        next_header, source, destination, end = header + 6, header + 8, header + 24, header + 40
        passed: list[bytes] = []
        for packet in packets:
            if (
                packet[next_header] not in ODD_HEADERS
                and packet[destination:end] in mine
                and packet[source] != 0xFF
                and packet[source:destination] not in mine
            ) or self._odd(packet, now, header):
                passed.append(packet)
        self.packets_in += len(passed)
        self.bytes_in += sum(map(len, passed)) - header * len(passed)
        if header:
            for packet in passed:
                if packet[1]:  # gso_type: a super-packet
                    further, size = more(packet)
                    self.packets_in += further
                    self.bytes_in += size
        if header or not self._config.vnet_hdr:
            self._tun += passed
        else:
            self._tun += [PLAIN + packet for packet in passed]

    def _odd(self, data: bytes, now: float, header: int) -> bool:
        """Anything but plain data for us. True: let it go to the kernel."""
        packet = data[header:]
        source, destination = packet[8:24], packet[24:40]
        if packet[6] in ODD_HEADERS and nd.message_type(packet) is not None:
            reason = self._host.receive(packet, now)
            if reason is None:
                self.packets_in += 1
                self.bytes_in += len(packet)
            else:
                self._drop(reason, data, header)
            return False
        reason = hidden_by_extensions(packet) if packet[6] in ODD_HEADERS else None
        if reason is None and destination[0] == 0xFF:
            reason = Drop.MULTICAST
        elif reason is None and destination not in self._host.assigned:
            reason = Drop.DESTINATION_ILLEGAL
        elif reason is None and (source[0] == 0xFF or source in self._host.assigned):
            reason = Drop.SOURCE_ILLEGAL
        if reason is not None:
            self._drop(reason, data, header)
        return reason is None

    # --- From the kernel --------------------------------------------------------------------------------

    def _from_kernel(self, packets: Sequence[bytes]) -> None:
        header = VNET_HEADER if self._config.vnet_hdr else 0
        source, destination = header + 8, header + 24
        mine, out = self._host.assigned, self._stream
        for packet in packets:
            if (
                packet[source:destination] not in mine
                or packet[destination] == 0xFF
                or self._full
                or self.state is not ClientState.LINK_UP
            ):
                self._drop(self._why_not(packet[header:]), packet, header)
                continue
            if self._own is not None:
                out.append(build_record(SUPER_PACKET, packet))
                if packet[1]:
                    further, size = more(packet)
                    self.packets_out += further
                    self.bytes_out += size
            elif not header:
                out.append(packet)
            else:
                pieces = [packet[header:]] if packet.startswith(PLAIN) else segment(packet)
                out += pieces
                self.packets_out += len(pieces)
                self.bytes_out += sum(map(len, pieces))
                continue
            self.packets_out += 1
            self.bytes_out += len(packet) - header

    def receive_blocks(self, data: memoryview, spans: Sequence[tuple[int, int]], now: float) -> None:
        """Packets of the kernel without ``virtio_net_hdr``, back to back in stretches of ``data``.

        All packets of a stretch have MTU bytes, of which the last may be shorter. The fastest way.
        """
        singles: list[bytes] = []
        header = PLAIN if self._config.vnet_hdr else b""
        usable = self.state is ClientState.LINK_UP and self._stock is not None and not self._full
        for start, end in spans:
            block = data[start:end]
            if (
                end - start <= MTU
                or not usable
                or block[24] == 0xFF
                or bytes(block[8:24]) not in self._host.assigned
                or not alike(block, MTU)
            ):
                singles += [header + packet for packet in packets_of(block, MTU)]
                continue
            if singles:
                self._from_kernel(singles)
                singles = []
            self._stream.append(bytes(block))
            self.packets_out += -(-(end - start) // MTU)
            self.bytes_out += end - start
        if singles:
            self._from_kernel(singles)

    def _why_not(self, packet: bytes) -> Drop:
        if len(packet) < ipv6.HEADER_LENGTH or packet[0] >> 4 != 6:
            return Drop.NOT_IPV6
        if packet[24] == 0xFF:
            return Drop.MULTICAST  # we speak Neighbour Discovery ourselves; the rest has no listener
        if packet[8:24] not in self._host.assigned:
            return Drop.NOT_OWNER
        return Drop.QUEUE_FULL if self.state is ClientState.LINK_UP else Drop.LINK_IS_DOWN

    def _drop(self, reason: Drop, data: bytes, header: int) -> None:
        further, _ = more(data) if header else (0, 0)
        self._drops[reason] = self._drops.get(reason, 0) + 1 + further

    # --- Time -------------------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""
        due = min(self._host.timer(), self._answer_by, self._half_since + self._config.stall_timeout)
        if self.state is ClientState.LINK_UP:
            due = min(due, max(self._heard + self._config.dead_after, self._next_probe))
        return None if due == math.inf else due

    def on_timer(self, now: float) -> None:
        """Do what is due at ``now``."""
        config = self._config
        if now >= self._answer_by:
            self._give_up("the server does not answer the request", now, ConnectFault.TIMED_OUT)
        elif now >= self._half_since + config.stall_timeout:
            self._give_up(f"a packet stayed half received for {config.stall_timeout:g} s", now)
        elif self.state is ClientState.LINK_UP:
            self._watch(now)
        self._host.on_timer(now)

    def _watch(self, now: float) -> None:
        """Dead server detection: probes while it is silent, and an end of patience."""
        dead_after = self._config.dead_after
        if now >= self._heard + dead_after * 1.5:
            self._give_up(f"dead server: silent for {dead_after * 1.5:g} s", now)
        elif now >= self._heard + dead_after and now >= self._next_probe:
            self._host.probe()
            self._next_probe = min(now + dead_after / PROBES_IN_DEAD_TIME, self._heard + dead_after * 1.5)

    # --- Output -----------------------------------------------------------------------------------------

    def transmit(self) -> list[tuple[int, list[bytes]]]:
        """For each end point its chunks: stream bytes for ``SERVER``, or packets for ``TUN``, one write each."""
        taken: list[tuple[int, list[bytes]]] = []
        if self._own_packets:
            self.packets_out += len(self._own_packets)
            self.bytes_out += sum(map(len, self._own_packets))
            own = self._own is not None
            self._stream += [build_record(PACKET, p) if own else p for p in self._own_packets]
            self._own_packets.clear()
        if self._tun:
            taken.append((TUN, self._tun))
            self._tun = []
        if self._stream:
            taken.append((SERVER, self._stream.copy()))
            self._stream.clear()
        return taken

    def events(self) -> list[ClientEvent]:
        """What happened, in order."""
        taken = self._events.copy()
        self._events.clear()
        return taken

    @property
    def addresses(self) -> frozenset[bytes]:
        """The addresses in use."""
        return frozenset(self._host.assigned)

    def drop_totals(self) -> dict[Drop, int]:
        """Dropped packets by reason, both directions."""
        return dict(self._drops)
