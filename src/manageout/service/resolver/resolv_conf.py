"""Taking over ``/etc/resolv.conf``, and giving it back.

The file that is put there holds, as comments, what it replaces. So whoever comes later can give it back without any
other record: this process at its end; if it was killed, a small guard that has outlived it (:class:`Guard`), or the
next start. It is replaced in one step; where it is a mount of its own (a container, ``ip netns exec``), which cannot
be replaced, it is written in place. A file that somebody else has written meanwhile is never overwritten with an
older one.
"""

import contextlib
import errno
import ipaddress
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from manageout.errors import ManageoutError

PATH = Path("/etc/resolv.conf")
MAX_SIZE = 1 << 16
MAX_ORIGINAL = MAX_SIZE // 8
"""Characters of what is taken over. Kept as comments it is up to four times as long, and must be readable whole."""
_MARK = "# Written by `manageout connect`, process "
_FILE, _LINK, _NONE, _LINE, _UNENDED = "#= file ", "#= link ", "#= none", "#| ", "#= no newline"
_IN_PLACE = (errno.EBUSY, errno.EXDEV, errno.EROFS)
"""It is a mount of its own; the directory around it may be read-only."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Original:
    """What the file was before: a file with its mode, a symbolic link, or nothing."""

    text: str = ""
    mode: int = 0o644
    link: str | None = None
    absent: bool = False

    def servers(self, directory: Path) -> list[str]:
        """Its DNS servers now; a link's file, relative to ``directory``, may have changed meanwhile."""
        text = self.text
        if self.link is not None:
            with contextlib.suppress(OSError):
                text = (directory / self.link).read_text(errors="replace")
        return servers_of(text)


class ResolvConf:
    """One such file. Raises :class:`ManageoutError` where it cannot be read or written."""

    def __init__(self, path: Path = PATH) -> None:
        self._path = path
        self._written = ""
        self._original: Original | None = None

    @property
    def taken(self) -> bool:
        """Whether we have put our own file there, as far as we know."""
        return self._original is not None

    def recover(self) -> bool:
        """Give back what a process that is dead has taken; True if there was such a thing.

        Raises :class:`ManageoutError` when the process that has taken it lives.
        """
        found = _unwrap(self._read())
        if found is None:
            return False
        owner, original = found
        if owner != _owner(os.getpid()) and owner == _owner(int(owner.partition("/")[0])):
            raise ManageoutError(
                f"{self._path}: process {owner.partition('/')[0]}, another `manageout connect`, has taken it over",
                "end that one first, or give this one --resolver off",
            )
        self._restore(original)
        return True

    def take(self, server: str, search: Sequence[str] = ()) -> None:
        """Name ``server`` as the only DNS server; ``search``: domains to try first, before those there were.

        Raises :class:`ManageoutError`, also when another process that lives has taken it.
        """
        if self._original is None:
            self.recover()
        original = self._original or self._find()
        if len(original.text) > MAX_ORIGINAL:
            hint = "shorten it, or --resolver off"
            raise ManageoutError(
                f"{self._path}: longer than {MAX_ORIGINAL >> 10} KB, so not taken over", hint
            )
        content = _wrap(original, server, search)
        if content != self._written:
            self._replace(content, 0o644)
            self._original, self._written = original, content

    def changed(self) -> bool:
        """Whether somebody else has written the file since; then what is there now is the original."""
        if self._original is None:
            return False
        try:
            if self._read() == self._written:
                return False
        except ManageoutError:
            return False
        self._original, self._written = None, ""
        return True

    def servers(self) -> list[str]:
        """The DNS servers of the network that this machine is in."""
        original = self._original or self._find()
        return original.servers(self._path.parent)

    def give_back(self) -> None:
        """Put the original back, unless somebody else has written the file meanwhile."""
        if self._original is None or self.changed():
            return
        self._restore(self._original)
        self._original, self._written = None, ""

    def _find(self) -> Original:
        """What is there now and not ours."""
        text = self._read()
        found = _unwrap(text)
        if found is not None:
            return found[1]
        if self._path.is_symlink():
            return Original(text, link=os.readlink(self._path))
        if not self._path.exists():
            return Original(absent=True)
        return Original(text, stat.S_IMODE(self._path.stat().st_mode))

    def _read(self) -> str:
        try:
            with open(self._path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                return file.read(MAX_SIZE)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ManageoutError(f"{self._path}: {error.strerror}", "run as root") from None

    def _restore(self, original: Original) -> None:
        try:
            if original.absent:
                self._path.unlink(missing_ok=True)
            elif original.link is not None:
                with self._temporary() as temporary:
                    os.symlink(original.link, temporary)
                    temporary.replace(self._path)
            else:
                self._put(original.text, original.mode)
        except OSError as error:
            hint = "names are not resolved until it is put right by hand: its comments say what was there"
            raise ManageoutError(f"{self._path} cannot be given back: {error.strerror}", hint) from None

    def _replace(self, text: str, mode: int) -> None:
        try:
            self._put(text, mode)
        except OSError as error:
            hint = "install systemd-resolved, or let the service write the directory, or --resolver off"
            raise ManageoutError(f"{self._path}: {error.strerror}", hint) from None

    def _put(self, text: str, mode: int) -> None:
        data = text.encode("utf-8", errors="surrogateescape")
        try:
            with self._temporary() as temporary:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                    os.fchmod(file.fileno(), mode)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
        except OSError as error:
            # On a full disk there is room where more stands already: what is given back is shorter than ours.
            fits = error.errno in _FULL and len(data) <= self._path.stat().st_size
            if (error.errno not in _IN_PLACE and not fits) or self._path.is_symlink():
                raise  # a link leads to another program's file, and could not be put back
            _write_in_place(self._path, data)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A name beside the file, of which nothing stays."""
        name = self._path.with_name(f".{self._path.name}.manageout")
        name.unlink(missing_ok=True)
        try:
            yield name
        finally:
            name.unlink(missing_ok=True)


def _write_in_place(path: Path, data: bytes) -> None:
    """First the new bytes, then the end: whoever reads in between sees the new lines first."""
    with open(path, "r+b", buffering=0) as file:
        file.write(data)
        file.truncate()
        os.fsync(file.fileno())


def _owner(process: int) -> str:
    """A process that lives: its number and when it started, for numbers are used again. Else an empty string."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if fields[0] in "ZX" else f"{process}/{fields[19]}"


class Guard:
    """A shell that waits for the end of this process, however it comes, and then has the file given back.

    Not when the whole control group is killed at once; then the next start does it.
    """

    def __init__(self, path: Path = PATH) -> None:
        # A line says that all is well; the end of the pipe without one, that this process was killed.
        script = (
            'trap "" HUP INT TERM; read -r line || exec "$0" -m manageout.service.resolver.resolv_conf "$1"'
        )
        command = ["/bin/sh", "-c", script, sys.executable, os.fspath(path)]
        self._shell = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, cwd="/")

    def dismiss(self) -> None:
        """The file has been given back, or will be by somebody else."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._shell.communicate(b"\n", timeout=2)


def recover_after_death(path: Path) -> None:
    """What the guard does: the dead may take a moment to be gone."""
    for _ in range(50):
        try:
            ResolvConf(path).recover()
        except ManageoutError:
            time.sleep(0.1)
        else:
            return


def servers_of(text: str) -> list[str]:
    """The addresses in ``nameserver`` lines."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(words[1])
                found.append(words[1])
    return found


