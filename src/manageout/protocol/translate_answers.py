"""The ICMP errors that the translator itself sends about what it drops, at a bounded rate (RFC 4443 2.4 (f)).

None is sent about an ICMP error, a later fragment, or to an address that is not one host's (RFC 1812 4.3.2.7).
"""

from __future__ import annotations

from manageout.protocol.allowance import Allowance
from manageout.protocol.mappings import Mappings, illegal6
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from manageout.wire.special import illegal4

PRECEDENCE = 0xC0
"""RFC 1812 4.3.2.5: errors have precedence 6, internetwork control."""
_QUERIES4 = frozenset({0, 8, *range(13, 19)})


class Answers:
    """Errors about ``original`` packets, or None where none may be sent."""

    def __init__(self, mappings: Mappings, rate: float, burst: float) -> None:
        self._maps = mappings
        self._allowance = Allowance(rate, burst)

    def too_big4(self, original: bytes, mtu: int, now: float) -> bytes | None:
        """RFC 7915 4: Fragmentation Needed."""
        return self._send4(original, icmpv4.unreachable(icmpv4.FRAGMENTATION_NEEDED, original, mtu), now)

    def unreachable4(self, original: bytes, code: int, now: float) -> bytes | None:
        """Destination Unreachable."""
        return self._send4(original, icmpv4.unreachable(code, original), now)

    def time_exceeded4(self, original: bytes, now: float) -> bytes | None:
        """Time Exceeded in transit."""
        return self._send4(original, icmpv4.time_exceeded(original), now)

    def too_big6(self, original: bytes, mtu: int, now: float) -> bytes | None:
        """Packet Too Big."""
        packet = icmpv6.packet_too_big(self._maps.own6, original[8:24], mtu, original)
        return self._send6(original, packet, now)

    def unreachable6(self, original: bytes, code: int, now: float) -> bytes | None:
        """Destination Unreachable; never about ICMPv6 when the code is "prohibited" (RFC 7915 5.4)."""
        if code == icmpv6.PROHIBITED and original[6] == ipv6.ICMPV6:
            return None
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
        about_error = original[9] == ipv4.ICMP and (
            len(original) <= start or original[start] not in _QUERIES4
        )
        if about_error or not self._allowance.take(now):
            return None
        return ipv4.build(self._maps.own4, source, ipv4.ICMP, message, tos=PRECEDENCE)

    def _send6(self, original: bytes, packet: bytes | None, now: float) -> bytes | None:
        if packet is None or illegal6(original[8:24]) or not self._allowance.take(now):
            return None
        return packet
