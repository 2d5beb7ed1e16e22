"""A small DNS server on loopback, and resolvers that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = dict[tuple[str, str], tuple[int, list[str]]]
"""(name, type) -> (TTL, values)."""


class Server(asyncio.DatagramProtocol):
    """Answers from ``zone``; stays silent when ``silent``, and refuses when ``refusing``."""

    def __init__(self, zone: Zone) -> None:
        self.zone, self.silent, self.asked = zone, False, 0
        self.refusing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.silent:
            return
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        found = self.zone.get((name, kind))
        if self.refusing:
            answer.set_rcode(dns.rcode.REFUSED)
        elif found:
            answer.answer.append(dns.rrset.from_text(name, found[0], "IN", kind, *found[1]))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[tuple[Server, Callable[[], dns.asyncresolver.Resolver]]]:
    """The server, and what makes resolvers that ask it."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Server(zone), ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]

    def resolver() -> dns.asyncresolver.Resolver:
        made = dns.asyncresolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], port
        return made

    try:
        yield server, resolver
    finally:
        transport.close()
