/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Why a packet was dropped: the numbers of protocol/core/drops.py (a test holds them equal), one function to drop,
 * one exact counter for each reason. Each program keeps a bounded table of who sent what was dropped. */
#pragma once

#include "helpers.h"

enum drop {
	TRUNCATED = 1,
	NOT_IPV6 = 2,
	HOST_NOT_ALLOWED = 3,
	SOURCE_MISMATCH = 4,
	SOURCE_ILLEGAL = 5,
	DESTINATION_ILLEGAL = 6,
	LOOP = 7,
	ECN = 8,
	HOP_LIMIT = 9,
	OUTER_SOURCE_ILLEGAL = 10,
	NO_NEIGHBOUR = 11,
	NOT_FORWARDED = 12,
	NOT_LOCATOR = 13,
	UNGUARDED = 14,
	TOO_BIG = 16,
	ND_INVALID = 17,
	RATE_LIMITED = 18,
	TABLE_FULL = 19,
	MALFORMED = 20,
	SOURCE_IN_PREF64 = 32,
	LEASE_SPOOFED = 33,
	UNKNOWN_LEASE = 34,
	NO_LEASE = 35,
	NOT_TRANSLATED = 36,
	NOT_GLOBAL = 37,
	SOURCE_ROUTE = 38,
	ROUTING_HEADER = 39,
	FRAGMENT_CHAIN = 40,
	UDP_NO_CHECKSUM = 41,
	ICMP_UNTRANSLATABLE = 42,
	ERROR_IN_ERROR = 43,
	QUOTE_MALFORMED = 44,
	FRAGMENT_INCOMPLETE = 45,
	FRAGMENTS_FULL = 46,
	FRAGMENT_OVERLAP = 47,
	PROTOCOL_FORBIDDEN = 48,
	DROP_REASONS = 64,
};

/* What a tc or tcx program may answer. SLOW: the next program, in the end the kernel. */
enum verdict { SLOW = -1, DROPPED = 2 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

/* Until when, by CLOCK_MONOTONIC in ns, a control process vouches for what we do: programs may outlive theirs, but
 * not for long. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} vouched SEC(".maps");

INLINE bool is_guarded(void)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&vouched, &zero);

	return until && bpf_ktime_get_coarse_ns() < *until;
}

/* Count a drop: exactly by its reason, and by its source in `sources`, a map of the program's own. */
INLINE int drop_of(struct __sk_buff *skb, __u32 reason, void *sources, const void *source)
{
	__u64 *total, *count, one = 1;

	total = bpf_map_lookup_elem(&totals, &reason);
	if (total)
		*total += 1;
	count = bpf_map_lookup_elem(sources, source);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(sources, source, &one, BPF_ANY);
	skb->cb[0] = reason; /* for BPF_PROG_TEST_RUN */
	return DROPPED;
}
