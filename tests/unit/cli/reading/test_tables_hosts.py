"""``manageout hosts``."""

from __future__ import annotations

import time

import click

from manageout.cli.reading.tables import render_hosts as render
from manageout.service.process.rows import HostRow

NEVER: HostRow = {
    "ipv4": "10.0.1.31",
    "ipv6": "fd12:3456:789a:1:0:5efe:a00:11f",
    "name": "",
    "first_seen": 1,
    "last_rs": 0,
    "last_packet": 0,
    "rx_packets": 0,
    "rx_bytes": 0,
    "tx_packets": 0,
    "tx_bytes": 0,
    "retires": False,
}
"""A host of which little is known."""


def test_every_column() -> None:
    now = time.time()
    host: HostRow = {
        "ipv4": "10.0.1.30",
        "ipv6": "fd12:3456:789a:1:0:5efe:a00:11e",
        "name": "helpdesk.corp.example",
        "first_seen": now - 86400,
        "last_rs": now - 600,
        "last_packet": now - 3,
        "rx_packets": 12,
        "rx_bytes": 3400,
        "tx_packets": 9,
        "tx_bytes": 120,
        "retires": False,
    }
    heading, row = render([host], wide=True).splitlines()
    assert "FIRST SEEN" in heading
    for cell in ("10.0.1.30", "a00:11e", "helpdesk.corp.example", "10 min", "3 s", "12 / 3.4k", "9 / 120"):
        assert cell in row
    narrow = click.unstyle(render([host]))
    assert "Left out: FIRST SEEN" in narrow and max(map(len, narrow.splitlines())) <= 100


def test_a_host_of_which_little_is_known() -> None:
    assert render([NEVER], wide=True).split()[-8:] == ["-", "-", "0", "/", "0", "0", "/", "0"]


def test_none() -> None:
    assert render([]) == "No ISATAP host has been seen yet."
