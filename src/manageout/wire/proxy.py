"""The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt 2.2): whom a balancer connects for.

One header before everything else: 12 bytes of signature, version and command, family, length; then two addresses and
two ports, then TLVs, which are skipped. Version 1, which is text, is known only well enough to be named.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from manageout.errors import WireError
from manageout.wire.cursor import Cursor

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
FIXED = 16
"""Bytes before the addresses."""
MAX_BODY = 2048
"""Bytes behind them that are read; the addresses are 36 at most, the rest are TLVs."""
_V1 = b"PROXY "
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6 = 0x11, 0x21


class Proxied(NamedTuple):
    """Who is at the other end of a balancer."""

    address: IPv4Address | IPv6Address
    port: int


def missing(data: bytes | bytearray) -> int:
    """How many more bytes are wanted, as far as can be told; 0 when the header is whole, and not a byte more.

    Raises :class:`WireError` as soon as this cannot become a header.
    """
    start = bytes(data[: len(SIGNATURE)])
    if not SIGNATURE.startswith(start):
        raise WireError("version 1 of the PROXY protocol" if start[:6] == _V1 else "no PROXY protocol header")
    if len(data) > 12 and data[12] not in (LOCAL, PROXY):
        raise WireError(f"PROXY protocol with version and command {data[12]:#04x}")
    if len(data) < FIXED:
        return FIXED - len(data)
    length = int.from_bytes(data[14:16], "big")
    if length > MAX_BODY:
        raise WireError(f"PROXY protocol header of {length} bytes")
    return FIXED + length - len(data)


def parse(data: bytes | bytearray) -> Proxied | None:
    """A whole header; None for LOCAL, where the balancer speaks for itself. Raises :class:`WireError`."""
    if missing(data) != 0:
        raise WireError("not one PROXY protocol header")
    if data[12] == LOCAL:
        return None  # whatever stands behind it is to be ignored
    reader = Cursor(bytes(data), "PROXY protocol header")
    reader.skip(13)
    family = reader.u8()
    body = reader.sub(reader.u16())
    address: IPv4Address | IPv6Address
    if family == TCP4:
        address = IPv4Address(body.take(4))
        body.skip(4)
    elif family == TCP6:
        six = IPv6Address(body.take(16))
        body.skip(16)
        address = six.ipv4_mapped or six  # one client has one address, whatever the listener is
    else:
        raise WireError(f"PROXY protocol for family and protocol {family:#04x}, not TCP")
    port = body.u16()
    body.skip(2)
    while body.remaining:  # TLVs say nothing to us, but must be whole
        body.skip(1)
        body.skip(body.u16())
    if address.is_unspecified or address.is_multicast or not port:
        raise WireError(f"PROXY protocol for {address} port {port}")
    return Proxied(address, port)


def begins(data: bytes) -> bool:
    """Whether the first bytes of a stream are those of a header of either version; TLS never begins so."""
    return bool(data) and (SIGNATURE.startswith(data[:12]) or data[:6] == _V1)
