"""The registry's file: SIGKILL, damage, a locked disk."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.protocol.isatap.registry import HostRecord
from manageout.service.state.hosts import FILE, RegistryStore
from tests.unit.service.state.test_database import impatient


def host(number: int, **changes: object) -> HostRecord:
    record = HostRecord(bytes([10, 0, 0, number]), 1, 100, 200, 300, 1, 2, 3, 2**40, "h.example", 400)
    return record._replace(**changes)  # type: ignore[arg-type]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = RegistryStore(tmp_path / "state")
    assert store.write([host(1), host(2)], [])
    assert store.write([host(1, name="", packets_in=7)], [host(2).v4])
    store.close()
    again = RegistryStore(tmp_path / "state")
    assert list(again.load()) == [host(1, name="", packets_in=7)]
    again.close()


def test_sigkill_loses_nothing_that_was_written(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from manageout.service.state.hosts import RegistryStore\n"
        "from tests.unit.service.state.test_hosts import host\n"
        "store = RegistryStore(Path(sys.argv[1])); store.write([host(n) for n in range(200)], [])\n"
        "print('written', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)
    store = RegistryStore(tmp_path)
    assert len(list(store.load())) == 200
    store.close()


def test_a_broken_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"this is not a database" * 100)
    store = RegistryStore(tmp_path)
    assert store.write([host(1)], [])
    assert list(store.load()) == [host(1)]
    store.close()
    assert (tmp_path / "isatap-hosts.unreadable").exists()
    assert "set aside" in caplog.text


def test_a_write_that_fails_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = RegistryStore(tmp_path)
    with sqlite3.connect(tmp_path / FILE, isolation_level=None) as other:
        impatient(store.database)
        other.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.WARNING):
            assert not store.write([host(1)], [])
            assert not store.write([host(1)], [])
        other.execute("ROLLBACK")
    other.close()
    assert len(caplog.records) == 1
    assert store.write([host(1)], [])
    store.close()
    assert os.path.getsize(tmp_path / FILE) > 0
