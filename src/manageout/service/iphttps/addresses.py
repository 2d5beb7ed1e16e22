"""The addresses of a host, and TCP to the first of them that answers (RFC 8305, in small).

An address that nobody answers at costs a quarter of a second, not the patience of the whole attempt; a name server that
nobody answers at costs nothing once the addresses are known.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from manageout.errors import ConnectError
from manageout.linux.packets.tcp import tune
from manageout.protocol.iphttps.values import ConnectFault

MAX_ADDRESSES = 8
STAGGER = 0.25
"""Seconds from the beginning of one connection to that of the next (RFC 8305 8)."""
RESOLUTION_DELAY = 0.5
"""Seconds for the name server when addresses are known from before."""
MAX_QUESTIONS = 4
"""Questions that hang at once; each has a thread."""


class _Address(NamedTuple):
    """One answer of getaddrinfo."""

    family: int
    kind: int
    protocol: int
    address: tuple[Any, ...]


class TcpConnection(NamedTuple):
    """A connection, and to which address: the socket itself no longer knows it once the other side has reset it."""

    sock: socket.socket
    address: str


class HostAddresses:
    """Where one host is reached."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._known: list[_Address] = []
        self._question: asyncio.Future[list[_Address]] | None = None
        self._hanging = 0
        self._last: set[str] = set()
        """Those that answered, but not with a gateway's TLS."""

    def forget_question(self) -> None:
        """Ask anew next time, whatever is being asked now."""
        self._question = None

    def put_last(self, address: str) -> None:
        """Try the others first next time."""
        self._last.add(address)

    async def connect(self, what: str, patience: float, device: Callable[[str], str | None]) -> TcpConnection:
        """TCP to the first address that answers. ``what``: what the host is. Raises :class:`ConnectError`."""
        found = await self._find(what, patience)
        self._last &= {entry.address[0] for entry in found}
        if len(self._last) == len(found):
            self._last.clear()
        found = sorted(found, key=lambda entry: entry.address[0] in self._last)
        faults: list[str] = []
        made = await _race(found, partial(_open, patience=patience, device=device, faults=faults))
        if made is None:
            raise ConnectError(
                f"{what} {self._host} port {self._port}: {'; '.join(faults)}",
                "check that the port is open on the way",
                ConnectFault.TIMED_OUT,
            )
        return made

    # --- The name ---------------------------------------------------------------------------------------

    async def _find(self, what: str, patience: float) -> list[_Address]:
        if self._question is None and self._hanging < MAX_QUESTIONS:
            self._question = self._ask()
        question = self._question
        try:
            if question is None:
                raise TimeoutError
            async with asyncio.timeout(RESOLUTION_DELAY if self._known else patience):
                await asyncio.wait({question})
            self._question = None
            self._known = question.result()
        except (TimeoutError, OSError, UnicodeError) as error:
            # A name server in the network that was left, or one that stopped with the gateway.
            if not self._known:
                words = (
                    "not a host name" if isinstance(error, UnicodeError) else "no answer of the name server"
                )
                words = (isinstance(error, socket.gaierror) and error.strerror) or words
                hint = "check the name and the DNS server"
                raise ConnectError(
                    f"{what} {self._host}: {words}", hint, ConnectFault.HOST_NOT_FOUND
                ) from None
        return self._known

    def _ask(self) -> asyncio.Future[list[_Address]]:
        """In a thread of its own, which may outlive the program's end: an executor's would delay it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[_Address]] = loop.create_future()
        future.add_done_callback(lambda done: done.exception())  # nobody may be waiting any more

        def tell(found: list[_Address] | Exception) -> None:
            self._hanging -= 1
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        def ask() -> None:
            try:
                found: list[_Address] | Exception = _look_up(self._host, self._port)
            except (OSError, UnicodeError) as error:
                found = error
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, found)

        self._hanging += 1
        threading.Thread(target=ask, name="name", daemon=True).start()
        return future


def _look_up(host: str, port: int) -> list[_Address]:
    """In the order of preference, families by turns: one of them may lead nowhere."""
    found = [
        _Address(a[0], a[1], a[2], a[4]) for a in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    same = [entry for entry in found if entry.family == found[0].family]
    other = [entry for entry in found if entry.family != found[0].family]
    turns = chain.from_iterable(zip_longest(same, other))
    return [entry for entry in turns if entry is not None][:MAX_ADDRESSES]


# --- TCP ------------------------------------------------------------------------------------------------


async def _race(
    found: list[_Address], connect: Callable[[_Address], Coroutine[Any, Any, TcpConnection | None]]
) -> TcpConnection | None:
    """Connections begun one after the other, the next one sooner when one has failed; the first to be made."""
    made: list[TcpConnection] = []

    async def attempt(entry: _Address) -> None:
        if (connection := await connect(entry)) is not None:
            made.append(connection)

    try:
        async with asyncio.TaskGroup() as group:
            waiting, tasks = deque(found), set[asyncio.Task[None]]()
            while (waiting or tasks) and not made:
                if waiting:
                    tasks.add(group.create_task(attempt(waiting.popleft())))
                timeout = STAGGER if waiting else None
                _, tasks = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    except BaseException:
        _close(made)
        raise
    _close(made[1:])
    return made[0] if made else None


def _close(made: Iterable[TcpConnection]) -> None:
    for connection in made:
        connection.sock.close()


async def _open(
    entry: _Address, patience: float, device: Callable[[str], str | None], faults: list[str]
) -> TcpConnection | None:
    try:
        sock = socket.socket(entry.family, entry.kind, entry.protocol)
    except OSError as error:  # no such family in this kernel, or no descriptor left
        faults.append(f"{entry.address[0]}: {error.strerror}")
        return None
    try:
        sock.setblocking(False)
        if bound := device(entry.address[0]):
            with contextlib.suppress(PermissionError):  # Linux before 5.7 wants CAP_NET_RAW
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bound.encode())
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, entry.address)
        tune(sock)
    except (OSError, TimeoutError) as error:
        sock.close()
        # Not strerror: asyncio writes "Connect call failed" over what the kernel said.
        number = error.errno if isinstance(error, OSError) else None
        faults.append(f"{entry.address[0]}: {os.strerror(number) if number else 'no answer'}")
        return None
    except BaseException:
        sock.close()
        raise
    return TcpConnection(sock, entry.address[0])
