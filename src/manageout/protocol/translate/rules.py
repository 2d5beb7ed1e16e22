"""Translation between IPv4 and IPv6, packet by packet (RFC 7915), without any session.

These lists are the one specification of ``fast`` here and of its twin ``bpf/xlat.bpf.c``; the differential test
holds them equal. The first rule that applies decides. SLOW means "the fast path leaves the packet to the TUN's
descriptor"; :meth:`Translator.to_ipv4` and :meth:`Translator.to_ipv6` are what happens there, and never say SLOW.
What they decide instead of SLOW stands in [brackets]. No byte: DROP TRUNCATED. Version neither 4 nor 6: DROP NOT_IPV6.
Every FORWARD of the fast path is, byte for byte, what the slow path makes of the same packet and identification.

6 to 4, fast

 1. Shorter than 40 bytes, or than its payload length says: DROP TRUNCATED. Longer: SLOW [padding cut off].
 2. The NAT64 prefix is no /96, or is 64:ff9b::/96 and RFC 6052 3.1 is to be obeyed: SLOW.
 3. Source in the NAT64 prefix: DROP SOURCE_IN_PREF64 (RFC 6146 3.5), but SLOW if there are explicit mappings.
    Source multicast, fe80::/10, ::/96, ::ffff:0:0/96: DROP SOURCE_ILLEGAL (RFC 7915 5.1).
 4. Destination outside the NAT64 prefix: SLOW [explicit mapping, or NOT_TRANSLATED].
    Its IPv4 address, bytes 12 to 15, in 0/8, 127/8, 169.254/16 or at least 224.0.0.0: DROP DESTINATION_ILLEGAL.
    That address in the pool, a lease, or explicitly mapped: SLOW [hairpin, or UNKNOWN_LEASE].
 5. Source holds no lease: SLOW [explicit mapping, RFC 6791, or NO_LEASE]. Hop limit 0 or 1: SLOW [HOP_LIMIT].
    Result (length - 20; of a super-packet, its largest segment) above ``mtu4``: SLOW [TOO_BIG, or fragments].
 6. Next header TCP with 20 bytes, UDP with 8 and a checksum other than 0, ICMPv6 with 8 and type 128 or 129,
    code 0 (no super-packet): go on. Anything else: SLOW.
 7. FORWARD: TOS = traffic class; the given identification; DF only if the result (or largest segment) is above
    1260; TTL = hop limit - 1; protocol 58 becomes 1, type 128 becomes 8, 129 becomes 0; checksum by difference.
    A UDP checksum that becomes 0 is 0xffff.

4 to 6, fast

 1. Shorter than 20 bytes, total length below 20 or above the packet: DROP TRUNCATED. First byte other than 0x45
    (options), longer than its total length, wrong header checksum: SLOW [options skipped; cut off; MALFORMED].
 2. As rule 2 above.
 3. Source in 0/8, 127/8, 169.254/16 or at least 224.0.0.0: DROP SOURCE_ILLEGAL (RFC 7915 4.1), but protocol 1: SLOW
    [errors are translated all the same]. Source in the pool: DROP LEASE_SPOOFED: leases only ever turn round here.
 4. A fragment (MF, offset) or with the reserved flag: SLOW. Source explicitly mapped: SLOW.
 5. Destination is no lease: SLOW [explicit mapping, or UNKNOWN_LEASE]. TTL 0 or 1: SLOW [HOP_LIMIT].
    Result (length + 20; of a super-packet, its largest segment) above ``mtu6`` with DF, above the lesser of
    ``mtu6`` and ``lowest6`` without: SLOW [TOO_BIG, or fragments].
 6. Protocol TCP with 20 bytes, UDP with 8 and a checksum other than 0, ICMP with 8 and type 8 or 0, code 0 (no
    super-packet): go on. Anything else: SLOW.
 7. FORWARD: traffic class = TOS, flow label 0, hop limit = TTL - 1, source = NAT64 prefix and the IPv4 source.

Super-packets (``virtio_net_hdr``): a partial checksum is the pseudo-header's sum, and is adjusted as such; the kind
of TCP changes between 4 and 6; ``hdr_len`` and ``csum_start`` move by 20. Anything unusual: SLOW, also a result
above 65535 bytes.

What the slow path adds, in order, is written at the methods below.
"""