def _wrap(original: Original, server: str, search: Sequence[str]) -> str:
    """The file that is put in place of ``original``."""
    lines = [f"{_MARK}{_owner(os.getpid())}, which puts back what was here when it ends.\n"]
    if original.absent:
        lines.append(f"{_NONE}\n")
    elif original.link is not None:
        lines.append(f"{_LINK}{original.link}\n")
    else:
        lines.append(f"{_FILE}{original.mode:o}\n")
    lines += [f"{_LINE}{line}" for line in original.text.splitlines(keepends=True)]
    if not lines[-1].endswith("\n"):
        lines.append(f"\n{_UNENDED}\n")
    lines.append(f"nameserver {server}\n")
    domains = list(search)
    for line in original.text.splitlines():
        words = line.split()
        if words and words[0] in ("search", "domain"):
            domains += [word for word in words[1:] if word not in domains]
        elif words and words[0] in ("options", "sortlist"):
            lines.append(f"{line}\n")
    if domains:
        lines.append(f"search {' '.join(domains)}\n")
    return "".join(lines)


def _unwrap(text: str) -> tuple[str, Original] | None:
    """Who has written this file of ours, and what it replaced; None when it is not one."""
    lines = text.splitlines(keepends=True)
    if len(lines) < 2 or not lines[0].startswith(_MARK):
        return None
    owner = lines[0].removeprefix(_MARK).partition(",")[0]
    kind = lines[1].rstrip("\n")
    body = "".join(line.removeprefix(_LINE) for line in lines[2:] if line.startswith(_LINE))
    if f"{_UNENDED}\n" in lines:
        body = body.removesuffix("\n")
    if not all(part.isdecimal() for part in owner.partition("/")[::2]):
        return None
    if kind.startswith(_LINK):
        return owner, Original(body, link=kind.removeprefix(_LINK))
    if kind.startswith(_FILE):
        try:
            return owner, Original(body, int(kind.removeprefix(_FILE), 8) & 0o777)
        except ValueError:
            return None
    return (owner, Original(absent=True)) if kind == _NONE else None


if __name__ == "__main__":
    recover_after_death(Path(sys.argv[1]))
