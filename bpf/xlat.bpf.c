/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The fast path of the translator between IPv4 and IPv6.
 *
 * The rules, their order and their numbers are those of src/manageout/protocol/translate/rules.py, which is the
 * specification; the differential test holds the two equal. SLOW leaves a packet to the TUN's descriptor, and so
 * to the Python path.
 *
 *   tun_out   tc/tcx egress of the TUN: a packet of either family -> judge, translate -> ingress of the TUN, where
 *             the kernel sees it come in as a packet of the other family
 *
 * With the direct path (lib/xlat_direct.h), on each device that may lead to IPv4:
 *
 *   underlay_out  tc/tcx egress: note what the kernel decided about packets that were translated
 *   underlay_in   tc/tcx ingress: an IPv4 packet of a flow that lately was let into the TUN -> translate -> ingress
 *                 of the TUN
 */
#include "lib/csum.h"
#include "lib/parse.h"
#include "lib/verdict.h"
#include "lib/xlat_direct.h"
#include "lib/xlat_maps.h"

#define DIFFERENCE (INNER_SIZE - OUTER_SIZE)
#define READABLE (INNER_SIZE + UPPER_SIZE)
#define LARGEST4 0xffff
#define DF_LIMIT 1260 /* RFC 7915 5.1: up to here without DF, for the IPv6 path might be a tunnel's */
#define DONT_FRAGMENT htons(0x4000)
#define NOT_WHOLE htons(0xbfff) /* any of fragment bits and offset but DF */

/* What the rules found out, for the one who translates. */
struct found {
	struct lease6 *from; /* 6 to 4 */
	struct lease4 *to;   /* 4 to 6 */
	__be32 v4;	     /* of the other end */
	__be32 lease;	     /* 4 to 6: the destination */
	__be32 ports;
	__u32 skipped;	     /* hops of the kernel's that the packet is spared */
	__u32 length;	     /* of the packet as it came */
	__u32 upper;	     /* bytes of TCP's or UDP's header */
	__u32 size;	     /* of the largest packet that it stands for, as it came */
	__u32 pseudo;	     /* 6 to 4, echo: the sum of what ICMP does not cover, folded */
	__u8 protocol;	     /* as it came; so are the next three */
	__u8 tos;
	__u8 hop_limit;
	__u8 type;	     /* of an echo */
};

/* --- rules of both directions -------------------------------------------------------------------------- */

/* Never the source of a packet that is forwarded: multicast, fe80::/10, ::/96, ::ffff:0:0/96. */
INLINE bool is_illegal_source(const struct ipv6_address *source)
{
	return is_illegal(source) || (source->word[0] & htonl(0xffc00000)) == htonl(0xfe800000);
}

/* A super-packet: what it is made of. False: it is unusual. */
INLINE bool read_super(struct __sk_buff *skb, const __u8 *upper, __u32 ip, struct found *found)
{
	if (found->protocol != TCP && found->protocol != UDP)
		return false;
	/* Segments in a list carry checksums of their own, which a change of the first would not reach. */
	if (bpf_csum_level(skb, 0 /* BPF_CSUM_LEVEL_QUERY */) >= 0)
		return false;
	found->upper = 8;
	if (found->protocol == TCP) {
		if ((void *)(upper + 20) > (void *)(long)skb->data_end)
			return false;
		found->upper = (upper[12] >> 4) * 4;
		if (found->upper < 20)
			return false;
	}
	found->size = ip + found->upper + skb->gso_size;
	return ip + found->upper <= found->length;
}

/* Rule 6. `echo` is the protocol and type of an echo request, the reply being the other of the two. */
INLINE bool is_taken(struct __sk_buff *skb, const __u8 *upper, __u8 icmp, __u8 request, __u8 reply,
		     struct found *found)
{
	const void *end = (void *)(long)skb->data_end;

	if ((void *)(upper + 8) > end)
		return false;
	found->ports = *(const __be32 *)upper;
	if (found->protocol == TCP)
		return (void *)(upper + 20) <= end;
	if (found->protocol == UDP)
		return upper[6] || upper[7];
	found->type = upper[0];
	return found->protocol == icmp && (upper[0] == request || upper[0] == reply) && upper[1] == 0 &&
	       !skb->gso_size;
}

/* Packets on the wire. */
INLINE __u64 packets_of(struct __sk_buff *skb, const struct found *found, __u32 ip)
{
	__u32 headers = ip + found->upper, size = skb->gso_size;

	if (size == 0 || found->length <= headers)
		return 1;
	return (found->length - headers + size - 1) / size;
}

