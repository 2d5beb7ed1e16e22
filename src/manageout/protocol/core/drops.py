"""Why a packet was dropped. Every drop has one of these names, one counter, one place in ``manageout drops``.

Values below 64 are shared with the fast path: ``bpf/lib/verdict.h`` holds the same numbers, and a test keeps
the two equal. Values never change meaning; new ones are appended.
"""

from enum import Enum, IntEnum
from typing import Self


class Verdict(Enum):
    """What becomes of a packet. SLOW: the fast path leaves it to the slow path."""

    FORWARD = "forward"
    DROP = "drop"
    SLOW = "slow"


class Drop(IntEnum):
    """A named reason: its number, and what it means in words."""

    meaning: str

    def __new__(cls, number: int, meaning: str = "") -> Self:
        """Members are written as number and meaning; ``Drop(number)`` finds them."""
        member = int.__new__(cls, number)
        member._value_, member.meaning = number, meaning
        return member

    @property
    def label(self) -> str:
        """As lists and metrics show it: ``source-mismatch``."""
        return self.name.lower().replace("_", "-")

    # ISATAP data path: the fast path decides these as well.
    TRUNCATED = 1, "shorter than its own headers say"
    NOT_IPV6 = 2, "the packet is not of the IP version expected here"
    HOST_NOT_ALLOWED = 3, "IPv4 source is not in isatap.hosts"
    SOURCE_MISMATCH = 4, "inner source does not embed the IPv4 source (RFC 5214 7.3): spoofed"
    SOURCE_ILLEGAL = 5, "source may not appear on a link (multicast, loopback, mapped)"
    DESTINATION_ILLEGAL = 6, "destination may not be forwarded"
    LOOP = 7, "would travel in a loop between tunnel routers (RFC 6324)"
    ECN = 8, "congestion marked outside, not ECN-capable inside (RFC 6040)"
    HOP_LIMIT = 9, "hop limit reached"
    OUTER_SOURCE_ILLEGAL = 10, "IPv4 source is not a unicast address of a host"
    NO_NEIGHBOUR = 11, "no IPv4 tunnel end point for this destination"
    NOT_FORWARDED = 12, "destination is not behind this router"
    NOT_LOCATOR = 13, "IPv4 destination is not one of our locators"
    # Both links' fast paths, never Python.
    UNGUARDED = 14, "the daemon has been dead, or hung, for longer than daemon.orphan"
    # Slow path and Neighbour Discovery.
    TOO_BIG = 16, "larger than the link's MTU"
    ND_INVALID = 17, "Neighbour Discovery message that RFC 4861 says to discard"
    RATE_LIMITED = 18, "more than the configured rate"
    TABLE_FULL = 19, "a bounded table is full"
    MALFORMED = 20, "cannot be parsed"
    # Translation: the fast path decides the first two as well.
    SOURCE_IN_PREF64 = 32, "IPv6 source lies in the NAT64 prefix: a loop, or spoofed (RFC 6146 3.5)"
    LEASE_SPOOFED = 33, "IPv4 source is one of our leases, but came from outside"
    UNKNOWN_LEASE = 34, "no client holds this IPv4 address"
    NO_LEASE = 35, "the client holds no IPv4 address"
    NOT_TRANSLATED = 36, "destination is neither in the NAT64 prefix nor mapped"
    NOT_GLOBAL = 37, "private IPv4 address under 64:ff9b::/96 (RFC 6052 3.1)"
    SOURCE_ROUTE = 38, "IPv4 source route that is not used up (RFC 7915 4.1)"
    ROUTING_HEADER = 39, "routing header with segments left (RFC 7915 5.1)"
    FRAGMENT_CHAIN = 40, "extension header behind a Fragment header (RFC 7915 5.1.1)"
    UDP_NO_CHECKSUM = 41, "UDP without a checksum, which cannot be computed (RFC 7915 4.5)"
    ICMP_UNTRANSLATABLE = 42, "ICMP or IGMP message without a counterpart (RFC 7915 4.2, 5.2)"
    ERROR_IN_ERROR = 43, "ICMP error that quotes an ICMP error (RFC 7915 4.3, 5.3)"
    QUOTE_MALFORMED = 44, "ICMP error whose quoted packet cannot be translated"
    FRAGMENT_INCOMPLETE = 45, "fragments that were not completed in time"
    FRAGMENTS_FULL = 46, "more fragments waiting than there is room for"
    FRAGMENT_OVERLAP = 47, "fragments that overlap (RFC 5722)"
    PROTOCOL_FORBIDDEN = 48, "its protocol number means something else in the other family"
    # IP-HTTPS (Python only).
    NOT_OWNER = 64, "source address is not this client's"
    ADDRESS_LIMIT = 65, "client holds as many addresses as it may"
    ADDRESS_TAKEN = 66, "source address belongs to another client"
    MULTICAST = 67, "multicast of a client: not forwarded with authentication none or without policy.hairpin"
    LINK_LOCAL = 68, "link-local traffic between clients"
    FROM_CLIENT_FORBIDDEN = 69, "a client may not send this (RA, Redirect, routing header)"
    HAIRPIN = 70, "client to client, and policy.hairpin is off"
    UNKNOWN_CLIENT = 71, "no connected client holds this address"
    QUEUE_FULL = 72, "the client does not read fast enough"
    OVERSIZE = 73, "announces more bytes than the link may carry"
    LINK_IS_DOWN = 74, "the tunnel is not connected"
    FRAGMENT_ILLEGAL = 75, "a fragment of multicast, or one that hides what it is (RFC 7112)"
    # Connections of remote clients that were refused or ended (Python only).
    TOO_MANY_CONNECTIONS = 80, "connection refused: gateway.iphttps.max_connections reached"
    TOO_MANY_FROM_SOURCE = 81, "connection refused: gateway.iphttps.max_per_source reached"
    TOO_MANY_HANDSHAKES = 82, "connection ended: gateway.iphttps.max_handshakes reached, its source held most"
    HANDSHAKE_TIMEOUT = 83, "connection refused: TLS did not finish in time"
    TLS_FAILED = 84, "connection refused: TLS handshake failed"
    CERTIFICATE_MISSING = 85, "connection refused: no client certificate"
    CERTIFICATE_INVALID = 86, "connection refused: client certificate does not verify"
    CERTIFICATE_EXPIRED = 87, "connection refused: client certificate has expired"
    CERTIFICATE_REVOKED = 88, "connection refused: client certificate is revoked"
    CERTIFICATE_UNLISTED = 89, "connection refused: client certificate is not in gateway.allow"
    TOO_MANY_FAILURES = 90, "connection refused: too many handshakes of its source failed or never ended"
    TOO_MANY_OF_CERTIFICATE = (
        91,
        "connection ended: the same certificate has made newer ones, and may have no more",
    )
    CERTIFICATE_UNCHECKED = 92, "connection refused: the revocation list of the client's authority has ended"
    CERTIFICATE_TOO_OFTEN = 93, "connection refused: the same certificate connects again and again"
    PROXY_HEADER = (
        94,
        "connection refused: no valid PROXY protocol header, and it comes from gateway.iphttps.proxies",
    )
    PROXY_STRANGER = (
        95,
        "connection refused: a PROXY protocol header from elsewhere than gateway.iphttps.proxies",
    )
    # The packet filter (nftables).
    POLICY = 96, "no [[policy.managers]] table lets this machine call this client on this port"
    OUTSIDE = 97, "a client's destination is not in policy.intranet"
    WRONG_WAY = 98, "its source belongs to a link that it does not come from: spoofed, or routed astray"
    FOREIGN = 99, "would cross our links, but belongs to neither clients nor intranet"
    GATEWAY_SERVICE = (
        100,
        "a client calls a service of the gateway itself that policy.gateway_services does not name",
    )
    CONNECTION_LIMIT = (
        101,
        "a client, or who calls one, has, or opens a second, as many connections as one may",
    )
