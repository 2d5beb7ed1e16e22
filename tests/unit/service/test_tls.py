"""TLS contexts: what they demand, and which file they blame."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from pathlib import Path

import pytest

from manageout.errors import PkiError
from manageout.service import tls
from manageout.service.pki import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path, "CA")
    authority.issue("gateway", server=True)
    authority.issue("other", server=True)
    return authority


def test_what_the_gateway_demands(authority: Authority) -> None:
    files = authority.directory / "gateway.pem", authority.directory / "gateway.key"
    context = tls.server_context(*files, authority.certificate_path, authority.crl_path)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.num_tickets == 0
    assert tls.server_context(*files, None, None).verify_mode == ssl.CERT_NONE


def test_what_a_client_demands(authority: Authority) -> None:
    context = tls.client_context(authority.certificate_path, None, None)
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
    assert tls.client_context(None, None, None).verify_mode == ssl.CERT_REQUIRED


def test_a_resumed_session_shows_its_certificate_again(authority: Authority) -> None:
    authority.issue("laptop", server=False)
    place = authority.directory
    server = tls.server_context(
        place / "gateway.pem", place / "gateway.key", place / "ca.pem", place / "crl.pem"
    )
    client = tls.client_context(place / "ca.pem", place / "laptop.pem", place / "laptop.key")
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLObject, ssl.SSLObject]:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        there = server.wrap_bio(up, down, server_side=True)
        here = client.wrap_bio(down, up, server_hostname="gateway", session=session)
        for side in (here, there, here, there, here):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return here, there

    first, _ = connect(None)
    assert first.session is not None and not first.session.has_ticket
    _, again = connect(first.session)
    assert again.session_reused and again.getpeercert(binary_form=True)


def test_the_file_at_fault_is_named(authority: Authority, tmp_path: Path) -> None:
    good, key = authority.directory / "gateway.pem", authority.directory / "gateway.key"
    with pytest.raises(PkiError, match=r"nowhere\.pem: No such file"):
        tls.server_context(tmp_path / "nowhere.pem", key, None, None)
    with pytest.raises(PkiError, match=r"other\.key is not the key of .*gateway\.pem"):
        tls.server_context(good, authority.directory / "other.key", None, None)
    with pytest.raises(PkiError, match="not a PEM certificate and its key"):
        tls.client_context(authority.certificate_path, key, key)
    with pytest.raises(PkiError, match="holds no PEM certificate"):
        tls.server_context(good, key, key, None)
    locked = tmp_path / "locked.key"
    argv = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(PkiError, match="the private key is encrypted"):
        tls.server_context(good, locked, None, None)


def test_words_for_faults() -> None:
    error = ssl.SSLError(1, "x")
    error.reason = "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert tls.explain(error, "x") == "the other side says: our certificate is revoked"
    assert (
        tls.explain(ConnectionResetError(104, "Connection reset by peer"), "x") == "Connection reset by peer"
    )
    named = ssl.SSLCertVerificationError(1, "x")
    named.verify_code, named.verify_message = 62, "?"
    assert tls.explain(named, "the gateway's") == "the gateway's certificate: made for another name"


def test_a_fingerprint_follows_the_files(tmp_path: Path) -> None:
    file = tmp_path / "x"
    first = tls.fingerprint(file, None)
    file.write_text("1")
    second = tls.fingerprint(file, None)
    assert first != second == tls.fingerprint(file)
