"""Protocol numbers of IPv4 and next headers of IPv6, as IANA assigned them, under their usual names."""

HOP_BY_HOP, ICMP, IGMP, TCP, UDP = 0, 1, 2, 6, 17
PROTOCOL_41 = 41
"""IPv6 in IPv4 (RFC 4213 3.5)."""
ROUTING, FRAGMENT, ESP, AUTHENTICATION, ICMPV6 = 43, 44, 50, 51, 58
NO_NEXT_HEADER, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6 = 59, 60, 135, 139, 140
SKIPPED = frozenset({HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS})
"""Extension headers that a translator passes over (RFC 7915 5.1)."""
PLAIN = SKIPPED | {MOBILITY, HIP, SHIM6}
"""Extension headers that begin with next header and a length in units of 8 bytes, the first not counted."""
EXTENSIONS = PLAIN | {FRAGMENT, AUTHENTICATION}
