/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The translator's direct path: what the kernel decided about the IPv4 side of a flow, replayed for a short while.
 *
 * Through the kernel a packet is forwarded twice, once in each family. The IPv6 side always is: there netfilter
 * judges and conntrack counts every packet. Of the IPv4 side we note what the kernel decided about a packet, and
 * the packets of the next two seconds skip it: towards IPv4 they leave by the same device with the same Ethernet
 * header; from IPv4 they are translated where they come in. Then one goes through the kernel again, so changes
 * of policy, route and neighbour bite within that time, and conntrack keeps its entry. A flow that the kernel
 * gives other addresses or ports on its way is not found again, and so never goes directly. Only UDP, unless
 * conntrack does not mind to miss segments of TCP. */
#pragma once

#include "leases.h"

#define DECISION_LIFE 2000000000ull /* ns */

struct flow {
	__be32 source;
	__be32 destination;
	__be32 ports;
	__u32 protocol;
};

struct decision {
	__u64 until;
	__u32 in; /* interface that the flow comes in by, and goes out by; the TUN stands for IPv6 */
	__u32 out;
	__u32 size;	    /* of the largest packet that went out whole */
	__u8 ethernet[12];  /* both addresses, as the kernel wrote them; not when it goes out by the TUN */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct decision);
} flows SEC(".maps");

INLINE bool may_be_direct(__u8 protocol)
{
	return config.direct && (protocol == UDP || (protocol == TCP && config.direct == DIRECT_TCP));
}

/* Note that the kernel let a packet of this flow through. */
INLINE void note(struct __sk_buff *skb, const struct flow *flow, __u32 size, __u32 out, const __u8 *ethernet)
{
	struct decision decision = {.in = skb->ingress_ifindex, .out = out, .size = size};
	const struct decision *before = bpf_map_lookup_elem(&flows, flow);
	__u64 now = bpf_ktime_get_coarse_ns();

	if (before && before->until > now && before->out == out && before->size > size)
		decision.size = before->size;
	decision.until = now + DECISION_LIFE;
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

/* The packet is IPv4 now: on to where the kernel lately sent this flow. */
INLINE int send_straight(struct __sk_buff *skb, __u32 offset, const struct decision *decision)
{
	struct {
		__u8 addresses[12];
		__be16 protocol;
	} ethernet = {.protocol = ETH_IPV4};
	__u32 out = decision->out;

	__builtin_memcpy(ethernet.addresses, decision->ethernet, sizeof(ethernet.addresses));
	if (offset == 0 && bpf_skb_change_head(skb, ETH_HEADER, 0))
		return DROPPED;
	if (bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0))
		return DROPPED;
	return bpf_redirect(out, 0);
}
