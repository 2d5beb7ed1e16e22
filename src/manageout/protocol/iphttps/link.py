"""The packets of the server's IP-HTTPS link: between clients, kernel and each other.

The way of a packet is decided in this order. From a client: plain data from one of its own addresses to
somewhere beyond the link goes to the kernel without more ado (the packet path); everything else passes
:meth:`Link._odd`: Neighbour Discovery, source routing, multicast, binding of the source, and the three kinds of
destination on the link. From the kernel: the holder of the destination address, or nobody.

The link is no router: the kernel counts hop limits. Only between two clients there is no kernel in the way.
"""

from collections.abc import Sequence

from manageout.errors import WireError
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.discovery import Discovery, is_link_local
from manageout.protocol.iphttps.owners import Neighbours
from manageout.protocol.iphttps.session import Outbox, Session
from manageout.protocol.iphttps.values import STRICT_LIMIT, ServerConfig
from manageout.protocol.offload.cut import more, segment, stretches
from manageout.wire import icmpv6, ipv6, nd, numbers
from manageout.wire.iphttps import SUPER_PACKET, build_record
from manageout.wire.numbers import ESP, ICMPV6, NO_NEXT_HEADER, TCP, UDP
from manageout.wire.virtio import PLAIN, VNET_HEADER

ERRORS_PER_SECOND, ERROR_BURST = 100.0, 50.0
ODD_HEADERS = numbers.SKIPPED | {numbers.ICMPV6, numbers.FRAGMENT}
"""Next headers behind which Neighbour Discovery or a source route may hide."""
_SHORTEST = {TCP: 20, UDP: 8, ICMPV6: 8, ESP: 8, NO_NEXT_HEADER: 0}
"""Bytes of upper-layer headers."""
_NOWHERE = bytes(8)
"""::/64 has the unspecified, loopback, IPv4-compatible and IPv4-mapped addresses; none is beyond the link."""


