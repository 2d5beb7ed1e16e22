"""The control socket: a Unix socket where ``manageout status`` and its like read what a process knows.

One JSON line ``{"command": NAME}`` in, one line ``{"result": ...}`` or ``{"error": ..., "hint": ...}`` out, then
the next. Every command only reads, so the socket is open to the group ``manageout`` if there is one, and to
everybody otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from manageout.errors import ManageoutError

GROUP = "manageout"
MAX_CONNECTIONS = 32
IDLE_TIMEOUT = 30.0
_SLICE = 200

log = logging.getLogger(__name__)
Handlers = Mapping[str, Callable[[], object]]


class ControlServer:
    """Answers on ``path`` from ``handlers`` (command -> function that returns something JSON can hold,
    or an iterator of rows, which are asked for as they are sent).

    An asynchronous context manager. Whoever holds the lock of the runtime directory may start one: a socket
    that is found there belongs to a dead process and is replaced.
    """

    def __init__(self, path: Path, handlers: Handlers) -> None:
        self.path = path
        self.handlers = handlers
        self._connections = 0
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def __aenter__(self) -> Self:
        listener = _listen(self.path)
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=4096)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while line := await asyncio.wait_for(reader.readline(), IDLE_TIMEOUT):
                await _write(writer, self._answer(line))
        except (OSError, ValueError, TimeoutError):  # gone, a line without end, or silent
            pass
        finally:
            self._connections -= 1
            writer.close()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            command = json.loads(line)["command"]
            handler = self.handlers[command]
        except (ValueError, KeyError, TypeError):
            known = ", ".join(self.handlers)
            return {"error": "this process does not know that command", "hint": f"it knows: {known}"}
        try:
            return {"result": handler()}
        except ManageoutError as error:
            return {"error": error.message, "hint": error.hint}
        except Exception:
            log.exception("control command %s failed", command)
            return {"error": f"{command} failed inside the daemon", "hint": "see its log"}


async def _write(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    """One line; the rows of an iterator in slices, so that packets are served in between."""
    rows = answer.get("result")
    if isinstance(rows, Iterator):
        writer.write(b'{"result": [')
        separator = b""
        while part := list(islice(rows, _SLICE)):
            writer.write(separator + json.dumps(part)[1:-1].encode())
            separator = b", "
            await asyncio.wait_for(writer.drain(), IDLE_TIMEOUT)
            await asyncio.sleep(0)
        writer.write(b"]}\n")
    else:
        writer.write(json.dumps(answer).encode() + b"\n")
    await asyncio.wait_for(writer.drain(), IDLE_TIMEOUT)


def _mode(path: Path) -> int:
    """Give the socket to its group if there is one; who may then open it."""
    try:
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
    except KeyError:
        return 0o666
    except PermissionError:
        log.warning("%s cannot be given to the group %s: only root can read it", path, GROUP)
    return 0o660


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = -1
    try:
        path.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        # Through the descriptor, because a socket's name may have 107 bytes only.
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        path.chmod(_mode(path))
    except OSError as error:
        listener.close()
        raise ManageoutError(
            f"control socket {path}: {error.strerror}", "choose another --runtime-dir"
        ) from None
    finally:
        if directory >= 0:
            os.close(directory)
    return listener
