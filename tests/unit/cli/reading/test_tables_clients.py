"""``manageout clients``."""

from __future__ import annotations

import time

import click

from manageout.cli.reading.tables import render_clients as render
from manageout.service.process.rows import ClientRow


def test_one_line_an_address() -> None:
    client: ClientRow = {
        "name": "laptop.corp.example",
        "addresses": ["fe80::5", "fd12:3456:789a:1000::5"],
        "peer": "198.51.100.20:4711",
        "since": time.time() - 7200,
        "last_seen": time.time(),
        "framing": "stock",
        "rx_packets": 1,
        "rx_bytes": 40,
        "tx_packets": 0,
        "tx_bytes": 0,
    }
    lines = render([client], wide=True).splitlines()
    assert len(lines) == 3
    for cell in (
        "laptop.corp.example",
        "fd12:3456:789a:1000::5",
        "198.51.100.20:4711",
        "2 h",
        "stock",
        "1 / 40",
    ):
        assert cell in lines[1]
    assert lines[2].strip() == "fe80::5"
    narrow = click.unstyle(render([client]))
    assert "stock" not in narrow and "Left out: FRAMING" in narrow
    assert max(map(len, narrow.splitlines())) <= 100


def test_a_client_without_certificate_and_address() -> None:
    client: ClientRow = {
        "name": "",
        "addresses": [],
        "peer": "192.0.2.1:5",
        "since": 1.0,
        "last_seen": 1.0,
        "framing": "stock",
        "rx_packets": 0,
        "rx_bytes": 0,
        "tx_packets": 0,
        "tx_bytes": 0,
    }
    assert render([client], wide=True).splitlines()[1].split()[:3] == ["-", "-", "192.0.2.1:5"]


def test_none() -> None:
    assert render([]) == "No client is connected."
