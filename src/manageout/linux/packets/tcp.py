"""TCP sockets that carry a tunnel."""

import socket

_TCP_OPTIONS = (
    (socket.TCP_NODELAY, 1),
    # [MS-IPHTTPS] has no keepalive of its own; NAT and proxies forget idle connections.
    (socket.TCP_KEEPIDLE, 45),
    (socket.TCP_KEEPINTVL, 15),
    (socket.TCP_KEEPCNT, 4),
    # Milliseconds that sent data may stay unacknowledged.
    (socket.TCP_USER_TIMEOUT, 105_000),
)


def tune(sock: socket.socket) -> None:
    """Non-blocking, without delay, with keepalive."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _TCP_OPTIONS:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
