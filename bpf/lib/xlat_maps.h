/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What user space tells the translator, and what it counts. The layouts are repeated in linux/bpf/xlat.py; sizes
 * of maps are set there before loading. Sums are ones' complement sums of 16-bit words as they stand in memory. */
#pragma once

#include "parse.h"
#include "verdict.h"

/* Constants, written before loading, so that the verifier removes the branches they exclude. */
struct config {
	__u32 tun_ifindex;
	__u32 tun_header; /* bytes before IP at the TUN's egress: 0; BPF_PROG_TEST_RUN always has 14 */
	__u32 direct;	  /* enum direct */
};

const volatile struct config config SEC(".rodata.config") = {0};

struct settings {
	__u32 fast; /* whether the rules leave anything to us at all */
	__u32 mtu4, mtu6;
	__u32 fragment6;   /* the largest IPv6 packet made of an IPv4 packet without DF */
	__u32 is_explicit; /* there are explicit mappings */
	__u32 strays;	   /* there are leases outside the pool */
	__be32 pool, pool_mask;
	__be32 prefix[3]; /* NAT64, /96 */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* A lease, from its client's side. Of the four addresses that a checksum covers, that of the other end adds the
 * same to both families; what is left is a constant of the lease, so one addition serves a packet. */
struct lease6 {
	__u64 packets, bytes; /* from the client; bytes of IPv6 */
	__u64 last_seen;      /* CLOCK_MONOTONIC, ns */
	__be32 v4;
	__u32 difference; /* of the checksum's sum, 1 to 0xffff */
};

/* A lease, from the other side. */
struct lease4 {
	__u64 packets, bytes; /* to the client */
	struct ipv6_address v6;
	__u32 difference;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct ipv6_address);
	__type(value, struct lease6);
} by_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, struct lease4);
} by_v4 SEC(".maps");

/* IPv4 prefixes with an explicit mapping: all that we do with those is to leave them to the slow path. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct v4_prefix);
	__type(value, __u32);
} mapped SEC(".maps");

struct drop_source {
	__u16 reason;
	__u16 version;		     /* 4, 6, or 0 when the packet is too short to name one */
	struct ipv6_address address; /* 4: in the first word */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct drop_source);
	__type(value, __u64);
} drops SEC(".maps");

INLINE const struct settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

INLINE bool in_prefix(const struct settings *site, const struct ipv6_address *address)
{
	return address->word[0] == site->prefix[0] && address->word[1] == site->prefix[1] &&
	       address->word[2] == site->prefix[2];
}

INLINE bool in_pool(const struct settings *site, __be32 v4)
{
	return (v4 & site->pool_mask) == site->pool;
}

/* Whether a lease or an explicit mapping stands for `v4`. */
INLINE bool has_mapping(const struct settings *site, __be32 v4)
{
	struct v4_prefix key = {32, v4};

	if ((site->strays || site->is_explicit) && bpf_map_lookup_elem(&by_v4, &v4))
		return true;
	return site->is_explicit && bpf_map_lookup_elem(&mapped, &key);
}
