"""Packets in and out of this process: TUN devices, raw sockets, many a system call, ICMP errors about what was sent,
ARP.
"""
