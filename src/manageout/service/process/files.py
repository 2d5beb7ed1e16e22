"""Files that others may read at any time are replaced in one step; unreadable ones are set aside, never deleted."""

import errno
import os
import tempfile
from pathlib import Path

from manageout.errors import ManageoutError


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Replace ``path``; nobody ever sees half of it, nor a key with a wider mode, and once this returns it outlives a
    loss
    of power. Raises :class:`ManageoutError`."""
    try:
        fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, mode)
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        _sync(path.parent)
    except OSError as error:
        hint = "check the directory's owner, mode and space"
        raise ManageoutError(f"{path}: {error.strerror}", hint) from None


def read_bounded(path: Path, most: int, hint: str, smaller: str = "") -> bytes:
    """A file that somebody gives, at most ``most`` bytes. Raises :class:`ManageoutError` with ``hint``.

    ``smaller``: the hint for one that is too large, if that is another.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ManageoutError(f"{path}: {error.strerror}", hint) from None
    if len(data) > most:
        raise ManageoutError(f"{path} has more than {most >> 20} MB", smaller or hint)
    return data


def _sync(directory: Path) -> None:
    """The new name is in the directory, which has blocks of its own."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # a filesystem that cannot, such as some of the network
            raise
    finally:
        os.close(fd)


def set_aside(path: Path) -> Path:
    """Move ``path``, which cannot be read, out of the way, over no other one. Its new name.

    A database's log goes with it: it would be taken for that of the file which comes into its place.
    """
    aside = path.with_suffix(".unreadable")
    for number in range(1, 1000):
        if not aside.exists():
            break
        aside = path.with_suffix(f".unreadable-{number}")
    for log in ("-wal", "-shm"):
        if (beside := path.with_name(path.name + log)).exists():
            beside.replace(aside.with_name(aside.name + log))
    path.replace(aside)
    return aside
