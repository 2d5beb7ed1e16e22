/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The direct path: what the kernel decided about a flow, replayed for a short while.
 *
 * The first packet of a flow between the tunnel and an underlay device goes through the kernel: routing,
 * netfilter, neighbours. When it leaves, accepted, we note where to and with which Ethernet header. The packets
 * of the next two seconds skip all that. Then one goes through the kernel again, so changes of policy, route and
 * neighbour bite within that time, and conntrack keeps seeing the flow. Only UDP by default: conntrack follows
 * the sequence numbers of TCP, and would call what it sees after a gap invalid unless told to be liberal. */
#pragma once

#include "maps.h"

#define DECISION_LIFE 2000000000ull /* ns */
#define MIN_MTU 1280		    /* every IPv6 link carries this (RFC 8200 5), so no look-up of the MTU */

struct flow {
	struct ipv6_address source;
	struct ipv6_address destination;
	__be32 ports;
	__u32 protocol;
};

struct decision {
	__u64 until;
	__u32 in; /* interface that the flow comes in by, and goes out by; the TUN stands for the tunnel */
	__u32 out;
	__u8 ethernet[12]; /* both addresses, as the kernel wrote them; not when it goes out by the TUN */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct decision);
} flows SEC(".maps");

/* The flow that a packet belongs to; false when it may not go directly: not UDP (or TCP), its hop limit ends
 * here, or the kernel might have to say that it is too big. */
INLINE bool flow_of(struct __sk_buff *skb, const struct ipv6 *packet, struct flow *flow)
{
	const __be32 *ports = (const void *)(packet + 1);
	__u32 size = skb->gso_size ? skb->gso_size + headers_of(skb, packet) : INNER_SIZE + ntohs(packet->payload);

	if (packet->next != UDP && (packet->next != TCP || config.direct < DIRECT_TCP))
		return false;
	if ((void *)(ports + 1) > (void *)(long)skb->data_end || packet->hop_limit <= 1 || size > MIN_MTU)
		return false;
	flow->source = packet->source;
	flow->destination = packet->destination;
	flow->ports = *ports;
	flow->protocol = packet->next;
	return true;
}

/* Note that the kernel let this packet through. */
INLINE void note(struct __sk_buff *skb, const struct ipv6 *packet, __u32 out, const __u8 *ethernet)
{
	struct decision decision = {.in = skb->ingress_ifindex, .out = out};
	struct flow flow = {0};

	if (!flow_of(skb, packet, &flow))
		return;
	decision.until = bpf_ktime_get_coarse_ns() + DECISION_LIFE;
	if (ethernet)
		__builtin_memcpy(decision.ethernet, ethernet, sizeof(decision.ethernet));
	bpf_map_update_elem(&flows, &flow, &decision, BPF_ANY);
}

/* What the kernel lately decided about the flow of a packet that comes in by `in`. */
INLINE const struct decision *decided(struct __sk_buff *skb, const struct ipv6 *packet, __u32 in)
{
	const struct decision *decision;
	struct flow flow = {0};

	if (!flow_of(skb, packet, &flow))
		return 0;
	decision = bpf_map_lookup_elem(&flows, &flow);
	if (!decision || decision->in != in || bpf_ktime_get_coarse_ns() >= decision->until)
		return 0;
	return decision;
}
