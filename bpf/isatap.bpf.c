/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The fast path of ISATAP, for a router and for a host.
 *
 * The rules, their order and their numbers are those of src/manageout/protocol/isatap/link.py, which is the
 * specification; the differential test holds the two equal. SLOW leaves a packet to the kernel, and so to
 * the Python path: the raw socket (arriving) or the TUN's descriptor (leaving).
 *
 *   underlay_in   tc/tcx ingress of each underlay device: proto 41 to us -> check, strip -> ingress of the TUN
 *   tun_out       tc/tcx egress of the TUN: find the IPv4 end point, check, put the outer header in front -> out
 *   underlay_out  tc/tcx egress of each underlay device, only for the direct path (lib/direct.h): note what the
 *                 kernel decided about packets that came out of the tunnel
 */
#include "lib/csum.h"
#include "lib/isatap_direct.h"
#include "lib/isatap_maps.h"
#include "lib/parse.h"

#define NEXT_HOP_LIFE 1000000000ull /* ns */
#define STRIP (BPF_F_ADJ_ROOM_FIXED_GSO | DECAP_L3_IPV6)
#define WRAP (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)

/* --- rules of both directions -------------------------------------------------------------------------- */

/* Rule 2: why `v4` may not be the other end, or 0. Called for what is not a registered peer. */
INLINE int refusal(const struct settings *site, __be32 v4, const struct peer *peer)
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

/* What concerns the link itself rather than being forwarded over it. */
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

/* --- arriving ------------------------------------------------------------------------------------------ */

struct arrival {
	struct peer *peer;
	struct amount amount;
	__be32 source; /* IPv4 */
	int locator;
	__u8 outer_ecn;
	__u8 class_flow; /* of the inner header, as it came */
	__u8 hop_limit;
	const struct decision *decision;
};

