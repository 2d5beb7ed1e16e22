"""Many idle clients in one process, to see what each costs the gateway: ``python -m tests.bench.iphttps_idle``."""

from __future__ import annotations

import os
import resource
import signal
import socket
import ssl
import sys
from ipaddress import IPv6Address

from manageout.wire import nd
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4


def connect(context: ssl.SSLContext, number: int) -> ssl.SSLSocket:
    """One client: the HTTP exchange, then the ND messages that give it a link-local and a global address."""
    transport = socket.create_connection((GATEWAY_V4, 443))
    transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(transport, server_hostname=GATEWAY_NAME)
    tls.sendall(build_request("/IPHTTPS", GATEWAY_NAME))
    assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    suffix = (1 << 32 | number).to_bytes(8, "big")
    for prefix in ("fe80::", "fd12:3456:789a:1000::"):
        address = IPv6Address(prefix).packed[:8] + suffix
        tls.sendall(nd.build(nd.UNSPECIFIED, nd.solicited_node(address), nd.NeighbourSolicitation(address)))
    local = IPv6Address("fe80::").packed[:8] + suffix
    tls.sendall(nd.build(local, nd.ALL_ROUTERS, nd.RouterSolicitation()))
    tls.recv(4096)
    return tls


def main(pki: str, name: str, count: int) -> None:
    """Connect ``count`` clients, say so, and wait for SIGTERM."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    context = ssl.create_default_context(cafile=f"{pki}/ca.pem")
    context.load_cert_chain(f"{pki}/{name}.pem", f"{pki}/{name}.key")
    clients = [connect(context, number) for number in range(1, count + 1)]
    print("connected", len(clients), flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    os._exit(0)
