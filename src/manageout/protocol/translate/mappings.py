"""Which IPv6 address is which IPv4 address: leases, explicit mappings (RFC 7757), the NAT64 prefix (RFC 6052).

Look-up order, both ways: lease, explicit mapping by longest prefix, NAT64 prefix. A lease is an explicit mapping
of a /128 to a /32, so that the order is RFC 7757's longest prefix match. The fast path's maps hold the same.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from manageout.errors import AddressError
from manageout.protocol.core.prefixes import Prefix, PrefixTable
from manageout.wire.address import WELL_KNOWN_NAT64, rfc6052_octets
from manageout.wire.special import is_global

_ZERO_96 = bytes(12)
_MAPPED = bytes(10) + b"\xff\xff"


class Mappings:
    """What the translator knows about addresses; leases change while it runs, the rest does not.

    ``pref64``: an RFC 6052 prefix. ``pool``: this node's block of leases. ``eam``: explicit mappings. ``pool6791``:
    IPv4 addresses that stand for IPv6 routers without one (RFC 6791). ``own4``, ``own6``: the translator's own
    addresses, the source of the errors it sends. ``strict``: obey RFC 6052 3.1 for the Well-Known Prefix.
    Raises :class:`AddressError` for an impossible prefix or mapping.
    """

    def __init__(
        self,
        pref64: IPv6Network,
        *,
        own4: bytes,
        own6: bytes,
        pool: IPv4Network | None = None,
        eam: Iterable[tuple[IPv4Network, IPv6Network]] = (),
        pool6791: Iterable[bytes] = (),
        strict: bool = True,
    ) -> None:
        self.pref64 = pref64
        self.own4, self.own6 = own4, own6
        self.pool = pool
        self.pool6791 = tuple(pool6791) or (own4,)
        self.strict = strict and pref64 == WELL_KNOWN_NAT64
        self.leases: dict[bytes, bytes] = {}
        self.leases4: dict[bytes, bytes] = {}
        self.eam = tuple(eam)
        self._octets = rfc6052_octets(pref64)
        self._prefix = pref64.network_address.packed
        self._bytes = pref64.prefixlen // 8
        self._head = self._prefix[: self._bytes]
        self._pool_shift = 32 - pool.prefixlen if pool else 32
        self._pool_bits = int(pool.network_address) >> self._pool_shift if pool else -1
        _check_eam(self.eam)
        self._to6 = PrefixTable(
            (Prefix(v4.network_address.packed, v4.prefixlen), (v4, v6)) for v4, v6 in self.eam
        )
        self._to4 = PrefixTable(
            (Prefix(v6.network_address.packed, v6.prefixlen), (v4, v6)) for v4, v6 in self.eam
        )

    @property
    def fast(self) -> bool:
        """Whether the fast path may serve: a /96 prefix, and no rule for the Well-Known Prefix to obey."""
        return self._bytes == 12 and not self.strict

    def set_lease(self, v6: bytes, v4: bytes) -> None:
        """Give IPv4 address ``v4`` to ``v6``; whatever either had before is undone."""
        self.clear_lease(v6)
        holder = self.leases4.get(v4)
        if holder is not None:
            self.clear_lease(holder)
        self.leases[v6] = v4
        self.leases4[v4] = v6

    def clear_lease(self, v6: bytes) -> None:
        """Undo :meth:`set_lease`, if there was one."""
        v4 = self.leases.pop(v6, None)
        if v4 is not None:
            del self.leases4[v4]

    def in_pref64(self, v6: bytes) -> bool:
        """Whether the NAT64 prefix covers ``v6``."""
        return v6.startswith(self._head)

    def in_pool(self, v4: bytes) -> bool:
        """Whether ``v4`` lies in this node's block of leases, held by somebody or not."""
        return int.from_bytes(v4, "big") >> self._pool_shift == self._pool_bits

    def explicit4(self, v6: bytes) -> bytes | None:
        """The IPv4 address of ``v6`` by lease or explicit mapping (RFC 7757 3.3.2)."""
        v4 = self.leases.get(v6)
        if v4 is not None or not self.eam:
            return v4
        if (entry := self._to4.get(v6)) is None:
            return None
        net4, net6 = entry
        # Suffix bits that an IPv4 address has no room for are cut off.
        suffix = int.from_bytes(v6, "big") & int(net6.hostmask)
        spare = (128 - net6.prefixlen) - (32 - net4.prefixlen)
        return (int(net4.network_address) | suffix >> spare).to_bytes(4, "big")

    def explicit6(self, v4: bytes) -> bytes | None:
        """The IPv6 address of ``v4`` by lease or explicit mapping (RFC 7757 3.3.1)."""
        v6 = self.leases4.get(v4)
        if v6 is not None or not self.eam:
            return v6
        if (entry := self._to6.get(v4)) is None:
            return None
        net4, net6 = entry
        suffix = int.from_bytes(v4, "big") & int(net4.hostmask)
        spare = (128 - net6.prefixlen) - (32 - net4.prefixlen)
        return (int(net6.network_address) | suffix << spare).to_bytes(16, "big")

    def embed(self, v4: bytes) -> bytes:
        """``v4`` under the NAT64 prefix (RFC 6052 2.2)."""
        if self._bytes == 12:
            return self._head + v4
        packed = bytearray(self._prefix)
        for position, octet in zip(self._octets, v4, strict=True):
            packed[position] = octet
        return bytes(packed)

    def extract(self, v6: bytes) -> bytes | None:
        """The IPv4 address under the NAT64 prefix, or None outside of it; the suffix is not judged."""
        if not v6.startswith(self._head):
            return None
        return v6[12:] if self._bytes == 12 else bytes([v6[position] for position in self._octets])

    def forbidden(self, v4: bytes) -> bool:
        """RFC 6052 3.1: an address that is not global and may not stand under the Well-Known Prefix."""
        return self.strict and not is_global(v4)


def illegal6(v6: bytes) -> bool:
    """Never the address of a packet that is forwarded: multicast, link-local, ::/96, IPv4-mapped."""
    first = v6[0]
    if first == 0:
        return v6[:12] in (_ZERO_96, _MAPPED)
    return first == 0xFF or (first == 0xFE and v6[1] & 0xC0 == 0x80)


def _check_eam(eam: tuple[tuple[IPv4Network, IPv6Network], ...]) -> None:
    seen: set[IPv4Network | IPv6Network] = set()
    for v4, v6 in eam:
        if 32 - v4.prefixlen > 128 - v6.prefixlen:
            raise AddressError(
                f"{v4} has more addresses than {v6} (RFC 7757 3.2)",
                "use a longer IPv4 or a shorter IPv6 prefix",
            )
        for network in (v4, v6):
            if network in seen:
                raise AddressError(f"{network} is mapped twice", "keep one of the mappings")
            seen.add(network)
