"""Translation between IPv4 and IPv6, packet by packet (RFC 7915), without any session.

These lists are the one specification of ``fast`` here and of its twin ``bpf/xlat.bpf.c``; the differential test
holds them equal. The first rule that applies decides. SLOW means "the fast path leaves the packet to the TUN's
descriptor"; :meth:`Translator.to_ipv4` and :meth:`Translator.to_ipv6` are what happens there, and never say SLOW.
What they decide instead of SLOW stands in [brackets]. No byte: DROP TRUNCATED. Version neither 4 nor 6: DROP NOT_IPV6.
Every FORWARD of the fast path is, byte for byte, what the slow path makes of the same packet and identification.

6 to 4, fast

 1. Shorter than 40 bytes, or than its payload length says: DROP TRUNCATED. Longer: SLOW [padding cut off].
 2. The NAT64 prefix is no /96, or is 64:ff9b::/96 and RFC 6052 3.1 is to be obeyed: SLOW.
 3. Source in the NAT64 prefix: DROP SOURCE_IN_PREF64 (RFC 6146 3.5), but SLOW if there are explicit mappings.
    Source multicast, fe80::/10, ::/96, ::ffff:0:0/96: DROP SOURCE_ILLEGAL (RFC 7915 5.1).
 4. Destination outside the NAT64 prefix: SLOW [explicit mapping, or NOT_TRANSLATED].
    Its IPv4 address, bytes 12 to 15, in 0/8, 127/8 or at least 224.0.0.0: DROP DESTINATION_ILLEGAL.
    That address in the pool, a lease, or explicitly mapped: SLOW [hairpin, or UNKNOWN_LEASE].
 5. Source holds no lease: SLOW [explicit mapping, RFC 6791, or NO_LEASE]. Hop limit 0 or 1: SLOW [HOP_LIMIT].
    Result (length - 20; of a super-packet, its largest segment) above ``mtu4``: SLOW [TOO_BIG, or fragments].
 6. Next header TCP with 20 bytes, UDP with 8 and a checksum other than 0, ICMPv6 with 8 and type 128 or 129,
    code 0 (no super-packet): go on. Anything else: SLOW.
 7. FORWARD: TOS = traffic class; the given identification; DF only if the result (or largest segment) is above
    1260; TTL = hop limit - 1; protocol 58 becomes 1, type 128 becomes 8, 129 becomes 0; checksum by difference.
    A UDP checksum that becomes 0 is 0xffff.

4 to 6, fast

 1. Shorter than 20 bytes, total length below 20 or above the packet: DROP TRUNCATED. First byte other than 0x45
    (options), longer than its total length, wrong header checksum: SLOW [options skipped; cut off; MALFORMED].
 2. As rule 2 above.
 3. Source in 0/8, 127/8 or at least 224.0.0.0: DROP SOURCE_ILLEGAL (RFC 7915 4.1), but protocol 1: SLOW [errors
    are translated all the same]. Source in the pool: DROP LEASE_SPOOFED: leases only ever turn round here.
 4. A fragment (MF, offset) or with the reserved flag: SLOW. Source explicitly mapped: SLOW.
 5. Destination is no lease: SLOW [explicit mapping, or UNKNOWN_LEASE]. TTL 0 or 1: SLOW [HOP_LIMIT].
    Result (length + 20; of a super-packet, its largest segment) above ``mtu6`` with DF, above the lesser of
    ``mtu6`` and ``lowest6`` without: SLOW [TOO_BIG, or fragments].
 6. Protocol TCP with 20 bytes, UDP with 8 and a checksum other than 0, ICMP with 8 and type 8 or 0, code 0 (no
    super-packet): go on. Anything else: SLOW.
 7. FORWARD: traffic class = TOS, flow label 0, hop limit = TTL - 1, source = NAT64 prefix and the IPv4 source.

Super-packets (``virtio_net_hdr``): a partial checksum is the pseudo-header's sum, and is adjusted as such; the kind
of TCP changes between 4 and 6; ``hdr_len`` and ``csum_start`` move by 20. Anything unusual: SLOW.
"""

from __future__ import annotations

from manageout.protocol.translate_fast import FastPath, Mtus, Translation, Verdict

__all__ = ["Mtus", "Translation", "Translator", "Verdict"]


class Translator(FastPath):
    """Both speeds over one set of mappings."""
