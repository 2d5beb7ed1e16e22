"""The sockets to DNS servers: what is given up leaves nothing behind, and what was closed may be opened again."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import ExitStack

from manageout.protocol.dns.forwarder import Reply
from manageout.protocol.dns.stub import DnsStub
from manageout.service.resolver.upstream import Upstreams
from manageout.wire import dns

QUERY = b"\0\7\1\0\0\1" + bytes(6) + dns.to_wire("host.example") + struct.pack(">HH", dns.A, dns.IN)


def deaf(held: ExitStack) -> str:
    """A server that takes no connection: its backlog is full, so that the kernel drops each SYN."""
    server = held.enter_context(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    for _ in range(2):
        caller = held.enter_context(socket.socket())
        caller.setblocking(False)
        caller.connect_ex(server.getsockname())
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_connection_that_is_not_made_is_given_up_whole() -> None:
    async def main() -> None:
        with ExitStack() as held:
            machine = DnsStub(lambda: 0.5)
            machine.local_servers = [deaf(held)]
            upstreams = Upstreams(machine, lambda reply: None)
            async with asyncio.TaskGroup() as group:
                upstreams.open(group)
                machine.receive(QUERY, "client", 0.0, tcp=True)
                upstreams.pump()
                await asyncio.sleep(0.05)  # the connection is under way
                machine.gone("client")
                upstreams.pump()
            # The group has ended: no task waits for a socket that is closed.
            upstreams.close()

    asyncio.run(asyncio.wait_for(main(), 10.0))


def test_what_was_closed_may_be_opened_again() -> None:
    async def main() -> None:
        replies: asyncio.Queue[Reply] = asyncio.Queue()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)
            machine = DnsStub(lambda: 0.5)
            machine.local_servers = [f"127.0.0.1:{server.getsockname()[1]}"]
            upstreams = Upstreams(machine, replies.put_nowait)
            loop = asyncio.get_running_loop()
            for _ in range(2):
                async with asyncio.TaskGroup() as group:
                    upstreams.open(group)
                    machine.receive(QUERY, "client", 0.0)
                    upstreams.pump()
                    asked, source = await loop.sock_recvfrom(server, 512)
                    server.sendto(asked[:2] + b"\x81\x80" + asked[4:], source)
                    reply = await replies.get()
                assert reply.message[:4] == QUERY[:2] + b"\x81\x80"
                upstreams.close()

    asyncio.run(asyncio.wait_for(main(), 10.0))