/* Behind the new IP header: the checksum, and the type of an echo. */
INLINE long mend_upper(struct __sk_buff *skb, __u32 at, const struct found *found, __u32 difference, __u8 type)
{
	__u32 field = at + (found->protocol == TCP ? 16 : found->protocol == UDP ? 6 : 2);
	__u64 flags = BPF_F_PSEUDO_HDR | (found->protocol == UDP ? BPF_F_MARK_MANGLED_0 : 0);
	long failed = bpf_l4_csum_replace(skb, field, 0, difference, flags);

	if (found->protocol == TCP || found->protocol == UDP)
		return failed;
	return failed || bpf_l4_csum_replace(skb, field, found->type, type, 2) ||
	       bpf_skb_store_bytes(skb, at, &type, 1, BPF_F_RECOMPUTE_CSUM);
}

/* --- 6 to 4 -------------------------------------------------------------------------------------------- */

/* Rules 3 to 5: a reason to drop, 0 to go on, or SLOW. So do all that are called judge. */
INLINE int judge_addresses6(const struct settings *site, const struct ipv6 *packet, struct found *found)
{
	if (in_prefix(site, &packet->source))
		return site->is_explicit ? SLOW : SOURCE_IN_PREF64;
	if (is_illegal_source(&packet->source))
		return SOURCE_ILLEGAL;
	if (!in_prefix(site, &packet->destination))
		return SLOW;
	found->v4 = packet->destination.word[3];
	if (!is_forwardable(found->v4))
		return DESTINATION_ILLEGAL;
	if (in_pool(site, found->v4) || has_mapping(site, found->v4))
		return SLOW;
	found->from = bpf_map_lookup_elem(&by_v6, &packet->source);
	if (!found->from || packet->hop_limit < 2 || found->size - DIFFERENCE > site->mtu4)
		return SLOW;
	return found->length - DIFFERENCE > LARGEST4 ? SLOW : 0;
}

INLINE int judge6(struct __sk_buff *skb, const struct settings *site, __u32 offset, struct found *found)
{
	const struct ipv6 *packet = (void *)(long)skb->data + offset;
	const __u8 *upper = (const void *)(packet + 1);
	__u32 have = skb->len - offset;
	int reason;

	if (have < INNER_SIZE)
		return TRUNCATED;
	if ((void *)(packet + 1) > (void *)(long)skb->data_end)
		return SLOW;
	found->protocol = packet->next;
	found->size = found->length = INNER_SIZE + ntohs(packet->payload);
	if (skb->gso_size && !read_super(skb, upper, INNER_SIZE, found))
		return SLOW;
	if (found->length > have)
		return TRUNCATED;
	if (found->length < have || !site->fast)
		return SLOW;
	reason = judge_addresses6(site, packet, found);
	if (reason)
		return reason;
	if (!is_taken(skb, upper, ICMPV6, 128, 129, found))
		return SLOW;
	found->tos = packet->version_class << 4 | packet->class_flow >> 4;
	found->hop_limit = packet->hop_limit;
	if (found->protocol == ICMPV6)
		found->pseudo =
			pseudo_sum(&packet->source, &packet->destination, found->length - INNER_SIZE);
	return 0;
}

INLINE int to_ipv4(struct __sk_buff *skb, __u32 offset, const struct found *found)
{
	struct flow flow = {found->from->v4, found->v4, found->ports, found->protocol};
	const struct decision *decision = 0;
	__u64 packets = packets_of(skb, found, INNER_SIZE), before;
	__u32 difference = found->from->difference;
	struct ipv4 header = {
		.version_ihl = 0x45,
		.tos = found->tos,
		.total = htons(found->length - DIFFERENCE),
		.fragment = found->size - DIFFERENCE > DF_LIMIT ? DONT_FRAGMENT : 0,
		.ttl = found->hop_limit - 1,
		.protocol = found->protocol == ICMPV6 ? ICMP : found->protocol,
		.source = found->from->v4,
		.destination = found->v4,
	};

	if (may_be_direct(found->protocol) && found->hop_limit > 2) {
		decision = decided(&flow, config.tun_ifindex);
		if (decision && found->size - DIFFERENCE > decision->size)
			decision = 0;
		if (decision)
			header.ttl--;
	}
	if (bpf_skb_change_proto(skb, ETH_IPV4, 0))
		return SLOW;
	/* Counting the packets of a lease gives each of them, and each segment, an identification of its own. */
	before = __sync_fetch_and_add(&found->from->packets, packets);
	__sync_fetch_and_add(&found->from->bytes, found->length + (packets - 1) * (INNER_SIZE + found->upper));
	found->from->last_seen = bpf_ktime_get_coarse_ns();
	header.ident = htons(1 + (__u32)before % 0xffff);
	header.checksum = ~header_sum(&header);
	if (found->protocol == ICMPV6)
		difference = 0xffff - found->pseudo;
	if (bpf_skb_store_bytes(skb, offset, &header, sizeof(header), BPF_F_RECOMPUTE_CSUM) ||
	    mend_upper(skb, offset + OUTER_SIZE, found, difference, found->type == 128 ? 8 : 0))
		return DROPPED;
	if (config.direct && decision) {
		if (offset == 0 && bpf_skb_change_head(skb, ETH_HEADER, 0))
			return DROPPED;
		return send_straight(skb, ETH_IPV4, decision);
	}
	return bpf_redirect(config.tun_ifindex, BPF_F_INGRESS);
}

