"""The lease store read from outside: by the daemon's own answers, and by commands when no daemon runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from manageout.errors import ManageoutError, NotPermitted
from manageout.service.process.rows import LeasePeriod, LeaseRow

FILE = "leases.db"

_LEASES = "SELECT v4, identity, state, since, v6 FROM leases WHERE state != 'past' ORDER BY v4"
_PERIODS = """
SELECT held.v4, held.identity, held.v6, held.transport, held.peer, held.at, ended.at, ended.reason
FROM audit AS held LEFT JOIN audit AS ended ON ended.period = held.period AND ended.event = 'ended'
WHERE held.event = 'held' ORDER BY held.id DESC LIMIT ?
"""


def leases(directory: Path) -> Iterator[LeaseRow]:
    """What was stored last, in the form of the daemon's answer. Raises :class:`ManageoutError`."""
    for v4, identity, state, since, v6 in _rows(directory, _LEASES):
        yield {
            "name": identity,
            "ipv4": str(IPv4Address(v4)),
            "state": state,
            "address": _text(v6),
            "others": [],
            "since": since,
            "until": None,
            "peer": None,
            "transport": None,
            "fixed": False,
        }


def periods(directory: Path, limit: int = -1) -> Iterator[LeasePeriod]:
    """Who held what from when to when, the latest first. ``until`` None: still. Raises :class:`ManageoutError`."""
    for v4, identity, v6, transport, peer, since, until, reason in _rows(directory, _PERIODS, limit):
        yield {
            "name": identity,
            "ipv4": str(IPv4Address(v4)),
            "address": _text(v6),
            "since": since,
            "until": until,
            "transport": transport,
            "peer": peer,
            "ended": reason,
        }


def _text(v6: bytes) -> str | None:
    return str(IPv6Address(v6)) if v6 else None


def _rows(directory: Path, query: str, *values: int) -> Iterator[Any]:
    path = directory / FILE
    try:
        if not path.exists():
            raise ManageoutError(
                f"there is no {path}: no lease was ever given", "--state-dir is daemon.state_dir of the file"
            )
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            yield from db.execute(query, values)
    except PermissionError:
        raise NotPermitted(f"not permitted to read {path}", "run as root") from None
    except sqlite3.Error as error:
        raise ManageoutError(f"{path} cannot be read: {error}", "run as root, or name another") from None
