"""What stands behind the IP header, translated: transports whose checksum we know, ICMP, and all others as they are.

RFC 7915 4.5 and 5.5: TCP, UDP and ICMP must work; a transport whose checksum cannot be put right is passed on
all the same.
"""

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.extension_headers import Chain
from manageout.protocol.translate.icmp import error_to4, error_to6
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.quote import FOREIGN4, FOREIGN6, Untranslatable
from manageout.protocol.translate.whole import Mtus, addresses, echo, upper_layer
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from manageout.wire.checksum import transport_checksum
from manageout.wire.numbers import ICMP, ICMPV6, IGMP, TCP, UDP

UDP_HEADER = 8


class Transport:
    """``compute_udp_zero``: give UDP without a checksum one, else drop it."""

    def __init__(self, mappings: Mappings, mtus: Mtus, compute_udp_zero: bool) -> None:
        self._maps, self._mtus, self._compute = mappings, mtus, compute_udp_zero

    def to6(self, header: ipv4.Ipv4, body: bytes, src6: bytes, dst6: bytes, turned: bool) -> bytes:
        """The transport segment behind the IPv6 header. Raises :class:`Untranslatable`."""
        old, new = addresses(header.src, header.dst), addresses(src6, dst6)
        if header.protocol == IGMP:
            raise Untranslatable(Drop.ICMP_UNTRANSLATABLE)
        if header.protocol in FOREIGN4:
            raise Untranslatable(Drop.PROTOCOL_FORBIDDEN)
        if header.protocol == ICMP:
            return self._icmp6(body, src6, dst6, new, turned)
        if header.fragment_offset or header.protocol not in (TCP, UDP):
            return body
        if header.protocol == UDP and len(body) >= UDP_HEADER and body[6:8] == b"\0\0":
            return self._checksum_computed(body, src6, dst6)
        segment = upper_layer(body, 0, header.protocol, old, new, False)
        if segment is None:
            raise Untranslatable(Drop.MALFORMED)
        return segment

    def _checksum_computed(self, datagram: bytes, src6: bytes, dst6: bytes) -> bytes:
        """RFC 7915 4.5: UDP without a checksum gets one, or is dropped."""
        if not self._compute:
            raise Untranslatable(Drop.UDP_NO_CHECKSUM)
        length = datagram[4] << 8 | datagram[5]
        if not UDP_HEADER <= length <= len(datagram):
            raise Untranslatable(Drop.MALFORMED)
        value = transport_checksum(src6, dst6, UDP, datagram[:length])
        return b"".join((datagram[:6], value.to_bytes(2, "big"), datagram[8:]))

    def _icmp6(self, body: bytes, src6: bytes, dst6: bytes, new: int, turned: bool) -> bytes:
        if len(body) < 8:
            raise Untranslatable(Drop.MALFORMED)
        if (translated := echo(body, ICMP, 0, new, len(body))) is not None:
            return translated
        try:
            message = icmpv4.parse(body)
        except WireError:
            raise Untranslatable(Drop.MALFORMED) from None
        kind, code, rest = error_to6(self._maps, self._mtus, message, turned)
        return icmpv6.build(src6, dst6, kind, code, rest)

    def to4(
        self, header: ipv6.Ipv6, chain: Chain, body: bytes, src4: bytes, dst4: bytes, router: bytes | None
    ) -> bytes:
        """The transport segment behind the IPv4 header. Raises :class:`Untranslatable`."""
        old, new = addresses(header.src, header.dst), addresses(src4, dst4)
        protocol, fragment = chain.next_header, chain.fragment
        if protocol in FOREIGN6:
            raise Untranslatable(Drop.PROTOCOL_FORBIDDEN)
        if protocol == ICMPV6:
            return self._icmp4(header, body, old, router)
        if protocol not in (TCP, UDP) or (fragment is not None and fragment.offset):
            return body
        if protocol == UDP and len(body) >= UDP_HEADER and body[6:8] == b"\0\0":
            return body  # RFC 6936 allows it over IPv6 for tunnels; over IPv4 it means the same
        segment = upper_layer(body, 0, protocol, old, new, False)
        if segment is None:
            raise Untranslatable(Drop.MALFORMED)
        return segment

    def _icmp4(self, header: ipv6.Ipv6, body: bytes, old: int, router: bytes | None) -> bytes:
        if len(body) < 8:
            raise Untranslatable(Drop.MALFORMED)
        if (translated := echo(body, ICMPV6, old, 0, len(body))) is not None:
            return translated
        try:
            message = icmpv6.parse(header.src, header.dst, body)
        except WireError:
            raise Untranslatable(Drop.MALFORMED) from None
        return icmpv4.build(error_to4(self._maps, self._mtus, message, router))
