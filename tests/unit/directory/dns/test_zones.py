"""Servers as the site file writes them."""

from __future__ import annotations

import pytest

from manageout.directory.dns import zones
from manageout.directory.dns.zones import Server, Unreachable, Zones


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.10", Server("10.0.0.10", 53)),
        ("10.0.0.10:5353", Server("10.0.0.10", 5353)),
        ("fd12::1", Server("fd12::1", 53)),
        ("[fd12::1]", Server("fd12::1", 53)),
        ("[fd12::1]:5353", Server("fd12::1", 5353)),
    ],
)
def test_servers(text: str, server: Server) -> None:
    assert Server.parse(text) == server


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "TIMEOUT", 0.05)
    with pytest.raises(Unreachable):
        Zones(["127.0.0.54:5399"], []).place("laptop.corp.example")
