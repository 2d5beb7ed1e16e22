"""End the process that holds a runtime directory, from another one."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

from manageout.errors import ManageoutError, NotPermitted
from manageout.service.process.runtime import RuntimeDir

PATIENCE = 30.0
"""Seconds that a stop may take, as in the units."""


def end(runtime: RuntimeDir, *, kill: bool = False) -> int:
    """Have the process that holds ``runtime`` stop, and wait for its end; its number, 0 when there was none.

    ``kill``: if it does not. Raises :class:`ManageoutError`, :class:`NotPermitted`.
    """
    if not runtime.busy():
        return 0
    process = _holder(runtime.path / "lock")
    if not process:
        hint = "end it there: it may be in a container, or still starting"
        raise ManageoutError(f"{runtime.path} is held by a process that is not seen from here", hint)
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process)
        try:
            _end(descriptor, process, kill)
        finally:
            os.close(descriptor)
    return process


def _end(descriptor: int, process: int, kill: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL)[: 1 + kill]:
        try:
            signal.pidfd_send_signal(descriptor, number)
        except PermissionError:
            raise NotPermitted(f"not permitted to end process {process}", "run as root") from None
        if select.select([descriptor], [], [], PATIENCE)[0]:
            return
    raise ManageoutError(f"process {process} has not ended within {PATIENCE:.0f} s", "see its log")


def _holder(lock: Path) -> int:
    """The process that the lock file names, if the kernel says that this one holds it; else 0."""
    try:
        process, inode = lock.read_text().strip(), lock.stat().st_ino
        held = Path("/proc/locks").read_text()  # 1: FLOCK  ADVISORY  WRITE 4711 00:1a:123 0 EOF
    except OSError:
        return 0
    holders = (line.split() for line in held.splitlines() if "FLOCK" in line)
    found = any(words[4] == process and words[5].endswith(f":{inode}") for words in holders if len(words) > 5)
    return int(process) if found else 0
