"""The control socket: a Unix socket where ``manageout status`` and its like read what a process knows.

One JSON line ``{"command": NAME}`` in, one line ``{"result": ...}`` or ``{"error": ..., "hint": ...}`` out, then
the next. Every command only reads, and what is read is confidential: root may, and the group ``manageout`` if there is
one, nobody else. Packets come first: rows are asked for in slices of :data:`SLICE` seconds, one slice at a time
whoever asks, and each user has so many connections only.
"""

import asyncio
import contextlib
import grp
import json
import logging
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from manageout.errors import ManageoutError

GROUP = "manageout"
MAX_LINE = 256
"""Bytes of a command."""
PER_USER, ROOTS = 8, 32
"""Connections of one user, and of root, at a time: nobody's idle ones keep another from asking."""
MAX_CONNECTIONS = 128
"""Of all users but root."""
IDLE_TIMEOUT = 30.0
ANSWER_TIMEOUT = 120.0
"""Seconds for an answer to be taken off our hands."""
SLICE = 0.002
"""Seconds that an answer may take of the process before packets come, and as long after that."""
ALONE = ("sessions",)
"""Commands that are answered for one at a time."""
PATIENCE = 8.0
"""Seconds that another one waits."""

log = logging.getLogger(__name__)
Handlers = Mapping[str, Callable[[], object]]
"""Command -> function that returns something JSON can hold, or an iterator of rows, which are asked for as they are
sent; None instead of a row: there was nothing to tell, and it took time."""


class ControlServer:
    """Answers on ``path`` from ``handlers``.

    An asynchronous context manager. Whoever holds the lock of the runtime directory may start one: a socket
    that is found there belongs to a dead process and is replaced.
    """

    def __init__(self, path: Path, handlers: Handlers) -> None:
        self.path = path
        self.handlers = handlers
        self._connections: Counter[int] = Counter()
        self._slices, self._alone = asyncio.Lock(), asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def __aenter__(self) -> Self:
        listener = _listen(self.path)
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_LINE)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            user = _user(writer.get_extra_info("socket"))
            with self._place(user) as free:
                if not free:
                    hint = "end those that wait: ss -xp | grep control.sock"
                    await self._write(writer, _fault("this user has too many connections here", hint))
                    return
                while line := await _line(reader):
                    await self._answer(writer, line)
        except _TooLong:
            await self._refuse(reader, writer)
        except (OSError, TimeoutError):  # gone, or silent
            pass
        except asyncio.CancelledError:  # the end; asyncio before Python 3.12 would make a traceback of it
            pass
        except ManageoutError as error:
            log.warning("an answer on %s ended early: %s", self.path, error.message)
        except Exception:  # of rows that are asked for while they are sent
            log.exception("an answer on %s failed inside", self.path)
        finally:
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A line without end: say so, and let some of its rest go, lest it keep the answer from being read."""
        hint = f"a command has at most {MAX_LINE} bytes"
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            await self._write(writer, _fault("that line is too long for a command", hint))
            async with asyncio.timeout(1.0):
                for _ in range(64):
                    if not await reader.read(16384):
                        break

    @contextlib.contextmanager
    def _place(self, user: int) -> Iterator[bool]:
        """Whether ``user`` may have one more connection, while it lasts."""
        others = self._connections.total() - self._connections[0]
        bound = ROOTS if user == 0 else PER_USER
        if self._connections[user] >= bound or (user and others >= MAX_CONNECTIONS):
            yield False
            return
        self._connections[user] += 1
        try:
            yield True
        finally:
            self._connections[user] -= 1
            if not self._connections[user]:
                del self._connections[user]

    async def _answer(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        command = self._command(line)
        if command is None:
            known = ", ".join(self.handlers)
            unknown = _fault("this process does not know that command", f"it knows: {known}")
            await self._write(writer, unknown)
            return
        async with self._turn(command) as mine:
            if mine:
                answer = self._call(command)
            else:
                answer = _fault(f"somebody else asks for {command} at this moment", "ask again")
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await self._write(writer, answer)

    @asynccontextmanager
    async def _turn(self, command: str) -> AsyncIterator[bool]:
        if command not in ALONE:
            yield True
            return
        try:
            # asyncio.wait_for would lose a cancellation that comes with the turn (Python 3.11).
            async with asyncio.timeout(PATIENCE):
                await self._alone.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            self._alone.release()

    def _command(self, line: bytes) -> str | None:
        try:
            command = json.loads(line)["command"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return command if isinstance(command, str) and command in self.handlers else None

    def _call(self, command: str) -> dict[str, object]:
        try:
            return {"result": self.handlers[command]()}
        except ManageoutError as error:
            return _fault(error.message, error.hint)
        except Exception:
            log.exception("control command %s failed", command)
            return _fault(f"{command} failed inside the daemon", "see its log")

    async def _write(self, writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
        """One line; rows in slices, so that packets are served in between."""
        rows = answer.get("result")
        if isinstance(rows, Iterator | list):
            writer.write(b'{"result": [')
            await self._write_rows(writer, iter(rows))
            writer.write(b"]}\n")
        else:
            writer.write(json.dumps(answer).encode() + b"\n")
        async with asyncio.timeout(IDLE_TIMEOUT):
            await writer.drain()

    async def _write_rows(self, writer: asyncio.StreamWriter, rows: Iterator[object]) -> None:
        separator, more = b"", True
        while more:
            async with self._slices:
                part, more = _slice(rows)
                await asyncio.sleep(SLICE)
            if part:
                writer.write(separator + part)
                separator = b", "
            async with asyncio.timeout(IDLE_TIMEOUT):
                await writer.drain()


def _slice(rows: Iterator[object]) -> tuple[bytes, bool]:
    """As many rows as there is time for, as JSON; whether there may be more."""
    texts: list[str] = []
    end = time.perf_counter() + SLICE
    for row in rows:
        if row is not None:
            texts.append(json.dumps(row))
        if time.perf_counter() >= end:
            return ", ".join(texts).encode(), True
    return ", ".join(texts).encode(), False


def _user(connection: socket.socket) -> int:
    """Who has connected, as the kernel says."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return int(user)


_CREDENTIALS = struct.Struct("=iII")


def _fault(message: str, hint: str) -> dict[str, object]:
    return {"error": message, "hint": hint}


def _give(path: Path) -> None:
    """To its group, if there is one: who is in it may read."""
    with contextlib.suppress(KeyError):
        group = grp.getgrnam(GROUP).gr_gid
        try:
            os.chown(path, -1, group)
        except PermissionError:
            log.warning("%s cannot be given to the group %s: only root can read it", path, GROUP)


class _TooLong(Exception):
    """A line that is no command."""


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next command. Not wait_for: before Python 3.12 it forgets a stop that comes together with the line."""
    try:
        async with asyncio.timeout(IDLE_TIMEOUT):
            return await reader.readline()
    except ValueError:
        raise _TooLong from None


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = -1
    try:
        path.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        before = os.umask(0o177)  # nobody else may connect before it has its group
        try:
            # Through the descriptor, because a socket's name may have 107 bytes only.
            listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.umask(before)
        _give(path)
        path.chmod(0o660)
    except OSError as error:
        listener.close()
        raise ManageoutError(
            f"control socket {path}: {error.strerror}", "choose another --runtime-dir"
        ) from None
    finally:
        if directory >= 0:
            os.close(directory)
    return listener
