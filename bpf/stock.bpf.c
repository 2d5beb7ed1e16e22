/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Packets for stock clients, out of the device of all clients into one whose offloads are off.
 *
 * Stock framing carries no super-packets, and offloads belong to a device, not to a packet or a queue: with one device
 * a single stock client would halve every other client's download. Redirected before the device takes it, a
 * super-packet is cut by the kernel, as for any device without offloads. Routes and the packet filter know
 * the first device only.
 */
#include "parse.h"
#include "verdict.h"

#define MAX_ADDRESSES 65536

/* Set before loading: the device without offloads, and the bytes in front of IP: 0, or 14 for BPF_PROG_TEST_RUN. */
const volatile struct {
	__u32 device;
	__u32 header;
} config SEC(".rodata.config") = {0};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_ADDRESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ipv6_address);
	__type(value, __u32);
} stock SEC(".maps");

SEC("tc") int tun_out(struct __sk_buff *skb)
{
	const struct ipv6 *packet;
	struct ipv6_address to;

	make_readable(skb, config.header + INNER_SIZE);
	packet = (void *)(long)skb->data + config.header;
	if (skb->protocol != ETH_IPV6 || (void *)(packet + 1) > (void *)(long)skb->data_end)
		return SLOW;
	to = packet->destination;
	return bpf_map_lookup_elem(&stock, &to) ? bpf_redirect(config.device, 0) : SLOW;
}

char _license[] SEC("license") = "Dual BSD/GPL";
