"""What `manageout retire` knows and has done: SQLite in the state directory, so that a restart loses nothing.

A log of steps, the newest last, is the state machine: each entry names the phase that it led to. Beside it stand the
rows that a step has found (hosts, names, policies, verdicts), the set of hosts that retire now, which the daemon reads
at start and at reload, and what an undo needs. Commands write it, the daemon only reads: so it has a rollback
journal, not WAL, and belongs to the owner of the directory.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

from manageout.errors import ManageoutError, NotPermitted
from manageout.service.state.database import Schema, newer, statements, version_of
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.words import said

FILE = "retire.db"
KEEP = 4
"""Entries with their rows; of older ones only the figures are kept, and the rows of the first."""

_SQL = statements("retire.sql")
SCHEMA = Schema("the steps of the retirement", (_SQL["step 1"],))


class LoggedStep(NamedTuple):
    """One step that was done."""

    number: int
    step: RetireStep
    phase: Phase
    """What it led to."""
    at: float
    since: float
    """From when on what it rests upon, or has begun, is observed; the next step wants it to be old enough."""
    by: str
    forced: bool
    figures: Mapping[str, Any]
    """For `status` and the report: numbers by name."""


class Member(NamedTuple):
    """Hosts that retire now."""

    network: IPv4Network
    wave: str
    """In the words of the one who chose them."""
    since: float

    def __contains__(self, address: object) -> bool:
        return isinstance(address, IPv4Address) and address in self.network


class RetireStore:
    """The file ``retire.db`` in ``directory``, opened for each call. Every method raises :class:`ManageoutError`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE

    # Reading: without the file there is nothing, which is no fault.

    def phase(self) -> Phase:
        """Where the site is on its way out."""
        last = self.last()
        return last.phase if last else Phase.NOT_BEGUN

    def last(self, *steps: RetireStep) -> LoggedStep | None:
        """The latest entry, of any step or of these."""
        wanted = [entry for entry in self.entries() if not steps or entry.step in steps]
        return wanted[-1] if wanted else None

    def entries(self) -> list[LoggedStep]:
        """Everything that was done, in order."""
        return [self._entry(row) for row in self._read("SELECT * FROM steps ORDER BY id")]

    def found(self, kind: str, number: int | None = None) -> list[Any]:
        """Rows of one kind that entry ``number`` has found; without it, the latest entry that found some."""
        if number is None:
            latest = self._read("SELECT max(step) FROM found WHERE kind = ?", kind)
            number = latest[0][0] if latest else None
        rows = self._read("SELECT row FROM found WHERE step = ? AND kind = ? ORDER BY key", number, kind)
        return [self._object(row) for (row,) in rows]

    def members(self) -> list[Member]:
        """The hosts that retire now."""
        rows = self._read("SELECT network, wave, since FROM members ORDER BY since, network")
        return [
            Member(self._read_as(IPv4Network, network, "network"), wave, since)
            for network, wave, since in rows
        ]

    def kept(self, prefix: str = "") -> dict[str, Any]:
        """What was kept for an undo, by key."""
        rows = self._read("SELECT key, value FROM kept ORDER BY key")
        pairs = ((key, value) for key, value in rows if key.startswith(prefix))
        return {key: self._read_as(json.loads, value, "JSON") for key, value in pairs}

    # Writing: each call is one transaction, on the disk when it returns.

    def record(
        self,
        step: RetireStep,
        phase: Phase,
        at: float,
        by: str,
        *,
        since: float | None = None,
        forced: bool = False,
        figures: Mapping[str, Any] | None = None,
        found: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None,
        members: Sequence[Member] | None = None,
    ) -> LoggedStep:
        """Note a step. ``found``: rows by kind and key. ``members``: who retires from now on; None: as before."""
        values = (step, phase, at, at if since is None else since, by, int(forced), json.dumps(figures or {}))
        rows = [(kind, key, row) for kind, group in (found or {}).items() for key, row in group.items()]
        with self._write() as db:
            number = db.execute(_SQL["write"], values).lastrowid
            texts = ((number, kind, key, json.dumps(row)) for kind, key, row in rows)
            db.executemany("INSERT INTO found VALUES (?, ?, ?, ?)", texts)
            if members is not None:
                db.execute("DELETE FROM members")
                chosen = ((str(member.network), member.wave, member.since) for member in members)
                db.executemany("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", chosen)
            db.execute(_SQL["prune"], (KEEP,))
        return LoggedStep(number or 0, step, phase, at, values[3], by, forced, dict(figures or {}))

    def keep(self, key: str, value: object) -> None:
        """Keep what an undo needs, BEFORE it is changed; ``value``: what JSON can hold."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value)))

    def forget(self, keys: Iterable[str]) -> None:
        """It is undone."""
        with self._write() as db:
            db.executemany("DELETE FROM kept WHERE key = ?", ((key,) for key in keys))

    # A row may be other than what we have written: another program's, or of a disk that failed.

    def _entry(self, row: Sequence[Any]) -> LoggedStep:
        number, step, phase, at, since, by, forced, figures = row
        try:
            done, led = RetireStep(step), Phase(phase)
        except ValueError:
            raise self._damaged(f"{_shortened(step)} to {_shortened(phase)} is no step") from None
        return LoggedStep(number, done, led, at, since, by, bool(forced), self._object(figures))

    def _object(self, text: str) -> dict[str, Any]:
        found = self._read_as(json.loads, text, "JSON")
        if not isinstance(found, dict):
            raise self._damaged(f"{_shortened(text)} is no JSON object")
        return found

    def _read_as(self, read: Callable[[str], Any], text: str, kind: str) -> Any:
        try:
            return read(text)
        except (ValueError, RecursionError):
            raise self._damaged(f"{_shortened(text)} is no {kind}") from None

    def _damaged(self, what: str) -> ManageoutError:
        hint = "restore it from a backup; moved away, its steps and their undo are forgotten"
        return ManageoutError(f"{self.path}: a row is damaged: {what}", hint)

    def _read(self, query: str, *values: object) -> list[Any]:
        try:
            if not self.path.exists():
                return []
            # Whoever may, mends what a command left that was killed while it wrote.
            mode = "rw" if os.access(self.path, os.W_OK) else "ro"
            uri = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as db:
                self._refuse_newer(db)
                return db.execute(query, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from None

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            fresh = not self.path.exists()
            with closing(sqlite3.connect(self.path, isolation_level=None, timeout=5.0)) as db:
                if fresh:
                    self._hand_over()
                self._refuse_newer(db)
                SCHEMA.bring_up(db)
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, OSError) as error:
            raise self._fault(error) from None

    def _refuse_newer(self, db: sqlite3.Connection) -> None:
        if (found := version_of(db)) > SCHEMA.version:
            raise ManageoutError(newer(self.path, found, SCHEMA.version), "use the version that wrote it")

    def _hand_over(self) -> None:
        """The daemon may run as another user; it owns the directory."""
        owner = self.path.parent.stat()
        os.chmod(self.path, 0o640)
        if os.geteuid() == 0:
            os.chown(self.path, owner.st_uid, owner.st_gid)

    def _fault(self, error: Exception) -> ManageoutError:
        if not os.access(self.path.parent, os.R_OK | os.X_OK) or "readonly" in str(error):
            return NotPermitted(f"not permitted to use {self.path}", "run as root")
        hint = "check the disk and the file; moved away, its steps and their undo are forgotten"
        return ManageoutError(f"{self.path}: {said(error)}", hint)


def _shortened(text: object) -> str:
    return repr(text)[:60]
