"""Why a packet was dropped. Every drop has one of these names, one counter, one place in ``manageout drops``.

Values below 64 are shared with the fast path: ``bpf/lib/verdict.h`` holds the same numbers, and a test keeps
the two equal. Values never change meaning; new ones are appended.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Verdict(Enum):
    """What becomes of a packet. SLOW: the fast path leaves it to the slow path."""

    FORWARD = "forward"
    DROP = "drop"
    SLOW = "slow"


class Drop(IntEnum):
    """A named reason. The docstring of each value is in :data:`MEANING`."""

    @property
    def label(self) -> str:
        """As lists and metrics show it: ``source-mismatch``."""
        return self.name.lower().replace("_", "-")

    # ISATAP data path: the fast path decides these as well.
    TRUNCATED = 1
    NOT_IPV6 = 2
    HOST_NOT_ALLOWED = 3
    SOURCE_MISMATCH = 4
    SOURCE_ILLEGAL = 5
    DESTINATION_ILLEGAL = 6
    LOOP = 7
    ECN = 8
    HOP_LIMIT = 9
    OUTER_SOURCE_ILLEGAL = 10
    NO_NEIGHBOUR = 11
    NOT_FORWARDED = 12
    NOT_LOCATOR = 13
    # Slow path and Neighbour Discovery.
    TOO_BIG = 16
    ND_INVALID = 17
    RATE_LIMITED = 18
    TABLE_FULL = 19
    MALFORMED = 20
    # Translation: the fast path decides the first two as well.
    SOURCE_IN_PREF64 = 32
    LEASE_SPOOFED = 33
    UNKNOWN_LEASE = 34
    NO_LEASE = 35
    NOT_TRANSLATED = 36
    NOT_GLOBAL = 37
    SOURCE_ROUTE = 38
    ROUTING_HEADER = 39
    FRAGMENT_CHAIN = 40
    UDP_NO_CHECKSUM = 41
    ICMP_UNTRANSLATABLE = 42
    ERROR_IN_ERROR = 43
    QUOTE_MALFORMED = 44
    FRAGMENT_INCOMPLETE = 45
    FRAGMENTS_FULL = 46
    FRAGMENT_OVERLAP = 47
    PROTOCOL_FORBIDDEN = 48
    # IP-HTTPS (Python only).
    NOT_OWNER = 64
    ADDRESS_LIMIT = 65
    ADDRESS_TAKEN = 66
    MULTICAST = 67
    LINK_LOCAL = 68
    FROM_CLIENT_FORBIDDEN = 69
    HAIRPIN = 70
    UNKNOWN_CLIENT = 71
    QUEUE_FULL = 72
    OVERSIZE = 73
    LINK_IS_DOWN = 74
    FRAGMENT_ILLEGAL = 75
    # Connections of remote clients that were refused or ended (Python only).
    TOO_MANY_CONNECTIONS = 80
    TOO_MANY_FROM_SOURCE = 81
    TOO_MANY_HANDSHAKES = 82
    HANDSHAKE_TIMEOUT = 83
    TLS_FAILED = 84
    CERTIFICATE_MISSING = 85
    CERTIFICATE_INVALID = 86
    CERTIFICATE_EXPIRED = 87
    CERTIFICATE_REVOKED = 88
    CERTIFICATE_UNLISTED = 89
    TOO_MANY_FAILURES = 90
    TOO_MANY_OF_CERTIFICATE = 91
    CERTIFICATE_UNCHECKED = 92
    CERTIFICATE_TOO_OFTEN = 93
    PROXY_HEADER = 94
    PROXY_STRANGER = 95
    # The packet filter (nftables).
    POLICY = 96
    OUTSIDE = 97
    WRONG_WAY = 98
    FOREIGN = 99
    GATEWAY_SERVICE = 100
    CONNECTION_LIMIT = 101


MEANING: dict[Drop, str] = {
    Drop.TRUNCATED: "shorter than its own headers say",
    Drop.NOT_IPV6: "the packet is not of the IP version expected here",
    Drop.HOST_NOT_ALLOWED: "IPv4 source is not in isatap.hosts",
    Drop.SOURCE_MISMATCH: "inner source does not embed the IPv4 source (RFC 5214 7.3): spoofed",
    Drop.SOURCE_ILLEGAL: "source may not appear on a link (multicast, loopback, mapped)",
    Drop.DESTINATION_ILLEGAL: "destination may not be forwarded",
    Drop.LOOP: "would travel in a loop between tunnel routers (RFC 6324)",
    Drop.ECN: "congestion marked outside, not ECN-capable inside (RFC 6040)",
    Drop.HOP_LIMIT: "hop limit reached",
    Drop.OUTER_SOURCE_ILLEGAL: "IPv4 source is not a unicast address of a host",
    Drop.NO_NEIGHBOUR: "no IPv4 tunnel end point for this destination",
    Drop.NOT_FORWARDED: "destination is not behind this router",
    Drop.NOT_LOCATOR: "IPv4 destination is not one of our locators",
    Drop.TOO_BIG: "larger than the link's MTU",
    Drop.ND_INVALID: "Neighbour Discovery message that RFC 4861 says to discard",
    Drop.RATE_LIMITED: "more than the configured rate",
    Drop.TABLE_FULL: "a bounded table is full",
    Drop.MALFORMED: "cannot be parsed",
    Drop.SOURCE_IN_PREF64: "IPv6 source lies in the NAT64 prefix: a loop, or spoofed (RFC 6146 3.5)",
    Drop.LEASE_SPOOFED: "IPv4 source is one of our leases, but came from outside",
    Drop.UNKNOWN_LEASE: "no client holds this IPv4 address",
    Drop.NO_LEASE: "the client holds no IPv4 address",
    Drop.NOT_TRANSLATED: "destination is neither in the NAT64 prefix nor mapped",
    Drop.NOT_GLOBAL: "private IPv4 address under 64:ff9b::/96 (RFC 6052 3.1)",
    Drop.SOURCE_ROUTE: "IPv4 source route that is not used up (RFC 7915 4.1)",
    Drop.ROUTING_HEADER: "routing header with segments left (RFC 7915 5.1)",
    Drop.FRAGMENT_CHAIN: "extension header behind a Fragment header (RFC 7915 5.1.1)",
    Drop.UDP_NO_CHECKSUM: "UDP without a checksum, which cannot be computed (RFC 7915 4.5)",
    Drop.ICMP_UNTRANSLATABLE: "ICMP or IGMP message without a counterpart (RFC 7915 4.2, 5.2)",
    Drop.ERROR_IN_ERROR: "ICMP error that quotes an ICMP error (RFC 7915 4.3, 5.3)",
    Drop.QUOTE_MALFORMED: "ICMP error whose quoted packet cannot be translated",
    Drop.FRAGMENT_INCOMPLETE: "fragments that were not completed in time",
    Drop.FRAGMENTS_FULL: "more fragments waiting than there is room for",
    Drop.FRAGMENT_OVERLAP: "fragments that overlap (RFC 5722)",
    Drop.PROTOCOL_FORBIDDEN: "its protocol number means something else in the other family",
    Drop.NOT_OWNER: "source address is not this client's",
    Drop.ADDRESS_LIMIT: "client holds as many addresses as it may",
    Drop.ADDRESS_TAKEN: "source address belongs to another client",
    Drop.MULTICAST: "multicast of a client: not forwarded with authentication none or without policy.hairpin",
    Drop.LINK_LOCAL: "link-local traffic between clients",
    Drop.FROM_CLIENT_FORBIDDEN: "a client may not send this (RA, Redirect, routing header)",
    Drop.HAIRPIN: "client to client, and policy.hairpin is off",
    Drop.UNKNOWN_CLIENT: "no connected client holds this address",
    Drop.QUEUE_FULL: "the client does not read fast enough",
    Drop.OVERSIZE: "announces more bytes than the link may carry",
    Drop.LINK_IS_DOWN: "the tunnel is not connected",
    Drop.FRAGMENT_ILLEGAL: "a fragment of multicast, or one that hides what it is (RFC 7112)",
    Drop.TOO_MANY_CONNECTIONS: "connection refused: gateway.iphttps.max_connections reached",
    Drop.TOO_MANY_FROM_SOURCE: "connection refused: gateway.iphttps.max_per_source reached",
    Drop.TOO_MANY_HANDSHAKES: "connection ended: gateway.iphttps.max_handshakes reached, its source held most",
    Drop.HANDSHAKE_TIMEOUT: "connection refused: TLS did not finish in time",
    Drop.TLS_FAILED: "connection refused: TLS handshake failed",
    Drop.CERTIFICATE_MISSING: "connection refused: no client certificate",
    Drop.CERTIFICATE_INVALID: "connection refused: client certificate does not verify",
    Drop.CERTIFICATE_EXPIRED: "connection refused: client certificate has expired",
    Drop.CERTIFICATE_REVOKED: "connection refused: client certificate is revoked",
    Drop.CERTIFICATE_UNLISTED: "connection refused: client certificate is not in gateway.allow",
    Drop.TOO_MANY_FAILURES: "connection refused: too many handshakes of its source failed or never ended",
    Drop.TOO_MANY_OF_CERTIFICATE: "connection ended: the same certificate has made newer ones, and may have no more",
    Drop.CERTIFICATE_UNCHECKED: "connection refused: the revocation list of the client's authority has ended",
    Drop.CERTIFICATE_TOO_OFTEN: "connection refused: the same certificate connects again and again",
    Drop.PROXY_HEADER: "connection refused: no valid PROXY protocol header, and it comes from gateway.iphttps.proxies",
    Drop.PROXY_STRANGER: "connection refused: a PROXY protocol header from elsewhere than gateway.iphttps.proxies",
    Drop.POLICY: "no [[policy.managers]] table lets this machine call this client on this port",
    Drop.OUTSIDE: "a client's destination is not in policy.intranet",
    Drop.WRONG_WAY: "its source belongs to a link that it does not come from: spoofed, or routed astray",
    Drop.FOREIGN: "would cross our links, but belongs to neither clients nor intranet",
    Drop.GATEWAY_SERVICE: "a client calls a service of the gateway itself that policy.gateway_services does not name",
    Drop.CONNECTION_LIMIT: "a client, or who calls one, has, or opens a second, as many connections as one may",
}
