"""A command of the lab in namespaces of its own: however it ends, killed at any moment, nothing of it is left.

    we --- unshare --- process 1 of its own processes, which sees its own mounts
     `---- a janitor, which waits for the end of those, and removes the directories that were made for them

When we die, `unshare` is killed by the kernel, and with it process 1, and with that all processes. Network namespaces
and files lie on file systems that only they see, and go with the last of them.
"""

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from manageout.errors import LabError
from manageout.lab import network
from manageout.lab.process import Process, wait_until
from manageout.lab.topology import text_of
from manageout.linux.host import netns

INSIDE = "MANAGEOUT_LAB_ALONE"
"""Set in the environment of what runs alone."""
PLACES = (netns.ROOT, network.STATE, network.ETC)
_PR_SET_PDEATHSIG = 1
ENDS = 30.0
"""Seconds for the kernel to end all that runs inside."""


def is_inside() -> bool:
    """Whether this process already runs alone."""
    return INSIDE in os.environ


def run(argv: Sequence[str]) -> int:
    """Run ``argv`` alone, to its end or ours; its exit code, or 128 and the number of the signal that ended us.

    Raises :class:`LabError` when namespaces cannot be made.
    """
    missing = [str(place) for place in PLACES if not place.exists()]
    ended, held = os.pipe()
    try:
        argv_janitor = ["sh", "-c", text_of("scripts.janitor"), "janitor", *missing]
        janitor = subprocess.Popen(argv_janitor, stdin=ended, start_new_session=True)
        with _signals() as caught:
            child = _start(argv, held)
            os.close(held)
            held = -1
            caught.child = child.pid
            if caught.number:  # it came before there was a child
                caught(caught.number, None)
            code = child.wait()
    except OSError as error:
        raise LabError(
            f"the lab cannot run alone: {error.strerror}", "it needs util-linux: unshare"
        ) from None
    finally:
        os.close(ended)
        if held >= 0:
            os.close(held)
    janitor.wait()
    return 128 + caught.number if caught.number else code


def _start(argv: Sequence[str], held: int) -> subprocess.Popen[bytes]:
    us = os.getpid()
    library = ctypes.CDLL(None)

    def die_with_us() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != us:
            os._exit(1)

    mounts = ["--mount", "--propagation", "unchanged", "--mount-proc"]
    places = " ".join(map(str, PLACES))
    return subprocess.Popen(
        [
            "unshare",
            *mounts,
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            text_of("scripts.alone"),
            "lab",
            *argv,
        ],
        env={**os.environ, INSIDE: "1", "PLACES": places},
        pass_fds=[held],
        preexec_fn=die_with_us,
        start_new_session=True,
    )


def _ended(pid: int) -> bool:
    return not Process("", "", pid).alive


class _Caught:
    """What became of us."""

    number = 0
    child = 0

    def __call__(self, number: int, frame: object) -> None:
        """A signal: end everything, now."""
        self.number = number
        inside = Path(f"/proc/{self.child}/task/{self.child}/children")
        with contextlib.suppress(OSError, LabError):
            # Stopped, for `unshare` whose child was killed says that it cannot unblock the signal by which.
            os.kill(self.child, signal.SIGSTOP)
            for pid in map(int, inside.read_text().split()):
                os.kill(pid, signal.SIGKILL)
                # Process 1, whose end is that of all others.
                wait_until("the lab ends", functools.partial(_ended, pid), ENDS)
        with contextlib.suppress(OSError):
            os.kill(self.child, signal.SIGKILL)


@contextlib.contextmanager
def _signals() -> Iterator[_Caught]:
    caught = _Caught()
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, caught) for kind in kinds}
    try:
        yield caught
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