/* --- 4 to 6 -------------------------------------------------------------------------------------------- */

/* Rules 3 to 5. */
INLINE int judge_addresses4(const struct settings *site, const struct ipv4 *packet, struct found *found)
{
	__u32 limit = packet->fragment & DONT_FRAGMENT ? site->mtu6 : site->fragment6;

	found->v4 = packet->source;
	if (!is_forwardable(found->v4))
		return packet->protocol == ICMP ? SLOW : SOURCE_ILLEGAL;
	if (in_pool(site, found->v4))
		return LEASE_SPOOFED;
	if (packet->fragment & NOT_WHOLE || (site->is_explicit && has_mapping(site, found->v4)))
		return SLOW;
	found->lease = packet->destination;
	found->to = bpf_map_lookup_elem(&by_v4, &found->lease);
	if (!found->to || packet->ttl < 2 || found->size + DIFFERENCE > limit)
		return SLOW;
	return 0;
}

INLINE int judge4(struct __sk_buff *skb, const struct settings *site, __u32 offset, struct found *found)
{
	const struct ipv4 *packet = (void *)(long)skb->data + offset;
	const __u8 *upper = (const void *)(packet + 1);
	__u32 have = skb->len - offset;
	int reason;

	if (have < OUTER_SIZE)
		return TRUNCATED;
	if ((void *)(packet + 1) > (void *)(long)skb->data_end)
		return SLOW;
	found->protocol = packet->protocol;
	found->size = found->length = ntohs(packet->total);
	if (skb->gso_size && !read_super(skb, upper, OUTER_SIZE, found))
		return SLOW; /* also a super-packet above 64 KiB, whose length is 0 */
	if (found->length < OUTER_SIZE || found->length > have)
		return TRUNCATED;
	if (packet->version_ihl != 0x45 || found->length < have || header_sum(packet) != 0xffff || !site->fast)
		return SLOW;
	reason = judge_addresses4(site, packet, found);
	if (reason)
		return reason;
	if (!is_taken(skb, upper, ICMP, 8, 0, found))
		return SLOW;
	found->tos = packet->tos;
	found->hop_limit = packet->ttl;
	return 0;
}

INLINE int to_ipv6(struct __sk_buff *skb, const struct settings *site, __u32 offset, const struct found *found)
{
	__u64 packets = packets_of(skb, found, OUTER_SIZE);
	__u32 difference = found->to->difference;
	struct ipv6 header = {
		.version_class = 0x60 | found->tos >> 4,
		.class_flow = found->tos << 4,
		.payload = htons(found->length - OUTER_SIZE),
		.next = found->protocol == ICMP ? ICMPV6 : found->protocol,
		.hop_limit = found->hop_limit - 1 - found->skipped,
		.source = {{site->prefix[0], site->prefix[1], site->prefix[2], found->v4}},
		.destination = found->to->v6,
	};

	if (bpf_skb_change_proto(skb, ETH_IPV6, 0))
		return SLOW;
	__sync_fetch_and_add(&found->to->packets, packets);
	__sync_fetch_and_add(&found->to->bytes,
			     found->length + DIFFERENCE + (packets - 1) * (INNER_SIZE + found->upper));
	if (found->protocol == ICMP)
		difference =
			pseudo_sum(&header.source, &header.destination, found->length - OUTER_SIZE);
	if (bpf_skb_store_bytes(skb, offset, &header, sizeof(header), BPF_F_RECOMPUTE_CSUM) ||
	    mend_upper(skb, offset + INNER_SIZE, found, difference, found->type == 8 ? 128 : 129))
		return DROPPED;
	return bpf_redirect(config.tun_ifindex, BPF_F_INGRESS);
}

/* --- entries ------------------------------------------------------------------------------------------- */

