"""``manageout stop`` at a place, and a lock that somebody else holds."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manageout.linux.host import netns
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import NAME, Place


def stop(place: Place, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*MANAGEOUT, "stop", *place.options(), *options]
    done = netns.run(NAME, argv, check=False)
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Another process, which is none that can be told to stop, has the lock of ``directory``."""
    directory.mkdir(exist_ok=True)
    with open(directory / "lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
