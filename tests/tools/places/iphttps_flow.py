"""A TCP connection through a tunnel that is watched for silence, and a second way from the client to the gateway."""

from __future__ import annotations

import socket
import threading
import time

from tests.tools.places.iphttps import GATEWAY_V6, Pair, in_namespace, sh

CABLE = "203.0.113"


def lay_cable(pair: Pair) -> None:
    """Beside eth0 (Wi-Fi, say), ``cl`` has eth1, through which the gateway is reached when eth0 is not."""
    sh("ip -n gw link add br1 type bridge; ip -n gw link set br1 up")
    sh(f"ip -n gw addr add {CABLE}.1/24 dev br1")
    sh("ip link add eth1 netns cl type veth peer name cl1 netns gw")
    sh("ip -n gw link set cl1 master br1 up; ip -n cl link set eth1 addrgenmode none up")
    sh(f"ip -n cl addr add {CABLE}.20/24 dev eth1")
    sh(f"ip -n cl route add default via {CABLE}.1 dev eth1 metric 600")


class Flow:
    """A TCP connection through the tunnel, with a byte each 20 ms; ``gap`` is the longest silence at its end."""

    def __init__(self, pair: Pair) -> None:
        listener = in_namespace(
            "gw", lambda: socket.create_server((GATEWAY_V6, 9999), family=socket.AF_INET6)
        )
        with listener:
            self._out = in_namespace("cl", lambda: socket.create_connection((GATEWAY_V6, 9999), 10))
            self._in, _ = listener.accept()
        self._in.settimeout(30)
        self._over = threading.Event()
        self.gap = 0.0
        self.heard = time.monotonic()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._over.wait(0.02):
            self._out.send(b"x")
        self._out.close()

    def _receive(self) -> None:
        while self._in.recv(4096):
            now = time.monotonic()
            self.gap, self.heard = max(self.gap, now - self.heard), now
        self._in.close()

    def close(self) -> None:
        """End it; ``gap`` is final then."""
        self._over.set()
        for thread in self._threads:
            thread.join(40)
