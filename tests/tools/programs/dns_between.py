"""A DNS server that asks BIND of :mod:`tests.tools.places.bind` everything, but does with updates what a test says."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message
import dns.opcode
import dns.query

from manageout.directory.dns.update import over_tcp
from manageout.directory.dns.zones import Server
from tests.tools.places.bind import ADDRESS, PORT

BETWEEN = 5355
Updates = Callable[[bytes], bytes]


def passed_on(wire: bytes) -> bytes:
    """What BIND says."""
    return over_tcp(wire, Server(ADDRESS, PORT))


def forgotten(wire: bytes) -> bytes:
    """Yes, and nothing is done."""
    return dns.message.make_response(dns.message.from_wire(wire)).to_wire()


@contextmanager
def between(updates: Updates) -> Iterator[str]:
    """One on the loopback; its address and port, as in a site file."""

    def answer(wire: bytes) -> bytes:
        opcode = dns.opcode.from_flags(int.from_bytes(wire[2:4], "big"))
        return updates(wire) if opcode == dns.opcode.UPDATE else passed_on(wire)

    class OverUdp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(answer(data), self.client_address)

    class OverTcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.rfile.read(2), "big")
            said = answer(self.rfile.read(size))
            self.wfile.write(len(said).to_bytes(2, "big") + said)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers = [
        socketserver.ThreadingUDPServer((ADDRESS, BETWEEN), OverUdp),
        socketserver.ThreadingTCPServer((ADDRESS, BETWEEN), OverTcp),
    ]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield f"{ADDRESS}:{BETWEEN}"
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
