/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The fast path of ISATAP, for a router and for a host.
 *
 * The rules, their order and their numbers are those of src/manageout/protocol/isatap_link.py, which is the
 * specification; the differential test holds the two equal. SLOW leaves a packet to the kernel, and so to
 * the Python path: the raw socket (arriving) or the TUN's descriptor (leaving).
 *
 *   underlay_in  tc/tcx ingress of each underlay device: proto 41 to us -> check, strip -> ingress of the TUN
 *   tun_out      tc/tcx egress of the TUN: find the IPv4 end point, check, put the outer header in front -> out
 */
#include "lib/csum.h"
#include "lib/maps.h"
#include "lib/parse.h"
#include "lib/verdict.h"

#define NEXT_HOP_LIFE 1000000000ull /* ns */

/* Fast kernels (6.3 and later) also set skb->protocol; see strip(). */
#define STRIP (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_DECAP_L3_IPV6)
#define WRAP (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)

/* Rule 2: why `v4` may not be the other end, or 0. Called for what is not a registered peer. */
INLINE __u32 refusal(const struct settings *site, __be32 v4, const struct peer *peer)
{
	struct v4_prefix key = {32, v4};

	if (!is_host_address(v4))
		return OUTER_SOURCE_ILLEGAL;
	if (locator_index(site, v4) >= 0)
		return LOOP;
	if (config.role == HOST)
		return 0;
	if (peer) /* another router of the site */
		return LOOP;
	return bpf_map_lookup_elem(&allowed, &key) ? 0 : HOST_NOT_ALLOWED;
}

/* A router's siblings are in the map so that they are found, but they are nobody's peer. */
INLINE bool is_registered(const struct peer *peer)
{
	return peer && !(config.role == ROUTER && peer->is_router);
}

/* RFC 6324 3.3: an off-link address that embeds one of our locators, as ISATAP or as 6to4. */
INLINE bool loops(const struct settings *site, const struct ipv6_address *address)
{
	if (is_on_link(site, address))
		return false;
	if ((address->word[0] & htonl(0xffff0000)) == htonl(0x20020000) &&
	    locator_index(site, sixtofour(address)) >= 0)
		return true;
	return has_isatap_id(address) && locator_index(site, address->word[3]) >= 0;
}

/* Rule 6 (arriving), 2 (leaving): what concerns the link itself rather than being forwarded over it. */
INLINE bool for_the_link(struct __sk_buff *skb, const struct ipv6 *inner)
{
	const __u8 *type = (const void *)(inner + 1);

	if (is_multicast(&inner->destination) || is_link_local(&inner->source) ||
	    is_link_local(&inner->destination))
		return true;
	if (inner->next != ICMPV6 || inner->payload == 0)
		return false;
	if ((void *)(type + 1) > (void *)(long)skb->data_end)
		return true; /* unreadable: let Python see it */
	return *type >= 133 && *type <= 137;
}

/* RFC 6040 4.2 for the pairs that are not dropped: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
INLINE __u8 combined_ecn(__u8 inner, __u8 outer)
{
	return outer == 3 || (outer == 1 && inner == 2) ? outer : inner;
}

/* Rules 4 to 8 of arriving: a reason to drop, 0 to go on, or SLOW. */
INLINE int judge_inner(struct __sk_buff *skb, const struct settings *site, const struct ipv6 *inner,
		       __be32 source, bool trusted, __u8 outer_ecn)
{
	if (is_illegal(&inner->source) && !is_unspecified(&inner->source))
		return SOURCE_ILLEGAL;
	if (!trusted) {
		if (!has_isatap_id(&inner->source) || inner->source.word[3] != source)
			return SOURCE_MISMATCH;
		if (!is_on_link(site, &inner->source))
			return SLOW; /* link-local, or a stale prefix that Python answers */
	}
	if (for_the_link(skb, inner))
		return SLOW;
	if (is_illegal(&inner->destination))
		return DESTINATION_ILLEGAL;
	if (loops(site, &inner->destination))
		return LOOP;
	return outer_ecn == 3 && (inner->class_flow & 0x30) == 0 ? ECN : 0;
}

INLINE void count_in(struct peer *peer, const struct amount *amount, __u32 locator)
{
	__sync_fetch_and_add(&peer->rx_packets, amount->packets);
	__sync_fetch_and_add(&peer->rx_bytes, amount->bytes);
	peer->last_seen = bpf_ktime_get_coarse_ns();
	if (peer->locator != locator)
		peer->locator = locator;
}

