"""ICMP messages, by the tables of RFC 7915 4.2 and 5.2. What stands in no table is dropped.

Echo messages are ``whole.echo``'s. Errors are written anew around
the translated quotation, with their extensions where the other family has a place for them (RFC 4884).
"""

from manageout.protocol.core.drops import Drop
from manageout.protocol.translate.icmp_extensions import join, split, with_interface
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.quote import Untranslatable, quote_to4, quote_to6
from manageout.protocol.translate.whole import DIFFERENCE, Mtus
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6, numbers

PLATEAUS = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
"""RFC 1191 7.1: what to guess when a router names no MTU."""
ROOM4 = 576 - 28
ROOM6 = ipv6.MINIMUM_MTU - 48
LEAST4 = 68
"""RFC 791 3.2: what every IPv4 link carries."""
ERRORS4 = frozenset({icmpv4.DESTINATION_UNREACHABLE, icmpv4.TIME_EXCEEDED, icmpv4.PARAMETER_PROBLEM})
ERRORS6 = frozenset(range(1, 5))

_UNREACHABLE4 = {code: (1, 0) for code in (0, 1, 5, 6, 7, 8, 11, 12)}
_UNREACHABLE4 |= {code: (1, 1) for code in (9, 10, 13, 15)} | {2: (4, 1), 3: (1, 4), 4: (2, 0)}
_UNREACHABLE6 = {0: 1, 1: 10, 2: 1, 3: 1, 4: 3}
_POINTER4 = {0: 0, 1: 1, 2: 4, 3: 4, 8: 7, 9: 6}
_POINTER4 |= dict.fromkeys(range(12, 16), 8) | dict.fromkeys(range(16, 20), 24)
_POINTER6 = {0: 0, 1: 1, 4: 2, 5: 2, 6: 9, 7: 8}
_POINTER6 |= dict.fromkeys(range(8, 24), 12) | dict.fromkeys(range(24, 40), 16)
_FRAGMENT = bytes((numbers.FRAGMENT,))
_NEXT_HEADER = 6  # the pointer to the field that names an unknown protocol


def error_to6(maps: Mappings, mtus: Mtus, message: icmpv4.Icmpv4, turned: bool) -> tuple[int, int, bytes]:
    """Type, code and all behind the checksum of the ICMPv6 error. Raises :class:`Untranslatable`."""
    quotation, extension = split(message.body, (message.word >> 16 & 0xFF) * 4, ipv4.HEADER_LENGTH)
    kind, code, word = _table4(message, quotation, mtus)
    quoted = quote_to6(maps, quotation, turned=turned)
    if kind not in (icmpv6.DESTINATION_UNREACHABLE, icmpv6.TIME_EXCEEDED):
        extension = b""  # RFC 4884 4.4, 4.5: only these two have a length field
    body, length = join(quoted, extension, ROOM6, 8)
    return kind, code, (word | length << 24).to_bytes(4, "big") + body


def _table4(message: icmpv4.Icmpv4, quotation: bytes, mtus: Mtus) -> tuple[int, int, int]:
    """RFC 7915 4.2."""
    if message.type == icmpv4.TIME_EXCEEDED:
        return icmpv6.TIME_EXCEEDED, message.code, 0
    if message.type == icmpv4.PARAMETER_PROBLEM:
        pointer = _POINTER4.get(message.word >> 24)
        if message.code not in (0, 2) or pointer is None:
            raise Untranslatable(Drop.ICMP_UNTRANSLATABLE)
        return icmpv6.PARAMETER_PROBLEM, 0, pointer
    found = _UNREACHABLE4.get(message.code) if message.type == icmpv4.DESTINATION_UNREACHABLE else None
    if found is None:
        raise Untranslatable(Drop.ICMP_UNTRANSLATABLE)
    kind, code = found
    if kind == icmpv6.PACKET_TOO_BIG:
        return kind, code, _mtu6(message.next_hop_mtu, quotation, mtus)
    return kind, code, _NEXT_HEADER if kind == icmpv6.PARAMETER_PROBLEM else 0


def _mtu6(mtu: int, quotation: bytes, mtus: Mtus) -> int:
    if not mtu:
        # RFC 1191 5: the router is older than that; guess the next plateau below what was sent.
        total = quotation[2] << 8 | quotation[3] if len(quotation) >= 4 else 0
        mtu = next((plateau for plateau in PLATEAUS if plateau < total), ipv6.MINIMUM_MTU)
    return max(ipv6.MINIMUM_MTU, min(mtu + DIFFERENCE, mtus.mtu6, mtus.mtu4 + DIFFERENCE))


def error_to4(maps: Mappings, mtus: Mtus, message: icmpv6.Icmpv6, router: bytes | None) -> icmpv4.Icmpv4:
    """The ICMPv4 error; ``router``: the IPv6 source that has no IPv4 address, to be named by RFC 5837.

    Raises :class:`Untranslatable`.
    """
    if len(message.body) < 4:
        raise Untranslatable(Drop.MALFORMED)
    word = int.from_bytes(message.body[:4], "big")
    extensible = message.type in (icmpv6.DESTINATION_UNREACHABLE, icmpv6.TIME_EXCEEDED)
    quotation, extension = message.body[4:], b""
    if extensible:
        quotation, extension = split(quotation, (word >> 24) * 8, ipv6.HEADER_LENGTH)
    kind, code, rest = _table6(message, word, quotation, mtus)
    quoted = quote_to4(maps, quotation)
    if router is not None:
        extension = with_interface(extension, router)
    body, length = join(quoted, extension, ROOM4, 4)
    return icmpv4.Icmpv4(kind, code, rest | length << 16, body)


def _table6(message: icmpv6.Icmpv6, word: int, quotation: bytes, mtus: Mtus) -> tuple[int, int, int]:
    """RFC 7915 5.2."""
    kind, code = message.type, message.code
    if kind == icmpv6.TIME_EXCEEDED:
        return icmpv4.TIME_EXCEEDED, code, 0
    if kind == icmpv6.PACKET_TOO_BIG:
        # "Taking into account" a Fragment header, which is where the translator puts it: the IPv4 fragment has none.
        headers = DIFFERENCE + 8 * (quotation[6:7] == _FRAGMENT)
        mtu = min(word - headers, mtus.mtu4, mtus.mtu6 - headers)
        return icmpv4.DESTINATION_UNREACHABLE, icmpv4.FRAGMENTATION_NEEDED, max(LEAST4, mtu)
    if kind == icmpv6.DESTINATION_UNREACHABLE and code in _UNREACHABLE6:
        return icmpv4.DESTINATION_UNREACHABLE, _UNREACHABLE6[code], 0
    if kind == icmpv6.PARAMETER_PROBLEM and code == icmpv6.UNKNOWN_NEXT_HEADER:
        return icmpv4.DESTINATION_UNREACHABLE, icmpv4.PROTOCOL_UNREACHABLE, 0
    if kind == icmpv6.PARAMETER_PROBLEM and code == icmpv6.ERRONEOUS_HEADER and word in _POINTER6:
        return icmpv4.PARAMETER_PROBLEM, 0, _POINTER6[word] << 24
    raise Untranslatable(Drop.ICMP_UNTRANSLATABLE)
