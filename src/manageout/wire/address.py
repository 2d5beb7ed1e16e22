"""IPv4 addresses inside IPv6 addresses: ISATAP, 6to4, Teredo and RFC 6052, each to and from.

Functions on packet paths take and give bytes (4 or 16); the others take ``ipaddress`` objects.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, Self

from manageout.errors import AddressError
from manageout.wire.special import is_global, is_global6, networks4

SIXTOFOUR = IPv6Network("2002::/16")
TEREDO = IPv6Network("2001::/32")
WELL_KNOWN_NAT64 = IPv6Network("64:ff9b::/96")
TEREDO_PORT = 3544
CONE = 0x8000

_LINK_LOCAL = b"\xfe\x80" + bytes(6)
_U_BIT = 0x0200_0000_0000_0000
_ISATAP = 0x0000_5EFE_0000_0000
ISATAP_IDS = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
"""What stands before the IPv4 address in an identifier: u bit clear, and set. Receivers take both (RFC 5214 6.1)."""
_LINUX_LOCAL_SCOPE = networks4("""
    0.0.0.0/8 10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.2.0/24 192.88.99.0/24
    192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 255.255.255.255/32
""")

# RFC 6052 2.2: where the four IPv4 octets lie, by prefix length; octet 8 ("u") is always left out.
_RFC6052_OCTETS = {
    length: tuple(at for at in range(length // 8, 16) if at != 8)[:4] for length in (32, 40, 48, 56, 64, 96)
}


def is_address(text: str) -> bool:
    """Whether ``text`` is an IP address, and no name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def written(address: IPv4Address | IPv6Address | IPv4Network | IPv6Network) -> str:
    """As RFC 5952 5 has it: IPv4-mapped addresses end in IPv4. Python writes them so since 3.13, and the /96 too."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"
    if isinstance(address, IPv6Network) and address.network_address.ipv4_mapped is not None:
        shown = (
            written(address.network_address) if int(address.network_address) & 0xFFFFFFFF else "::ffff:0:0"
        )
        return f"{shown}/{address.prefixlen}"
    return str(address)


def bounds(network: IPv4Network | IPv6Network) -> tuple[bytes, bytes]:
    """The first and the last address: what lies between them, byte by byte, is in ``network``."""
    return network.network_address.packed, network.broadcast_address.packed


# --- ISATAP (RFC 5214 6.1) ------------------------------------------------------------------------------


def isatap_interface_id(v4: IPv4Address) -> int:
    """The 64-bit interface identifier, with the u bit as Linux (``net/ipv6/addrconf.c``) sets it.

    Raises :class:`AddressError` for 0.0.0.0, which Linux refuses as well.
    """
    if not int(v4):
        raise AddressError("0.0.0.0 has no ISATAP address", "give the IPv4 address of an interface")
    return _ISATAP | int(v4) | (0 if any(v4 in network for network in _LINUX_LOCAL_SCOPE) else _U_BIT)


def isatap_identifier(v4: bytes, u_bit: bool) -> bytes:
    """The same (8 bytes) with the u bit given rather than derived."""
    return ISATAP_IDS[u_bit] + v4


def isatap_interface_id_rfc(v4: IPv4Address) -> int:
    """The same by the letter of RFC 5214 6.1: u = 1 only when the IPv4 address is globally unique."""
    return _ISATAP | int(v4) | (_U_BIT if is_global(v4.packed) else 0)


def isatap_link_local(v4: bytes) -> bytes:
    """``fe80::[02]00:5efe:v4`` by Linux's rule (RFC 5214 7.4)."""
    return _LINK_LOCAL + isatap_interface_id(IPv4Address(v4)).to_bytes(8, "big")


def embedded_isatap(v6: bytes) -> bytes | None:
    """The IPv4 address (4 bytes) in an ISATAP interface identifier of either u value, else None."""
    return bytes(v6[12:16]) if v6[8:12] in ISATAP_IDS else None


# --- 6to4 (RFC 3056) ------------------------------------------------------------------------------------