SEC("tc") int underlay_in(struct __sk_buff *skb)
{
	const struct settings *site;
	const struct ipv4 *outer;
	const struct ipv6 *inner;
	struct amount amount;
	__be32 source, destination;
	struct peer *peer;
	int locator, reason;
	__u32 total, length, have = skb->len - ETH_HEADER;
	__u8 ecn, class_flow;

	/* A tag that the card took off means: for a VLAN device on top of this one. */
	if (skb->protocol != ETH_IPV4 || skb->vlan_present || skb->pkt_type != 0)
		return SLOW;
	if (!readable(skb, ETH_HEADER + OUTER_SIZE))
		return SLOW;
	outer = (void *)(long)skb->data + ETH_HEADER;
	if ((void *)(outer + 1) > (void *)(long)skb->data_end || outer->protocol != PROTOCOL_41)
		return SLOW;
	site = get_settings();
	if (!site)
		return SLOW;
	destination = outer->destination;
	locator = locator_index(site, destination);
	if (locator < 0 || outer->version_ihl != 0x45 || (outer->fragment & FRAGMENT) ||
	    header_sum(outer) != 0xffff)
		return SLOW;
	source = outer->source;
	ecn = outer->tos & 3;
	total = ntohs(outer->total);

	peer = bpf_map_lookup_elem(&peers, &source);
	if (!is_registered(peer)) {
		reason = refusal(site, source, peer);
		if (reason)
			return drop(skb, reason, source);
	}
	if (total > have || total < OUTER_SIZE + INNER_SIZE)
		return drop(skb, TRUNCATED, source);
	/* One byte more, the ICMPv6 type, when there is one. */
	if (!readable(skb, ETH_HEADER + OUTER_SIZE + INNER_SIZE + 1) &&
	    !readable(skb, ETH_HEADER + OUTER_SIZE + INNER_SIZE))
		return SLOW;
	inner = (void *)(long)skb->data + ETH_HEADER + OUTER_SIZE;
	if ((void *)(inner + 1) > (void *)(long)skb->data_end)
		return SLOW;
	if (inner->version_class >> 4 != 6)
		return drop(skb, NOT_IPV6, source);
	length = INNER_SIZE + ntohs(inner->payload);
	if (length > total - OUTER_SIZE)
		return drop(skb, TRUNCATED, source);
	if (length != total - OUTER_SIZE || total != have)
		return SLOW;
	reason = judge_inner(skb, site, inner, source, config.role == HOST && peer && peer->is_router, ecn);
	if (reason > 0)
		return drop(skb, reason, source);
	if (reason < 0 || !is_registered(peer))
		return SLOW;

	amount = amount_of(skb, inner, length);
	class_flow = inner->class_flow;
	ecn = combined_ecn(class_flow >> 4 & 3, ecn);
	if (bpf_skb_adjust_room(skb, -OUTER_SIZE, BPF_ADJ_ROOM_MAC, STRIP))
		return SLOW;
	if (ecn != (class_flow >> 4 & 3)) {
		class_flow = (class_flow & 0xcf) | ecn << 4;
		bpf_skb_store_bytes(skb, ETH_HEADER + 1, &class_flow, 1, 0);
	}
	count_in(peer, &amount, locator);
	return bpf_redirect(config.tun_ifindex, BPF_F_INGRESS);
}

/* Refresh the next hop towards a peer from the routing table. False: the kernel had better send this.
 * The question is put as if the packet came in by the TUN, where user space has turned IPv4 forwarding on:
 * the helper refuses to answer for a device without it, and other devices are not ours to change. */
INLINE bool find_next_hop(struct __sk_buff *skb, const struct settings *site, struct peer *peer, __be32 to,
			  __be32 from, __u64 now)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET,
		.l4_protocol = PROTOCOL_41,
		.tot_len = config.tun_mtu + OUTER_SIZE, /* too long for the route: the kernel fragments */
		.ifindex = config.tun_ifindex,
		.ipv4_src = from,
		.ipv4_dst = to,
	};
	long found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);

	if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
		return false;
	if (!is_underlay(site, fib.ifindex))
		return false;
	peer->next_hop = fib.ipv4_dst;
	peer->next_ifindex = fib.ifindex;
	peer->next_hop_until = now + NEXT_HOP_LIFE;
	return true;
}

