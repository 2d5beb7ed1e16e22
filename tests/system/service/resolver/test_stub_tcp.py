"""The stub's clients over TCP: several questions at a time, and one who never reads the answers."""

from __future__ import annotations

import asyncio
import contextlib

import dns.message
import dns.rcode
import pytest

from manageout.service.resolver import listener
from manageout.service.resolver.stub import DnsStubService
from manageout.service.resolver.upstream import PORT

ADDRESSES = ("127.0.0.201", "127.0.0.202")
QUESTION = dns.message.make_query("app.corp.example", "AAAA").to_wire()
FRAMED = len(QUESTION).to_bytes(2, "big") + QUESTION
MUCH = 64 << 20
"""More bytes than sockets hold."""


@contextlib.asynccontextmanager
async def served():  # type: ignore[no-untyped-def]
    """A stub without servers: it answers at once, that it cannot."""
    service = DnsStubService("lo")
    service.listen(ADDRESSES)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(service.run())
        yield service
        task.cancel()


def test_several_questions_in_one_connection() -> None:
    async def run() -> None:
        async with served() as service:
            reader, writer = await asyncio.open_connection(service.address, PORT)
            writer.write(FRAMED * 3)
            for _ in range(3):
                size = int.from_bytes(await reader.readexactly(2), "big")
                answer = dns.message.from_wire(await reader.readexactly(size))
                assert answer.rcode() == dns.rcode.SERVFAIL
            writer.close()

    asyncio.run(run())


def test_who_does_not_read_is_not_served_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """His answers would fill the memory."""
    monkeypatch.setattr(listener, "IDLE_TIMEOUT", 0.5)

    async def run() -> int:
        async with served() as service:
            _, writer = await asyncio.open_connection(service.address, PORT, limit=1)
            sent = 0
            batch = FRAMED * 2000
            try:
                while sent < MUCH:
                    writer.write(batch)
                    await writer.drain()
                    sent += len(batch)
            except OSError:
                writer.transport.abort()
            assert not service._connections
            return sent

    assert asyncio.run(run()) < MUCH


def test_the_end_with_a_client_connected_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with served() as service:
            reader, writer = await asyncio.open_connection(service.address, PORT)
            writer.write(FRAMED)
            await reader.readexactly(2)

    asyncio.run(run())
    assert not [record for record in caplog.records if record.name == "asyncio"]
