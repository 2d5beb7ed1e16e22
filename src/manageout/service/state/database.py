"""A store's file: SQLite, opened, stepped to today's schema, set aside, opened again; no start is ever refused for it.

    writable      the file is used
    refusing      a full or read-only disk: what is stored is read, what is written is refused and tried again;
                  each try opens the file anew, so it heals by itself
    beside        the file was written by a newer version, or cannot be read: it stays as it is, and what is written
                  is kept in memory until the end

A damaged file is set aside, never deleted, and whatever can still be read of it goes into the new one, which takes its
place only when it is whole.
"""

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from manageout.errors import ManageoutError, NotPermitted
from manageout.service.process.files import set_aside
from manageout.service.process.finding import Finding, finding
from manageout.words import said

log = logging.getLogger(__name__)

Rows = list[tuple[Any, ...]]


def statements(file: str) -> dict[str, str]:
    """What a file beside this one has below each of its lines ``-- name: NAME``."""
    _, *parts = files(__package__).joinpath(file).read_text(encoding="utf-8").split("-- name: ")
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


class Schema(NamedTuple):
    """What a store's file holds. ``steps[n]`` leads from version n (``PRAGMA user_version``) to n + 1.

    The first step must also fit the files that were made before there was a version: they say 0.
    """

    what: str
    """In messages: "the leases"."""
    steps: Sequence[str]
    pragmas: Sequence[str] = ()
    """Of the connection that writes."""

    @property
    def version(self) -> int:
        """Of today's files."""
        return len(self.steps)

    def columns(self) -> dict[str, list[str]]:
        """Of today's tables."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            self.bring_up(db)
            return _columns(db)

    def bring_up(self, db: sqlite3.Connection) -> None:
        """Step ``db`` to today's version; each step happens wholly or not at all."""
        for number in range(version_of(db), self.version):
            script = f"BEGIN IMMEDIATE;\n{self.steps[number]};\nPRAGMA user_version = {number + 1};\nCOMMIT"
            try:
                db.executescript(script)
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


class Newer(Exception):
    """The file is of a newer version."""


class Damaged(Exception):
    """The file is no database of ours."""


class Database:
    """The file ``path``. The constructor never raises; nothing that was kept is lost by it."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path, self.schema = path, schema
        self.aside: Path | None = None
        """A damaged file that was found, under its new name."""
        self.rescued = 0
        """Rows of it that could still be read."""
        self.beside = ""
        """Why the file is left as it is, and memory is used; or nothing."""
        self.refusal = ""
        """Why the last write was refused, or nothing."""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        try:
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            if not self._read_only() and _size(self.path) is not None:
                self._use_memory(f"{self.path} cannot be read: {self.refusal}")

    # --- Opening ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        """For writing. Raises :class:`sqlite3.Error` or OSError when the disk refuses."""
        self._close_reader()  # it may hold a lock
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        if not self.path.exists() and fresh.exists():
            fresh.replace(self.path)  # killed while it was put into its place, whole
        try:
            self._writer = self._connect()
        except Newer as error:
            self._use_memory(str(error))
        except Damaged as error:
            self._begin_anew(fresh, error)
            self._writer = self._connect()

    def _connect(self) -> sqlite3.Connection:
        # The connection moves between the event loop (load, close) and one worker at a time (writing).
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            if (version := version_of(db)) > self.schema.version:
                raise Newer(newer(self.path, version, self.schema.version))
            if version < 0:
                raise Damaged(f"its schema has number {version}")
            for pragma in ("journal_mode = WAL", *self.schema.pragmas):
                db.execute(f"PRAGMA {pragma}")
            self.schema.bring_up(db)
            self._look(db)
        except BaseException as error:
            db.close()
            if is_damage(error) or _code(error) == sqlite3.SQLITE_ERROR:
                raise Damaged(said(error)) from None  # the latter: a step does not fit
            raise
        return db

    def _look(self, db: sqlite3.Connection) -> None:
        """Raise :class:`Damaged` when ``db`` is not what its version says."""
        wanted, found = self.schema.columns(), _columns(db)
        if any(found.get(table) != columns for table, columns in wanted.items()):
            raise Damaged("its tables are others")
        for table in wanted:
            db.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608 - of the schema

    def _begin_anew(self, fresh: Path, why: Exception) -> None:
        fresh.unlink(missing_ok=True)
        with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            self.schema.bring_up(db)
            rescued = 0
            if (damaged := _for_reading(self.path)) is not None:
                with closing(damaged):
                    rescued = _copy(damaged, db)
        self.aside, self.rescued = set_aside(self.path), rescued
        words = "%s is damaged (%s): set aside as %s, %d rows of it could be read and are kept"
        log.error(words, self.path, why, self.aside.name, self.rescued)
        fresh.replace(self.path)

    def _read_only(self) -> bool:
        """When it cannot be written: whatever way there is to read it."""
        self._close_reader()
        self._reader = _for_reading(self.path)
        if self._reader is not None and (version := version_of(self._reader)) > self.schema.version:
            self._use_memory(newer(self.path, version, self.schema.version))
        return self._reader is not None or bool(self.beside)

    def _use_memory(self, why: str) -> None:
        """Leave the file as it is; what can be read of it is known all the same."""
        log.error("%s: it stays as it is, and %s are kept in memory only", why, self.schema.what)
        self.beside = why
        self._writer = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.schema.bring_up(self._writer)
        if (found := self._reader or _for_reading(self.path)) is not None:
            with closing(found):
                _copy(found, self._writer)
        self._reader = None

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # --- Use --------------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> Rows:
        """What is stored, as far as it can be read."""
        db = self._writer or self._reader
        if db is None:
            return []
        found: Rows = []
        try:
            found.extend(db.execute(query, values))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            log.error("%s cannot be read wholly: %s", self.path, error)
            if self._writer is not None and is_damage(error):
                self._mend()
                return self.rows(query, *values)
        return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is stored together when it ends. Raises :class:`sqlite3.Error` when that is refused.

        A file that turns out to be damaged is set aside; then the next try works.
        """
        try:
            if self._writer is None:
                self._reopen()
            assert self._writer is not None
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except OSError as error:
            self._refused(error)
            raise sqlite3.OperationalError(said(error)) from None
        except sqlite3.Error as error:
            self._refused(error)
            if is_damage(error):
                self._mend()
            elif _code(error) in _STALE:
                self._close_writer()  # SQLite opens a file that it may not write for reading, for good
                self._read_only()
            raise
        if self.refusal:
            log.warning("%s can be stored again", self.schema.what)
        self.refusal = ""

    def _reopen(self) -> None:
        try:
            self._open()
        except (sqlite3.Error, OSError):
            self._read_only()
            raise

    def _mend(self) -> None:
        """Damaged while it is used."""
        self._close_writer()
        try:
            self._begin_anew(self.path.with_suffix(".new"), Damaged("while it was used"))
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._refused(error)
            self._read_only()

    def _refused(self, error: Exception) -> None:
        if not self.refusal:
            log.error("%s cannot be stored in %s: %s", self.schema.what, self.path, said(error))
        self.refusal = said(error)

    def findings(self, code: str, consequence: str) -> Iterator[Finding]:
        """What somebody should look at. ``code``: what the codes begin with; ``consequence``: of a full disk."""
        what, place = self.schema.what, self.path.parent
        if self.refusal and not self.beside:
            yield finding(
                "{store}-NOT-STORED",
                store=code,
                things=what,
                consequence=consequence,
                refusal=self.refusal,
                place=place,
            )
        if self.beside:
            yield finding("{store}-NOT-KEPT", store=code, things=what, why=self.beside, place=place)
        if self.aside is not None:
            aside, rescued = self.aside, self.rescued
            yield finding("{store}-UNREADABLE", store=code, things=what, rescued=rescued, aside=aside)

    def close(self) -> None:
        """Fold the log into the file."""
        self._close_reader()
        self._close_writer()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def stored(path: Path, query: str, *values: object, absent: ManageoutError | None = None) -> Iterator[Any]:
    """Rows of a file that a daemon may be writing. Without the file: none, or ``absent`` is raised.

    Raises :class:`ManageoutError`.
    """
    try:
        if not path.exists():
            if absent is not None:
                raise absent
            return
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            yield from db.execute(query, values)
    except PermissionError:
        raise NotPermitted(f"not permitted to read {path}", "run as root") from None
    except sqlite3.Error as error:
        if _code(error) == sqlite3.SQLITE_CANTOPEN:
            raise NotPermitted(f"not permitted to read {path}", "run as root") from None
        raise ManageoutError(f"{path} cannot be read: {said(error)}", "see the daemon's log") from None


