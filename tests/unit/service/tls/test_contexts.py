"""TLS contexts: what they demand, and which file they blame."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from pathlib import Path

import pytest

from manageout.errors import PkiError
from manageout.service.tls import contexts as tls
from manageout.service.tls import openssl as tls_openssl
from manageout.service.tls.pki import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path, "CA")
    authority.issue("gateway", server=True)
    authority.issue("other", server=True)
    return authority


def test_what_the_gateway_demands(authority: Authority) -> None:
    files = authority.directory / "gateway.pem", authority.directory / "gateway.key"
    context = tls.server_context(*files, authority.certificate_path)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.num_tickets == 0
    assert tls.server_context(*files, None).verify_mode == ssl.CERT_NONE


def test_what_a_client_demands(authority: Authority) -> None:
    context = tls.client_context(authority.certificate_path, None, None)
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
    assert tls.client_context(None, None, None).verify_mode == ssl.CERT_REQUIRED


class Shop:
    """A gateway's context, and a client that speaks TLS 1.2 to it."""

    def __init__(self, authority: Authority) -> None:
        authority.issue("laptop", server=False)
        place = authority.directory
        self.server = tls.server_context(place / "gateway.pem", place / "gateway.key", place / "ca.pem")
        self._client = tls.client_context(place / "ca.pem", place / "laptop.pem", place / "laptop.key")
        self._client.maximum_version = ssl.TLSVersion.TLSv1_2

    def connect(self, session: ssl.SSLSession | None = None) -> tuple[ssl.SSLObject, ssl.SSLObject]:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        there = self.server.wrap_bio(up, down, server_side=True)
        here = self._client.wrap_bio(down, up, server_hostname="gateway", session=session)
        for side in (here, there, here, there, here):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            there.unwrap()  # OpenSSL forgets the sessions of connections that just break
        return here, there


def test_no_session_is_kept_or_resumed(authority: Authority) -> None:
    shop = Shop(authority)
    first, _ = shop.connect()
    assert shop.server.session_stats()["number"] == 0
    _, again = shop.connect(first.session)
    assert not again.session_reused and again.getpeercert(binary_form=True)
    for _ in range(tls.MAX_SESSIONS + 1):
        shop.connect()
    assert not tls.crowded(shop.server)


def test_where_the_cache_cannot_be_switched_off_it_is_seen_to_grow(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_openssl, "_library", lambda: None)
    shop = Shop(authority)
    first, _ = shop.connect()
    _, again = shop.connect(first.session)
    assert again.session_reused and again.getpeercert(binary_form=True)
    for _ in range(tls.MAX_SESSIONS):
        assert not tls.crowded(shop.server)
        shop.connect()
    assert tls.crowded(shop.server)


def test_nobody_renegotiates(authority: Authority) -> None:
    for context in (Shop(authority).server, tls.client_context(authority.certificate_path, None, None)):
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_the_file_at_fault_is_named(authority: Authority, tmp_path: Path) -> None:
    good, key = authority.directory / "gateway.pem", authority.directory / "gateway.key"
    with pytest.raises(PkiError, match=r"nowhere\.pem: No such file"):
        tls.server_context(tmp_path / "nowhere.pem", key, None)
    with pytest.raises(PkiError, match=r"other\.key is not the key of .*gateway\.pem"):
        tls.server_context(good, authority.directory / "other.key", None)
    with pytest.raises(PkiError, match="not a PEM certificate and its key"):
        tls.client_context(authority.certificate_path, key, key)
    with pytest.raises(PkiError, match="holds no PEM certificate"):
        tls.server_context(good, key, key)
    locked = tmp_path / "locked.key"
    argv = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(PkiError, match="the private key is encrypted"):
        tls.server_context(good, locked, None)


def test_a_file_that_opens_and_cannot_be_read_is_named(authority: Authority) -> None:
    """As on a disk that fails, or when it is taken away between two looks."""
    good, key = authority.directory / "gateway.pem", authority.directory / "gateway.key"
    bad = Path("/proc/self/mem")
    for files in ((bad, key, None), (good, bad, None), (good, key, bad)):
        with pytest.raises(PkiError, match=r"/proc/self/mem.*: Input/output error"):
            tls.server_context(*files)


def test_a_key_that_openssl_thinks_too_short_is_not_called_unreadable(tmp_path: Path) -> None:
    certificate, key = tmp_path / "weak.pem", tmp_path / "weak.key"
    make = "openssl req -x509 -newkey rsa:512 -nodes -subj /CN=weak -days 2"
    argv = [*make.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(PkiError, match="ee key too small") as caught:
        tls.client_context(None, certificate, key)
    assert "longer key" in caught.value.hint


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
