/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The direct path: what the kernel decided about a flow, replayed for a short while.
 *
 * The first packet of a flow between our device and an underlay device goes through the kernel: routing, netfilter,
 * neighbours. When it leaves, accepted, we note where to and with which Ethernet header. The packets of the next two
 * seconds skip all that. Then one goes through the kernel again, so changes of policy, route and neighbour bite
 * within that time, and conntrack keeps seeing the flow. Only UDP by default: conntrack follows the sequence numbers
 * of TCP, and would call what it sees after a gap invalid unless told to be liberal.
 *
 * What a flow is, each program says before it includes this: `struct flow`. */
#pragma once

#include "parse.h"

enum direct { DIRECT_OFF = 0, DIRECT_UDP = 1, DIRECT_TCP = 2 };

#define DECISION_LIFE 2000000000ull /* ns */

struct decision {
	__u64 until;
	__u32 in; /* interface that the flow comes in by, and goes out by; the TUN stands for the other side of it */
	__u32 out;
	__u32 size;	   /* the translator's: of the largest packet that went out whole */
	__u8 ethernet[12]; /* both addresses, as the kernel wrote them; not when it goes out by the TUN */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct decision);
} flows SEC(".maps");

/* Whether flows of a protocol may go directly. */
INLINE bool may_be_direct(__u8 protocol)
{
	return config.direct && (protocol == UDP || (protocol == TCP && config.direct == DIRECT_TCP));
}

/* Note that the kernel let a packet of this flow through. */
INLINE void note(struct __sk_buff *skb, const struct flow *flow, __u32 size, __u32 out, const __u8 *ethernet)
{
	struct decision decision = {.in = skb->ingress_ifindex, .out = out, .size = size};

	decision.until = bpf_ktime_get_coarse_ns() + DECISION_LIFE;
	if (ethernet)
		__builtin_memcpy(decision.ethernet, ethernet, sizeof(decision.ethernet));
	bpf_map_update_elem(&flows, flow, &decision, BPF_ANY);
}

/* What the kernel lately decided about a flow that comes in by `in`. */
INLINE const struct decision *decided(const struct flow *flow, __u32 in)
{
	const struct decision *decision = bpf_map_lookup_elem(&flows, flow);

	return decision && decision->in == in && bpf_ktime_get_coarse_ns() < decision->until ? decision : 0;
}

/* The packet is of `protocol` now, behind room for Ethernet's header: on to where the kernel lately sent this flow. */
INLINE int send_straight(struct __sk_buff *skb, __be16 protocol, const struct decision *decision)
{
	struct {
		__u8 addresses[12];
		__be16 protocol;
	} ethernet = {.protocol = protocol};
	__u32 out = decision->out;

	__builtin_memcpy(ethernet.addresses, decision->ethernet, sizeof(ethernet.addresses));
	if (bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0))
		return DROPPED;
	return bpf_redirect(out, 0);
}
