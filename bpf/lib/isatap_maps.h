/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What user space tells the programs, and what they count. The layouts are repeated in linux/bpf/isatap.py;
 * sizes of maps are set there before loading. */
#pragma once

#include "parse.h"
#include "verdict.h"

#define MAX_LOCATORS 8
#define MAX_PREFIXES 4
#define MAX_UNDERLAYS 8

enum role { ROUTER = 0, HOST = 1 };

/* Constants, written before loading, so that the verifier removes the branches they exclude. */
struct config {
	__u32 role;
	__u32 tun_ifindex;
	__u32 tun_mtu;
	__u32 tun_header; /* bytes before IPv6 at the TUN's egress: 0; BPF_PROG_TEST_RUN always has 14 */
	__u32 direct;	  /* enum direct */
	__u32 old_kernel; /* before Linux 6.3: see strip() */
};

const volatile struct config config SEC(".rodata.config") = {0};

struct settings {
	__u32 locator_count;
	__u32 prefix_count;
	__u32 underlay_count;
	__be32 locators[MAX_LOCATORS];
	__u32 underlays[MAX_UNDERLAYS]; /* interface numbers */
	struct {
		__be32 word[2];
	} prefixes[MAX_PREFIXES]; /* the /64s on the link */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* A registered peer. It is in the map only while the rules admit it, so finding it spares us those checks.
 * One entry for all CPUs and atomic additions: memory does not grow with the machine, and packets of one host
 * come on one CPU anyway, since a network card spreads protocol 41 by its IPv4 addresses. */
struct peer {
	__u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
	__u64 last_seen;      /* CLOCK_MONOTONIC, ns, of the last packet from the peer */
	__u64 next_hop_until; /* when to ask the routing table again */
	__be32 next_hop;
	__u32 next_ifindex;
	__u32 locator; /* index of the locator that the peer talks to */
	__u32 is_router;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, __be32);
	__type(value, struct peer);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct v4_prefix);
	__type(value, __u32);
} allowed SEC(".maps");

struct v6_prefix {
	__u32 length;
	struct ipv6_address address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct v6_prefix);
	__type(value, __be32);
} routes SEC(".maps");

struct drop_source {
	__u32 reason;
	__be32 peer;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct drop_source);
	__type(value, __u64);
} drops SEC(".maps");

INLINE int drop(struct __sk_buff *skb, __u32 reason, __be32 peer)
{
	struct drop_source source = {reason, peer};

	return drop_of(skb, reason, &drops, &source);
}

INLINE const struct settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

/* Index of our locator `address`, or -1. */
INLINE int locator_index(const struct settings *site, __be32 address)
{
	for (__u32 i = 0; i < MAX_LOCATORS && i < site->locator_count; i++)
		if (site->locators[i] == address)
			return i;
	return -1;
}

INLINE bool is_underlay(const struct settings *site, __u32 ifindex)
{
	for (__u32 i = 0; i < MAX_UNDERLAYS && i < site->underlay_count; i++)
		if (site->underlays[i] == ifindex)
			return true;
	return false;
}

INLINE bool is_on_link(const struct settings *site, const struct ipv6_address *address)
{
	for (__u32 i = 0; i < MAX_PREFIXES && i < site->prefix_count; i++)
		if (site->prefixes[i].word[0] == address->word[0] && site->prefixes[i].word[1] == address->word[1])
			return true;
	return false;
}
