/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The few kernel helpers and libbpf conventions that we use, so that the build needs no libbpf headers.
 * The numbers are the kernel's stable ones (enum bpf_func_id in linux/bpf.h). */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define bool _Bool
#define true 1
#define false 0

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

/* The object is little-endian (bpfel), and so is every host that runs it. */
#define htons(x) ((__be16)__builtin_bswap16(x))
#define htonl(x) ((__be32)__builtin_bswap32(x))
#define ntohs(x) ((__u16)__builtin_bswap16(x))
#define ntohl(x) ((__u32)__builtin_bswap32(x))

/* Newer than the kernel headers of Debian 12. */
#define DECAP_L3_IPV6 (1ull << 8) /* BPF_F_ADJ_ROOM_DECAP_L3_IPV6, Linux 6.3 */

#define HELPER(type, name, number, ...)                                                                      \
	static type (*const name)(__VA_ARGS__) __attribute__((unused)) = (void *)number

HELPER(void *, bpf_map_lookup_elem, 1, void *map, const void *key);
HELPER(long, bpf_map_update_elem, 2, void *map, const void *key, const void *value, __u64 flags);
HELPER(long, bpf_skb_store_bytes, 9, struct __sk_buff *skb, __u32 offset, const void *from, __u32 length,
       __u64 flags);
HELPER(long, bpf_l4_csum_replace, 11, struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 flags);
HELPER(long, bpf_redirect, 23, __u32 ifindex, __u64 flags);
HELPER(long, bpf_skb_change_proto, 31, struct __sk_buff *skb, __be16 protocol, __u64 flags);
HELPER(long, bpf_skb_pull_data, 39, struct __sk_buff *skb, __u32 length);
HELPER(long, bpf_skb_change_head, 43, struct __sk_buff *skb, __u32 length, __u64 flags);
HELPER(long, bpf_skb_adjust_room, 50, struct __sk_buff *skb, __s32 difference, __u32 mode, __u64 flags);
HELPER(long, bpf_fib_lookup, 69, void *skb, struct bpf_fib_lookup *params, int size, __u32 flags);
HELPER(long, bpf_csum_level, 135, struct __sk_buff *skb, __u64 level);
HELPER(long, bpf_redirect_neigh, 152, __u32 ifindex, struct bpf_redir_neigh *params, int size, __u64 flags);
HELPER(__u64, bpf_ktime_get_coarse_ns, 160, void);