/* RFC 6040 4.2 for the pairs that are not dropped: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
INLINE __u8 combined_ecn(__u8 inner, __u8 outer)
{
	return outer == 3 || (outer == 1 && inner == 2) ? outer : inner;
}

/* Rules 4 to 8: a reason to drop, 0 to go on, or SLOW. */
INLINE int judge_inner(struct __sk_buff *skb, const struct settings *site, const struct ipv6 *inner,
		       const struct arrival *arrival)
{
	bool from_router = config.role == HOST && arrival->peer && arrival->peer->is_router;

	if (is_illegal(&inner->source) && !is_unspecified(&inner->source))
		return SOURCE_ILLEGAL;
	if (!from_router) {
		if (!has_isatap_id(&inner->source) || inner->source.word[3] != arrival->source)
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
	return arrival->outer_ecn == 3 && (inner->class_flow & 0x30) == 0 ? ECN : 0;
}

/* All rules: a reason to drop, 0 to forward, or SLOW. */
INLINE int judge_arriving(struct __sk_buff *skb, struct arrival *arrival)
{
	const struct ipv4 *outer = (void *)(long)skb->data + ETH_HEADER;
	const struct ipv6 *inner = (void *)(outer + 1);
	const struct settings *site = get_settings();
	__u32 total, length, have = skb->len - ETH_HEADER;
	int reason;

	if (!site || (void *)(outer + 1) > (void *)(long)skb->data_end)
		return SLOW;
	arrival->locator = locator_index(site, outer->destination);
	if (arrival->locator < 0 || outer->version_ihl != 0x45 || (outer->fragment & FRAGMENT) ||
	    header_sum(outer) != 0xffff)
		return SLOW;
	arrival->source = outer->source;
	arrival->outer_ecn = outer->tos & 3;
	arrival->peer = bpf_map_lookup_elem(&peers, &arrival->source);
	if (!is_registered(arrival->peer)) {
		reason = refusal(site, arrival->source, arrival->peer);
		if (reason)
			return reason;
	}
	total = ntohs(outer->total);
	if (total > have || total < OUTER_SIZE + INNER_SIZE)
		return TRUNCATED;
	if ((void *)(inner + 1) > (void *)(long)skb->data_end)
		return SLOW;
	if (inner->version_class >> 4 != 6)
		return NOT_IPV6;
	length = INNER_SIZE + ntohs(inner->payload);
	if (length > total - OUTER_SIZE)
		return TRUNCATED;
	if (length != total - OUTER_SIZE || total != have)
		return SLOW;
	reason = judge_inner(skb, site, inner, arrival);
	if (reason)
		return reason;
	if (!is_guarded())
		return UNGUARDED;
	if (!is_registered(arrival->peer))
		return SLOW;
	arrival->amount = amount_of(skb, inner, length);
	arrival->class_flow = inner->class_flow;
	arrival->hop_limit = inner->hop_limit;
	arrival->decision = config.direct ? decided_of(skb, inner, config.tun_ifindex) : 0;
	return 0;
}

/* Take off the outer header, so that the packet is IPv6 in skb->protocol as well. Before Linux 6.3 only a change
 * of protocol did the latter; it makes the outer header 40 bytes long, and those go. */
INLINE long strip(struct __sk_buff *skb)
{
	if (!config.old_kernel)
		return bpf_skb_adjust_room(skb, -OUTER_SIZE, BPF_ADJ_ROOM_MAC, STRIP);
	return bpf_skb_change_proto(skb, ETH_IPV6, 0) ||
	       bpf_skb_adjust_room(skb, -INNER_SIZE, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* The outer header is gone: one hop less, and on to where the kernel lately sent this flow. */
INLINE int leave_straight(struct __sk_buff *skb, const struct arrival *arrival)
{
	__u8 hop_limit = arrival->hop_limit - 1;

	if (bpf_skb_store_bytes(skb, ETH_HEADER + HOP_LIMIT_OFFSET, &hop_limit, 1, 0))
		return DROPPED;
	return send_straight(skb, ETH_IPV6, arrival->decision);
}

INLINE int arrive(struct __sk_buff *skb)
{
	struct arrival arrival;
	__u8 inner_ecn, ecn;
	int reason;

	reason = judge_arriving(skb, &arrival);
	if (reason > 0)
		return drop(skb, reason, arrival.source);
	if (reason < 0 || strip(skb))
		return SLOW;
	inner_ecn = arrival.class_flow >> 4 & 3;
	ecn = combined_ecn(inner_ecn, arrival.outer_ecn);
	if (ecn != inner_ecn) {
		arrival.class_flow = (arrival.class_flow & 0xcf) | ecn << 4;
		bpf_skb_store_bytes(skb, ETH_HEADER + 1, &arrival.class_flow, 1, 0);
	}
	__sync_fetch_and_add(&arrival.peer->rx_packets, arrival.amount.packets);
	__sync_fetch_and_add(&arrival.peer->rx_bytes, arrival.amount.bytes);
	arrival.peer->last_seen = bpf_ktime_get_coarse_ns();
	if (arrival.peer->locator != (__u32)arrival.locator)
		arrival.peer->locator = arrival.locator;
	if (config.direct && arrival.decision)
		return leave_straight(skb, &arrival);
	return bpf_redirect(config.tun_ifindex, BPF_F_INGRESS);
}

/* --- leaving ------------------------------------------------------------------------------------------- */

struct leaving {
	struct peer *peer;
	struct amount amount;
	__be32 from, to; /* IPv4 */
	__u32 length;
	__u8 ecn;
	bool from_underlay; /* forwarded from an underlay device */
};

/* Refresh the next hop towards a peer from the routing table. False: the kernel had better send this.
 * The question is put as if the packet came in by the TUN, where user space has turned IPv4 forwarding on:
 * the helper refuses to answer for a device without it, and other devices are not ours to change. */
INLINE bool find_next_hop(struct __sk_buff *skb, const struct settings *site, const struct leaving *leaving,
			  __u64 now)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET,
		.l4_protocol = PROTOCOL_41,
		.tot_len = config.tun_mtu + OUTER_SIZE, /* too long for the route: the kernel fragments */
		.ifindex = config.tun_ifindex,
		.ipv4_src = leaving->from,
		.ipv4_dst = leaving->to,
	};
	long found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);

	if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
		return false;
	if (!is_underlay(site, fib.ifindex))
		return false;
	leaving->peer->next_hop = fib.ipv4_dst;
	leaving->peer->next_ifindex = fib.ifindex;
	leaving->peer->next_hop_until = now + NEXT_HOP_LIFE;
	return true;
}

