"""Which group policies set ISATAP: in Active Directory, in a folder of backups, in exported reports."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from manageout.directory.ad.state import CensusPolicy
from manageout.errors import ManageoutError
from manageout.retire.rows import PolicySetting
from manageout.service.process.files import read_bounded
from manageout.windows.gpo_read import Setting, of_files, of_report
from manageout.windows.text import decoded

MAX_FILES, MAX_BYTES = 20_000, 64 << 20
MAX_FILE = 1 << 20
INFO, FILES = "bkupinfo.xml", "DomainSysvol/GPO"
_SUFFIXES = (".pol", ".xml", ".ps1", ".bat", ".cmd", ".vbs", ".ini", ".txt")
_HINT = "give a folder that Backup-GPO wrote, or the file of Get-GPOReport -All -ReportType Xml -Path FILE"


def of_directory(policies: list[CensusPolicy]) -> list[PolicySetting]:
    """What :meth:`manageout.directory.ad.domain.Domain.census` has read."""
    rows = []
    for policy in policies:
        files = {path: base64.b64decode(text) for path, text in policy["files"].items()}
        rows += _rows(of_files(policy["name"], policy["guid"], files), policy["links"])
    return rows


def of_path(path: Path) -> list[PolicySetting]:
    """A folder of backups, or a report. Raises :class:`ManageoutError`."""
    try:
        if path.is_dir():
            return _of_folder(path)
    except OSError as error:
        raise ManageoutError(f"{path}: {error.strerror}", _HINT) from None
    data = read_bounded(path, MAX_BYTES, _HINT, "export fewer policies at a time")
    try:
        return _rows(of_report(data), [])
    except ManageoutError as error:
        raise ManageoutError(f"{path}: {error.message}", _HINT) from None


def _of_folder(path: Path) -> list[PolicySetting]:
    infos = [each for each in _walk(path) if each.name.lower() == INFO]
    if not infos:
        raise ManageoutError(f"{path}: no backup of a group policy below it", _HINT)
    rows: list[PolicySetting] = []
    for info in infos:
        text, root = decoded(_start(info)), info.parent / FILES
        wanted = [each for each in _walk(root) if each.suffix.lower() in _SUFFIXES] if root.is_dir() else []
        files = {str(each.relative_to(root)): data for each in wanted if _says(data := _start(each))}
        rows += _rows(of_files(_field(text, "GPODisplayName"), _field(text, "GPOGuid"), files), [])
    return rows


def _walk(path: Path) -> Iterator[Path]:
    for number, each in enumerate(sorted(path.rglob("*"))):
        if number >= MAX_FILES:
            words = f"{path} has more than {MAX_FILES} files"
            raise ManageoutError(words, "give the folder of the backups only")
        if each.is_file() and not each.is_symlink():
            yield each


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE)


def _says(data: bytes) -> bool:
    lower = data.lower()
    return b"isatap" in lower or "isatap".encode("utf-16-le") in lower


def _field(text: str, name: str) -> str:
    match = re.search(rf"<{name}>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</{name}>", text, re.DOTALL)
    return match[1].strip() if match else ""


def _rows(settings: list[Setting], links: list[str]) -> list[PolicySetting]:
    return [
        PolicySetting(policy=policy, guid=guid, place=place, what=what, turns=turns, links=links)
        for policy, guid, place, what, turns in settings
    ]


def turns_on(row: PolicySetting) -> bool:
    """Whether machines use ISATAP because of it."""
    return row["turns"] in ("on", "router name", "unclear")
