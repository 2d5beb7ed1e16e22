"""Packets in and out of this process: TUN devices, raw sockets, many a system call, ICMP errors about what was sent,
ARP (RFC 826, 5227).

``tun`` with its ``offload``, ``isatap_underlay`` (raw IPv4 sockets) by ``mmsg``, ``error_queue``. Octets pass as they
are: what they mean is told by ``wire`` and judged under ``protocol``.
"""
