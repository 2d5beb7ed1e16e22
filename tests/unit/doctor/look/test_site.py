"""What this machine's own files and daemon say about a pair."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from manageout.doctor.look import site as reach_site
from manageout.service.tls import certificates
from manageout.site.tables.site import Site, parse

GATEWAY = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "{file}"
key = "b"
client_ca = "c"
"""
ROUTER = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
hosts = ["10.0.1.0/24"]
"""
HOST = IPv4Address("10.0.1.30")


def site(file: Path | str = "a", more: str = "") -> Site:
    return parse(GATEWAY.format(file=file) + more)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("", "[translation]"),
        ('[translation]\npool = "10.0.8.0/24"\nmasquerade = true\n', "masquerade"),
        ('[translation]\npool = "10.0.8.0/24"\n', ""),
    ],
)
def test_why_there_is_no_way_by_lease(more: str, word: str) -> None:
    words = reach_site.no_lease(site(more=more))
    assert word in words and bool(words) is bool(word)
    assert reach_site.no_lease(parse(ROUTER)) == ""


@pytest.mark.parametrize(
    ("first", "last", "word"), [(-9, 9, ""), (-9, -2, "valid from"), (2, 9, "valid from")]
)
def test_dates_of_the_certificate(tmp_path: Path, first: int, last: int, word: str) -> None:
    key, now = certificates.new_key(False), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.corp.example")])
    dates = now + timedelta(first), now + timedelta(last)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, *dates).sign(key, hashes.SHA256())
    file = tmp_path / "gateway.pem"
    file.write_bytes(certificates.pem(made))
    words = reach_site.certificate(site(file))
    assert word in words and bool(words) is bool(word)


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in reach_site.certificate(site(tmp_path / "none"))
    assert reach_site.certificate(parse(ROUTER)) == ""


def row(**changes: Any) -> Any:
    return {"ipv4": str(HOST), "last_rs": time.time() - 20, "last_packet": 0.0, "retires": False} | changes


def drop(**changes: Any) -> Any:
    return {"reason": "host-not-allowed", "source": str(HOST), "count": 3, "last": time.time()} | changes


def test_a_manager_of_the_router() -> None:
    table = parse(ROUTER).isatap
    assert table is not None
    found = reach_site.isatap(table, HOST, [row(ipv4="10.0.1.31"), row(retires=True)], [], True)
    assert found.allowed and found.retires and found.heard is not None and 15 < found.heard < 60
    never = reach_site.isatap(table, IPv4Address("10.0.2.1"), [row()], [drop()], True)
    assert (never.allowed, never.heard, never.refused) == (False, None, 0)
    drops = [drop(), drop(last=time.time() - 7200), drop(reason="policy"), drop(last=None)]
    assert reach_site.isatap(table, HOST, [], drops, True).refused == 3