def sixtofour_prefix(v4: IPv4Address) -> IPv6Network:
    """``2002:V4ADDR::/48``."""
    return IPv6Network((0x2002 << 112 | int(v4) << 80, 48))


def embedded_sixtofour(v6: bytes) -> bytes | None:
    """The IPv4 address (4 bytes) of a 6to4 address, else None."""
    return bytes(v6[2:6]) if v6[0:2] == b"\x20\x02" else None


# --- Teredo (RFC 4380 4, RFC 5991 3.1) ------------------------------------------------------------------


class TeredoAddress(NamedTuple):
    """What a Teredo address says. ``port`` and ``client`` are the mapped ones, in clear."""

    server: IPv4Address
    flags: int
    port: int
    client: IPv4Address

    @property
    def cone(self) -> bool:
        """The C flag, which RFC 5991 tells peers to ignore and servers to honour."""
        return bool(self.flags & CONE)

    def identifier(self) -> int:
        """The 64-bit interface identifier: flags, then port and client, both obscured."""
        return self.flags << 48 | (self.port ^ 0xFFFF) << 32 | (int(self.client) ^ 0xFFFFFFFF)

    def address(self) -> IPv6Address:
        """As an address in ``2001::/32``."""
        return IPv6Address(int(TEREDO.network_address) | int(self.server) << 64 | self.identifier())

    @classmethod
    def parse(cls, v6: IPv6Address) -> Self | None:
        """Read an address; None when it is not in ``2001::/32``."""
        if v6 not in TEREDO:
            return None
        value = int(v6)
        server, client = IPv4Address(value >> 64 & 0xFFFFFFFF), IPv4Address(value & 0xFFFFFFFF ^ 0xFFFFFFFF)
        return cls(server, value >> 48 & 0xFFFF, value >> 32 & 0xFFFF ^ 0xFFFF, client)


# --- RFC 6052 -------------------------------------------------------------------------------------------


def rfc6052_octets(prefix: IPv6Network) -> tuple[int, ...]:
    octets = _RFC6052_OCTETS.get(prefix.prefixlen)
    if octets is None:
        why, hint = f"/{prefix.prefixlen} is not an RFC 6052 length", "use /32, /40, /48, /56, /64 or /96"
    elif prefix.network_address.packed[8]:
        why, hint = "bits 64 to 71 must be zero (RFC 6052 2.2)", "choose a prefix with zeros there"
    else:
        return octets
    raise AddressError(f"{written(prefix)} cannot hold IPv4 addresses: {why}", hint)


def rfc6052_embed(prefix: IPv6Network, v4: IPv4Address) -> IPv6Address:
    """Put ``v4`` into ``prefix``, suffix zero. Raises :class:`AddressError` for an impossible prefix."""
    packed = bytearray(prefix.network_address.packed)
    for position, octet in zip(rfc6052_octets(prefix), v4.packed, strict=True):
        packed[position] = octet
    return IPv6Address(bytes(packed))


def rfc6052_extract(prefix: IPv6Network, v6: IPv6Address) -> IPv4Address | None:
    """The IPv4 address in ``v6``, or None when it lies outside ``prefix``.

    The u octet and the suffix are skipped, not judged (RFC 6052 2.3). Raises :class:`AddressError` for an
    impossible prefix.
    """
    octets = rfc6052_octets(prefix)
    if v6 not in prefix:
        return None
    return IPv4Address(bytes(v6.packed[position] for position in octets))


# --- Explaining -----------------------------------------------------------------------------------------


