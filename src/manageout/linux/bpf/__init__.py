"""eBPF programs: ``libbpf`` binds the system's library; ``isatap`` and ``xlat`` load, attach, count, and keep their
maps equal to what the Python twin holds. The meaning of a packet is decided by the twin under ``protocol``.
"""
