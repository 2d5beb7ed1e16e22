"""Neighbour Discovery: messages (RFC 4861) with their validation rules, and their options (RFC 4861 4.6, 4191 2.3, 8106
5, 8781 4).

``parse`` takes a whole IPv6 packet, because most rules are about its header. A message that breaks a rule
raises :class:`WireError` naming the rule; the receiver silently discards it.

An option of a known type that its RFC tells receivers to ignore (a wrong length, a reserved preference) is
kept as :class:`UnknownOption`. Only what RFC 4861 discards a whole packet for raises: a length of zero, or one past
the end.
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire import icmpv6, ipv6, numbers
from manageout.wire.cursor import Cursor

UNSPECIFIED = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
ALL_ROUTERS = bytes.fromhex("ff020000000000000000000000000002")
HOP_LIMIT = 255

_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
_RA = Struct("!BBHII")

SOURCE_LINK_LAYER, TARGET_LINK_LAYER, PREFIX_INFORMATION, MTU = 1, 2, 3, 5
ROUTE_INFORMATION, RDNSS, DNSSL, PREF64 = 24, 25, 31, 38
INFINITE = 0xFFFFFFFF

# By prefix length code (RFC 8781 4).
_PREF64_LENGTHS = (96, 64, 56, 48, 40, 32)
_PREF64_MAX_LIFETIME = 0x1FFF * 8
_ON_LINK, _AUTONOMOUS = 0x80, 0x40

_PREFIX = Struct("!BBIIxxxx16s")
_ROUTE = Struct("!BBI")
_SHORT_WORD = Struct("!xxI")
_PREF64 = Struct("!H12s")


class Preference(IntEnum):
    """Router and route preference, as its two bits (RFC 4191 2.1)."""

    LOW = 3
    MEDIUM = 0
    HIGH = 1


class LinkLayer(NamedTuple):
    """Source (type 1) or target (type 2) link-layer address, padding included."""

    type: int
    address: bytes


class PrefixInformation(NamedTuple):
    """Lifetimes in seconds, 0xffffffff for ever."""

    prefix: bytes
    length: int
    on_link: bool
    autonomous: bool
    valid: int
    preferred: int


class Mtu(NamedTuple):
    """MTU of the link, bytes."""

    mtu: int


class RouteInformation(NamedTuple):
    """A more specific route through the sender; lifetime in seconds, 0 withdraws it."""

    prefix: bytes
    length: int
    preference: Preference
    lifetime: int


class Rdnss(NamedTuple):
    """DNS servers; lifetime in seconds, 0 withdraws them."""

    lifetime: int
    addresses: tuple[bytes, ...]


class Dnssl(NamedTuple):
    """DNS search list; names without the last dot."""

    lifetime: int
    names: tuple[str, ...]


class Pref64(NamedTuple):
    """NAT64 prefix; lifetime in seconds, a multiple of 8 up to 65528."""

    prefix: bytes
    length: int
    lifetime: int


class UnknownOption(NamedTuple):
    """An option we do not know, or must ignore; ``body`` is what follows the two bytes of type and length."""

    type: int
    body: bytes


Option = LinkLayer | PrefixInformation | Mtu | RouteInformation | Rdnss | Dnssl | Pref64 | UnknownOption


# --- Options, read --------------------------------------------------------------------------------------


def parse_options(data: bytes) -> tuple[Option, ...]:
    """Read the options of one message, in order. Raises :class:`WireError`."""
    options: list[Option] = []
    cursor = Cursor(data, "ND option")
    while cursor.remaining:
        kind, units = cursor.u8(), cursor.u8()
        if not units:
            raise WireError(f"ND option {kind} has length 0")
        options.append(_read_option(kind, cursor.take(units * 8 - 2)))
    return tuple(options)


def masked(prefix: bytes, length: int) -> bytes:
    """``prefix`` as 16 bytes with the bits behind ``length`` zero: receivers ignore them."""
    keep = (1 << 128) - (1 << 128 - length)
    return (int.from_bytes(prefix.ljust(16, b"\0"), "big") & keep).to_bytes(16, "big")


def _read_option(kind: int, body: bytes) -> Option:
    if kind in (SOURCE_LINK_LAYER, TARGET_LINK_LAYER):
        return LinkLayer(kind, body)
    if kind == PREFIX_INFORMATION and len(body) == 30 and body[0] <= 128:
        length, flags, valid, preferred, prefix = _PREFIX.unpack(body)
        on_link, autonomous = bool(flags & _ON_LINK), bool(flags & _AUTONOMOUS)
        return PrefixInformation(masked(prefix, length), length, on_link, autonomous, valid, preferred)
    if kind == MTU and len(body) == 6:
        return Mtu(_SHORT_WORD.unpack(body)[0])
    if kind == ROUTE_INFORMATION:
        length, flags, lifetime = _ROUTE.unpack_from(body)
        bits, prefix = flags >> 3 & 3, body[6:]
        # RFC 4191 2.3: the reserved preference, and a prefix longer than the option holds, void the option.
        if bits != 2 and length <= 128 and length <= len(prefix) * 8 <= 128:
            return RouteInformation(masked(prefix, length), length, Preference(bits), lifetime)
    if kind == RDNSS and len(body) > 6 and len(body) % 16 == 6:  # RFC 8106 5.3.1: odd, and at least 3
        addresses = tuple(body[start : start + 16] for start in range(6, len(body), 16))
        return Rdnss(_SHORT_WORD.unpack_from(body)[0], addresses)
    if kind == DNSSL and (names := _parse_names(body[6:])):
        return Dnssl(_SHORT_WORD.unpack_from(body)[0], names)
    if kind == PREF64 and len(body) == 14:
        word, prefix = _PREF64.unpack(body)
        if word & 7 < len(_PREF64_LENGTHS):  # RFC 8781 4: other codes void the option
            length = _PREF64_LENGTHS[word & 7]
            return Pref64(masked(prefix, length), length, (word >> 3) * 8)
    return UnknownOption(kind, body)


def _parse_names(data: bytes) -> tuple[str, ...]:
    """Uncompressed names up to the zero padding (RFC 8106 5.2); none at all if one is broken."""
    names: list[str] = []
    labels: list[str] = []
    at = 0
    while at < len(data):
        label = data[at + 1 : at + 1 + data[at]]
        if len(label) < data[at] or len(label) > 63 or not label.isascii() or b"." in label:
            return ()
        at += 1 + len(label)
        if label:
            labels.append(label.decode("ascii"))
        elif labels:
            names.append(".".join(labels))
            labels = []
        elif any(data[at:]):
            return ()
        else:
            break
    return () if labels or any(len(name) > 253 for name in names) else tuple(names)


# --- Options, written -----------------------------------------------------------------------------------


def build_options(options: Sequence[Option]) -> bytes:
    """Write options in order. Raises :class:`WireError` for a value that the format cannot hold."""
    return b"".join(_build_option(option) for option in options)


def _build_option(option: Option) -> bytes:
    kind, body = _type_and_body(option)
    units, odd = divmod(len(body) + 2, 8)
    if odd or units > 255:
        raise WireError(f"ND option {kind} of {len(body) + 2} bytes: not a multiple of 8 up to 2040")
    return bytes((kind, units)) + body


def _type_and_body(option: Option) -> tuple[int, bytes]:
    match option:
        case LinkLayer():
            return option.type, option.address
        case UnknownOption():
            return option.type, option.body
        case PrefixInformation():
            flags = option.on_link * _ON_LINK | option.autonomous * _AUTONOMOUS
            prefix = masked(option.prefix, option.length)
            return PREFIX_INFORMATION, _PREFIX.pack(
                option.length, flags, option.valid, option.preferred, prefix
            )
        case Mtu():
            return MTU, _SHORT_WORD.pack(option.mtu)
        case RouteInformation():
            size = 0 if option.length == 0 else 8 if option.length <= 64 else 16
            prefix = masked(option.prefix, option.length)[:size]
            head = _ROUTE.pack(option.length, option.preference << 3, option.lifetime)
            return ROUTE_INFORMATION, head + prefix
        case Rdnss():
            return RDNSS, _SHORT_WORD.pack(option.lifetime) + b"".join(option.addresses)
        case Dnssl():
            names = b"".join(_build_name(name) for name in option.names)
            return DNSSL, _SHORT_WORD.pack(option.lifetime) + names + bytes(-len(names) % 8)
        case Pref64():
            return PREF64, _build_pref64(option)


def _build_name(name: str) -> bytes:
    labels = name.split(".")
    if not name.isascii() or len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise WireError(f"{name!r} is not a DNS name")
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0"


def _build_pref64(option: Pref64) -> bytes:
    if option.length not in _PREF64_LENGTHS or not 0 <= option.lifetime <= _PREF64_MAX_LIFETIME:
        raise WireError(f"PREF64 of /{option.length} for {option.lifetime} s cannot be written")
    scaled = -(-option.lifetime // 8)  # RFC 8781 4: rounded up
    prefix = masked(option.prefix, option.length)[:12]
    return _PREF64.pack(scaled << 3 | _PREF64_LENGTHS.index(option.length), prefix)


class RouterSolicitation(NamedTuple):
    """Type 133."""

    options: tuple[Option, ...] = ()


class RouterAdvertisement(NamedTuple):
    """Type 134. ``router_lifetime`` in seconds; 0: not a default router. 0 elsewhere: unspecified."""

    hop_limit: int = 0
    managed: bool = False
    other: bool = False
    preference: Preference = Preference.MEDIUM
    router_lifetime: int = 0
    reachable_ms: int = 0
    retrans_ms: int = 0
    options: tuple[Option, ...] = ()


class NeighbourSolicitation(NamedTuple):
    """Type 135."""

    target: bytes
    options: tuple[Option, ...] = ()


class NeighbourAdvertisement(NamedTuple):
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


# --- Messages, read -------------------------------------------------------------------------------------


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
    if message.type not in _FORMS:
        raise WireError(f"ICMPv6 type {message.type} is not an ND message we read")
    if message.code:
        raise WireError(f"ND code is {message.code}, not 0")
    return header, _read(header, message.type, message.body)


def _behind_extensions(packet: bytes | memoryview, payload: bytes) -> bytes:
    upper = ipv6.walk_extensions(packet)
    if upper.fragment is not None:
        raise WireError("ND in a fragment (RFC 6980 5)")
    if upper.next_header != numbers.ICMPV6:
        raise WireError("not ICMPv6")
    return payload[upper.offset - ipv6.HEADER_LENGTH :]


def _read(header: ipv6.Ipv6, kind: int, body: bytes) -> Message:
    start, what = _FORMS[kind]
    if len(body) < start:
        raise WireError(f"truncated {what}: {len(body) + 4} bytes")
    options = parse_options(body[start:]) if len(body) > start else ()
    if kind == icmpv6.ROUTER_ADVERTISEMENT:
        return _read_ra(header, body, options)
    target = body[4:start]
    if target[:1] == b"\xff":
        raise WireError(f"{what} target is multicast")
    if kind == icmpv6.NEIGHBOUR_ADVERTISEMENT:
        router, solicited, override = (bool(body[0] & bit) for bit in (0x80, 0x40, 0x20))
        if solicited and header.dst[0] == 0xFF:
            raise WireError("neighbour advertisement to multicast is marked as solicited")
        return NeighbourAdvertisement(target, router, solicited, override, options)
    if header.src == UNSPECIFIED:
        if kind == icmpv6.NEIGHBOUR_SOLICITATION and header.dst[:13] != _SOLICITED_NODE:
            raise WireError("neighbour solicitation from :: not to a solicited-node address")
        if any(isinstance(option, LinkLayer) and option.type == SOURCE_LINK_LAYER for option in options):
            raise WireError(f"{what} from :: has a source link-layer address")
    return NeighbourSolicitation(target, options) if target else RouterSolicitation(options)


def _read_ra(header: ipv6.Ipv6, body: bytes, options: tuple[Option, ...]) -> RouterAdvertisement:
    if header.src[0] != 0xFE or header.src[1] & 0xC0 != 0x80:
        raise WireError("router advertisement source is not link-local")
    hop_limit, flags, lifetime, reachable, retrans = _RA.unpack_from(body)
    # RFC 4191 2.2: with lifetime 0 the preference is ignored; the reserved value 10 means medium.
    bits = flags >> 3 & 3 if lifetime else 0
    preference = Preference.MEDIUM if bits == 2 else Preference(bits)
    managed, other = bool(flags & 0x80), bool(flags & 0x40)
    return RouterAdvertisement(hop_limit, managed, other, preference, lifetime, reachable, retrans, options)


_FORMS = {
    icmpv6.ROUTER_SOLICITATION: (4, "router solicitation"),
    icmpv6.ROUTER_ADVERTISEMENT: (12, "router advertisement"),
    icmpv6.NEIGHBOUR_SOLICITATION: (20, "neighbour solicitation"),
    icmpv6.NEIGHBOUR_ADVERTISEMENT: (20, "neighbour advertisement"),
}
"""Where the options begin, and what it is called."""


# --- Messages, written ----------------------------------------------------------------------------------


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
