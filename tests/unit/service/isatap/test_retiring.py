"""What the daemon hears of hosts that retire."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from manageout.protocol.core.prefixes import Prefix
from manageout.service.isatap.retiring import TOLD, Retiring
from manageout.service.state.retire import FILE, Member, RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep

HOST, NETWORK = IPv4Network("10.0.1.30/32"), IPv4Network("10.0.2.0/24")


def note(directory: Path, *networks: IPv4Network) -> None:
    members = [Member(network, "a wave", 1.0) for network in networks]
    RetireStore(directory).record(RetireStep.PILOT, Phase.PILOT, 1.0, "anna@router", members=members)


def test_nothing_is_there(tmp_path: Path) -> None:
    made = Retiring(tmp_path)
    assert not made.stale()
    assert (made.read(), made.prefixes(), made.findings()) == ([], [], [])


def test_it_hears_each_change_once(tmp_path: Path) -> None:
    made = Retiring(tmp_path)
    for networks in ((HOST,), (HOST, NETWORK), ()):
        note(tmp_path, *networks)
        assert made.stale()
        made.take(made.read())
        assert not made.stale()
        assert set(made.networks) == set(networks)
    note(tmp_path, HOST)
    made.take(made.read())
    assert made.prefixes() == [Prefix(bytes((10, 0, 1, 30)), 32)]


def test_after_a_restart_it_knows_what_the_hosts_were_told(tmp_path: Path) -> None:
    note(tmp_path, HOST)
    made = Retiring(tmp_path)
    made.take(made.read())
    note(tmp_path)
    again = Retiring(tmp_path)
    assert again.networks == [HOST]
    assert again.read() == []


def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    note(tmp_path, HOST)
    made = Retiring(tmp_path)
    made.take(made.read())
    (tmp_path / FILE).write_bytes(b"no database at all, and long enough to look at" * 100)
    assert made.stale()
    for _ in range(2):
        made.take(made.read())
        assert made.networks == [HOST]
        (row,) = made.findings()
        assert row.code == "RETIRE-UNREADABLE" and "retire.db" in row.what
    (tmp_path / FILE).unlink()
    note(tmp_path, NETWORK)
    made.take(made.read())
    assert made.networks == [NETWORK] and made.findings() == []


def test_a_writer_at_work_does_not_show_half_of_it(tmp_path: Path) -> None:
    note(tmp_path, HOST)
    made = Retiring(tmp_path)
    made.take(made.read())
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM members")
        assert made.read() == [HOST]
        db.execute("ROLLBACK")


@pytest.mark.parametrize("text", ["rubbish\n", "10.0.1.30/32\n10.0.0.1/8\n"])
def test_rubbish_in_what_was_told_is_as_if_nothing_was(tmp_path: Path, text: str) -> None:
    (tmp_path / TOLD).write_text(text)
    assert Retiring(tmp_path).networks == []


def test_what_cannot_be_kept_is_told_all_the_same(tmp_path: Path) -> None:
    note(tmp_path, HOST)
    made = Retiring(tmp_path)
    (tmp_path / TOLD).mkdir()
    made.take(made.read())
    assert made.networks == [HOST]
