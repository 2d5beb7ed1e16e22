"""Neighbour Discovery options: RFC 4861 4.6, 4191 2.3, 8106 5, 8781 4.

An option of a known type that its RFC tells receivers to ignore (a wrong length, a reserved preference) is
kept as :class:`UnknownOption`. Only what RFC 4861 discards a whole packet for raises :class:`WireError`: a
length of zero, or one past the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from manageout.errors import WireError
from manageout.wire.cursor import Cursor

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


@dataclass(frozen=True, slots=True)
class LinkLayer:
    """Source (type 1) or target (type 2) link-layer address, padding included."""

    type: int
    address: bytes


@dataclass(frozen=True, slots=True)
class PrefixInformation:
    """Lifetimes in seconds, 0xffffffff for ever."""

    prefix: bytes
    length: int
    on_link: bool
    autonomous: bool
    valid: int
    preferred: int


@dataclass(frozen=True, slots=True)
class Mtu:
    """MTU of the link, bytes."""

    mtu: int


@dataclass(frozen=True, slots=True)
class RouteInformation:
    """A more specific route through the sender; lifetime in seconds, 0 withdraws it."""

    prefix: bytes
    length: int
    preference: Preference
    lifetime: int


@dataclass(frozen=True, slots=True)
class Rdnss:
    """DNS servers; lifetime in seconds, 0 withdraws them."""

    lifetime: int
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Dnssl:
    """DNS search list; names without the last dot."""

    lifetime: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pref64:
    """NAT64 prefix; lifetime in seconds, a multiple of 8 up to 65528."""

    prefix: bytes
    length: int
    lifetime: int


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option we do not know, or must ignore; ``body`` is what follows the two bytes of type and length."""

    type: int
    body: bytes


Option = LinkLayer | PrefixInformation | Mtu | RouteInformation | Rdnss | Dnssl | Pref64 | UnknownOption


# --- Reading --------------------------------------------------------------------------------------------


def parse_options(data: bytes) -> tuple[Option, ...]:
    """Read the options of one message, in order. Raises :class:`WireError`."""
    options: list[Option] = []
    cursor = Cursor(data, "ND option")
    while cursor.remaining:
        kind, units = cursor.u8(), cursor.u8()
        if not units:
            raise WireError(f"ND option {kind} has length 0")
        body = cursor.take(units * 8 - 2)
        reader = _READERS.get(kind)
        options.append((reader(kind, body) if reader else None) or UnknownOption(kind, body))
    return tuple(options)


def _masked(prefix: bytes, length: int) -> bytes:
    """``prefix`` as 16 bytes with the bits behind ``length`` zero: receivers ignore them."""
    keep = (1 << 128) - (1 << 128 - length)
    return (int.from_bytes(prefix.ljust(16, b"\0"), "big") & keep).to_bytes(16, "big")


def _read_link_layer(kind: int, body: bytes) -> Option | None:
    return LinkLayer(kind, body)


def _read_prefix(_: int, body: bytes) -> Option | None:
    if len(body) != 30 or body[0] > 128:
        return None
    length, flags, valid, preferred, prefix = _PREFIX.unpack(body)
    on_link, autonomous = bool(flags & _ON_LINK), bool(flags & _AUTONOMOUS)
    return PrefixInformation(_masked(prefix, length), length, on_link, autonomous, valid, preferred)


def _read_mtu(_: int, body: bytes) -> Option | None:
    return Mtu(_SHORT_WORD.unpack(body)[0]) if len(body) == 6 else None


def _read_route(_: int, body: bytes) -> Option | None:
    length, flags, lifetime = _ROUTE.unpack_from(body)
    bits = flags >> 3 & 3
    prefix = body[6:]
    # RFC 4191 2.3: the reserved preference, and a prefix longer than the option holds, void the option.
    if bits == 2 or length > 128 or len(prefix) > 16 or len(prefix) * 8 < length:
        return None
    return RouteInformation(_masked(prefix, length), length, Preference(bits), lifetime)


def _read_rdnss(_: int, body: bytes) -> Option | None:
    addresses = body[6:]
    if not addresses or len(addresses) % 16:  # RFC 8106 5.3.1: the length must be odd and at least 3
        return None
    split = tuple(addresses[start : start + 16] for start in range(0, len(addresses), 16))
    return Rdnss(_SHORT_WORD.unpack_from(body)[0], split)


def _read_dnssl(_: int, body: bytes) -> Option | None:
    try:
        names = _parse_names(Cursor(body[6:], "name"))
    except WireError:
        return None
    return Dnssl(_SHORT_WORD.unpack_from(body)[0], names) if names else None


def _read_pref64(_: int, body: bytes) -> Option | None:
    if len(body) != 14:
        return None
    word, prefix = _PREF64.unpack(body)
    if word & 7 >= len(_PREF64_LENGTHS):  # RFC 8781 4: other codes void the option
        return None
    length = _PREF64_LENGTHS[word & 7]
    return Pref64(_masked(prefix, length), length, (word >> 3) * 8)


def _parse_names(cursor: Cursor) -> tuple[str, ...]:
    """Uncompressed names up to the zero padding (RFC 8106 5.2). Raises :class:`WireError`."""
    names: list[str] = []
    labels: list[str] = []
    while cursor.remaining:
        size = cursor.u8()
        if size:
            label = cursor.take(size)
            if size > 63 or not label.isascii() or b"." in label:
                raise WireError("not a label")
            labels.append(label.decode("ascii"))
        elif labels:
            names.append(".".join(labels))
            labels = []
        elif any(cursor.rest()):
            raise WireError("the padding is not zero")
    if labels or any(len(name) > 253 for name in names):
        raise WireError("not a name")
    return tuple(names)


_READERS: dict[int, Callable[[int, bytes], Option | None]] = {
    SOURCE_LINK_LAYER: _read_link_layer,
    TARGET_LINK_LAYER: _read_link_layer,
    PREFIX_INFORMATION: _read_prefix,
    MTU: _read_mtu,
    ROUTE_INFORMATION: _read_route,
    RDNSS: _read_rdnss,
    DNSSL: _read_dnssl,
    PREF64: _read_pref64,
}


# --- Writing --------------------------------------------------------------------------------------------


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
            prefix = _masked(option.prefix, option.length)
            return PREFIX_INFORMATION, _PREFIX.pack(
                option.length, flags, option.valid, option.preferred, prefix
            )
        case Mtu():
            return MTU, _SHORT_WORD.pack(option.mtu)
        case RouteInformation():
            size = 0 if option.length == 0 else 8 if option.length <= 64 else 16
            prefix = _masked(option.prefix, option.length)[:size]
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
    prefix = _masked(option.prefix, option.length)[:12]
    return _PREF64.pack(scaled << 3 | _PREF64_LENGTHS.index(option.length), prefix)
