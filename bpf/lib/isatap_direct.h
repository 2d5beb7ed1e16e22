/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The direct path of ISATAP, between the tunnel and an underlay device. */
#pragma once

#include "isatap_maps.h"

struct flow {
	struct ipv6_address source;
	struct ipv6_address destination;
	__be32 ports;
	__u32 protocol;
};

#include "direct.h"

#define MIN_MTU 1280 /* every IPv6 link carries this (RFC 8200 5), so no look-up of the MTU */

/* The flow that a packet belongs to; false when it may not go directly: not UDP (or TCP), its hop limit ends
 * here, or the kernel might have to say that it is too big. */
INLINE bool flow_of(struct __sk_buff *skb, const struct ipv6 *packet, struct flow *flow)
{
	const __be32 *ports = (const void *)(packet + 1);
	__u32 size = skb->gso_size ? skb->gso_size + headers_of(skb, packet) : INNER_SIZE + ntohs(packet->payload);

	if (!may_be_direct(packet->next))
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
INLINE void note_packet(struct __sk_buff *skb, const struct ipv6 *packet, __u32 out, const __u8 *ethernet)
{
	struct flow flow = {0};

	if (flow_of(skb, packet, &flow))
		note(skb, &flow, 0, out, ethernet);
}

/* What the kernel lately decided about the flow of a packet that comes in by `in`. */
INLINE const struct decision *decided_of(struct __sk_buff *skb, const struct ipv6 *packet, __u32 in)
{
	struct flow flow = {0};

	return flow_of(skb, packet, &flow) ? decided(&flow, in) : 0;
}