def explain(
    address: IPv4Address | IPv6Address, nat64: tuple[IPv6Network, ...] = (WELL_KNOWN_NAT64,)
) -> list[tuple[str, str]]:
    """What ``address`` is and what lies in it, as (label, value) lines; the first is always ``kind``.

    ``nat64``: RFC 6052 prefixes to try.
    """
    if isinstance(address, IPv4Address):
        return _explain_v4(address)
    for prefix in nat64:
        v4 = rfc6052_extract(prefix, address)
        if v4 is not None:
            return _explain_nat64(prefix, v4)
    if (teredo := TeredoAddress.parse(address)) is not None:
        return _explain_teredo(teredo)
    if (isatap := embedded_isatap(address.packed)) is not None:
        return _explain_isatap(address, IPv4Address(isatap))
    if (sixtofour := embedded_sixtofour(address.packed)) is not None:
        return _explain_sixtofour(IPv4Address(sixtofour))
    if address.ipv4_mapped is not None:
        return [("kind", "IPv4-mapped (RFC 4291 2.5.5.2)"), ("IPv4", str(address.ipv4_mapped))]
    return [("kind", f"{_scope(address)} IPv6"), ("embedded IPv4", "none")]


def _explain_v4(v4: IPv4Address) -> list[tuple[str, str]]:
    lines = [
        ("kind", f"{_scope(v4)} IPv4"),
        ("6to4 prefix", str(sixtofour_prefix(v4))),
        ("NAT64 address", str(rfc6052_embed(WELL_KNOWN_NAT64, v4))),
    ]
    if int(v4):
        lines.insert(1, ("ISATAP link-local", str(IPv6Address(isatap_link_local(v4.packed)))))
    if not is_global(v4.packed):
        lines.append(("note", "RFC 6052 3.1: not global, so the well-known NAT64 prefix must not carry it"))
    return lines


def _explain_teredo(teredo: TeredoAddress) -> list[tuple[str, str]]:
    return [
        ("kind", "Teredo (RFC 4380)"),
        ("server", str(teredo.server)),
        ("flags", f"0x{teredo.flags:04x} ({'cone' if teredo.cone else 'not cone'})"),
        ("mapped port", str(teredo.port)),
        ("mapped IPv4", str(teredo.client)),
    ]


def _explain_isatap(v6: IPv6Address, v4: IPv4Address) -> list[tuple[str, str]]:
    packed = v6.packed
    universal = bool(packed[8] & 2)
    lines = [
        ("kind", f"ISATAP (RFC 5214), {_scope(v6)}"),
        ("IPv4", str(v4)),
        ("prefix", written(IPv6Network((packed[:8] + bytes(8), 64)))),
        ("u bit", "1 (globally unique IPv4)" if universal else "0 (IPv4 not globally unique)"),
    ]
    outer = embedded_sixtofour(packed)
    if outer is not None:
        lines.append(("prefix comes from", f"6to4 of {IPv4Address(outer)}"))
    if int(v4) and universal != bool(isatap_interface_id(v4) & _U_BIT):
        lines.append(("note", "Linux would form it with the other u bit; both are accepted"))
    return lines


def _explain_sixtofour(v4: IPv4Address) -> list[tuple[str, str]]:
    lines = [("kind", "6to4 (RFC 3056)"), ("IPv4", str(v4)), ("prefix", str(sixtofour_prefix(v4)))]
    if not is_global(v4.packed):
        lines.append(("note", "RFC 3964 5.3: a 6to4 address of a non-global IPv4 address must be dropped"))
    return lines


def _explain_nat64(prefix: IPv6Network, v4: IPv4Address) -> list[tuple[str, str]]:
    lines = [("kind", "NAT64 (RFC 6052)"), ("IPv4", str(v4)), ("prefix", written(prefix))]
    if prefix == WELL_KNOWN_NAT64 and not is_global(v4.packed):
        lines.append(("note", "RFC 6052 3.1: not global, so translators must drop it in this prefix"))
    return lines


def _scope(address: IPv4Address | IPv6Address) -> str:
    for scope in ("unspecified", "loopback", "multicast", "link_local"):
        if getattr(address, f"is_{scope}"):
            return scope.replace("_", "-")
    if isinstance(address, IPv6Address) and address in IPv6Network("fc00::/7"):
        return "unique local"
    if isinstance(address, IPv4Address):
        return "global" if is_global(address.packed) else "private"
    return "global" if is_global6(address) else "private"
