"""Translation between IPv4 and IPv6 (RFC 7915, 7757, 6052), packet by packet, without any session.

``rules`` is the specification and the whole translator; ``whole`` takes the common packets first, as
``bpf/xlat.bpf.c`` does; ``mappings`` says who is who; ``transport``, ``icmp``, ``quote`` translate what is
inside, ``fragments`` and ``extension_headers`` what stands between, ``emit`` puts packets together, ``answers``
are errors of our own.
"""
