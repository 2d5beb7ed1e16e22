"""Certificates of a gateway that do not fit, with files made by our own authority."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from manageout.config import Site, parse
from manageout.service import certificates
from manageout.service.check_files import certificates as check
from manageout.service.check_files import clock_is_set
from manageout.service.pki import Authority

NAME = "gateway.corp.example"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority.create(directory, "Test CA")
    authority.issue(NAME, server=True)
    authority.issue("other.corp.example", server=True)
    return directory


def site(pki: Path, **changes: Path) -> Site:
    files = {
        "certificate": pki / f"{NAME}.pem",
        "key": pki / f"{NAME}.key",
        "client_ca": pki / "ca.pem",
        "client_crl": pki / "crl.pem",
        **changes,
    }
    lines = "\n".join(f'{option} = "{path}"' for option, path in files.items())
    return parse(f'[site]\nprefix = "fd12:3456:789a::/48"\n[gateway]\n{lines}\n')


def found(checked: Site) -> list[tuple[str, str]]:
    return [
        (severity, message)
        for severity, message, remedy in check(checked)
        if "clock" not in message and remedy
    ]


def test_files_that_fit(pki: Path) -> None:
    assert found(site(pki)) == []


def test_files_that_are_not_there(pki: Path, tmp_path: Path) -> None:
    for option in ("certificate", "key", "client_ca", "client_crl"):
        ((severity, message),) = found(site(pki, **{option: tmp_path / "absent"}))
        assert severity == "error"
        assert f"gateway.{option}" in message


def test_files_that_hold_something_else(pki: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"\x00 no PEM")
    for option in ("certificate", "key", "client_ca", "client_crl"):
        assert [severity for severity, _ in found(site(pki, **{option: wrong}))] == ["error"]


def test_the_key_of_another_certificate(pki: Path) -> None:
    ((severity, message),) = found(site(pki, key=pki / "other.corp.example.key"))
    assert severity == "error"
    assert "is not the key of" in message


def test_a_key_that_everybody_can_read(pki: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes((pki / f"{NAME}.key").read_bytes())
    key.chmod(0o644)
    ((severity, _),) = found(site(pki, key=key))
    assert severity == "warning"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Certificates made now are of three years ago."""
    real = certificates.now
    monkeypatch.setattr(certificates, "now", lambda: real() - timedelta(days=1200))
    yield


def test_what_has_expired(later: None, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, "Old CA")
    authority.issue(NAME, server=True)
    messages = [message for severity, message in found(site(tmp_path)) if severity == "error"]
    assert any("expired on" in message and NAME in message for message in messages)
    assert any("no client can connect" in message for message in messages)


def test_the_revocation_list_of_somebody_else(pki: Path, tmp_path: Path) -> None:
    Authority.create(tmp_path, "Another CA")
    ((severity, message),) = found(site(pki, client_crl=tmp_path / "crl.pem"))
    assert severity == "error"
    assert "is not of the authority" in message


def test_the_clock_is_read() -> None:
    assert clock_is_set() in (True, False)
