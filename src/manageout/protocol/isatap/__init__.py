"""ISATAP (RFC 5214) as machines, for router and host.

A packet is judged by ``link`` (the pure twin of ``bpf/isatap.bpf.c``; ``flows`` is its short cut), ICMP errors by
``errors``. Neighbour Discovery is ``nd``; the ``router`` answers by ``advertising`` and remembers hosts in
``registry``; the ``host`` keeps one ``potential_router`` for each router of its list (8.3); ``end`` is
what both do alike. A rule of the data path changes here and in eBPF together.
"""
