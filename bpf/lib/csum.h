/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sums for checksums (RFC 1071), in the order of the bytes in a packet. */
#pragma once

#include "parse.h"

/* Ones' complement sum of the 20 bytes, folded: 0xffff when the header's own checksum is right. */
INLINE __u16 header_sum(const struct ipv4 *header)
{
	const __u16 *half = (const void *)header;
	__u32 sum = 0;

	for (int i = 0; i < OUTER_SIZE / 2; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

INLINE __u32 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

INLINE __u64 sum_of(const struct ipv6_address *address)
{
	return (__u64)address->word[0] + address->word[1] + address->word[2] + address->word[3];
}

/* What ICMPv6 covers of the IPv6 header (RFC 8200 8.1), folded. */
INLINE __u32 pseudo_sum(const struct ipv6_address *source, const struct ipv6_address *destination, __u32 length)
{
	return fold(sum_of(source) + sum_of(destination) + htons(length) + htons(ICMPV6));
}
