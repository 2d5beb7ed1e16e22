"""The registry read from outside, and what other routers told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.protocol.isatap.registry import U_BIT, HostRecord
from manageout.service.state.host_file import host_row, saved, stored
from manageout.service.state.hosts import FILE, RegistryStore

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
    (row,) = stored(tmp_path, PREFIX)
    assert (row["ipv4"], row["ipv6"], row["name"]) == (
        "10.0.1.30",
        "fd12:3456:789a:1:0:5efe:a00:11e",
        "helpdesk.corp.example",
    )
    assert (row["first_seen"], row["last_rs"], row["last_packet"]) == (1000, 2000, 3000)


def test_no_file_no_hosts_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    assert list(stored(tmp_path, PREFIX)) == []
    (tmp_path / FILE).write_bytes(b"rubbish" * 500)
    with pytest.raises(ManageoutError, match="cannot be read"):
        list(stored(tmp_path, PREFIX))


def test_what_another_router_told(tmp_path: Path) -> None:
    RegistryStore(tmp_path).write([RECORD], [])
    file = tmp_path / "hosts.json"
    file.write_text(json.dumps([*stored(tmp_path, PREFIX), {"ipv4": "10.0.1.31"}]))
    first, second = saved(file)
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
        saved(tmp_path / "hosts.json")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        saved(tmp_path / "hosts.json")
