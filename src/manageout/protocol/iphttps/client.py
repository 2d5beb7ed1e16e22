"""The IP-HTTPS client ([MS-IPHTTPS] 3.1) as a machine: the state table, the HTTP exchange, time-outs.

TCP, the way through an HTTP proxy, and TLS are the driver's: it connects when told by ``Connect``, and answers with
``connected`` or ``failed``. Packets are in ``iphttps_client_link``, addresses and routes in
``iphttps_host``, waits between attempts in ``reconnect``.
"""

import math
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps import reconnect, values
from manageout.protocol.iphttps.client_link import ClientLink
from manageout.protocol.iphttps.host import Host, InterfaceId
from manageout.protocol.iphttps.states import TRANSITIONS, ClientState, Trigger
from manageout.protocol.iphttps.values import Failed
from manageout.protocol.offload.join import StockStream
from manageout.wire import iphttps as wire
from manageout.wire.virtio import VNET_HEADER

PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP statuses that may be others a second later; every other refusal is final until somebody mends it."""
PROBES_IN_DEAD_TIME = 10
"""A silent server is probed so many times in ``dead_after``, until half of it is over."""


class IpHttpsClient:
    """One tunnel. Endpoints: ``TUN`` and ``SERVER``."""

    def __init__(
        self, config: values.ClientConfig, interface_id: InterfaceId, random: Callable[[], float]
    ) -> None:
        """``interface_id``: see :data:`~manageout.protocol.iphttps.host.InterfaceId`; ``random``: 0 <= x < 1."""
        self._config = config
        self.state = ClientState.DISABLED
        self._events: list[values.ClientEvent] = []
        self._own_packets: list[bytes] = []
        """Neighbour Discovery that ``_host`` wants to send."""
        self._host = Host(interface_id, random, self._own_packets, self._events)
        self.link = ClientLink(self._host, config.vnet_hdr)
        """The packet path, with the counters of the tunnel."""
        self._reconnect: reconnect.Reconnect = (
            reconnect.StockReconnect(random) if config.stock_retry else reconnect.QuickReconnect(random)
        )
        self._random = random
        self._attempt_at = 0.0
        self._unanswered = 0
        """Connections in a row that ended before the answer to the request."""
        self._reset()

    def _reset(self) -> None:
        """Forget what belongs to one connection."""
        self._head: wire.HeadParser | None = None
        self._chunks: wire.DeChunker | None = None
        self._stock: StockStream | None = None
        self._own: wire.OwnFramer | None = None
        self._answer_by = self._alive_by = math.inf
        self._heard = 0.0
        self._next_probe = 0.0
        self._half_since = math.inf
        self._return: float | None = None
        """Seconds after which a server that is stopping wants us back."""
        self.link.framing = None
        self.link.full = False

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
            self._connect(0.0, now)

    def disable(self, now: float) -> None:
        """Tear everything down (3.1.4.2): transport, addresses, routes."""
        connected = self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP)
        if self._move(Trigger.DISABLE):
            if connected:
                self._events.append(values.Disconnect("disabled"))
            self._reset()
            self._host.stop()
            self._own_packets.clear()
            self._reconnect.restart()

    def retry(self, now: float) -> None:
        """The network has changed: an attempt that goes on, or waits for the timer, begins anew."""
        if self.state is ClientState.LINK_DOWN:
            self._reconnect.restart()
            self._connect(0.0, now)

    def moved(self, now: float) -> None:
        """The way of the connection is gone, or no longer the best: connect over the other at once."""
        if self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP):
            self._lost(Failed("this machine's network has changed"), now, hang_up=True, after=0.0)
        else:
            self.retry(now)

    def check(self, now: float) -> None:
        """The connection may be dead: ask for a sign of life, and connect anew when there is none soon."""
        if self.state is ClientState.LINK_UP and self._alive_by == math.inf:
            self._host.probe()
            self._alive_by = now + self._config.check_timeout
        elif self.state is ClientState.LINK_DOWN:
            self.retry(now)

    def connected(self, now: float) -> None:
        """TCP and TLS are up."""
        if not self._move(Trigger.CONNECTED):
            return
        self._reset()
        self._head = wire.HeadParser()
        config = self._config
        patience = config.response_timeout if config.stock_retry else self._reconnect.talk_patience
        self._heard, self._answer_by = now, now + patience
        extra = [(values.FRAMING_HEADER, "1" if config.vnet_hdr else "0")] if config.own_framing else []
        if config.own_framing and not config.stock_retry:
            extra.append((values.RETURN_HEADER, "1"))
        self.link.stream.append(wire.build_request(config.path, config.host, extra))

    def failed(self, fault: values.ConnectFault, reason: str, now: float, *, refused: bool = False) -> None:
        """The attempt that ``Connect`` asked for came to nothing. ``refused``: and the next one will."""
        if self.state is ClientState.LINK_DOWN:
            self._lost(Failed(reason, fault), now, refused=refused)

    def closed(self, reason: str, now: float, hint: str = "", *, refused: bool = False) -> None:
        """The transport was lost. Ignored when the machine gave it up itself (``Disconnect``).

        ``refused``: the server says no to us. In TLS 1.3 that comes when the client thinks that the handshake is over.
        """
        if self.state is ClientState.ESTABLISHED:
            # A server that reads our certificate after the handshake may end the connection without a word.
            self._unanswered += 1
            refused = refused or self._unanswered >= reconnect.UNANSWERED_ALLOWED
            self._lost(Failed(reason, hint=hint), now, refused=refused)
        elif self.state is ClientState.LINK_UP and self._return is not None:
            self._lost(Failed("the gateway is restarting"), now, after=self._return)
        elif self.state is ClientState.LINK_UP:
            self._lost(Failed(reason, hint=hint), now)

    def congested(self, full: bool) -> None:
        """The driver holds more unsent bytes than it may (or no longer does)."""
        self.link.full = full

    def _connect(self, after: float, now: float) -> None:
        self._attempt_at = now + after
        self._events.append(values.Connect(after, self._reconnect.patience, self._reconnect.talk_patience))

    def _lost(
        self,
        failure: Failed,
        now: float,
        *,
        refused: bool = False,
        hang_up: bool = False,
        after: float | None = None,
    ) -> None:
        """``hang_up``: the transport is still there, and is given up. ``after``: seconds until the next attempt, where
        that is known; the schedule is then not asked.
        """
        if hang_up:
            self._events.append(values.Disconnect(failure.reason))
        was_up = self.state is ClientState.LINK_UP
        if self._move(Trigger.LOST):
            self._reset()
            self.link.stream.clear()
            self._own_packets.clear()
            self._host.link_down()
            self._events.append(values.LinkDown(failure.reason, failure.hint) if was_up else failure)
            if after is None:
                spent = 0.0 if was_up else max(0.0, now - self._attempt_at)
                after = self._reconnect.failed(now, spent, refused)
            else:
                self._reconnect.restart()
            self._connect(after, now)

    # --- From the server --------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview, source: int, now: float) -> None:
        """Bytes of the stream from ``SERVER``, or one packet from ``TUN``."""
        if source == values.TUN:
            self.link.from_kernel((bytes(data),))
        elif self.state in (ClientState.ESTABLISHED, ClientState.LINK_UP):
            self._heard, self._alive_by = now, math.inf
            try:
                whole = self._feed(data, now)
            except WireError as error:
                # 3.1.5.3 says discard; behind a bad byte there is no next packet to find.
                self._lost(Failed(error.message), now, hang_up=True, refused=self._head is not None)
                return
            self._note_half(whole, now)

    def from_kernel(self, packets: Sequence[bytes], now: float) -> None:
        """Packets of the kernel: the fast way for a batch."""
        self.link.from_kernel(packets)

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
            self.link.from_server([body for kind, body in records if kind == wire.PACKET], now, 0)
            self.link.super_packets([body for kind, body in records if kind == wire.SUPER_PACKET], now)
            for kind, body in records:
                if kind == wire.RETURN:
                    after, spread = wire.parse_return(body)
                    self._return = min(after + spread * self._random(), reconnect.LONGEST_RETURN)
            return len(records)
        if self._stock is not None:
            packets = self._stock.feed(data)
            self.link.from_server(packets, now, VNET_HEADER if self._config.vnet_hdr else 0)
            return len(packets)
        return 0

    def _answer(self, parser: wire.HeadParser, data: bytes | memoryview, now: float) -> int:
        parser.feed(data)
        head = parser.head
        if head is None:
            return 0
        if not isinstance(head, wire.StatusHead):
            raise WireError("not an HTTP answer")
        if head.status != 200:
            reason = f"the server answered {head.status} {head.reason}".rstrip()
            failure = Failed(reason, hint=_remedy(head.status))
            self._lost(failure, now, hang_up=True, refused=head.status not in PASSING)
            return 0
        fixed = self._fixed(head)
        self._head, self._answer_by, self._unanswered = None, math.inf, 0
        # Against the rule, but seen behind proxies: a coded body.
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            self._chunks = wire.DeChunker()
        own = self._config.own_framing and head.headers.get(values.FRAMING_HEADER.lower()) == "1"
        if own and self._config.vnet_hdr:
            self._own = wire.OwnFramer()
        else:
            self._stock = StockStream(values.STRICT_LIMIT, self._config.coalesce, self._config.vnet_hdr)
        self._move(Trigger.ANSWERED)
        self._reconnect.succeeded(now)
        self.link.framing = "own" if self._own else "stock"
        self._events.append(values.LinkUp(self.link.framing))
        self._host.link_up(fixed, now, whole=self._own is not None)
        return self._feed(parser.rest, now) if parser.rest else 1

    def _fixed(self, head: wire.StatusHead) -> bytes | None:
        text = head.headers.get(values.ADDRESS_HEADER.lower())
        if text is None or not self._config.own_framing:
            return None
        try:
            return IPv6Address(text).packed
        except ValueError:
            raise WireError(f"{values.ADDRESS_HEADER}: {text[:60]!r} is no IPv6 address") from None

    # --- From the kernel --------------------------------------------------------------------------------

    def receive_blocks(self, data: memoryview, spans: Sequence[tuple[int, int]], now: float) -> None:
        """Packets of the kernel without ``virtio_net_hdr``, back to back in stretches of ``data``.

        All packets of a stretch have MTU bytes, of which the last may be shorter. The fastest way.
        """
        self.link.from_kernel_blocks(data, spans)

    # --- Time -------------------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""
        due = min(self._host.timer(), self._answer_by, self._half_since + self._config.stall_timeout)
        if self.state is ClientState.LINK_UP:
            due = min(due, self._alive_by, max(self._heard + self._config.dead_after, self._next_probe))
        return None if due == math.inf else due

    def on_timer(self, now: float) -> None:
        """Do what is due at ``now``."""
        config = self._config
        if now >= self._answer_by:
            hint = "is it an IP-HTTPS gateway? a web server or a proxy may be in its place"
            failure = Failed("the server does not answer the request", values.ConnectFault.TIMED_OUT, hint)
            self._lost(failure, now, hang_up=True)
        elif now >= self._half_since + config.stall_timeout:
            failure = Failed(f"a packet stayed half received for {config.stall_timeout:g} s")
            self._lost(failure, now, hang_up=True)
        elif self.state is ClientState.LINK_UP:
            self._watch(now)
        self._host.on_timer(now)

    def _watch(self, now: float) -> None:
        """Dead server detection: probes while it is silent, and an end of patience."""
        dead_after = self._config.dead_after
        if now >= self._alive_by:
            reason = (
                "the gateway does not answer any more: the way to it has changed, or this machine has slept"
            )
            self._lost(Failed(reason), now, hang_up=True, after=0.0)
        elif now >= self._heard + dead_after * 1.5:
            self._lost(Failed(f"dead server: silent for {dead_after * 1.5:g} s"), now, hang_up=True)
        elif now >= self._heard + dead_after and now >= self._next_probe:
            self._host.probe()
            self._next_probe = min(now + dead_after / PROBES_IN_DEAD_TIME, self._heard + dead_after * 1.5)

    # --- Output -----------------------------------------------------------------------------------------

    def transmit(self) -> list[tuple[int, list[bytes]]]:
        """For each end point its chunks: stream bytes for ``SERVER``, or packets for ``TUN``, one write each."""
        if self._own_packets:
            self.link.send(self._own_packets)
            self._own_packets.clear()
        return self.link.take()

    def events(self) -> list[values.ClientEvent]:
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
        return dict(self.link.drops)


def _remedy(status: int) -> str:
    """What to do about an HTTP status that is not 200."""
    if status == 404:
        return "the path in the URL is not the gateway's: stock gateways have /IPHTTPS"
    if status in (401, 403):
        return "the gateway does not let us in: see --cert, and the gateway's log and `manageout drops`"
    if status == 407:
        return "a proxy on the way wants a user name: --proxy http://USER:PASSWORD@HOST:PORT"
    if 300 <= status < 400:
        return "something before the gateway redirects, perhaps the log-in page of this network"
    if status >= 500:
        return "the gateway, or a balancer before it, cannot serve just now: see its log"
    return "is it an IP-HTTPS gateway? a web server or a proxy may be in its place"
