"""The record of calls read from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.state.usage import UsageStore
from manageout.service.state.usage_file import DAY, FILE, Day, Usage, UsageFile

NOW = 20_000 * DAY + 100.0
RDP = Usage(20_000, "10.0.1.30", "ISATAP", "laptop", "tcp", 3389, NOW, NOW, 2, 1, 500)


@pytest.fixture
def file(tmp_path: Path) -> UsageFile:
    rows = [
        RDP,
        RDP._replace(port=22, last=NOW + 50),
        RDP._replace(manager="10.0.1.31", bytes=1),
        RDP._replace(way="NAT46"),
        RDP._replace(day=20_001, last=NOW + DAY),
    ]
    UsageStore(tmp_path).write(rows, NOW, NOW + 10, 0)
    return UsageFile(tmp_path)


def test_days_by_way(file: UsageFile) -> None:
    assert file.days() == [
        Day(20_000, "ISATAP", 2, 6, 1001),
        Day(20_000, "NAT46", 1, 2, 500),
        Day(20_001, "ISATAP", 1, 2, 500),
    ]


def test_rows_since(file: UsageFile) -> None:
    assert [(row.day, row.port) for row in file.rows(NOW + 20)] == [(20_000, 22), (20_001, 3389)]


def test_no_file_says_why_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="nobody has watched") as refusal:
        UsageFile(tmp_path).watched(NOW)
    assert "usage_days" in refusal.value.hint


def test_a_damaged_file_is_a_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rubbish" * 1000)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(UsageFile(tmp_path).rows())