/* Count a drop under the source that the packet claims, if it is long enough to claim one. */
INLINE int drop(struct __sk_buff *skb, __u32 offset, __u32 reason)
{
	const __u8 *packet = (void *)(long)skb->data + offset;
	struct drop_source source = {.reason = reason};

	if ((void *)(packet + INNER_SIZE) <= (void *)(long)skb->data_end && packet[0] >> 4 == 6) {
		source.version = 6;
		source.address = ((const struct ipv6 *)packet)->source;
	} else if ((void *)(packet + OUTER_SIZE) <= (void *)(long)skb->data_end && packet[0] >> 4 == 4) {
		source.version = 4;
		source.address.word[0] = ((const struct ipv4 *)packet)->source;
	}
	return drop_of(skb, reason, &drops, &source);
}

SEC("tc") int tun_out(struct __sk_buff *skb)
{
	const struct settings *site = get_settings();
	const __u8 *packet;
	struct found found = {0};
	struct flow flow;
	__u8 version;
	int reason;

	make_readable(skb, config.tun_header + READABLE);
	packet = (void *)(long)skb->data + config.tun_header;
	if (!site || (void *)(packet + 1) > (void *)(long)skb->data_end)
		return SLOW;
	version = packet[0] >> 4;
	if (!is_guarded())
		return drop(skb, config.tun_header, UNGUARDED);
	if (version == 6) {
		reason = judge6(skb, site, config.tun_header, &found);
		/* Here, where the verifier still knows that this is the lease of a packet of IPv6 (before Linux 6.11). */
		if (reason == 0)
			return to_ipv4(skb, config.tun_header, &found);
	} else if (version == 4) {
		reason = judge4(skb, site, config.tun_header, &found);
	} else {
		reason = NOT_IPV6;
	}
	if (reason > 0)
		return drop(skb, config.tun_header, reason);
	if (reason < 0)
		return SLOW;
	if (may_be_direct(found.protocol) && skb->ingress_ifindex) {
		flow = (struct flow){found.v4, found.lease, found.ports, found.protocol};
		note_size(skb, &flow, 0, config.tun_ifindex, 0);
	}
	return to_ipv6(skb, site, config.tun_header, &found);
}

SEC("tc") int underlay_in(struct __sk_buff *skb)
{
	const struct settings *site = get_settings();
	const struct decision *decision;
	const struct ipv4 *packet;
	struct found found = {.skipped = 1};
	struct flow flow;

	/* A tag that the card took off means: for a VLAN device on top of this one. */
	if (skb->protocol != ETH_IPV4 || skb->vlan_present || skb->pkt_type != 0 || !site)
		return SLOW;
	make_readable(skb, ETH_HEADER + OUTER_SIZE + UPPER_SIZE);
	packet = (void *)(long)skb->data + ETH_HEADER;
	if ((void *)(packet + 1) > (void *)(long)skb->data_end || !in_pool(site, packet->destination) ||
	    !may_be_direct(packet->protocol) || packet->ttl <= 2 || !is_guarded())
		return SLOW;
	if (judge4(skb, site, ETH_HEADER, &found)) /* for the kernel, and then tun_out, to say */
		return SLOW;
	flow = (struct flow){found.v4, found.lease, found.ports, found.protocol};
	decision = decided(&flow, skb->ifindex);
	if (!decision || decision->out != config.tun_ifindex)
		return SLOW;
	return to_ipv6(skb, site, ETH_HEADER, &found);
}

SEC("tc") int underlay_out(struct __sk_buff *skb)
{
	const struct ipv4 *packet;
	const __u8 *frame, *upper;
	struct found found = {0};
	struct flow flow;

	/* A tag to be put on means: on its way out of a VLAN device on top of this one, which has noted it. */
	if (skb->protocol != ETH_IPV4 || skb->ingress_ifindex != config.tun_ifindex || skb->vlan_present)
		return SLOW;
	make_readable(skb, ETH_HEADER + OUTER_SIZE + UPPER_SIZE);
	frame = (void *)(long)skb->data;
	packet = (const void *)(frame + ETH_HEADER);
	upper = (const void *)(packet + 1);
	if ((void *)(upper + 8) > (void *)(long)skb->data_end || packet->version_ihl != 0x45 ||
	    packet->fragment & NOT_WHOLE || !may_be_direct(packet->protocol))
		return SLOW;
	found.protocol = packet->protocol;
	found.size = found.length = ntohs(packet->total);
	flow = (struct flow){packet->source, packet->destination, *(const __be32 *)upper, packet->protocol};
	if (!skb->gso_size || read_super(skb, upper, OUTER_SIZE, &found))
		note_size(skb, &flow, found.size, skb->ifindex, frame);
	return SLOW;
}

char _license[] SEC("license") = "Dual BSD/GPL";