INLINE int put_outer(struct __sk_buff *skb, __u32 offset, struct peer *peer, __be32 to, __be32 from,
		     const struct amount *amount, __u32 length, __u8 ecn)
{
	struct ipv4 header = {
		.version_ihl = 0x45,
		.tos = ecn,
		.total = htons(OUTER_SIZE + length),
		.ttl = OUTER_TTL,
		.protocol = PROTOCOL_41,
		.source = from,
		.destination = to,
	};

	if (bpf_skb_adjust_room(skb, OUTER_SIZE, BPF_ADJ_ROOM_MAC, WRAP))
		return SLOW;
	/* Counting the packets to a peer gives each of them, and each segment, an identification of its own. */
	header.ident = htons((__u16)__sync_fetch_and_add(&peer->tx_packets, amount->packets));
	__sync_fetch_and_add(&peer->tx_bytes, amount->bytes);
	header.checksum = ~header_sum(&header);
	if (bpf_skb_store_bytes(skb, offset, &header, sizeof(header), 0))
		return DROPPED;
	return 0;
}

SEC("tc") int tun_out(struct __sk_buff *skb)
{
	const __u32 offset = config.tun_header;
	struct bpf_redir_neigh hop = {.nh_family = AF_INET};
	const struct settings *site;
	const struct ipv6 *inner;
	struct amount amount;
	struct peer *peer;
	__be32 to, from, *route;
	__u32 length, have = skb->len - offset, locator;
	__u64 now;
	int reason;
	__u8 ecn;

	if (skb->protocol != ETH_IPV6)
		return SLOW;
	if (have < INNER_SIZE)
		return drop(skb, TRUNCATED, 0);
	if (!readable(skb, offset + INNER_SIZE + 1) && !readable(skb, offset + INNER_SIZE))
		return SLOW;
	inner = (void *)(long)skb->data + offset;
	if ((void *)(inner + 1) > (void *)(long)skb->data_end)
		return SLOW;
	if (inner->version_class >> 4 != 6)
		return drop(skb, NOT_IPV6, 0);
	length = INNER_SIZE + ntohs(inner->payload);
	if (length > have)
		return drop(skb, TRUNCATED, 0);
	if (length != have || for_the_link(skb, inner))
		return SLOW;
	if (is_illegal(&inner->source))
		return drop(skb, SOURCE_ILLEGAL, 0);
	if (is_illegal(&inner->destination))
		return drop(skb, DESTINATION_ILLEGAL, 0);
	site = get_settings();
	if (!site)
		return SLOW;
	if (loops(site, &inner->source))
		return drop(skb, LOOP, 0);

	if (is_on_link(site, &inner->destination)) {
		if (!has_isatap_id(&inner->destination))
			return SLOW;
		to = inner->destination.word[3];
	} else {
		struct v6_prefix key = {128, inner->destination};

		route = bpf_map_lookup_elem(&routes, &key);
		if (!route)
			return SLOW;
		to = *route;
	}
	if (site->locator_count == 0)
		return SLOW;
	peer = bpf_map_lookup_elem(&peers, &to);
	if (!is_registered(peer)) {
		reason = refusal(site, to, peer);
		if (reason)
			return drop(skb, reason == OUTER_SOURCE_ILLEGAL ? DESTINATION_ILLEGAL : reason, to);
		return SLOW;
	}

	locator = peer->locator;
	if (locator >= site->locator_count || locator >= MAX_LOCATORS)
		locator = 0;
	from = site->locators[locator];
	now = bpf_ktime_get_coarse_ns();
	if (now >= peer->next_hop_until && !find_next_hop(skb, site, peer, to, from, now))
		return SLOW;
	amount = amount_of(skb, inner, length);
	ecn = inner->class_flow >> 4 & 3;
	reason = put_outer(skb, offset, peer, to, from, &amount, length, ecn);
	if (reason)
		return reason;
	if (offset == 0 && bpf_skb_change_head(skb, ETH_HEADER, 0))
		return DROPPED;
	hop.ipv4_nh = peer->next_hop;
	return bpf_redirect_neigh(peer->next_ifindex, &hop, sizeof(hop), 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
