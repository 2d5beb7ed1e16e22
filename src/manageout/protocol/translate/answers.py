"""The ICMP errors that the translator itself sends about what it drops, at a bounded rate (RFC 4443 2.4 (f)).

None is sent about an ICMP error, a later fragment, or to an address that is not one host's (RFC 1812 4.3.2.7).
"""

from manageout.errors import WireError
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.mappings import Mappings, illegal6
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, numbers
from manageout.wire.special import illegal4

PRECEDENCE = 0xC0
"""RFC 1812 4.3.2.5: errors have precedence 6, internetwork control."""
_QUERIES4 = frozenset({0, 8, *range(13, 19)})
# RFC 7915 4.4, 5.4: what nothing is said about elsewhere is "prohibited". ICMP and IGMP without a counterpart, illegal
# addresses (4.1, 4.2, 5.1, 5.2) and what is damaged (RFC 1812 5.2.2) are dropped in silence.
_PROHIBITED = frozenset(
    {Drop.FRAGMENT_CHAIN, Drop.NO_LEASE, Drop.NOT_GLOBAL, Drop.PROTOCOL_FORBIDDEN, Drop.UDP_NO_CHECKSUM}
)


class Answers:
    """Errors about ``original`` packets, or None where none may be sent."""

    def __init__(self, mappings: Mappings, rate: float, burst: float) -> None:
        self._maps = mappings
        self._allowance = TokenBucket(rate, burst)

    def refused4(self, reason: Drop, original: bytes, now: float) -> bytes | None:
        """Prohibited, if ``reason`` is one to be told (RFC 7915 4.4)."""
        return self.unreachable4(original, icmpv4.PROHIBITED, now) if reason in _PROHIBITED else None

    def unreachable4(self, original: bytes, code: int, now: float, mtu: int = 0) -> bytes | None:
        """Destination Unreachable; ``mtu`` goes with Fragmentation Needed (RFC 7915 4)."""
        return self._send4(original, icmpv4.unreachable(code, original, mtu), now)

    def time_exceeded4(self, original: bytes, now: float) -> bytes | None:
        """Time Exceeded in transit."""
        return self._send4(original, icmpv4.time_exceeded(original), now)

    def too_big6(self, original: bytes, mtu: int, now: float) -> bytes | None:
        """Packet Too Big."""
        packet = icmpv6.packet_too_big(self._maps.own6, original[8:24], mtu, original)
        return self._send6(original, packet, now)

    def refused6(self, reason: Drop, original: bytes, now: float) -> bytes | None:
        """Prohibited, if ``reason`` is one to be told, and never about ICMPv6, not even echo (RFC 7915 5.4)."""
        if reason not in _PROHIBITED or _is_icmpv6(original):
            return None
        return self.unreachable6(original, icmpv6.PROHIBITED, now)

    def unreachable6(self, original: bytes, code: int, now: float) -> bytes | None:
        """Destination Unreachable."""
        return self._send6(original, icmpv6.unreachable(self._maps.own6, original[8:24], code, original), now)

    def time_exceeded6(self, original: bytes, now: float) -> bytes | None:
        """Time Exceeded in transit."""
        return self._send6(original, icmpv6.time_exceeded(self._maps.own6, original[8:24], original), now)

    def routing_header6(self, original: bytes, pointer: int, now: float) -> bytes | None:
        """RFC 7915 5.1: Parameter Problem that points at Segments Left."""
        packet = icmpv6.parameter_problem(
            self._maps.own6, original[8:24], icmpv6.ERRONEOUS_HEADER, pointer, original
        )
        return self._send6(original, packet, now)

    def _send4(self, original: bytes, message: bytes, now: float) -> bytes | None:
        start = (original[0] & 15) * 4
        source, destination = original[12:16], original[16:20]
        if original[6] & 0x1F or original[7] or illegal4(source) or illegal4(destination):
            return None
        about_error = original[9] == numbers.ICMP and (
            len(original) <= start or original[start] not in _QUERIES4
        )
        if about_error or not self._allowance.take(now):
            return None
        return ipv4.build(self._maps.own4, source, numbers.ICMP, message, tos=PRECEDENCE)

    def _send6(self, original: bytes, packet: bytes | None, now: float) -> bytes | None:
        if packet is None or illegal6(original[8:24]) or not self._allowance.take(now):
            return None
        return packet


def _is_icmpv6(packet: bytes) -> bool:
    try:
        return ipv6.walk_extensions(packet).next_header == numbers.ICMPV6
    except WireError:
        return True  # nobody can tell
