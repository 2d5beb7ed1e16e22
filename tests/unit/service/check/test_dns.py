"""The DNS of a site file that does not fit: silent servers, and keys that cannot be read."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from manageout.directory.dns import zones
from manageout.errors import ManageoutError
from manageout.service.check import dns as check_dns
from manageout.site.tables.site import Site, parse
from tests.tools.site_file import DOMAIN, GATEWAY, SITE


def site(text: str) -> Site:
    return parse(SITE + DOMAIN + GATEWAY + text)


def test_without_tables_there_is_nothing_to_check() -> None:
    assert list(check_dns.upstreams(site(""))) == []
    assert list(check_dns.updates(site(""))) == []


def test_a_server_that_does_not_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    ((severity, message, remedy),) = check_dns.upstreams(
        site(f'[translation]\npool = "10.0.9.0/24"\n[dns64]\nupstreams = ["127.0.0.1:{port}"]\n')
    )
    assert severity == "warning"
    assert f"127.0.0.1:{port}" in message
    assert "dig @127.0.0.1 " in remedy


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    names = f'[names]\nservers = ["127.0.0.1:1"]\nauthentication = "tsig"\nkey_file = "{tmp_path}/k"\n'
    with pytest.raises(ManageoutError, match="No such file"):
        list(check_dns.updates(site(names)))


def test_a_zone_that_cannot_be_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "TIMEOUT", 0.05)
    ((severity, message, remedy),) = check_dns.updates(site('[names]\nservers = ["127.0.0.1:1"]\n'))
    assert severity == "warning"
    assert "corp.example" in message
    assert remedy
