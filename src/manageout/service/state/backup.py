"""A copy of what a gateway cannot make anew: site file, state, and the files that the site file names.

One tar: ``site.toml``; ``state/NAME``, each database by SQLite's backup, so that it is whole while the daemon writes;
``files/PATH``, certificates, keys and lists. It is read with bounds, and comes back only to where its site file says:
whoever brings it back trusts it as he trusts that file.
"""

import io
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from manageout.errors import ManageoutError, NotPermitted
from manageout.service.process.files import replace_file
from manageout.service.state import hosts, leases, names, retire, usage
from manageout.service.state.database import newer, version_of
from manageout.site.tables.site import Site, parse

SITE = "site.toml"
DATABASES = {module.FILE: module.SCHEMA for module in (hosts, leases, names, retire, usage)}
OTHERS = ("holders", "retire.told")
"""Of the state, besides databases."""
MAX_SIZE = 1 << 30
"""Bytes that a backup may have."""
MAX_MEMBERS = 64
_SQLITE, _PRIVATE = b"SQLite format 3\0", b"PRIVATE KEY"


class Kept(NamedTuple):
    """A file of a backup: its name there and on this machine."""

    name: str
    path: Path
    data: bytes


def save(file: Path, site: Site, target: Path, *, secrets: bool) -> list[str]:
    """Write ``target``, readable to its owner only; the names in it. Raises :class:`ManageoutError`."""
    content = io.BytesIO()
    found = []
    with tarfile.open(fileobj=content, mode="w") as archive:
        for kept in _of_this_machine(file, site):
            if secrets or not _is_secret(kept, site):
                info = tarfile.TarInfo(kept.name)
                info.size, info.mode, info.mtime = len(kept.data), 0o600, int(kept.path.stat().st_mtime)
                archive.addfile(info, io.BytesIO(kept.data))
                found.append(kept.name)
    replace_file(target, content.getvalue(), 0o600)
    return found


def _of_this_machine(file: Path, site: Site) -> Iterator[Kept]:
    places = {SITE: file, **_places(site)}
    for name, path in places.items():
        try:
            data = _database(path) if path.name in DATABASES else path.read_bytes()
        except FileNotFoundError:
            continue  # not every site has everything
        except PermissionError:
            raise NotPermitted(f"{path} cannot be read", "run it as root") from None
        except (OSError, sqlite3.Error) as error:
            raise ManageoutError(f"{path}: {error}", "mend it, or move it away") from None
        yield Kept(name, path, data)


def _database(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError
    with (
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        source.backup(copy)
        if not _sound(copy):  # nothing of such a backup would come back
            raise sqlite3.DatabaseError("it is damaged")
        data = copy.serialize()
    return data[:18] + b"\1\1" + data[20:]  # no log beside it: bytes 18 and 19 of the file format


def _sound(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA quick_check").fetchone() == ("ok",))


def _places(site: Site) -> dict[str, Path]:
    """Where what a backup holds belongs, by its name there."""
    state = {f"state/{name}": site.daemon.state_dir / name for name in (*DATABASES, *OTHERS)}
    tables = (site.gateway, site.names)
    named = [path for table in tables if table for _, path in table if isinstance(path, Path)]
    return state | {f"files/{str(path.absolute()).lstrip('/')}": path for path in named}


def _is_secret(kept: Kept, site: Site) -> bool:
    """Private keys, wherever they stand, and what the zone's changes are signed with."""
    signing = (site.names.key_file, site.names.keytab) if site.names else ()
    return _PRIVATE in kept.data or kept.path in signing


def load(source: Path, file: Path) -> tuple[Site, list[Kept]]:
    """What ``source`` holds, with its places here; ``file``: where the site file shall be.

    Raises :class:`ManageoutError` for whatever is no backup, or is of a newer version.
    """
    members = _members(source)
    if SITE not in members:
        raise _unfit(source, "it has no site file")
    site = parse(members[SITE].decode(errors="replace"), f"{source}: {SITE}")
    places = {SITE: file, **_places(site)}
    if strange := members.keys() - places.keys():
        raise _unfit(source, f"its site file does not name {min(strange)!r}")
    for name, data in members.items():
        if (path := Path(name)).name in DATABASES and path.parent.name == "state":
            _check_database(source, path, data)
    return site, [Kept(name, places[name], data) for name, data in members.items()]


def _members(source: Path) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    try:
        if source.stat().st_size > MAX_SIZE:
            raise _unfit(source, f"it is larger than {MAX_SIZE} bytes")
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                reader = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if reader is None or member.name in members or len(members) == MAX_MEMBERS:
                    raise _unfit(source, f"{member.name!r} is no file, there twice, or one too many")
                members[member.name] = reader.read()
    except OSError as error:
        hint = "give a file of manageout backup"
        raise ManageoutError(f"{source}: {error.strerror or error}", hint) from None
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise _unfit(source, str(error)) from None
    return members


def _check_database(source: Path, name: Path, data: bytes) -> None:
    schema = DATABASES[name.name]
    if not data.startswith(_SQLITE):
        raise _unfit(source, f"{name} is no database")
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.deserialize(data)
            version, sound = version_of(db), _sound(db)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _unfit(source, f"{name}: {error}") from None
    if not sound:
        raise _unfit(source, f"{name} is damaged")
    if version > schema.version:
        raise ManageoutError(newer(name, version, schema.version), "install that version, then restore")


def put_back(kept: list[Kept], *, force: bool) -> None:
    """Write each file to its place, for root only; with ``force`` over others. Raises :class:`ManageoutError`."""
    try:
        there = [path for _, path, data in kept if path.exists() and path.read_bytes() != data]
        if there and not force:
            hint = "back them up, then restore with --force"
            raise ManageoutError(f"others are there already: {', '.join(map(str, there))}", hint)
        for each in kept:
            each.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            if each.path.name in DATABASES:
                for log in ("-wal", "-shm"):  # of what stands there: its last changes would be added
                    each.path.with_name(each.path.name + log).unlink(missing_ok=True)
            replace_file(each.path, each.data, 0o644 if each.name == SITE else 0o600)
    except OSError as error:
        raise ManageoutError(f"{error.filename}: {error.strerror}", "run it as root") from None


def _unfit(source: Path, why: str) -> ManageoutError:
    return ManageoutError(f"{source} is no backup that can be used: {why}", "give a file of manageout backup")
