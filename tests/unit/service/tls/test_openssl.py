"""OpenSSL's cache of sessions, off; its groups, few; or both untouched."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from manageout.service.tls import contexts as tls
from manageout.service.tls import openssl as tls_openssl
from manageout.service.tls.pki import Authority

COSTLY = b"ffdhe8192", b"ffdhe4096", b"ffdhe2048"
CHEAP = b"X25519", b"P-256", b"P-384", b"P-521"


def test_it_is_off_with_this_python() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert tls_openssl.switch_off_sessions(context)
    assert tls_openssl.switch_off_sessions(context)


def test_another_openssl_than_pythons_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_NUMBER", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert not tls_openssl.switch_off_sessions(context)
    assert not tls_openssl.offer(context, b"P-256")


def test_a_group_that_nobody_knows_changes_nothing() -> None:
    assert not tls_openssl.offer(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), b"no-such-group")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    Authority.create(tmp_path, "CA").issue("gateway", server=True)
    return tmp_path / "gateway.pem", tmp_path / "gateway.key"


def agree(server: ssl.SSLContext, group: bytes) -> bool:
    """Whether a client that knows this group alone comes to an end with its handshake."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    assert tls_openssl.offer(client, group)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    there, here = server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up)
    for side in (here, there) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return here.cipher() is not None


@pytest.mark.parametrize("group", COSTLY)
def test_groups_that_cost_the_server_much_are_not_served(files: tuple[Path, Path], group: bytes) -> None:
    assert not agree(tls.server_context(*files, None), group)


@pytest.mark.parametrize("group", CHEAP)
def test_the_curves_of_honest_clients_are_served(files: tuple[Path, Path], group: bytes) -> None:
    assert agree(tls.server_context(*files, None), group)


def test_where_only_python_can_be_asked_there_is_one_curve(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tls_openssl, "_library", lambda: None)
        server = tls.server_context(*files, None)
    assert agree(server, b"X25519:P-256")
    assert not any(agree(server, group) for group in COSTLY)
