"""What a balancer writes: headers of the PROXY protocol, version 2."""

from __future__ import annotations

from manageout.wire.proxy import LOCAL, PROXY, SIGNATURE, TCP4, TCP6, Proxied


def proxy_header(source: Proxied | None, target: Proxied | None = None, extras: bytes = b"") -> bytes:
    """A header; both of one family. None: LOCAL."""
    if source is None or target is None:
        body, family = extras, 0
    else:
        ports = source.port.to_bytes(2, "big") + target.port.to_bytes(2, "big")
        body = source.address.packed + target.address.packed + ports + extras
        family = TCP4 if source.address.version == 4 else TCP6
    command = LOCAL if source is None else PROXY
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body
