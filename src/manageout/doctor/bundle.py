"""Evidence files -> facts, one machine a file (or a folder in an archive): bounded, whatever they hold."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from manageout.doctor import live_json, read_json, read_text
from manageout.doctor.facts import Facts
from manageout.doctor.text import MAX_BYTES, decode, lines
from manageout.errors import ManageoutError

MAX_FILES = 500
MAX_TOTAL = 64 * 1024 * 1024
"""Bytes of all files together, unpacked."""


def read(paths: Iterable[Path]) -> list[Facts]:
    """The machines in files, folders and zip archives. Raises :class:`ManageoutError` for what cannot be read."""
    machines: dict[str, Facts] = {}
    total = count = 0
    for path in paths:
        for name, data in _files(path):
            count, total = count + 1, total + len(data)
            if count > MAX_FILES or total > MAX_TOTAL:
                hint = f"at most {MAX_FILES} files and {MAX_TOTAL >> 20} MB are looked at: give fewer"
                raise ManageoutError(f"{path}: too much evidence", hint)
            _add(machines, name, decode(data))
    if not machines:
        raise ManageoutError("no evidence there", "give files that the collector or a console has written")
    return _understood(machines)


def read_pasted(text: str) -> list[Facts]:
    """The machine whose commands' output was pasted."""
    machines: dict[str, Facts] = {}
    _add(machines, "(pasted)", text)
    return _understood(machines)


def _understood(machines: dict[str, Facts]) -> list[Facts]:
    """Evidence of which not a word is known would look like health."""
    found = list(machines.values())
    if not any(facts.understood for facts in found):
        hint = "give what the collector wrote (--collector prints it), or ipconfig /all and netsh"
        raise ManageoutError("nothing there is the output of a command that the doctor knows", hint)
    return found


def _add(machines: dict[str, Facts], name: str, text: str) -> None:
    """A file of the collector is a machine; texts of one folder belong together."""
    if live_json.is_live(text):
        machines[name] = Facts(name)
        live_json.read(machines[name], text)
        return
    if read_json.is_bundle(text):
        machines[name] = Facts(name)
        read_json.read(machines[name], text)
        return
    folder = str(PurePosixPath(name).parent)
    place = name if folder == "." else folder
    facts = machines.setdefault(place, Facts(place))
    read_text.read(facts, lines(text))


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    yield str(file.relative_to(path.parent)), _start(file)
            return
        data = _start(path)
        if data.startswith(b"PK\x03\x04"):
            yield from _members(path)
        else:
            yield path.name, data
    except OSError as error:
        raise ManageoutError(f"{path}: {error.strerror}", "check the name, and who may read it") from None


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """What an archive holds, read in memory: names in it are labels and never become paths."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist()[: MAX_FILES + 1] if not member.is_dir()]
            # What `doctor --save` writes beside it is for people.
            saved = [member for member in members if member.filename == live_json.FILE]
            for member in saved or members:
                with archive.open(member) as file:  # what it claims about its size does not count
                    yield f"{path.name}/{member.filename}", file.read(MAX_BYTES)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
    ) as error:
        raise ManageoutError(
            f"{path}: not a readable archive: {error}", "unpack it, and give the folder"
        ) from None