from collections.abc import Callable

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.answers import Answers
from manageout.protocol.translate.emit import Out4, Out6
from manageout.protocol.translate.extension_headers import Chain, walk
from manageout.protocol.translate.fragments import LARGEST, Fragments
from manageout.protocol.translate.icmp import ERRORS4, ERRORS6
from manageout.protocol.translate.mappings import Mappings, illegal6
from manageout.protocol.translate.quote import Untranslatable
from manageout.protocol.translate.transport import Transport
from manageout.protocol.translate.whole import (
    DIFFERENCE,
    HEADER4,
    HEADER6,
    Mtus,
    Translation,
    WholePackets,
    dropped,
    forwarded,
)
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from manageout.wire.ipv6 import Fragment
from manageout.wire.numbers import ICMP, ICMPV6, UDP
from manageout.wire.special import illegal4

__all__ = ["Mtus", "Translation", "Translator"]

SOURCE_ROUTES = frozenset({131, 137})
"""IPv4 options LSRR and SSRR (RFC 791 3.1)."""


class Translator(WholePackets):
    """Both speeds over one set of mappings.

    ``mtu4``, ``mtu6``: the next hops' MTUs, bytes. ``largest6``: what the IPv6 link carries in one piece; a larger
    packet was put together from fragments by the kernel (connection tracking does that), and may be taken apart
    again. ``random`` gives numbers in [0, 1) and chooses among the RFC 6791 addresses. ``compute_udp_zero``: give UDP
    without a checksum one (RFC 7915 4.5), else drop it. ``name_routers``: RFC 6791's advice to name the IPv6 router
    in an RFC 5837 extension. ``errors_per_second`` bounds the errors we send ourselves.
    """

    def __init__(
        self,
        mappings: Mappings,
        *,
        mtu4: int = 1500,
        mtu6: int = 1500,
        lowest_ipv6_mtu: int = ipv6.MINIMUM_MTU,
        largest6: int = HEADER6 + 0xFFFF,
        random: Callable[[], float],
        compute_udp_zero: bool = True,
        name_routers: bool = True,
        errors_per_second: float = 100.0,
    ) -> None:
        super().__init__(mappings, Mtus(mtu4, mtu6, lowest_ipv6_mtu))
        self._random = random
        self._largest6 = largest6
        self._compute = compute_udp_zero
        self._transport = Transport(mappings, self.mtus, compute_udp_zero)
        self._name_routers = name_routers
        self._answers = Answers(mappings, errors_per_second, errors_per_second)
        self._fragments = Fragments()

    def to_ipv6(self, packet: bytes, now: float) -> list[Translation]:
        """What becomes of an IPv4 packet; nothing yet, if it is a fragment that must wait."""
        return [*self.on_timer(now), *self._to6(packet, now, False)]

    def to_ipv4(self, packet: bytes, ident: int, now: float) -> list[Translation]:
        """What becomes of an IPv6 packet; ``ident`` (not 0) as of :meth:`fast`. A packet from client to client
        turns round at once and stays IPv6 (RFC 7757 4.2.2)."""
        return [*self.on_timer(now), *self._to4(packet, ident, now, len(packet) > self._largest6)]

    def timer(self) -> float | None:
        """When :meth:`on_timer` is due."""
        return self._fragments.timer()

    def on_timer(self, now: float) -> list[Translation]:
        """Drops of datagrams whose fragments did not all come."""
        return [dropped(Drop.FRAGMENT_INCOMPLETE)] * self._fragments.expire(now)

    # --- 4 to 6 -----------------------------------------------------------------------------------------

    def _to6(self, packet: bytes, now: float, turned: bool) -> list[Translation]:
        """After the fast rules: source route 3/5; unknown destination 3/1; TTL 11/0; then by protocol.

        ``turned``: the packet came as IPv6, and its hop limit has been lowered.
        """
        if packet and packet[0] >> 4 != 4:
            return [dropped(Drop.NOT_IPV6)]
        if len(packet) < HEADER4 or not HEADER4 <= packet[2] << 8 | packet[3] <= len(packet):
            return [dropped(Drop.TRUNCATED)]
        try:
            header, body = ipv4.parse(packet)
        except WireError:
            return [dropped(Drop.MALFORMED)]
        if header.fragment_offset * 8 + len(body) > LARGEST:
            return [dropped(Drop.MALFORMED)]  # cut up, its end would wrap round and overlap the beginning
        error = (
            header.protocol == ICMP and not header.fragment_offset and body[:1] != b"" and body[0] in ERRORS4
        )
        reason = None if turned else self._refused4(header, error)
        if reason is not None:
            return [dropped(reason)]
        if _source_routed(header.options):
            return [dropped(Drop.SOURCE_ROUTE, self._answers.unreachable4(packet, 5, now))]
        dst6 = self.mappings.explicit6(header.dst)
        if dst6 is None:
            answer = self._answers.unreachable4(packet, icmpv4.HOST_UNREACHABLE, now)
            return [dropped(Drop.UNKNOWN_LEASE, answer)]
        src6 = self._source6(header.src, body if error else b"", turned, error)
        if src6 is None:
            return [self._dropped4(Drop.NOT_GLOBAL, packet, now)]
        if not turned and header.ttl < 2:
            return [dropped(Drop.HOP_LIMIT, self._answers.time_exceeded4(packet, now))]
        return self._mapped6(packet, header, body, (src6, dst6), now, turned)

    def _mapped6(
        self,
        packet: bytes,
        header: ipv4.Ipv4,
        body: bytes,
        ends: tuple[bytes, bytes],
        now: float,
        turned: bool,
    ) -> list[Translation]:
        """The transport, between the two addresses of ``ends``."""
        src6, dst6 = ends
        whole = self._collect4(header, body, now)
        if whole is None:
            return []
        if isinstance(whole, Drop):
            return [self._dropped4(whole, packet, now)]
        if whole is not body:
            return self._to6(_whole4(header, whole), now, turned)
        try:
            segment = self._transport.to6(header, body, src6, dst6, turned)
        except Untranslatable as untranslatable:
            return [self._dropped4(untranslatable.reason, packet, now)]
        following = ICMPV6 if header.protocol == ICMP else header.protocol
        out = Out6(header.tos, header.ttl - (not turned), following, src6, dst6)
        return self._emit6(packet, header, out, segment, now)

    def _refused4(self, header: ipv4.Ipv4, error: bool) -> Drop | None:
        """What is dropped in silence for its addresses."""
        # RFC 7915 4.1: errors from illegal sources are translated, they help to find what is wrong.
        if illegal4(header.src) and not error:
            return Drop.SOURCE_ILLEGAL
        if self.mappings.in_pool(header.src):
            return Drop.LEASE_SPOOFED
        return Drop.DESTINATION_ILLEGAL if illegal4(header.dst) else None

    def _source6(self, source: bytes, body: bytes, turned: bool, error: bool) -> bytes | None:
        """The source of the IPv6 packet; None when RFC 6052 3.1 forbids it."""
        maps = self.mappings
        # RFC 7757 4.2.1: a packet that turned round keeps its source under the NAT64 prefix; an error only if
        # its source is the destination of the packet that it quotes.
        plain = turned and (not error or body[8 + 16 : 8 + 20] == source)
        explicit = None if plain else maps.explicit6(source)
        if explicit is not None:
            return explicit
        return None if maps.forbidden(source) else maps.embed(source)

    def _collect4(self, header: ipv4.Ipv4, body: bytes, now: float) -> bytes | Drop | None:
        """``body`` itself if it can be translated as it is, else what :class:`Fragments` says."""
        if not header.is_fragment or header.protocol not in (ICMP, UDP):
            return body
        key = (header.src, header.dst, header.protocol, header.ident)
        if header.protocol == UDP and key not in self._fragments:
            # RFC 7915 4.5. Later fragments that overtake the first are not known to lack a checksum.
            if header.fragment_offset or body[6:8] != b"\0\0":
                return body
            if not self._compute:
                return Drop.UDP_NO_CHECKSUM
        return self._fragments.add(
            key, header.src, header.fragment_offset * 8, header.more_fragments, body, now
        )

    def _dropped4(self, reason: Drop, packet: bytes, now: float) -> Translation:
        return dropped(reason, self._answers.refused4(reason, packet, now))

    def _emit6(
        self, packet: bytes, header: ipv4.Ipv4, out: Out6, segment: bytes, now: float
    ) -> list[Translation]:
        """RFC 7915 4 and 4.1: sizes, DF, and the Fragment header."""
        limit = self.mtus.mtu6 if header.dont_fragment else self.mtus.fragment6
        large = HEADER6 + 8 * header.is_fragment + len(segment) > limit
        if large and header.dont_fragment:
            mtu = limit - DIFFERENCE - 8 * header.is_fragment
            return [
                dropped(
                    Drop.TOO_BIG, self._answers.unreachable4(packet, icmpv4.FRAGMENTATION_NEEDED, now, mtu)
                )
            ]
        if large or header.is_fragment:
            offset, more = header.fragment_offset, header.more_fragments
            return forwarded(out.fragments(segment, offset, more, header.ident, limit))
        return forwarded([out.packet(segment)])

    # --- 6 to 4 -----------------------------------------------------------------------------------------

    def _to4(self, packet: bytes, ident: int, now: float, split: bool) -> list[Translation]:
        """After the fast rules: destination 1/0; extension headers; hop limit 3/0; source 1/1; then by protocol.

        ``split``: the packet was put together from fragments, and may be taken apart again.
        """
        if packet and packet[0] >> 4 != 6:
            return [dropped(Drop.NOT_IPV6)]
        if len(packet) < HEADER6 or HEADER6 + (packet[4] << 8 | packet[5]) > len(packet):
            return [dropped(Drop.TRUNCATED)]
        packet = packet[: HEADER6 + (packet[4] << 8 | packet[5])]
        header = ipv6.parse_header(packet)
        reason = self._refused6(header)
        if reason is not None:
            return [dropped(reason)]
        maps, answers = self.mappings, self._answers
        dst4 = maps.explicit4(header.dst) or maps.extract(header.dst)
        if dst4 is None:
            return [dropped(Drop.NOT_TRANSLATED, answers.unreachable6(packet, icmpv6.NO_ROUTE, now))]
        if illegal4(dst4):
            return [dropped(Drop.DESTINATION_ILLEGAL)]
        if maps.forbidden(dst4) and maps.explicit4(header.dst) is None:
            return [self._dropped6(Drop.NOT_GLOBAL, packet, now)]
        try:
            chain = walk(packet)
        except WireError:
            return [dropped(Drop.MALFORMED)]
        if chain.segments_left_at is not None:
            answer = answers.routing_header6(packet, chain.segments_left_at, now)
            return [dropped(Drop.ROUTING_HEADER, answer)]
        if chain.behind_fragment:
            return [self._dropped6(Drop.FRAGMENT_CHAIN, packet, now)]
        if header.hop_limit < 2:
            return [dropped(Drop.HOP_LIMIT, answers.time_exceeded6(packet, now))]
        return self._mapped4(packet, header, chain, dst4, ident, now, split)

    def _dropped6(self, reason: Drop, packet: bytes, now: float) -> Translation:
        return dropped(reason, self._answers.refused6(reason, packet, now))

    def _refused6(self, header: ipv6.Ipv6) -> Drop | None:
        """What is dropped in silence for its addresses."""
        maps = self.mappings
        if maps.in_pref64(header.src) and maps.explicit4(header.src) is None:
            return Drop.SOURCE_IN_PREF64
        if illegal6(header.src):
            return Drop.SOURCE_ILLEGAL
        return Drop.DESTINATION_ILLEGAL if illegal6(header.dst) else None

    def _mapped4(
        self, packet: bytes, header: ipv6.Ipv6, chain: Chain, dst4: bytes, ident: int, now: float, split: bool
    ) -> list[Translation]:
        """The source, turning round, and the transport."""
        maps, body = self.mappings, packet[chain.offset :]
        fragment = chain.fragment
        first = fragment is None or not fragment.offset
        error = chain.next_header == ICMPV6 and first and body[:1] != b"" and body[0] in ERRORS6
        src4 = maps.explicit4(header.src)
        router = None
        if src4 is None:
            if not error:
                return [self._dropped6(Drop.NO_LEASE, packet, now)]
            # RFC 6791 3: any of the pool, at random, or traceroute would show loops that are none.
            src4 = maps.pool6791[int(self._random() * len(maps.pool6791))]
            router = header.src if self._name_routers else None
        turns = self._turns(header.dst, dst4, body[16:32] if error else b"")
        if not turns and maps.in_pool(dst4) and maps.explicit6(dst4) is None:
            answer = self._answers.unreachable6(packet, icmpv6.ADDRESS_UNREACHABLE, now)
            return [dropped(Drop.UNKNOWN_LEASE, answer)]
        if chain.next_header == ICMPV6 and fragment is not None and (fragment.offset or fragment.more):
            key = (header.src, header.dst, fragment.ident)
            data = self._fragments.add(key, header.src, fragment.offset * 8, fragment.more, body, now)
            if data is None:
                return []
            if isinstance(data, Drop):
                return [dropped(data)]
            return self._to4(_whole6(header, data), fragment.ident & 0xFFFF, now, True)
        try:
            segment = self._transport.to4(header, chain, body, src4, dst4, router)
        except Untranslatable as untranslatable:
            return [self._dropped6(untranslatable.reason, packet, now)]
        if (fragment.offset * 8 if fragment is not None else 0) + len(segment) > LARGEST:
            return [self._unholdable(packet, fragment, now)]
        protocol = ICMP if chain.next_header == ICMPV6 else chain.next_header
        out = Out4(header.traffic_class, header.hop_limit - 1, protocol, src4, dst4)
        if turns:
            return self._turn(out.packet(segment, ident, chain.fragment, split), ident, now)
        return self._emit4(packet, chain, out, segment, ident, now, split)

    def _unholdable(self, packet: bytes, fragment: Fragment | None, now: float) -> Translation:
        """No IPv4 datagram is as long, and an offset would wrap round."""
        if fragment is None:
            return dropped(Drop.TOO_BIG, self._answers.too_big6(packet, self.mtus.mtu4 + DIFFERENCE, now))
        # Smaller fragments would not help.
        return dropped(Drop.TOO_BIG, self._answers.unreachable6(packet, icmpv6.PROHIBITED, now))

    def _turns(self, dst6: bytes, dst4: bytes, quoted_source: bytes) -> bool:
        """RFC 7757 4.2.2: the address that decides came from RFC 6052, and has an explicit mapping."""
        maps = self.mappings
        if not quoted_source:
            return maps.explicit4(dst6) is None and maps.explicit6(dst4) is not None
        inner = maps.extract(quoted_source) if maps.explicit4(quoted_source) is None else None
        return inner is not None and maps.explicit6(inner) is not None

    def _turn(self, packet: bytes, ident: int, now: float) -> list[Translation]:
        """The IPv4 packet becomes IPv6 again at once; so does an error about it, on its way back."""
        results = []
        for result in self._to6(packet, now, True):
            answer = self._to6(result.error, now, True)[0].packet if result.error is not None else None
            results.append(result._replace(error=answer or None))
        return results

    def _emit4(
        self, packet: bytes, chain: Chain, out: Out4, segment: bytes, ident: int, now: float, split: bool
    ) -> list[Translation]:
        """RFC 7915 5 and 5.1: what was no larger than 1280 is fragmented if it must be, the rest is too big."""
        total = HEADER4 + len(segment)
        if total <= self.mtus.mtu4:
            return forwarded([out.packet(segment, ident, chain.fragment, split)])
        if split or len(packet) <= ipv6.MINIMUM_MTU:
            return forwarded(out.fragments(segment, ident, chain.fragment, self.mtus.mtu4))
        mtu = max(ipv6.MINIMUM_MTU, self.mtus.mtu4 + len(packet) - total)
        return [dropped(Drop.TOO_BIG, self._answers.too_big6(packet, mtu, now))]


def _whole4(header: ipv4.Ipv4, data: bytes) -> bytes:
    return ipv4.build(
        header.src, header.dst, header.protocol, data, ttl=header.ttl, tos=header.tos, ident=header.ident
    )


def _whole6(header: ipv6.Ipv6, data: bytes) -> bytes:
    return ipv6.build(
        header.src, header.dst, ICMPV6, data, hop_limit=header.hop_limit, traffic_class=header.traffic_class
    )


def _source_routed(options: bytes) -> bool:
    """Whether a source route is not used up: its pointer is not behind its end (RFC 791 3.1)."""
    at = 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2:
            return False
        if options[at] in SOURCE_ROUTES and at + 2 < len(options) and options[at + 2] <= options[at + 1]:
            return True
        at += options[at + 1]
    return False
