"""Certificates of a gateway that do not fit, with files made by our own authority."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from manageout.service.check.files import certificates as check
from manageout.service.check.found import Remark
from manageout.service.tls import certificates
from manageout.service.tls.pki import Authority
from manageout.site.tables.site import Site, parse
from tests.tools.chains import Ca

NAME = "gateway.corp.example"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority.create(directory, "Test CA")
    authority.issue(NAME, server=True)
    authority.issue("other.corp.example", server=True)
    return directory


def site(pki: Path, allow: str = '["*.corp.example"]', /, **changes: Path | None) -> Site:
    files = {
        "certificate": pki / f"{NAME}.pem",
        "key": pki / f"{NAME}.key",
        "client_ca": pki / "ca.pem",
        "client_crl": pki / "crl.pem",
        **changes,
    }
    lines = "\n".join(f'{option} = "{path}"' for option, path in files.items() if path)
    lines += f"\nallow = {allow}"
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


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    messages = [message for _, message in found(site(tmp_path))]
    options = ("certificate", "key", "client_ca", "client_crl")
    assert all(any(f"gateway.{option} " in message for message in messages) for option in options)


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
    assert any("no client of it can connect" in message for message in messages)


def test_the_revocation_list_of_somebody_else(pki: Path, tmp_path: Path) -> None:
    Authority.create(tmp_path, "Another CA")
    (severity, message), missing = found(site(pki, client_crl=tmp_path / "crl.pem"))
    assert severity == "error"
    assert "is not of the authority" in message
    assert missing[0] == "warning" and "no list of the authority CN=Test CA" in missing[1]
    both = tmp_path / "both.pem"
    both.write_bytes((pki / "crl.pem").read_bytes() + (tmp_path / "crl.pem").read_bytes())
    ((severity, message),) = found(site(pki, client_crl=both))
    assert severity == "note" and "CN=Another CA" in message


def test_every_authority_wants_a_list_that_does_not_end(pki: Path, tmp_path: Path) -> None:
    ((severity, message),) = found(site(pki, client_crl=None))
    assert severity == "warning" and "no list of the authority CN=Test CA" in message
    root = Ca("Root")
    ca, crl = tmp_path / "ca.pem", tmp_path / "crl.pem"
    ca.write_bytes((pki / "ca.pem").read_bytes() + root.pem)
    for text, severity, words in (
        (b"", "warning", "no list of the authority CN=Root"),
        (root.crl(days=12.5), "warning", "expires in 12 days"),
        (root.crl(days=-1), "error", "no client of it can connect"),
    ):
        crl.write_bytes((pki / "crl.pem").read_bytes() + text)
        ((seen, message),) = found(site(pki, client_ca=ca, client_crl=crl))
        assert seen == severity and words in message


def test_every_certificate_of_a_file_is_held_against_the_clock(pki: Path, tmp_path: Path) -> None:
    ca, late = tmp_path / "ca.pem", Ca("Late", days=-1)
    ca.write_bytes((pki / "ca.pem").read_bytes() + late.pem)
    assert any("expired on" in message for _, message in found(site(pki, client_ca=ca)))
    own = tmp_path / "own.pem"
    own.write_bytes((pki / f"{NAME}.pem").read_bytes() + late.pem)
    assert any("expired on" in message for _, message in found(site(pki, certificate=own)))


def test_letting_in_everybody_is_said_and_warned_of_with_several_authorities(
    pki: Path, tmp_path: Path
) -> None:
    ((severity, message),) = found(site(pki, '["*"]'))
    assert severity == "note" and "every client certificate of the authority" in message
    ca, other = tmp_path / "ca.pem", Ca("Other")
    ca.write_bytes((pki / "ca.pem").read_bytes() + other.pem)
    crl = tmp_path / "crl.pem"
    crl.write_bytes((pki / "crl.pem").read_bytes() + other.crl())
    ((severity, message),) = found(site(pki, '["*"]', client_ca=ca, client_crl=crl))
    assert severity == "warning" and "any of 2 authorities" in message


def test_a_clients_certificate_is_no_servers(pki: Path, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "pki", "Test CA")
    authority.issue(NAME, server=False)
    mine = tmp_path / "pki"
    files = {"certificate": mine / f"{NAME}.pem", "key": mine / f"{NAME}.key"}
    ((severity, message),) = found(site(pki, **files))
    assert severity == "error" and "a client's certificate" in message and "extended key usage" in message


def test_a_certificate_without_the_extension_is_for_everything(pki: Path, tmp_path: Path) -> None:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    for usages, expected in (
        (None, 0),
        ([ExtendedKeyUsageOID.CODE_SIGNING], 1),
        ([ExtendedKeyUsageOID.SERVER_AUTH], 0),
        ("any", 0),
    ):
        files = made(tmp_path, usages)
        assert len(found(site(pki, **files))) == expected, usages
    (line,) = [
        message for _, message in found(site(pki, **made(tmp_path, [ExtendedKeyUsageOID.CODE_SIGNING])))
    ]
    assert "no server's certificate" in line


def made(directory: Path, usages: object) -> dict[str, Path | None]:
    """A certificate of its own, with these usages; None: without the extension."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=100))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    if usages is not None:
        listed = [x509.ObjectIdentifier("2.5.29.37.0")] if usages == "any" else list(usages)  # type: ignore[call-overload]
        builder = builder.add_extension(x509.ExtendedKeyUsage(listed), critical=False)
    certificate, private = directory / "own.pem", directory / "own.key"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private.touch(0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"certificate": certificate, "key": private}


def test_what_may_not_be_read_is_unknown_and_no_fault(pki: Path) -> None:
    """The daemon's user may read it: whoever may not knows neither what is wrong nor how to mend it."""
    checked = site(pki)
    list(check(checked))  # what it imports may be closed to others too
    rows = as_nobody(lambda: [row for row in check(checked) if "clock" not in row[1]])
    assert [(severity, remedy) for severity, _, remedy in rows] == [("note", "run check as root")] * len(rows)
    options = {message.partition(" ")[0] for _, message, _ in rows}
    assert options == {f"gateway.{option}" for option in ("certificate", "key", "client_ca", "client_crl")}


def as_nobody(function: Callable[[], list[Remark]]) -> list[Remark]:
    """In a process that may read nothing of root's; pytest's folders are closed to others."""
    if os.geteuid():
        pytest.skip("needs root")
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as answer:
            text = answer.read()
        assert os.waitpid(child, 0)[1] == 0
        return [Remark(*row) for row in json.loads(text)]
    try:
        os.setgroups([])
        os.setuid(65534)
        os.write(writing, json.dumps(function()).encode())
        os._exit(0)
    finally:
        os._exit(1)