/* Rules 4 to 6. */
INLINE int find_peer(struct __sk_buff *skb, const struct settings *site, const struct ipv6_address *destination,
		     struct leaving *leaving)
{
	struct v6_prefix key = {128, *destination};
	__u64 now = bpf_ktime_get_coarse_ns();
	__be32 *route;
	__u32 locator;
	int reason;

	if (is_on_link(site, destination)) {
		if (!has_isatap_id(destination))
			return SLOW;
		leaving->to = destination->word[3];
	} else {
		route = bpf_map_lookup_elem(&routes, &key);
		if (!route)
			return SLOW;
		leaving->to = *route;
	}
	if (site->locator_count == 0)
		return SLOW;
	leaving->peer = bpf_map_lookup_elem(&peers, &leaving->to);
	if (!is_registered(leaving->peer)) {
		reason = refusal(site, leaving->to, leaving->peer);
		if (reason == OUTER_SOURCE_ILLEGAL)
			reason = DESTINATION_ILLEGAL;
		return reason ? reason : SLOW;
	}
	locator = leaving->peer->locator;
	if (locator >= site->locator_count || locator >= MAX_LOCATORS)
		locator = 0;
	leaving->from = site->locators[locator];
	return now < leaving->peer->next_hop_until || find_next_hop(skb, site, leaving, now) ? 0 : SLOW;
}

/* All rules: a reason to drop, 0 to forward, or SLOW. */
INLINE int judge_leaving(struct __sk_buff *skb, __u32 offset, struct leaving *leaving)
{
	const struct ipv6 *inner = (void *)(long)skb->data + offset;
	const struct settings *site = get_settings();
	__u32 have = skb->len - offset;

	leaving->to = 0;
	if (have < INNER_SIZE)
		return TRUNCATED;
	if (!site || (void *)(inner + 1) > (void *)(long)skb->data_end)
		return SLOW;
	if (inner->version_class >> 4 != 6)
		return NOT_IPV6;
	leaving->length = INNER_SIZE + ntohs(inner->payload);
	if (leaving->length > have)
		return TRUNCATED;
	if (leaving->length != have || for_the_link(skb, inner))
		return SLOW;
	if (is_illegal(&inner->source))
		return SOURCE_ILLEGAL;
	if (is_illegal(&inner->destination))
		return DESTINATION_ILLEGAL;
	if (loops(site, &inner->source))
		return LOOP;
	leaving->amount = amount_of(skb, inner, leaving->length);
	leaving->ecn = inner->class_flow >> 4 & 3;
	leaving->from_underlay = config.direct && is_underlay(site, skb->ingress_ifindex);
	return find_peer(skb, site, &inner->destination, leaving);
}

INLINE int wrap(struct __sk_buff *skb, __u32 offset, const struct leaving *leaving)
{
	struct bpf_redir_neigh hop = {.nh_family = AF_INET};
	struct peer *peer = leaving->peer;
	struct ipv4 header = {
		.version_ihl = 0x45,
		.tos = leaving->ecn,
		.total = htons(OUTER_SIZE + leaving->length),
		.ttl = OUTER_TTL,
		.protocol = PROTOCOL_41,
		.source = leaving->from,
		.destination = leaving->to,
	};

	if (bpf_skb_adjust_room(skb, OUTER_SIZE, BPF_ADJ_ROOM_MAC, WRAP))
		return SLOW;
	/* Counting the packets to a peer gives each of them, and each segment, an identification of its own. */
	header.ident = htons((__u16)__sync_fetch_and_add(&peer->tx_packets, leaving->amount.packets));
	__sync_fetch_and_add(&peer->tx_bytes, leaving->amount.bytes);
	header.checksum = ~header_sum(&header);
	if (bpf_skb_store_bytes(skb, offset, &header, sizeof(header), 0))
		return DROPPED;
	if (offset == 0 && bpf_skb_change_head(skb, ETH_HEADER, 0))
		return DROPPED;
	hop.ipv4_nh = peer->next_hop;
	return bpf_redirect_neigh(peer->next_ifindex, &hop, sizeof(hop), 0);
}

