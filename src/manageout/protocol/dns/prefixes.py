"""Which IPv6 addresses stand for which IPv4 ones, and which do not count (RFC 6147 5.1.4, 5.1.7; RFC 6052)."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from manageout.wire import dns as wire
from manageout.wire.address import rfc6052_embed, rfc6052_extract
from manageout.wire.special import illegal4, is_global

WELL_KNOWN_PREFIX = IPv6Network("64:ff9b::/96")
_IP6_ARPA = wire.to_wire("ip6.arpa")
_REVERSE = re.compile(rb"(?s:\x01[0-9a-f]){32}" + re.escape(_IP6_ARPA))
_REMEMBERED = 4096


class Reverse(NamedTuple):
    """Where the PTR records of an address below a prefix are. Names are in wire form."""

    target: bytes
    """The name below in-addr.arpa of the IPv4 address."""
    zone: bytes
    """The name of the prefix below ip6.arpa."""


class Prefixes:
    """``prefixes``: each NAT64 prefix with the IPv4 networks that it is for, in order."""

    def __init__(
        self,
        prefixes: Sequence[tuple[IPv6Network, Sequence[IPv4Network]]],
        excluded: Sequence[IPv6Network] = (),
    ) -> None:
        self._ranges = [(prefix, tuple(networks)) for prefix, networks in prefixes]
        self.all = list(dict.fromkeys(prefix for prefix, _ in prefixes))
        # The longest first: one may lie within another.
        self._reversed = sorted({*self.all, WELL_KNOWN_PREFIX}, key=lambda prefix: -prefix.prefixlen)
        # The prefixes themselves too: a real AAAA record in one is somebody's mistake.
        networks = [*excluded, *self.all]
        self._excluded = [
            (int(each.network_address) >> 128 - each.prefixlen, 128 - each.prefixlen) for each in networks
        ]
        self._known: dict[bytes, tuple[bytes, ...]] = {}

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

    def reverse(self, name: bytes) -> Reverse | None:
        """Where to ask about an ip6.arpa name (wire form, lower case) below a prefix; None for any other.

        RFC 6147 5.3.1: below any of ours or the Well-Known Prefix, whichever IPv4 addresses are mapped there.
        """
        if not _REVERSE.fullmatch(name):
            return None
        address = IPv6Address(int(name[1:64:2][::-1], 16))
        for prefix in self._reversed:
            v4 = rfc6052_extract(prefix, address) if address in prefix else None
            if v4 is not None:
                zone = name[2 * (128 - prefix.prefixlen) // 4 :]
                return Reverse(wire.to_wire(v4.reverse_pointer), zone)
        return None
