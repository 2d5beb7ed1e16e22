"""One end of the ISATAP link: what router and host have in common, packet by packet.

In the order of the functions below:

* from the underlay, IPv4 as it came: an ICMPv4 error tells of a packet that did not arrive; anything else is checked
  and decapsulated by :class:`LinkState`, Neighbour Discovery is served, and the rest goes to the kernel;
* from the TUN device, IPv6 that the kernel routed into the link: encapsulated by :class:`LinkState`, or refused with an
  ICMPv6 error.

The kernel routes, and decrements the hop limit. After each input the driver sends what :meth:`IsatapEnd.transmit`
returns, does what :meth:`IsatapEnd.events` say, and calls :meth:`IsatapEnd.on_timer` at :meth:`IsatapEnd.timer`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import ClassVar, Generic, TypeVar

from manageout.errors import WireError
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.isatap.errors import FailedDelivery, failed_delivery
from manageout.protocol.isatap.flows import Flows
from manageout.protocol.isatap.link import LinkState
from manageout.protocol.isatap.nd import MAY_BE_ND, TTL
from manageout.wire import icmpv6, ipv4, ipv6, nd, numbers


class Endpoint(Enum):
    """Where packets come from and go to."""

    TUN = "tun"
    UNDERLAY = "underlay"


TUN, UNDERLAY = Endpoint

EventT = TypeVar("EventT")


class IsatapEnd(ABC, Generic[EventT]):
    """``random`` returns a float in [0, 1)."""

    told: ClassVar[Mapping[Drop | None, int]]
    """Refusals of encapsulation that the sender is told about, with the code of Destination Unreachable."""

    def __init__(self, link: LinkState, random: Callable[[], float], max_drop_sources: int) -> None:
        self.link, self._flows = link, Flows(link)
        self.drops = DropTable(max_drop_sources)
        self._errors = TokenBucket(rate=200.0, burst=50.0)
        self._ident = int(random() * 65536)
        self._out: list[tuple[Endpoint, bytes]] = []
        self._events: list[EventT] = []

    def receive(self, data: bytes, source: Endpoint, now: float) -> None:
        """Take an IPv4 packet from the underlay or an IPv6 packet from the TUN device."""
        if source is TUN:
            self._from_tun(data, now)
        else:
            self._from_underlay(data, now)

    @abstractmethod
    def receive_run(self, first: bytes, source: Endpoint, count: int, size: int, now: float) -> bytes | None:
        """Take ``count`` packets of ``size`` bytes of IPv6 that are all like ``first`` (``offload.runs``).

        What ``first`` becomes, when it and so all of them just go on; None when they are to come one by one.
        """

    @abstractmethod
    def on_timer(self, now: float) -> None:
        """Do what is due."""

    @abstractmethod
    def timer(self) -> float | None:
        """When :meth:`on_timer` wants to be called next, or None."""

    def transmit(self) -> Sequence[tuple[Endpoint, bytes]]:
        """IPv4 packets for the underlay, IPv6 packets for the TUN device."""
        out, self._out = self._out, []
        return out

    def events(self) -> Sequence[EventT]:
        """What the driver should know or do, in order."""
        events, self._events = self._events, []
        return events

    # From the underlay

    def _from_underlay(self, outer: bytes, now: float) -> None:
        if len(outer) >= 20 and outer[9] == numbers.ICMP:
            self._icmp_error(outer, now)
            return
        verdict, reason, packet, peer = self._flows.decapsulate(outer)
        if verdict is not Verdict.FORWARD:
            self.drops.count(reason or Drop.MALFORMED, peer, now)
            self._dropped(reason, outer, now)
        elif packet[6] in MAY_BE_ND and nd.message_type(packet) is not None:
            try:
                self._neighbour(*nd.parse(packet), outer[16:20], peer, now)
            except WireError:
                self.drops.count(Drop.ND_INVALID, peer, now)
        else:
            self._arrived(packet, outer[16:20], peer, now)
            self._out.append((TUN, packet))

    def _icmp_error(self, outer: bytes, now: float) -> None:
        try:
            failure = failed_delivery(outer)
        except WireError:
            self.drops.count(Drop.MALFORMED, outer[12:16], now)
            return
        if failure is not None:
            self._undelivered(failure, now)

    def _dropped(self, reason: Drop | None, outer: bytes, now: float) -> None:
        """``outer`` was dropped."""

    @abstractmethod
    def _neighbour(
        self, header: ipv6.Ipv6, message: nd.Message, locator: bytes, peer: bytes, now: float
    ) -> None:
        """Serve a Neighbour Discovery message. Raises :class:`WireError` for one that is to be discarded."""

    @abstractmethod
    def _arrived(self, packet: bytes, locator: bytes, peer: bytes, now: float) -> None:
        """A packet goes to the kernel."""

    @abstractmethod
    def _undelivered(self, failure: FailedDelivery, now: float) -> None:
        """A packet that we seem to have sent did not arrive."""

    # From the TUN device

    def _from_tun(self, packet: bytes, now: float) -> None:
        verdict, reason, outer, peer = self._flows.encapsulate(packet, self._next_ident())
        if verdict is Verdict.FORWARD:
            self._out.append((UNDERLAY, outer))
            self._left(peer, len(packet), now)
            return
        if packet[24:25] == b"\xff":
            return  # the kernel's own listener reports; this link has no multicast (RFC 5214 6.3)
        self.drops.count(reason or Drop.MALFORMED, peer, now)
        if reason in self.told:
            self._tell(packet, self._own_address(), self.told[reason], now)

    @abstractmethod
    def _left(self, peer: bytes, size: int, now: float) -> None:
        """A packet of the kernel has gone to ``peer``."""

    @abstractmethod
    def _own_address(self) -> bytes:
        """The source of errors; empty while there is none."""

    # Packets of our own

    def _tell(self, original: bytes, source: bytes, code: int, now: float) -> None:
        """Destination Unreachable to the sender of ``original``, through the kernel."""
        if source and self._errors.take(now):
            error = icmpv6.unreachable(source, original[8:24], code, original)
            if error is not None:
                self._out.append((TUN, error))

    def _send(self, packet: bytes, locator: bytes, peer: bytes) -> None:
        """Encapsulate a packet of our own."""
        outer = ipv4.build(locator, peer, numbers.PROTOCOL_41, packet, ttl=TTL, ident=self._next_ident())
        self._out.append((UNDERLAY, outer))

    def _next_ident(self) -> int:
        self._ident = self._ident + 1 & 0xFFFF
        return self._ident
