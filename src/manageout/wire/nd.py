"""Neighbour Discovery messages (RFC 4861), with their validation rules; the options are in ``nd_options``.

``parse`` takes a whole IPv6 packet, because most rules are about its header. A message that breaks a rule
raises :class:`WireError` naming the rule; the receiver silently discards it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

from manageout.errors import WireError
from manageout.wire import icmpv6, ipv6, numbers
from manageout.wire.nd_options import (
    Dnssl,
    LinkLayer,
    Mtu,
    Option,
    Pref64,
    Preference,
    PrefixInformation,
    Rdnss,
    RouteInformation,
    UnknownOption,
    build_options,
    parse_options,
)

__all__ = [
    "ALL_NODES",
    "ALL_ROUTERS",
    "UNSPECIFIED",
    "Dnssl",
    "LinkLayer",
    "Message",
    "Mtu",
    "NeighbourAdvertisement",
    "NeighbourSolicitation",
    "Option",
    "Pref64",
    "Preference",
    "PrefixInformation",
    "Rdnss",
    "RouteInformation",
    "RouterAdvertisement",
    "RouterSolicitation",
    "UnknownOption",
    "build",
    "message_type",
    "parse",
    "solicited_node",
]

UNSPECIFIED = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
ALL_ROUTERS = bytes.fromhex("ff020000000000000000000000000002")
HOP_LIMIT = 255

_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
_RA = Struct("!BBHII")
_SOURCE_LINK_LAYER = 1


@dataclass(frozen=True, slots=True)
class RouterSolicitation:
    """Type 133."""

    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class RouterAdvertisement:
    """Type 134. ``router_lifetime`` in seconds; 0: not a default router. 0 elsewhere: unspecified."""

    hop_limit: int = 0
    managed: bool = False
    other: bool = False
    preference: Preference = Preference.MEDIUM
    router_lifetime: int = 0
    reachable_ms: int = 0
    retrans_ms: int = 0
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class NeighbourSolicitation:
    """Type 135."""

    target: bytes
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class NeighbourAdvertisement:
    """Type 136."""

    target: bytes
    router: bool = False
    solicited: bool = False
    override: bool = False
    options: tuple[Option, ...] = ()


Message = RouterSolicitation | RouterAdvertisement | NeighbourSolicitation | NeighbourAdvertisement


def solicited_node(target: bytes) -> bytes:
    """The solicited-node multicast address of ``target`` (RFC 4291 2.7.1)."""
    return _SOLICITED_NODE + target[13:]


def message_type(packet: bytes | memoryview) -> int | None:
    """133..137 when ``packet`` looks like Neighbour Discovery, valid or not; None otherwise."""
    try:
        upper = ipv6.walk_extensions(packet)
    except WireError:
        return None
    if upper.next_header != numbers.ICMPV6 or upper.offset >= len(packet):
        return None
    if upper.fragment is not None and upper.fragment.offset:
        return None
    kind = packet[upper.offset]
    return kind if 133 <= kind <= 137 else None


# --- Reading --------------------------------------------------------------------------------------------


def parse(packet: bytes | memoryview) -> tuple[ipv6.Ipv6, Message]:
    """Read one packet and apply every MUST of RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2, and RFC 6980 5.

    Reserved fields, unknown options and options that their own RFC says to ignore do no harm.
    """
    header, payload = ipv6.parse(packet)
    if header.hop_limit != HOP_LIMIT:
        raise WireError(f"ND hop limit is {header.hop_limit}, not 255")
    if header.next_header != numbers.ICMPV6:
        payload = _behind_extensions(packet, payload)
    if header.src[0] == 0xFF:
        raise WireError("ND source is multicast")
    message = icmpv6.parse(header.src, header.dst, payload)
    reader = _READERS.get(message.type)
    if reader is None:
        raise WireError(f"ICMPv6 type {message.type} is not an ND message we read")
    if message.code:
        raise WireError(f"ND code is {message.code}, not 0")
    return header, reader(header, message.body)


def _behind_extensions(packet: bytes | memoryview, payload: bytes) -> bytes:
    upper = ipv6.walk_extensions(packet)
    if upper.fragment is not None:
        raise WireError("ND in a fragment (RFC 6980 5)")
    if upper.next_header != numbers.ICMPV6:
        raise WireError("not ICMPv6")
    return payload[upper.offset - ipv6.HEADER_LENGTH :]


def _read_options(body: bytes, start: int, what: str) -> tuple[Option, ...]:
    if len(body) < start:
        raise WireError(f"truncated {what}: {len(body) + 4} bytes")
    return parse_options(body[start:]) if len(body) > start else ()


def _no_source_link_layer(header: ipv6.Ipv6, options: tuple[Option, ...], what: str) -> None:
    if header.src == UNSPECIFIED and any(
        isinstance(option, LinkLayer) and option.type == _SOURCE_LINK_LAYER for option in options
    ):
        raise WireError(f"{what} from :: has a source link-layer address")


def _target(body: bytes, what: str) -> bytes:
    target = body[4:20]
    if target[0] == 0xFF:
        raise WireError(f"{what} target is multicast")
    return target


def _read_rs(header: ipv6.Ipv6, body: bytes) -> RouterSolicitation:
    options = _read_options(body, 4, "router solicitation")
    _no_source_link_layer(header, options, "router solicitation")
    return RouterSolicitation(options)


def _read_ra(header: ipv6.Ipv6, body: bytes) -> RouterAdvertisement:
    options = _read_options(body, 12, "router advertisement")
    if header.src[0] != 0xFE or header.src[1] & 0xC0 != 0x80:
        raise WireError("router advertisement source is not link-local")
    hop_limit, flags, lifetime, reachable, retrans = _RA.unpack_from(body)
    # RFC 4191 2.2: with lifetime 0 the preference is ignored; the reserved value 10 means medium.
    bits = flags >> 3 & 3 if lifetime else 0
    preference = Preference.MEDIUM if bits == 2 else Preference(bits)
    managed, other = bool(flags & 0x80), bool(flags & 0x40)
    return RouterAdvertisement(hop_limit, managed, other, preference, lifetime, reachable, retrans, options)


def _read_ns(header: ipv6.Ipv6, body: bytes) -> NeighbourSolicitation:
    options = _read_options(body, 20, "neighbour solicitation")
    target = _target(body, "neighbour solicitation")
    if header.src == UNSPECIFIED and header.dst[:13] != _SOLICITED_NODE:
        raise WireError("neighbour solicitation from :: not to a solicited-node address")
    _no_source_link_layer(header, options, "neighbour solicitation")
    return NeighbourSolicitation(target, options)


def _read_na(header: ipv6.Ipv6, body: bytes) -> NeighbourAdvertisement:
    options = _read_options(body, 20, "neighbour advertisement")
    target = _target(body, "neighbour advertisement")
    flags = body[0]
    if flags & 0x40 and header.dst[0] == 0xFF:
        raise WireError("neighbour advertisement to multicast is marked as solicited")
    return NeighbourAdvertisement(target, bool(flags & 0x80), bool(flags & 0x40), bool(flags & 0x20), options)


_READERS: dict[int, Callable[[ipv6.Ipv6, bytes], Message]] = {
    icmpv6.ROUTER_SOLICITATION: _read_rs,
    icmpv6.ROUTER_ADVERTISEMENT: _read_ra,
    icmpv6.NEIGHBOUR_SOLICITATION: _read_ns,
    icmpv6.NEIGHBOUR_ADVERTISEMENT: _read_na,
}


# --- Writing --------------------------------------------------------------------------------------------


def build(src: bytes, dst: bytes, message: Message) -> bytes:
    """A whole IPv6 packet, hop limit 255. Raises :class:`WireError` for an option that cannot be written."""
    kind, body = _body(message)
    segment = icmpv6.build(src, dst, kind, 0, body + build_options(message.options))
    return ipv6.build(src, dst, numbers.ICMPV6, segment, hop_limit=HOP_LIMIT)


def _body(message: Message) -> tuple[int, bytes]:
    match message:
        case RouterSolicitation():
            return icmpv6.ROUTER_SOLICITATION, bytes(4)
        case RouterAdvertisement():
            preference = message.preference if message.router_lifetime else 0  # RFC 4191 2.2
            flags = message.managed << 7 | message.other << 6 | preference << 3
            return icmpv6.ROUTER_ADVERTISEMENT, _RA.pack(
                message.hop_limit, flags, message.router_lifetime, message.reachable_ms, message.retrans_ms
            )
        case NeighbourSolicitation():
            return icmpv6.NEIGHBOUR_SOLICITATION, bytes(4) + message.target
        case NeighbourAdvertisement():
            flags = message.router << 7 | message.solicited << 6 | message.override << 5
            return icmpv6.NEIGHBOUR_ADVERTISEMENT, bytes((flags, 0, 0, 0)) + message.target
