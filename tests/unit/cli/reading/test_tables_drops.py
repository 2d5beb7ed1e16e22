"""``manageout drops``."""

from __future__ import annotations

import click

from manageout.cli.reading.tables import render_drops as render
from manageout.service.process.rows import DropRow


def test_reason_meaning_source_count() -> None:
    row: DropRow = {
        "reason": "loop",
        "meaning": "would travel in a loop",
        "source": "10.0.1.40",
        "count": 7,
        "last": None,
    }
    heading, line = render([row]).splitlines()
    assert "MEANING" in heading
    for cell in ("loop", "would travel in a loop", "10.0.1.40", "7"):
        assert cell in line


def test_the_policy_names_client_and_service() -> None:
    row: DropRow = {
        "reason": "policy",
        "meaning": "no [[policy.managers]] table lets this machine call this client on this port",
        "source": "10.0.1.40",
        "to": "laptop.corp.example",
        "service": "tcp/3389",
        "count": 7,
        "last": 1.0,
    }
    lines = click.unstyle(render([row])).splitlines()
    assert "laptop.corp.example tcp/3389" in lines[1]
    assert max(map(len, lines)) <= 100
    assert " ".join(" ".join(line.split()[-4:]) for line in lines[1:]).endswith("this port")


def test_none() -> None:
    assert render([]) == "Nothing has been dropped."