class Link:
    """The packet path. What is to be sent is collected in ``outbox``."""

    def __init__(self, neighbours: Neighbours, discovery: Discovery, outbox: Outbox) -> None:
        """To be configured before it is used."""
        self._neighbours = neighbours
        self._discovery = discovery
        self._outbox = outbox
        self._errors = TokenBucket(ERRORS_PER_SECOND, ERROR_BURST)

    def configure(self, config: ServerConfig) -> None:
        """Forward by this configuration from now on."""
        self._prefix = config.prefix.network_address.packed[:8]
        self._address = config.address.packed
        self._own = frozenset({self._address, config.link_local.packed})
        self._flooding = config.mode == "certificates"
        self._hairpin = config.hairpin
        self._vnet_hdr = config.vnet_hdr

    # --- From a client ----------------------------------------------------------------------------------

    def from_client(self, session: Session, packets: Sequence[bytes], now: float, header: int = 0) -> None:
        """Whole IPv6 packets, each behind ``header`` bytes (those of a ``virtio_net_hdr``, or none)."""
        owner = self._neighbours.owners.get
        prefix = self._prefix
        next_header, source, subnet, destination = header + 6, header + 8, header + 24, header + 32
        passed: list[bytes] = []
        for packet in packets:
            holder = owner(packet[source:subnet])
            if (
                holder is None
                or holder.session is not session
                or packet[next_header] in ODD_HEADERS
                or packet[subnet] >= 0xFE
                or (network := packet[subnet:destination]) == prefix
                or network == _NOWHERE
            ):
                if self._odd(session, packet, now, header):
                    passed.append(packet)
            else:
                holder.used = now
                passed.append(packet)
        self._outbox.tun += session.arrived(passed, header, self._vnet_hdr)

    def _odd(self, session: Session, data: bytes, now: float, header: int) -> bool:
        """Anything but plain data. True: let it go to the kernel; False: it was served, relayed or dropped."""
        packet = data[header:] if header else data
        source, destination = packet[8:24], packet[24:40]
        kind = nd.message_type(packet)
        if kind is not None:
            self._discovery.receive(session, packet, kind, now)
            return False
        reason = hidden_by_extensions(packet)
        if reason is None:
            reason = self._source(session, source, destination, now)
        if reason is None:
            if destination in self._own:
                return True
            subnet = destination[:8]
            if subnet == _NOWHERE:
                reason = Drop.DESTINATION_ILLEGAL
            elif subnet == self._prefix or destination[0] == 0xFF or is_link_local(destination):
                reason = self._on_link(session, data, destination, now, header)
            else:
                return True
        further, size = more(data) if header else (0, 0)
        if reason is None:
            session.packets_in += 1 + further
            session.bytes_in += len(packet) + size
        else:
            self._outbox.drop(reason, session.name, 1 + further)
        return False

    def _source(self, session: Session, source: bytes, destination: bytes, now: float) -> Drop | None:
        holder = self._neighbours.owners.get(source)
        if holder is not None and holder.session is session:
            holder.used = now
            return None
        if source == nd.UNSPECIFIED and destination[0] == 0xFF:
            return None  # MLD before an address is sure (RFC 3590)
        if not session.allowance.take(now):
            return Drop.RATE_LIMITED
        return self._neighbours.claim(source, session, now)

    def _on_link(
        self, session: Session, data: bytes, destination: bytes, now: float, header: int
    ) -> Drop | None:
        """Multicast, or another client. None: it was passed on."""
        reason = hidden_in_fragments(data[header:])
        if reason is not None:
            return reason
        if destination[0] == 0xFF:
            if not session.allowance.take(now):
                return Drop.RATE_LIMITED
            return self._discovery.flood(session, data[header:], now)
        if destination[:8] == self._prefix:
            return self._to_client(session, data, destination, now, header)
        if not self._flooding:
            return Drop.LINK_LOCAL
        if not self._hairpin:  # stricter than the specification, which lets link-local traffic cross
            return Drop.HAIRPIN
        holder = self._neighbours.owners.get(destination)
        if holder is None:
            return Drop.UNKNOWN_CLIENT
        return self._deliver(holder.session, data, header)

    def _to_client(
        self, session: Session, data: bytes, destination: bytes, now: float, header: int
    ) -> Drop | None:
        if not self._hairpin:
            return Drop.HAIRPIN
        packet = data[header:]
        if is_link_local(packet[8:24]):
            return Drop.LINK_LOCAL  # RFC 4291 2.5.6: never forwarded
        holder = self._neighbours.owners.get(destination)
        error: bytes | None = None
        reason: Drop | None = None
        if holder is None:
            error = icmpv6.unreachable(self._address, packet[8:24], icmpv6.ADDRESS_UNREACHABLE, packet)
            reason = Drop.UNKNOWN_CLIENT
        elif packet[7] <= 1:
            error = icmpv6.time_exceeded(self._address, packet[8:24], packet)
            reason = Drop.HOP_LIMIT
        else:
            forwarded = b"".join((data[: header + 7], bytes((packet[7] - 1,)), data[header + 8 :]))
            return self._deliver(holder.session, forwarded, header)
        if error is not None and self._errors.take(now):
            self._outbox.packet(session, error)
        return reason

    def _deliver(self, session: Session, data: bytes, header: int) -> Drop | None:
        if header and session.own:
            self._outbox.super_packet(session, data)
            return None
        packets = segment(data) if header else [data]
        if not packets:
            return Drop.MALFORMED
        if max(map(len, packets)) > STRICT_LIMIT:
            return Drop.TOO_BIG  # would end the session of a stock client
        for packet in packets:
            self._outbox.packet(session, packet)
        return None

    # --- From the kernel --------------------------------------------------------------------------------

    def from_kernel(self, packets: Sequence[bytes], now: float) -> None:
        """What the TUN device gave, each with its ``virtio_net_hdr`` if configured so."""
        owner = self._neighbours.owners.get
        dirty = self._outbox.dirty
        header = VNET_HEADER if self._vnet_hdr else 0
        source, destination = header + 24, header + 40
        for packet in packets:
            holder = owner(packet[source:destination])
            if holder is None or packet[header] >> 4 != 6:
                self._nobody(packet, now, header)
                continue
            session = holder.session
            if session.blocked:
                further, _ = more(packet) if header else (0, 0)
                self._outbox.drop(Drop.QUEUE_FULL, session.name, 1 + further)
                continue
            out = session.out
            if not out:
                dirty.append(session)
            if session.own:
                out.append(build_record(SUPER_PACKET, packet))
                if packet[1]:  # gso_type: a super-packet
                    further, size = more(packet)
                    session.packets_out += further
                    session.bytes_out += size
            elif not header:
                out.append(packet)
            elif packet.startswith(PLAIN):
                out.append(packet[header:])
            else:
                self._cut(session, packet)
                continue
            session.packets_out += 1
            session.bytes_out += len(packet) - header

    def from_kernel_blocks(self, data: memoryview, spans: Sequence[tuple[int, int]], now: float) -> None:
        """Packets of MTU bytes back to back (the last of a stretch may be shorter), without headers."""
        owner = self._neighbours.owners.get

        def goes_on(block: memoryview) -> bool:
            holder = owner(bytes(block[24:40]))
            return holder is not None and holder.session.stock is not None and not holder.session.blocked

        for stretch in stretches(data, spans, goes_on, PLAIN if self._vnet_hdr else b""):
            if isinstance(stretch, list):
                self.from_kernel(stretch, now)
                continue
            session = self._neighbours.owners[bytes(stretch[24:40])].session
            self._outbox.stream(session, bytes(stretch))
            session.left_in_a_block(len(stretch))

    def _cut(self, session: Session, packet: bytes) -> None:
        pieces = segment(packet)
        if not pieces:
            self._outbox.drop(Drop.MALFORMED, session.name)
        session.out += pieces
        session.left(pieces)

    def _nobody(self, data: bytes, now: float, header: int) -> None:
        """A packet of the kernel that no client is there for."""
        packet = data[header:]
        if len(packet) < ipv6.HEADER_LENGTH or packet[0] >> 4 != 6:
            reason = Drop.NOT_IPV6
        elif packet[24] == 0xFF:
            # 3.2.5.2.1: of multicast the server sends Router Advertisements only, and makes those itself.
            reason = Drop.MULTICAST
        else:
            reason = Drop.UNKNOWN_CLIENT
            error = icmpv6.unreachable(self._address, packet[8:24], icmpv6.ADDRESS_UNREACHABLE, packet)
            if error is not None and self._errors.take(now):
                self._outbox.kernel(error)
        further, _ = more(data) if header else (0, 0)
        self._outbox.drop(reason, "", 1 + further)


def hidden_by_extensions(packet: bytes) -> Drop | None:
    """Why extension headers forbid a packet."""
    try:
        upper = ipv6.walk_extensions(packet)
    except WireError:
        return Drop.MALFORMED
    if upper.routing_segments_left:
        # RFC 5095 forbids routing header 0; no other type has a use on this link either.
        return Drop.FROM_CLIENT_FORBIDDEN
    if upper.fragment is not None and not upper.fragment.offset:
        # RFC 7112: else what it is stands in a fragment that nobody here can read.
        whole = len(packet) - upper.offset >= _SHORTEST.get(upper.next_header, 1)
        return None if whole else Drop.FRAGMENT_ILLEGAL
    return None


def hidden_in_fragments(packet: bytes) -> Drop | None:
    """Why fragments forbid a packet from client to client: one that overlaps the first could make it another message.

    The first says what all are. An extension header behind its Fragment header would leave room for a later one to
    replace what follows (RFC 5722 tells receivers to refuse that; not all do).
    """
    upper = ipv6.walk_extensions(packet)
    if upper.fragment is None:
        return None
    return Drop.FRAGMENT_ILLEGAL if packet[24] == 0xFF or upper.behind_fragment else None
