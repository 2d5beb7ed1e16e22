"""Long-running programs on the lab's nodes: start, wait for a condition, stop, tell what failed.

Each writes to ``/run/manageout-lab/NODE/NAME.log`` and has its pid in ``NAME.pid`` beside it, so that another
command (``lab list``, a test) finds it again.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from manageout.errors import LabError
from manageout.lab import network

T = TypeVar("T")
TAIL_LINES = 8
STOP_SECONDS = 10.0


class Process(NamedTuple):
    """One program on one node."""

    node: str
    name: str
    pid: int

    @property
    def log(self) -> Path:
        """Everything it printed."""
        return network.directory(self.node) / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that has ended but was not waited for does not."""
        with contextlib.suppress(OSError):
            # The state follows the name in parentheses, which may hold anything.
            ended = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
            # Killed, it holds its files and locks until the last of its threads is gone.
            return not ended or len(os.listdir(f"/proc/{self.pid}/task")) > 1
        return False

    def tail(self) -> str:
        """The last lines of the log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        return ""

    def listens(self, port: int) -> bool:
        """Whether anything on the node listens on TCP ``port``."""
        wanted = f":{port:04X}"
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[1].endswith(wanted) and fields[3] == "0A":  # TCP_LISTEN
                        return True
        return False


def start(node: str, name: str, argv: Sequence[str]) -> Process:
    """Start ``argv`` on ``node``; the log starts anew."""
    log = network.directory(node) / f"{name}.log"
    with log.open("wb") as output:
        inside, nothing = network.command(node, argv), subprocess.DEVNULL
        child = subprocess.Popen(inside, stdin=nothing, stdout=output, stderr=output, start_new_session=True)
    # Whether it lives is read from /proc; nobody waits for it but the last line of stop().
    child.returncode = 0
    log.with_suffix(".pid").write_text(str(child.pid))
    return Process(node, name, child.pid)


def find(node: str, name: str) -> Process | None:
    """The program called ``name`` on ``node``, if it was started and still runs."""
    with contextlib.suppress(OSError, ValueError):
        process = Process(node, name, int((network.directory(node) / f"{name}.pid").read_text()))
        return process if process.alive else None
    return None


def running() -> list[Process]:
    """Every program of the lab that runs."""
    found = (find(path.parent.name, path.stem) for path in sorted(network.STATE.glob("*/*.pid")))
    return [process for process in found if process]


def stop(process: Process, sign: signal.Signals = signal.SIGTERM) -> None:
    """End a program and wait until it is gone. :class:`LabError` when it does not go."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, sign)
    wait_until(f"{process.name} on {process.node} ends", lambda: not process.alive, STOP_SECONDS)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def await_listening(process: Process, port: int, seconds: float) -> None:
    """Wait until it listens; :class:`LabError` as :func:`wait_until`."""
    what = f"{process.name} on {process.node} listens on port {port}"
    wait_until(what, lambda: process.listens(port), seconds, [process])


def wait_until(
    what: str, condition: Callable[[], T | None], seconds: float = 15.0, needs: Sequence[Process] = ()
) -> T:
    """Poll until ``condition`` is true and return its value.

    :class:`LabError` when ``seconds`` pass, or one of ``needs`` ends, first; with the end of their logs.
    """
    seconds *= network.PATIENCE
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        dead = [process for process in needs if not process.alive]
        if dead or time.monotonic() > deadline:
            why = f"{dead[0].name} on {dead[0].node} ended" if dead else f"not after {seconds:g} s"
            logs = [f"{process.log}:\n{process.tail()}" for process in dead or needs]
            raise LabError(f"{what}: {why}", "\n".join(logs))
        time.sleep(0.02)
    return value
