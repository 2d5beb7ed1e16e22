"""A TCP connection that carries a number every 50 ms and back: when it was sent, and when it came back.

``ticker.py serve PORT`` echoes; ``ticker.py call ADDRESS PORT FILE`` writes a line "SENT BACK" (monotonic seconds) for
each that returned.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time

_STAMP = struct.Struct("!d")


async def serve(port: int) -> None:
    """Echo."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)

    server = await asyncio.start_server(echo, "::", port, family=socket.AF_UNSPEC)
    async with server:
        await server.serve_forever()


async def call(address: str, port: int, file: str) -> None:
    """Tick."""
    reader, writer = await asyncio.open_connection(address, port)

    async def tick() -> None:
        while True:
            writer.write(_STAMP.pack(time.monotonic()))
            await asyncio.sleep(0.05)

    async def note() -> None:
        with open(file, "w", buffering=1) as out:  # noqa: ASYNC230 - short lines
            while True:
                (sent,) = _STAMP.unpack(await reader.readexactly(8))
                out.write(f"{sent} {time.monotonic()}\n")

    async with asyncio.TaskGroup() as group:
        group.create_task(tick())
        group.create_task(note())


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2])))
    else:
        asyncio.run(call(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
