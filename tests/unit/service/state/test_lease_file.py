"""The lease database as commands read it when no daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.state import lease_file
from manageout.service.state.leases import AuditRow, LeaseStore, StoredLease

NOW = 1_700_000_000.0
V6 = b"\xfd" + bytes(14) + b"\x01"


def fill(directory: Path, count: int = 3) -> LeaseStore:
    store = LeaseStore(directory)
    states = ("held", "grace", "past")
    leases = [
        StoredLease(bytes((10, 0, 8, n)), f"c{n}", states[n % 3], NOW, V6 if n else b"") for n in range(count)
    ]
    rows = [
        AuditRow(n + 1, "held", NOW + n, lease.v4, lease.identity, V6, "ip-https", "p", "")
        for n, lease in enumerate(leases)
    ]
    store.commit({lease.v4: lease for lease in leases}, rows)
    return store


def test_leases_by_address_without_those_that_are_only_remembered(tmp_path: Path) -> None:
    fill(tmp_path)
    rows = list(lease_file.leases(tmp_path))
    assert [(row["name"], row["ipv4"], row["state"], row["address"]) for row in rows] == [
        ("c0", "10.0.8.0", "held", None),
        ("c1", "10.0.8.1", "grace", "fd00::1"),
    ]


def test_periods_the_latest_first_and_not_more_than_asked_for(tmp_path: Path) -> None:
    fill(tmp_path).close()
    assert [row["name"] for row in lease_file.periods(tmp_path)] == ["c2", "c1", "c0"]
    assert [row["name"] for row in lease_file.periods(tmp_path, 2)] == ["c2", "c1"]


def test_no_file_and_no_database_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="no lease was ever given"):
        list(lease_file.leases(tmp_path))
    (tmp_path / lease_file.FILE).write_bytes(b"no database " * 100)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(lease_file.periods(tmp_path))
