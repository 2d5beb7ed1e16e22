"""Ask a running process something, over its control socket: one JSON line there, one back.

A plain socket, because asyncio would cost more start-up time than everything else in ``manageout status``.
"""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from manageout.errors import DaemonUnreachable, ManageoutError, NotPermitted

DEFAULT_RUNTIME_DIR = "/run/manageout"
TIMEOUT = 10.0
HOW_TO_BE_LET_IN = (
    "run as root, or join the group manageout: usermod -aG manageout YOU, and log in again"
    " (docs/reference/commands.md says how to make it, if there is none)"
)


def ask(path: Path, command: str) -> Any:
    """The answer to ``command``. Raises :class:`DaemonUnreachable`, :class:`NotPermitted`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            _connect(connection, path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused unasked: it says why
                connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline() or b"null")
    except PermissionError:
        raise NotPermitted(f"not permitted to open {path}", HOW_TO_BE_LET_IN) from None
    except TimeoutError:
        raise DaemonUnreachable(f"{path}: no answer in {TIMEOUT:.0f} s", "see the daemon's log") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not an answer"
        hint = "start it: systemctl start manageout; another directory: --runtime-dir"
        raise DaemonUnreachable(f"nothing answers on {path} ({reason})", hint) from None
    if not isinstance(answer, dict):
        raise DaemonUnreachable(f"{path}: the daemon ended before it answered", "see the daemon's log")
    if "error" in answer:
        raise ManageoutError(answer["error"], answer.get("hint", ""))
    return answer["result"]


def _connect(connection: socket.socket, path: Path) -> None:
    # The kernel's limit of 107 bytes is for the name as given: go through a descriptor for longer ones.
    if len(os.fsencode(path)) < 108:
        connection.connect(os.fspath(path))
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
