"""ISATAP's drivers (RFC 5214): ``router`` (a role) and ``join``/``host`` (a process), each around one machine of
:mod:`manageout.protocol.isatap`; ``io`` has the sockets, ``host_names`` and ``router_name`` ask the DNS. No protocol
is decided here.
"""
