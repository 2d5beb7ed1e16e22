/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The translator's direct path.
 *
 * Through the kernel a packet is forwarded twice, once in each family. The IPv6 side always is: there netfilter
 * judges and conntrack counts every packet. Of the IPv4 side we note what the kernel decided about a packet, and
 * the packets of the next two seconds skip it: towards IPv4 they leave by the same device with the same Ethernet
 * header; from IPv4 they are translated where they come in. A flow that the kernel gives other addresses or ports on
 * its way is not found again, and so never goes directly. */
#pragma once

#include "xlat_maps.h"

struct flow {
	__be32 source;
	__be32 destination;
	__be32 ports;
	__u32 protocol;
};

#include "direct.h"

/* Note that the kernel let a packet of this flow through, which is as large as `size` says, or an earlier one. */
INLINE void note_size(struct __sk_buff *skb, const struct flow *flow, __u32 size, __u32 out, const __u8 *ethernet)
{
	const struct decision *before = bpf_map_lookup_elem(&flows, flow);

	if (before && before->until > bpf_ktime_get_coarse_ns() && before->out == out && before->size > size)
		size = before->size;
	note(skb, flow, size, out, ethernet);
}
