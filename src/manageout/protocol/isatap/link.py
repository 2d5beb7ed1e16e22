"""The ISATAP data path, packet by packet: the pure twin of ``bpf/isatap.bpf.c``.

These lists are the specification of both; the differential test holds them equal. The first rule that
applies decides. SLOW means "the fast path leaves the packet to the kernel, and so to the slow path": the raw
socket for an arriving packet, the TUN's descriptor for a leaving one. With ``complete=True`` (the slow path
itself) nothing is SLOW; what is then decided instead stands in [brackets].

Arriving (decapsulate): outer IPv4 packet from the underlay -> inner IPv6 packet

 1. Not IPv4, a bad header checksum: SLOW [MALFORMED]. Not protocol 41, not to one of our locators: SLOW
    [NOT_LOCATOR] (RFC 5214 7.3 rule 1). A fragment: SLOW [MALFORMED]. IPv4 options: SLOW [skipped].
 2. The IPv4 source, unless it is a registered peer, which passed this rule when it became one:
    not a unicast host address OUTER_SOURCE_ILLEGAL (RFC 4213 3.6); our own locator LOOP;
    in a router's role also: another ISATAP router of the site LOOP (RFC 6324 3.2, list of tunnel routers);
    not in the allow-list HOST_NOT_ALLOWED (RFC 6324 3.1.2, known IPv4 list).
 3. Shorter than its headers say TRUNCATED; inner version not 6 NOT_IPV6; padding after the inner packet:
    SLOW [cut off, RFC 4213 3.6].
 4. Inner source multicast, ::1, ::/96 but for ::, ::ffff:0:0/96: SOURCE_ILLEGAL (RFC 4213 3.6).
 5. Inner source belongs to the IPv4 source (RFC 5214 7.3 rule 2): it is an ISATAP address of a link prefix
    (or fe80::/64) that embeds it, or, in a host's role, the IPv4 source is a router of the list. Embedded,
    but under a prefix that is not ours (a stale address): SLOW [SOURCE_MISMATCH]. Else SOURCE_MISMATCH.
 6. Neighbour Discovery, link-local source or destination, multicast destination: SLOW [multicast that is not
    Neighbour Discovery DESTINATION_ILLEGAL].
 7. Inner destination ::/96, ::ffff:0:0/96: DESTINATION_ILLEGAL. Off-link, yet it embeds one of our locators
    (ISATAP or 6to4): LOOP (RFC 6324 3.3, check b).
 8. Outer CE on an inner Not-ECT: ECN; else the inner mark follows RFC 6040 4.2.
 9. The IPv4 source is not a registered peer: SLOW [pass]. Else FORWARD, and remember which locator the peer
    talks to; the kernel lowers the hop limit.

Leaving (encapsulate): inner IPv6 packet from the kernel -> outer IPv4 packet

 1. Shorter than its header says TRUNCATED; version not 6 NOT_IPV6; padding: SLOW [cut off].
 2. Multicast destination: SLOW [DESTINATION_ILLEGAL]. Neighbour Discovery, link-local source or destination:
    SLOW [pass].
 3. Source multicast, ::/96, ::ffff:0:0/96: SOURCE_ILLEGAL; such a destination: DESTINATION_ILLEGAL. Source
    off-link, yet it embeds one of our locators: LOOP (RFC 6324 3.3, check a).
 4. End point: on-link the embedded IPv4 address (RFC 5214 7.1), else by longest prefix in the routes. None:
    SLOW [NO_NEIGHBOUR].
 5. The end point, unless it is a registered peer: as rule 2 above, but what is not a unicast host address
    is DESTINATION_ILLEGAL.
 6. The end point is not a registered peer: SLOW [pass]. Else FORWARD with an outer header of RFC 4213 3.5:
    TTL 64, no DF, TOS only the inner ECN field (RFC 6040 normal mode), source the locator the peer talks to.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, TypedDict, Unpack

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.core.prefixes import Prefix, PrefixTable
from manageout.protocol.isatap.ecn import ecn_decapsulate, ecn_encapsulate
from manageout.wire.address import ISATAP_IDS
from manageout.wire.numbers import ICMPV6, PROTOCOL_41

OUTER_HEADER = 20
INNER_HEADER = 40
OUTER_TTL = 64
LINK_LOCAL = bytes.fromhex("fe80000000000000")
MAPPED = bytes(10) + b"\xff\xff"
ZERO_96 = bytes(12)
UNSPECIFIED = bytes(16)
ND_TYPES = range(133, 138)
ADMITTED_CACHE = 4096

_OUTER = struct.Struct("!BBHHHBBH4s4s")


class LinkRole(IntEnum):
    """What this end of the link is; the numbers are those of ``bpf/lib/isatap_maps.h``."""

    ROUTER = 0
    HOST = 1


class Result(NamedTuple):
    """A decision. ``packet`` is what goes on (empty unless FORWARD), ``peer`` the IPv4 end point or empty."""

    verdict: Verdict
    reason: Drop | None
    packet: bytes
    peer: bytes


_SLOW = Result(Verdict.SLOW, None, b"", b"")


def is_neighbour_discovery(inner: bytes) -> bool:
    """Whether an IPv6 packet of at least 40 bytes holds a Neighbour Discovery message (RFC 4861)."""
    return inner[6] == ICMPV6 and len(inner) > INNER_HEADER and inner[INNER_HEADER] in ND_TYPES


def is_host_address(v4: bytes) -> bool:
    """Whether IPv4 address ``v4`` can be one host's: not 0/8, 127/8, multicast, reserved or broadcast."""
    return v4[0] not in (0, 127) and v4[0] < 224


