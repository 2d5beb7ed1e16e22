"""How connections that carry a tunnel are set up."""

from __future__ import annotations

import socket

from manageout.linux.packets.tcp import tune


def test_a_tuned_connection_waits_for_nothing_and_notices_a_peer_that_is_gone() -> None:
    with socket.socket() as connection:
        tune(connection)
        assert not connection.getblocking()
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        # RFC 1122 4.2.3.6 leaves the time to us; an idle NAT forgets TCP after minutes.
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 60
