/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The checksum of an IPv4 header without options (RFC 1071). */
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
