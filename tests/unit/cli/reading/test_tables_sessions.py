"""``manageout sessions``: the table."""

from __future__ import annotations

import time

import click

from manageout.cli.reading.tables import render_sessions as render
from manageout.service.process.rows import SessionRow

ROW: SessionRow = {
    "client": "laptop.corp.example",
    "client_address": "fd12:3456:789a:1000::2",
    "peer": "10.0.0.20",
    "peer_name": "app.corp.example",
    "begun_by": "manager",
    "protocol": "tcp",
    "port": 80,
    "state": "established",
    "since": 0.0,
    "rx_packets": 3,
    "rx_bytes": 1500,
    "tx_packets": 2,
    "tx_bytes": 100,
    "through": "NAT46",
}


def test_one_session_a_line() -> None:
    _, line = render([ROW | {"since": time.time() - 10}], wide=True).splitlines()
    assert line.split() == [
        "laptop.corp.example", "<-", "app.corp.example", "(10.0.0.20)", "tcp/80", "established", "10", "s",
        "3", "/", "1.5k", "2", "/", "100", "NAT46",
    ]  # fmt: skip


def test_what_is_not_known() -> None:
    bare: SessionRow = ROW | {
        "client": "",
        "peer_name": "",
        "begun_by": "client",
        "since": None,
        "port": 0,
        "protocol": "icmp",
    }
    _, line = render([bare], wide=True).splitlines()
    assert line.split()[:6] == ["fd12:3456:789a:1000::2", "->", "10.0.0.20", "icmp", "established", "-"]


def test_the_sessions_of_a_client_stand_together() -> None:
    other = ROW | {"client": "tablet.corp.example"}
    later = ROW | {"since": time.time(), "port": 22}
    lines = render([other, ROW, later], wide=True).splitlines()[1:]
    assert [line.split()[0][:6] for line in lines] == ["laptop", "laptop", "tablet"]
    assert "tcp/22" in lines[0]


def test_it_fits_a_terminal() -> None:
    text = click.unstyle(render([ROW | {"since": time.time()}]))
    assert max(map(len, text.splitlines())) <= 100
    assert text.splitlines()[-1] == "Left out: STATE, THROUGH; --wide shows all."


def test_nobody() -> None:
    assert render([]) == "Nobody is connected to anybody."