_WAYS = (
    ("immutable=1", "query_only = ON"),
    ("mode=ro", "query_only = ON"),
    ("mode=rw", "locking_mode = EXCLUSIVE"),
)
"""The first needs no further file, and sees nothing that is in the log only. The second needs one of shared memory,
which a full or read-only disk may not hold. The third does without, and keeps others from reading."""


_STALE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
"""After such an error the file has to be opened anew."""


def is_damage(error: BaseException) -> bool:
    """Whether the file, not the disk, is at fault.

    Words that are no UTF-8 are told by the module, not by SQLite: without a code, or not even as an error of its own.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    unreadable = isinstance(error, sqlite3.OperationalError) and "decode to UTF-8" in str(error)
    return unreadable or _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def sound(row: Sequence[object], *kinds: type | tuple[type, ...]) -> bool:
    """Whether the values of ``row`` are of these kinds: in a damaged file no promise of the schema holds."""
    return all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))


def _for_reading(path: Path) -> sqlite3.Connection | None:
    for how, pragma in _WAYS:
        if how == "immutable=1" and _size(path.with_name(f"{path.name}-wal")):
            continue
        try:
            uri = f"{path.absolute().as_uri()}?{how}"
            db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0)
        except sqlite3.Error:
            continue
        try:
            db.execute(f"PRAGMA {pragma}")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            db.close()
        else:
            # One broken name must not cost the rows after it.
            db.text_factory = lambda raw: raw.decode(errors="replace")
            return db
    return None


def newer(path: Path, found: int, ours: int) -> str:
    """In a message."""
    return f"{path} is of a newer version of manageout (schema {found}, ours is {ours})"


def version_of(db: sqlite3.Connection) -> int:
    """Of its schema; 0: made before there was one."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _columns(db: sqlite3.Connection) -> dict[str, list[str]]:
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in tables}


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Every row of ``source`` that can be read and fits into a table of ``target``; how many."""
    target.execute("BEGIN IMMEDIATE")
    before = target.total_changes
    for table, columns in _columns(target).items():
        names = ", ".join(f'"{column}"' for column in columns)
        insert = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        for row in _readable(source, f"SELECT {names} FROM {table}"):  # noqa: S608 - of the schema
            with suppress(sqlite3.IntegrityError):
                target.execute(insert, row)
    target.execute("COMMIT")
    return target.total_changes - before


def _readable(source: sqlite3.Connection, query: str) -> Iterable[tuple[Any, ...]]:
    try:
        yield from source.execute(query)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        log.warning("the rest cannot be read: %s", error)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
