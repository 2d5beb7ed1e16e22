"""The runtime directory: one process at a time, its lock, and what it must undo if it was killed."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from manageout.errors import ManageoutError, NotPermitted
from manageout.linux.host.lock import lock

CONTROL_SOCKET = "control.sock"


@dataclass
class Succession:
    """What a process leaves to the one after it, so that flows in the kernel do not notice: programs with their TUN.

    The kernel keeps them however the process ends. At a plain stop it takes them back itself; when it was told that
    another one follows it leaves them, as it does when it is killed.
    """

    pins: Path | None = None
    """Where programs have their names; None: nothing outlives."""
    orphan: float = 0.0
    """Seconds for which programs pass packets when nobody guards them."""
    follows: bool = False
    """This process ends, and the next one is to find everything in its place."""


class RuntimeDir:
    """``/run/manageout`` or another; a context manager that holds its lock.

    Raises :class:`ManageoutError` when another process holds it, :class:`NotPermitted` without the right to
    write there. The lock ends with the process, however it ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        self._noted: str | None = None
        """What the file says, as far as we have written it."""

    @property
    def control_socket(self) -> Path:
        """Where the control socket of the process is."""
        return self.path / CONTROL_SOCKET

    def busy(self) -> bool:
        """Whether another process holds the lock now. Makes nothing."""
        try:
            with open(self.path / "lock") as file:
                return not lock(file.fileno(), shared=True)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def __enter__(self) -> Self:
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o755)  # whoever may ask has to reach the control socket, whatever the umask
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:
            raise NotPermitted(f"not permitted to write in {self.path}", "run as root") from None
        except OSError as error:
            raise ManageoutError(f"{self.path}: {error.strerror}", "choose another --runtime-dir") from None
        if not lock(self._lock):
            owner = os.read(self._lock, 20).decode(errors="replace").strip() or "unknown"
            self._release()
            hint = "stop it first, or give this one another --runtime-dir"
            raise ManageoutError(f"already running in {self.path} (process {owner})", hint)
        with contextlib.suppress(OSError):  # no room: the lock holds all the same
            os.ftruncate(self._lock, 0)
            os.write(self._lock, f"{os.getpid()}\n".encode())
        return self

    def __exit__(self, *error: object) -> None:
        # The lock file stays: removing it would let two processes lock two files of the same name.
        os.ftruncate(self._lock, 0)
        self._release()

    def _release(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def remember(self, left: dict[str, Any]) -> None:
        """Keep what has to be undone, for the process after this one if this one is killed; empty: nothing.

        Raises :class:`ManageoutError`: what cannot be noted is better not done.
        """
        file = self.path / "undo.json"
        partial = file.with_suffix(".new")
        text = json.dumps(left) if left else ""
        if text == self._noted:
            return  # a full file system must not keep what is noted already from being put back
        try:
            if not left:
                file.unlink(missing_ok=True)
            else:
                partial.write_text(text)
                partial.replace(file)
            self._noted = text
        except OSError as error:
            what = f"{file}: cannot note what has to be undone: {error.strerror}"
            raise ManageoutError(what, "make room there") from None

    def forget(self) -> None:
        """Remove the directory with what we keep in it. Only where no other process is to come after this one."""
        with contextlib.suppress(OSError):  # whatever else is in it stays
            for name in ("undo.json", "undo.new", "torn", CONTROL_SOCKET, "lock"):
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()

    @property
    def torn(self) -> bool:
        """Whether the rules of the packet filter were gone once since the machine has started."""
        return (self.path / "torn").exists()

    def tear(self) -> None:
        """They are gone."""
        with contextlib.suppress(OSError):
            (self.path / "torn").touch()

    def remembered(self) -> dict[str, Any]:
        """What a killed process has left to be undone."""
        try:
            found = json.loads((self.path / "undo.json").read_text())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
