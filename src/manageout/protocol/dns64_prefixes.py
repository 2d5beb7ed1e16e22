"""Which IPv6 addresses stand for which IPv4 ones, and which do not count (RFC 6147 5.1.4, 5.1.7; RFC 6052)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from manageout.wire import dns as wire
from manageout.wire.address import rfc6052_embed, rfc6052_extract
from manageout.wire.special import illegal4, is_global

WELL_KNOWN_PREFIX = IPv6Network("64:ff9b::/96")
_IP6_ARPA = (b"ip6", b"arpa")
_REMEMBERED = 4096


class Prefixes:
    """``prefixes``: each NAT64 prefix with the IPv4 networks that it is for, in order."""

    def __init__(
        self,
        prefixes: Sequence[tuple[IPv6Network, Sequence[IPv4Network]]],
        excluded: Sequence[IPv6Network] = (),
    ) -> None:
        self._ranges = [(prefix, tuple(networks)) for prefix, networks in prefixes]
        self.all = list(dict.fromkeys(prefix for prefix, _ in prefixes))
        # The prefixes themselves too: a real AAAA record in one is somebody's mistake.
        networks = [*excluded, *self.all]
        self._excluded = [
            (int(each.network_address) >> 128 - each.prefixlen, 128 - each.prefixlen) for each in networks
        ]
        self._known: dict[bytes, tuple[bytes, ...]] = {}

    def embed(self, prefix: IPv6Network, v4: IPv4Address) -> IPv6Address:
        """``v4`` in ``prefix``."""
        return rfc6052_embed(prefix, v4)

    def excludes(self, address: bytes) -> bool:
        """Whether an AAAA record with ``address`` counts as absent."""
        value = int.from_bytes(address, "big")
        return any(value >> shift == network for network, shift in self._excluded)

    def synthesise(self, v4: bytes) -> tuple[bytes, ...]:
        """The IPv6 addresses (16 bytes) for an IPv4 address (4 bytes), one a prefix that is for it."""
        found = self._known.get(v4)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[v4] = self._synthesise(IPv4Address(v4))
        return found

    def _synthesise(self, v4: IPv4Address) -> tuple[bytes, ...]:
        if illegal4(v4.packed):
            return ()  # no translator forwards it (RFC 7915 1.4)
        made = dict.fromkeys(
            rfc6052_embed(prefix, v4).packed
            for prefix, networks in self._ranges
            # RFC 6052 3.1: the Well-Known Prefix is for global addresses only.
            if any(v4 in network for network in networks)
            and (prefix != WELL_KNOWN_PREFIX or is_global(v4.packed))
        )
        return tuple(made)

    def reverse(self, name: bytes) -> bytes | None:
        """The in-addr.arpa name (wire form) for an ip6.arpa one inside a prefix; None for any other."""
        labels = wire.labels_of(name)
        if len(labels) != 34 or tuple(labels[32:]) != _IP6_ARPA:
            return None
        try:
            address = IPv6Address(int(b"".join(reversed(labels[:32])), 16))
        except ValueError:
            return None
        if any(len(label) != 1 for label in labels[:32]):
            return None
        for prefix, networks in self._ranges:
            v4 = rfc6052_extract(prefix, address) if address in prefix else None
            if v4 is not None and any(v4 in network for network in networks):
                return wire.to_wire(v4.reverse_pointer)
        return None
