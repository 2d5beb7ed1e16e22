"""``manageout leases``: tables, and what it says without a daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from manageout.cli.reading import leases as module
from manageout.errors import DaemonUnreachable
from manageout.service.process.rows import LeasePeriod, LeaseRow
from tests.tools.commands import run
from tests.unit.service.state.test_leases import fill

ROW: LeaseRow = {
    "name": "laptop.corp.example",
    "ipv4": "10.0.0.129",
    "state": "held",
    "address": "fd12::7",
    "others": [],
    "since": 1.0,
    "until": None,
    "peer": "198.51.100.7:5000",
    "transport": "ip-https",
    "fixed": False,
}


def test_the_table_shows_who_has_what() -> None:
    waiting = ROW | {"name": "tablet", "ipv4": None, "state": "waiting", "fixed": False, "address": None}
    text = click.unstyle(module.render([ROW | {"fixed": True}, waiting], wide=True))
    heading, first, second, note = text.splitlines()
    assert heading.split()[:3] == ["NAME", "IPV4", "STATE"]
    assert first.split()[:3] == ["laptop.corp.example", "10.0.0.129*", "held"]
    assert first.split()[-3:] == ["fd12::7", "198.51.100.7:5000", "ip-https"]
    assert second.split()[:3] == ["tablet", "-", "waiting"]
    assert note == "* fixed in the site file"


def test_both_tables_fit_a_terminal() -> None:
    period: LeasePeriod = {
        "name": "laptop.corp.example",
        "ipv4": "10.0.0.129",
        "address": "fd12::7",
        "since": 1.0,
        "until": 2.0,
        "peer": "198.51.100.7:5000",
        "transport": "ip-https",
        "ended": "taken over by another connection of its own",
    }
    held = ROW | {"address": "fd12:3456:789a:1000:10e8:c4af:1:77"}
    for text in (module.render([held]), module.render_audit([period])):
        assert "; --wide shows all." in text
        assert max(map(len, click.unstyle(text).splitlines())) <= 100


def test_nothing_is_said_in_words() -> None:
    assert module.render([]) == "No client has, or lately had, an IPv4 address."
    assert module.render_audit([]) == "No client has ever had an IPv4 address."


def test_the_files_of_a_directory_are_read(tmp_path: Path) -> None:
    fill(tmp_path)
    rows = json.loads(run(module.leases, "--state-dir", str(tmp_path), "--json").output)
    assert [row["name"] for row in rows] == ["c0", "c1"]
    assert rows[0].keys() == ROW.keys()
    text = run(module.leases, "--state-dir", str(tmp_path), "--audit").output
    assert [line.split()[4] for line in text.splitlines()[1:]] == ["c2", "c1", "c0"]


def test_without_a_daemon_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.setattr(module, "DEFAULT_STATE_DIR", str(tmp_path))
    result = run(module.leases, "--runtime-dir", str(tmp_path))
    assert "nothing answers on" in result.stderr and "this is what it has stored" in result.stderr
    assert "10.0.8.1" in result.stdout


def test_without_daemon_and_file_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_STATE_DIR", str(tmp_path))
    with pytest.raises(DaemonUnreachable):
        run(module.leases, "--runtime-dir", str(tmp_path))


def test_sqlite_is_loaded_for_the_file_alone() -> None:
    """It makes the start half as long again."""
    code = "import sys, manageout.cli.reading.leases; print('sqlite3' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
