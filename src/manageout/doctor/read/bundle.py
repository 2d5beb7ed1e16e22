"""Evidence files -> facts, one machine a file (or a folder in an archive): bounded, whatever they hold."""

import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from manageout.doctor.facts import Facts
from manageout.doctor.read import json as read_json
from manageout.doctor.read import pasted as read_text
from manageout.doctor.read.text import MAX_BYTES, decode, lines, printable
from manageout.doctor.report import live_json
from manageout.errors import ManageoutError
from manageout.words import texts

MAX_FILES = 200
MAX_TOTAL = 32 * 1024 * 1024
"""Bytes of all files together, unpacked."""
MAX_DIRECTORY = 1024 * 1024
"""Bytes of an archive's list of members, which the library reads whole."""
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _File(NamedTuple):
    name: str
    data: bytes
    """Its first :data:`MAX_BYTES`."""
    cut: bool
    """Whether it goes on."""


def read(paths: Iterable[Path]) -> list[Facts]:
    """The machines in files, folders and zip archives. Raises :class:`ManageoutError` for what cannot be read.

    Of several files one may be broken: that is told with the findings. A single one is refused.
    """
    machines: dict[str, Facts] = {}
    faults: list[ManageoutError] = []
    total = count = 0
    for path in paths:
        for file in _files(path):
            count, total = count + 1, total + len(file.data)
            if count > MAX_FILES or total > MAX_TOTAL:
                bounds = {"files": MAX_FILES, "megabytes": MAX_TOTAL >> 20}
                raise ManageoutError(
                    *texts("manageout.doctor.read", "too-much", path=printable(str(path)), **bounds)
                )
            try:
                _add(machines, file.name, decode(file.data), file.cut)
            except ManageoutError as error:
                faults.append(error)
                machines[file.name].unread.append(error.message)
    if not machines:
        raise ManageoutError("no evidence there", "give files that the collector or a console has written")
    if faults and not any(facts.understood for facts in machines.values()):
        raise faults[0]
    return _understood(machines)


def read_pasted(text: str) -> list[Facts]:
    """The machines whose commands' output was pasted."""
    machines: dict[str, Facts] = {}
    _add(machines, "(pasted)", text)
    return _understood(machines)


def _understood(machines: dict[str, Facts]) -> list[Facts]:
    """Evidence of which not a word is known would look like health."""
    found = list(machines.values())
    if not any(facts.understood for facts in found):
        raise ManageoutError(*texts("manageout.doctor.read", "nothing"))
    return found


def _add(machines: dict[str, Facts], name: str, text: str, cut: bool = False) -> None:
    """A file of the collector is a machine; texts of one folder belong together, where they name the same one."""
    for claims, reader in ((live_json.is_live, live_json.read), (read_json.is_bundle, read_json.read)):
        if claims(text):
            machines[name] = Facts(name, read_at=time.time())
            reader(machines[name], text)
            return
    folder = str(PurePosixPath(name).parent)
    place = name if folder == "." else folder
    facts = machines.setdefault(place, Facts(place, read_at=time.time()))
    others = [other for key, other in machines.items() if key.startswith(f"{place} (")]
    for other in read_text.read(facts, lines(text), others):
        machines[f"{place} ({other.computer or other.source})"] = other
        if not (facts.understood or facts.unread or cut):
            machines.pop(place, None)  # all of it is of machines with names
    if cut:
        facts.unread.append(f"{name}: longer than {MAX_BYTES >> 20} MB, the rest was not looked at")


def _files(path: Path) -> Iterator[_File]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    yield _start(file, str(file.relative_to(path.parent)))
            return
        found = _start(path, path.name)
        if found.data.startswith(b"PK\x03\x04"):
            yield from _members(path)
        else:
            yield found
    except OSError as error:
        words = f"{printable(str(path))}: {error.strerror or error}"
        raise ManageoutError(words, "check the name, and who may read it") from None


def _start(path: Path, name: str) -> _File:
    with path.open("rb") as file:
        return _File(name, file.read(MAX_BYTES), bool(file.read(1)))


def _members(path: Path) -> Iterator[_File]:
    """What an archive holds, read in memory: names in it are labels and never become paths."""
    name = printable(str(path))
    hint = "unpack it, and give the folder"
    try:
        with path.open("rb") as whole:
            if _directory_size(whole) > MAX_DIRECTORY:
                raise ManageoutError(f"{name}: too much evidence", hint)
            with zipfile.ZipFile(whole) as archive:
                members = [member for member in archive.infolist()[: MAX_FILES + 1] if not member.is_dir()]
                # What `doctor --save` writes beside it is for people.
                saved = [member for member in members if member.filename == live_json.FILE]
                for member in saved or members:
                    yield _member(archive, member, path.name)
    except _BROKEN as error:
        message = f"{name}: not a readable archive: {printable(str(error))}"
        raise ManageoutError(message, hint) from None


_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError, IndexError,
    OverflowError,
)  # fmt: skip
"""What the library raises for archives that are none."""


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> _File:
    """What it claims about its size does not count. The other compressions may claim gigabytes of memory."""
    if member.compress_type not in _PLAIN:
        raise zipfile.BadZipFile("a member is neither stored nor deflated")
    with archive.open(member) as file:
        return _File(f"{name}/{member.filename}", file.read(MAX_BYTES), bool(file.read(1)))


def _directory_size(file: BinaryIO) -> int:
    """Bytes of the list of members, as its end record says; very many for the 64-bit form (APPNOTE 4.3.15)."""
    end = file.seek(0, 2)
    file.seek(max(0, end - (1 << 16) - 64))
    tail = file.read()
    file.seek(0)
    plain = tail[-22:].startswith(_END) and tail.endswith(b"\0\0")
    place = len(tail) - 22 if plain else tail.rfind(_END)
    if place < 0:
        return 0  # no archive: the library says so
    if tail[max(0, place - 20) : place].startswith(b"PK\6\7"):
        return 1 << 32
    return int.from_bytes(tail[place + 12 : place + 16], "little")


_END = b"PK\5\6"