/* An IPv6 packet from an underlay device, of a flow that the kernel lately let into the tunnel. */
INLINE int enter_straight(struct __sk_buff *skb)
{
	const struct ipv6 *inner = (void *)(long)skb->data + ETH_HEADER;
	const struct settings *site = get_settings();
	const struct decision *decision;
	struct leaving leaving;
	__u8 hop_limit;
	int answer;

	if (!site || (void *)(inner + 1) > (void *)(long)skb->data_end || !is_on_link(site, &inner->destination))
		return SLOW;
	decision = decided_of(skb, inner, skb->ifindex);
	if (!decision || decision->out != config.tun_ifindex)
		return SLOW;
	hop_limit = inner->hop_limit - 1;
	if (!is_guarded() || judge_leaving(skb, ETH_HEADER, &leaving)) /* for the kernel, and then tun_out, to say */
		return SLOW;
	answer = wrap(skb, ETH_HEADER, &leaving);
	if (answer != SLOW)
		bpf_skb_store_bytes(skb, ETH_HEADER + OUTER_SIZE + HOP_LIMIT_OFFSET, &hop_limit, 1, 0);
	return answer;
}

/* --- entries ------------------------------------------------------------------------------------------- */

SEC("tc") int underlay_in(struct __sk_buff *skb)
{
	const struct ipv4 *outer;

	/* A tag that the card took off means: for a VLAN device on top of this one. */
	if (skb->vlan_present || skb->pkt_type != 0)
		return SLOW;
	if (skb->protocol == ETH_IPV4) {
		outer = (void *)(long)skb->data + ETH_HEADER;
		if ((void *)(outer + 1) <= (void *)(long)skb->data_end && outer->protocol != PROTOCOL_41)
			return SLOW;
		make_readable(skb, ETH_HEADER + OUTER_SIZE + INNER_SIZE + UPPER_SIZE);
		outer = (void *)(long)skb->data + ETH_HEADER;
		if ((void *)(outer + 1) > (void *)(long)skb->data_end || outer->protocol != PROTOCOL_41)
			return SLOW;
		return arrive(skb);
	}
	if (config.direct && skb->protocol == ETH_IPV6) {
		make_readable(skb, ETH_HEADER + INNER_SIZE + UPPER_SIZE);
		return enter_straight(skb);
	}
	return SLOW;
}

SEC("tc") int tun_out(struct __sk_buff *skb)
{
	const struct ipv6 *inner;
	struct leaving leaving;
	int reason;

	if (skb->protocol != ETH_IPV6)
		return SLOW;
	if (!is_guarded())
		return drop(skb, UNGUARDED, 0);
	make_readable(skb, config.tun_header + INNER_SIZE + UPPER_SIZE);
	reason = judge_leaving(skb, config.tun_header, &leaving);
	if (reason > 0)
		return drop(skb, reason, leaving.to);
	if (reason < 0)
		return SLOW;
	inner = (void *)(long)skb->data + config.tun_header;
	if (config.direct && leaving.from_underlay && (void *)(inner + 1) <= (void *)(long)skb->data_end)
		note_packet(skb, inner, config.tun_ifindex, 0);
	return wrap(skb, config.tun_header, &leaving);
}

SEC("tc") int underlay_out(struct __sk_buff *skb)
{
	const struct ipv6 *packet;

	/* A tag to be put on means: on its way out of a VLAN device on top of this one, which has noted it. */
	if (skb->protocol != ETH_IPV6 || skb->ingress_ifindex != config.tun_ifindex || skb->vlan_present)
		return SLOW;
	make_readable(skb, ETH_HEADER + INNER_SIZE + UPPER_SIZE);
	packet = (void *)(long)skb->data + ETH_HEADER;
	if ((void *)(packet + 1) <= (void *)(long)skb->data_end)
		note_packet(skb, packet, skb->ifindex, (void *)(long)skb->data);
	return SLOW;
}

char _license[] SEC("license") = "Dual BSD/GPL";
