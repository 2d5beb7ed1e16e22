"""Neighbour Discovery of the ISATAP link that router and host share, and the router's fast lane for it.

The fast lane knows one shape only: a valid solicitation without options in an IPv4 header without options. It
must mean exactly what the long way (``LinkState.decapsulate`` and ``nd.parse``) means; a test holds it to
that.
"""

from collections.abc import Container

from manageout.wire import ipv4, ipv6, nd, numbers
from manageout.wire.address import ISATAP_IDS, isatap_identifier, isatap_link_local
from manageout.wire.checksum import sum16
from manageout.wire.numbers import PROTOCOL_41

TTL = 64
MAY_BE_ND = numbers.SKIPPED | {numbers.ICMPV6, numbers.FRAGMENT, numbers.AUTHENTICATION}
"""Next headers behind which Neighbour Discovery can be; the other packets need no closer look."""
LINK_LOCAL_PREFIX = b"\xfe\x80" + bytes(6)

_RS_SHAPE = b"\x00\x08\x3a\xff"  # payload length 8, ICMPv6, hop limit 255
_RS_LENGTH = 20 + 40 + 8
_PSEUDO = 8 + 58  # length and next header of the pseudo-header


def link_local(v4: bytes, u_bit: bool) -> bytes:
    """``fe80::[02]00:5efe:v4`` with the u bit as given."""
    return LINK_LOCAL_PREFIX + isatap_identifier(v4, u_bit)


def link_local_forms(v4: bytes) -> tuple[bytes, bytes]:
    """Both link-local ISATAP addresses of an IPv4 address: hosts cannot know which one a router formed."""
    return link_local(v4, False), link_local(v4, True)


def is_plain_solicitation(outer: bytes) -> bool:
    """Whether ``outer`` is a valid RS without options whose link-local source embeds its IPv4 source.

    The caller checks the destinations, inner and outer, and the allow-list. RFC 4861 6.1.1, RFC 5214 7.3;
    a congestion mark outside a packet that is not ECN-capable is left to the long way (RFC 6040).
    """
    return (
        outer[60:62] == b"\x85\x00"
        and outer[24:28] == _RS_SHAPE
        and len(outer) == _RS_LENGTH
        and outer[:1] + outer[2:4] + outer[9:10] == b"\x45\x00\x44\x29"
        and outer[6] & 0x3F == outer[7] == 0
        and int.from_bytes(outer[:20], "big") % 0xFFFF == 0
        and outer[1] & 3 != 3
        and outer[20] >> 4 == 6
        and outer[28:36] == LINK_LOCAL_PREFIX
        and outer[40:44] == outer[12:16]
        and outer[36:40] in ISATAP_IDS
        and (int.from_bytes(outer[28:], "big") + _PSEUDO) % 0xFFFF == 0
    )


class AdvertisementTemplate:
    """One Router Advertisement, outer header and all, to be addressed to many hosts.

    Only the destination addresses, the IPv4 identification and two checksums differ between hosts, so the
    rest is summed once (RFC 1624 by another road).
    """

    def __init__(self, locator: bytes, message: nd.RouterAdvertisement) -> None:
        source, nobody = isatap_link_local(locator), bytes(4)
        inner_forms = [nd.build(source, target, message) for target in link_local_forms(nobody)]
        self.size = len(inner_forms[0])
        """Bytes of the IPv6 packet."""
        self._locator = locator
        outer = ipv4.build(locator, nobody, PROTOCOL_41, inner_forms[0], ttl=TTL)
        self._outer_sum = sum16(outer[:10] + outer[12:20])
        self._outer = outer[:4], outer[6:10]
        self._forms = tuple(
            (inner[:36], inner[40:42], inner[44:], 0xFFFF - int.from_bytes(inner[42:44], "big"))
            for inner in inner_forms
        )

    def address(self, v4: bytes, u_bit: bool, ident: int) -> bytes:
        """The outer IPv4 packet for the host ``v4``; ``ident`` is 16 bits."""
        head, middle = self._outer
        start, kind, rest, inner_sum = self._forms[u_bit]
        host = int.from_bytes(v4, "big")
        # Neither sum is ever zero: both hold fixed words that are not.
        outer = 0xFFFF - ((self._outer_sum + host + ident) % 0xFFFF or 0xFFFF)
        inner = 0xFFFF - ((inner_sum + host) % 0xFFFF or 0xFFFF)
        return b"".join(
            (
                head, ident.to_bytes(2, "big"), middle, outer.to_bytes(2, "big"), self._locator, v4,
                start, v4, kind, inner.to_bytes(2, "big"), rest,
            )
        )  # fmt: skip


def answer_solicitation(
    header: ipv6.Ipv6, message: nd.NeighbourSolicitation, own: Container[bytes], router: bool
) -> bytes | None:
    """The Neighbour Advertisement that answers a solicitation for one of our addresses.

    None when the target is not ours, or when the sender is still checking for duplicates: its answer would go
    to all nodes (RFC 4861 7.2.4), whom this link cannot reach. No link-layer option (RFC 4213 3.8).
    """
    if message.target not in own or header.src == nd.UNSPECIFIED:
        return None
    answer = nd.NeighbourAdvertisement(message.target, router=router, solicited=True)
    return nd.build(message.target, header.src, answer)
