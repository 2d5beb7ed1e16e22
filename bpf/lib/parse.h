/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Headers, and questions about addresses. Words are in network order throughout. */
#pragma once

#include "helpers.h"

#define ETH_HEADER 14
#define ETH_IPV4 htons(0x0800)
#define ETH_IPV6 htons(0x86dd)
#define PROTOCOL_41 41
#define TCP 6
#define UDP 17
#define ICMP 1
#define ICMPV6 58
#define HOP_LIMIT_OFFSET 7
#define OUTER_TTL 64
#define FRAGMENT htons(0x3fff) /* more fragments, or an offset */
#define AF_INET 2

struct ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total;
	__be16 ident;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__be32 source;
	__be32 destination;
};

struct ipv6_address {
	__be32 word[4];
};

/* Of a map by prefixes. */
struct v4_prefix {
	__u32 length;
	__be32 address;
};

struct ipv6 {
	__u8 version_class; /* version, and the upper half of the traffic class */
	__u8 class_flow;    /* ... its lower half: ECN is 0x30 */
	__be16 flow;
	__be16 payload;
	__u8 next;
	__u8 hop_limit;
	struct ipv6_address source;
	struct ipv6_address destination;
};

#define OUTER_SIZE ((int)sizeof(struct ipv4))
#define INNER_SIZE ((int)sizeof(struct ipv6))
#define UPPER_SIZE 20 /* what we look at behind the IPv6 header: a TCP header */

/* Make the first `want` bytes directly readable, or all when there are fewer. */
INLINE void make_readable(struct __sk_buff *skb, __u32 want)
{
	__u32 most = skb->len < want ? skb->len : want;

	if ((void *)(long)skb->data + most > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, most);
}

/* Not 0/8, 127/8, multicast, reserved, broadcast. */
INLINE bool is_host_address(__be32 v4)
{
	__u8 first = v4 & 0xff;

	return first != 0 && first != 127 && first < 224;
}

/* What a router may forward: of what is above, not 169.254/16 either (RFC 3927 2.7, 7). */
INLINE bool is_forwardable(__be32 v4)
{
	return is_host_address(v4) && (v4 & htonl(0xffff0000)) != htonl(0xa9fe0000);
}

INLINE bool is_multicast(const struct ipv6_address *address)
{
	return (address->word[0] & htonl(0xff000000)) == htonl(0xff000000);
}

/* In fe80::/64, the only part of fe80::/10 that an ISATAP link uses (RFC 5214 7.4). */
INLINE bool is_link_local(const struct ipv6_address *address)
{
	return address->word[0] == htonl(0xfe800000) && address->word[1] == 0;
}

INLINE bool is_unspecified(const struct ipv6_address *address)
{
	return (address->word[0] | address->word[1] | address->word[2] | address->word[3]) == 0;
}

/* What may not appear on a link (RFC 4213 3.6): multicast, ::/96 with ::1, ::ffff:0:0/96. */
INLINE bool is_illegal(const struct ipv6_address *address)
{
	if (is_multicast(address))
		return true;
	return (address->word[0] | address->word[1]) == 0 &&
	       (address->word[2] == 0 || address->word[2] == htonl(0x0000ffff));
}

/* RFC 5214 6.1: ::[02]00:5efe:a.b.c.d; the universal bit may have either value on receipt. */
INLINE bool has_isatap_id(const struct ipv6_address *address)
{
	return (address->word[2] & ~htonl(0x02000000)) == htonl(0x00005efe);
}

/* The IPv4 address in 2002:a.b.c.d::/48 (only if the first two bytes are 2002). */
INLINE __be32 sixtofour(const struct ipv6_address *address)
{
	return address->word[0] >> 16 | address->word[1] << 16;
}

/* Bytes of the headers that the kernel repeats in front of each segment of a super-packet. */
INLINE __u32 headers_of(struct __sk_buff *skb, const struct ipv6 *inner)
{
	const __u8 *upper = (const void *)(inner + 1);

	if (inner->next == UDP)
		return INNER_SIZE + 8;
	if (inner->next == TCP && (void *)(upper + 20) <= (void *)(long)skb->data_end)
		return INNER_SIZE + (upper[12] >> 4) * 4;
	return INNER_SIZE;
}

/* How many packets, and how many bytes of IPv6, a (super-)packet is on the wire. */
struct amount {
	__u64 packets;
	__u64 bytes;
};

INLINE struct amount amount_of(struct __sk_buff *skb, const struct ipv6 *inner, __u32 length)
{
	struct amount amount = {1, length};
	__u32 headers, size = skb->gso_size;

	if (size == 0)
		return amount;
	headers = headers_of(skb, inner);
	if (length > headers)
		amount.packets = (length - headers + size - 1) / size;
	amount.bytes += (amount.packets - 1) * headers;
	return amount;
}