class LinkSetup(TypedDict, total=False):
    """What is configured of a link; what is left out is empty."""

    prefixes: Iterable[bytes]
    """The first 8 bytes of each /64 on the link."""
    locators: Iterable[bytes]
    """Our own IPv4 addresses, the first being the usual source."""
    allowed: Iterable[Prefix]
    """The allow-list (a router's; a host ignores it)."""
    routers: Iterable[bytes]
    """The potential router list (a router: its siblings; a host: the routers it uses, which are always registered
    peers)."""
    routes: Iterable[tuple[Prefix, bytes]]
    """Prefix -> IPv4 end point for what is off-link."""


class LinkState:
    """What the path knows, as the fast path's maps do. ``hosts``: registered peer -> the locator it talks to."""

    def __init__(self, role: LinkRole, **setup: Unpack[LinkSetup]) -> None:
        self.role = role
        self.hosts: dict[bytes, bytes] = {}
        self.routers: frozenset[bytes] = frozenset()
        self.configure(**setup)

    def configure(self, **setup: Unpack[LinkSetup]) -> None:
        """Replace everything but the registered hosts; those no longer admitted are forgotten."""
        self.prefixes = frozenset(prefix[:8] for prefix in setup.get("prefixes", ()))
        self.locators = tuple(dict.fromkeys(setup.get("locators", ())))
        self.allowed = PrefixTable((prefix, True) for prefix in setup.get("allowed", ()))
        members = frozenset(setup.get("routers", ()))
        if self.role is LinkRole.HOST:
            for departed in self.routers.difference(members):
                self.forget(departed)
        self.routers = members
        self.routes = PrefixTable(setup.get("routes", ()))
        self._own = {locator: locator for locator in self.locators}  # so that all hosts share its bytes
        self._admitted: dict[bytes, Drop | None] = {}
        for host, locator in list(self.hosts.items()):
            self.forget(host)
            self.register(host, locator)
        for router in self.routers if self.role is LinkRole.HOST else ():
            self.register(router, self.hosts.get(router))

    def register(self, host: bytes, locator: bytes | None = None) -> bool:
        """Make ``host`` a known peer that talks to ``locator``; False when the rules refuse it."""
        if not self.locators or self.refusal(host) is not None:
            return False
        self.hosts[host] = self._own.get(locator or b"", self.locators[0])
        return True

    def forget(self, host: bytes) -> None:
        """Undo :meth:`register`."""
        self.hosts.pop(host, None)

    def refusal(self, peer: bytes) -> Drop | None:
        """Rule 2: why an IPv4 address may not be the other end, or None."""
        if peer in self.hosts:
            return None
        try:
            return self._admitted[peer]
        except KeyError:
            if len(self._admitted) >= ADMITTED_CACHE:
                self._admitted.clear()
            reason = self._admitted[peer] = self._judge(peer)
            return reason

    def _judge(self, peer: bytes) -> Drop | None:
        if not is_host_address(peer):
            return Drop.OUTER_SOURCE_ILLEGAL
        if peer in self._own or (self.role is LinkRole.ROUTER and peer in self.routers):
            return Drop.LOOP
        if self.role is LinkRole.ROUTER and self.allowed.get(peer) is None:
            return Drop.HOST_NOT_ALLOWED
        return None

    def _loops(self, address: bytes) -> bool:
        """RFC 6324 3.3: an off-link address that embeds one of our locators, as ISATAP or as 6to4."""
        if address[:8] in self.prefixes or address[:8] == LINK_LOCAL:
            return False
        if address[:2] == b"\x20\x02" and address[2:6] in self._own:
            return True
        return address[8:12] in ISATAP_IDS and address[12:] in self._own

    def decapsulate(self, outer: bytes, complete: bool = False) -> Result:
        """Judge one IPv4 packet that arrived; ``packet`` of the result is the inner IPv6 packet."""
        refused = self._outer_fault(outer)
        if refused is not None:
            return Result(Verdict.DROP, refused, b"", outer[12:16]) if complete else _SLOW
        start = (outer[0] & 15) * 4
        if start != OUTER_HEADER and not complete:
            return _SLOW
        peer = outer[12:16]
        reason = self.refusal(peer)
        if reason is not None:
            return Result(Verdict.DROP, reason, b"", peer)
        total = outer[2] << 8 | outer[3]
        inner = outer[start:total]
        reason = self._inner_fault(inner) if total <= len(outer) else Drop.TRUNCATED
        if reason is not None:
            return Result(Verdict.DROP, reason, b"", peer)
        length = INNER_HEADER + (inner[4] << 8 | inner[5])
        if length != len(inner) or total != len(outer):
            if not complete:
                return _SLOW
            inner = inner[:length]
        result = self._arrived(inner, peer, outer[1] & 3, complete)
        if result.verdict is Verdict.FORWARD and peer in self.hosts:
            self.hosts[peer] = outer[16:20]
        return result

    def _outer_fault(self, outer: bytes) -> Drop | None:
        """Rule 1 but for options."""
        start = (outer[0] & 15) * 4 if outer else 0
        if len(outer) < OUTER_HEADER or outer[0] >> 4 != 4 or start < OUTER_HEADER or len(outer) < start:
            return Drop.MALFORMED
        if outer[9] != PROTOCOL_41 or outer[16:20] not in self._own:
            return Drop.NOT_LOCATOR
        # A sum that is 0 modulo 0xffff is a right RFC 1071 checksum, for the header is never all zero.
        if int.from_bytes(outer[:start], "big") % 0xFFFF or (outer[6] & 0x3F) or outer[7]:
            return Drop.MALFORMED
        return None

    @staticmethod
    def _inner_fault(inner: bytes) -> Drop | None:
        if len(inner) < INNER_HEADER:
            return Drop.TRUNCATED
        if inner[0] >> 4 != 6:
            return Drop.NOT_IPV6
        return Drop.TRUNCATED if INNER_HEADER + (inner[4] << 8 | inner[5]) > len(inner) else None

    def _arrived(self, inner: bytes, peer: bytes, outer_ecn: int, complete: bool) -> Result:
        """Rules 4 to 9 of arriving."""
        source, destination = inner[8:24], inner[24:40]
        reason: Drop | None = None
        if _illegal(source) and source != UNSPECIFIED:
            return Result(Verdict.DROP, Drop.SOURCE_ILLEGAL, b"", peer)
        if not (self.role is LinkRole.HOST and peer in self.routers):
            embeds = source[8:12] in ISATAP_IDS and source[12:] == peer
            on_link = source[:8] in self.prefixes or source[:8] == LINK_LOCAL
            if not (embeds and on_link):
                stale = embeds and not complete
                return _SLOW if stale else Result(Verdict.DROP, Drop.SOURCE_MISMATCH, b"", peer)
        if _for_the_link(inner):
            if not complete:
                return _SLOW
            if destination[0] == 0xFF and not is_neighbour_discovery(inner):
                reason = Drop.DESTINATION_ILLEGAL
        elif _illegal(destination):
            reason = Drop.DESTINATION_ILLEGAL
        elif self._loops(destination):
            reason = Drop.LOOP
        ecn = ecn_decapsulate(inner[1] >> 4, outer_ecn)
        if ecn is None and reason is None:
            reason = Drop.ECN
        if reason is not None or ecn is None:
            return Result(Verdict.DROP, reason, b"", peer)
        if not complete and peer not in self.hosts:
            return _SLOW
        if ecn != inner[1] >> 4 & 3:
            inner = inner[:1] + bytes([inner[1] & 0xCF | ecn << 4]) + inner[2:]
        return Result(Verdict.FORWARD, None, inner, peer)

    def encapsulate(self, inner: bytes, ident: int, complete: bool = False) -> Result:
        """Judge one IPv6 packet that leaves; ``packet`` of the result is the outer IPv4 packet.

        ``ident`` is the outer identification (16 bits), unique among the packets to one peer.
        """
        reason = self._inner_fault(inner)
        if reason is not None:
            return Result(Verdict.DROP, reason, b"", b"")
        length = INNER_HEADER + (inner[4] << 8 | inner[5])
        if length != len(inner):
            if not complete:
                return _SLOW
            inner = inner[:length]
        source, destination = inner[8:24], inner[24:40]
        if _for_the_link(inner) and not complete:
            return _SLOW
        if _illegal(source):
            return Result(Verdict.DROP, Drop.SOURCE_ILLEGAL, b"", b"")
        if _illegal(destination):
            return Result(Verdict.DROP, Drop.DESTINATION_ILLEGAL, b"", b"")
        if self._loops(source):
            return Result(Verdict.DROP, Drop.LOOP, b"", b"")
        peer = self.end_point(destination)
        if peer is None or not self.locators:
            return Result(Verdict.DROP, Drop.NO_NEIGHBOUR, b"", b"") if complete else _SLOW
        reason = self.refusal(peer)
        if reason is Drop.OUTER_SOURCE_ILLEGAL:
            reason = Drop.DESTINATION_ILLEGAL
        if reason is not None:
            return Result(Verdict.DROP, reason, b"", peer)
        if not complete and peer not in self.hosts:
            return _SLOW
        locator = self.hosts.get(peer) or self.locators[0]
        header = outer_header(locator, peer, OUTER_HEADER + length, ecn_encapsulate(inner[1] >> 4), ident)
        return Result(Verdict.FORWARD, None, header + inner, peer)

    def end_point(self, destination: bytes) -> bytes | None:
        """The IPv4 address that a packet to ``destination`` is sent to, or None."""
        if destination[:8] in self.prefixes or destination[:8] == LINK_LOCAL:
            return destination[12:] if destination[8:12] in ISATAP_IDS else None
        return self.routes.get(destination)


def outer_header(source: bytes, destination: bytes, total: int, ecn: int, ident: int) -> bytes:
    """The 20 bytes that RFC 4213 3.5 puts in front: TTL 64, no DF, TOS only ``ecn``."""
    header = _OUTER.pack(0x45, ecn, total, ident, 0, OUTER_TTL, PROTOCOL_41, 0, source, destination)
    check = 0xFFFF - (int.from_bytes(header, "big") % 0xFFFF or 0xFFFF)
    return header[:10] + check.to_bytes(2, "big") + header[12:]


def _illegal(address: bytes) -> bool:
    """Addresses that may not appear on a link (RFC 4213 3.6): multicast, ::/96, ::ffff:0:0/96."""
    return address[0] == 0xFF or (address[0] == 0 and address[:12] in (ZERO_96, MAPPED))


def _for_the_link(inner: bytes) -> bool:
    """Whether the packet concerns the link itself rather than being forwarded over it."""
    if inner[24] == 0xFF or inner[8:16] == LINK_LOCAL or inner[24:32] == LINK_LOCAL:
        return True
    return is_neighbour_discovery(inner)
