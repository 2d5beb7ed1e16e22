"""The registry's file: SIGKILL, damage, a locked disk."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.protocol.isatap.registry import U_BIT, HostRecord
from manageout.service.state.hosts import FILE, RegistryStore, host_row, saved_hosts, stored_hosts
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
        impatient(store)
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


PREFIX = bytes.fromhex("fd123456789a0001")
RECORD = HostRecord(bytes((10, 0, 1, 30)), 0, 1000, 2000, 3000, 1, 100, 2, 200, "helpdesk.corp.example", 0)


def test_a_host() -> None:
    record = HostRecord(bytes((10, 0, 0, 1)), U_BIT, 1, 2, 3, 4, 5, 6, 7, "a.example", 8)
    assert host_row(record, PREFIX, True) == {
        "ipv4": "10.0.0.1",
        "ipv6": "fd12:3456:789a:1:200:5efe:a00:1",
        "name": "a.example",
        "first_seen": 1,
        "last_rs": 2,
        "last_packet": 3,
        "rx_packets": 4,
        "rx_bytes": 5,
        "tx_packets": 6,
        "tx_bytes": 7,
        "retires": True,
    }


def test_what_the_router_has_stored(tmp_path: Path) -> None:
    RegistryStore(tmp_path).write([RECORD], [])
    (row,) = stored_hosts(tmp_path, PREFIX)
    assert (row["ipv4"], row["ipv6"], row["name"]) == (
        "10.0.1.30",
        "fd12:3456:789a:1:0:5efe:a00:11e",
        "helpdesk.corp.example",
    )
    assert (row["first_seen"], row["last_rs"], row["last_packet"]) == (1000, 2000, 3000)


def test_no_file_no_hosts_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    assert list(stored_hosts(tmp_path, PREFIX)) == []
    (tmp_path / FILE).write_bytes(b"rubbish" * 500)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(stored_hosts(tmp_path, PREFIX))


def test_what_another_router_told(tmp_path: Path) -> None:
    RegistryStore(tmp_path).write([RECORD], [])
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps([*stored_hosts(tmp_path, PREFIX), {"ipv4": "10.0.1.31"}]))
    first, second = saved_hosts(file)
    assert (first["last_packet"], first["tx_bytes"]) == (3000, 200)
    assert (second["name"], second["last_rs"]) == ("", 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "does not list"),
        ('[{"name": "x"}]', "does not list"),
        ('[{"ipv4": "10.0.1.1", "last_rs": "x"}]', "values of another kind"),
        ('[{"ipv4": "10.0.1.300"}]', "values of another kind"),
        ('[{"ipv4": 5}]', "values of another kind"),
    ],
)
def test_what_is_no_list_of_hosts(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "hosts.json").write_text(text)
    with pytest.raises(ManageoutError, match=says):
        saved_hosts(tmp_path / "hosts.json")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        saved_hosts(tmp_path / "hosts.json")
