"""OpenSSL's cache of sessions: off, or untouched."""

from __future__ import annotations

import ssl

import pytest

from manageout.service import tls_sessions


def test_it_is_off_with_this_python() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert tls_sessions.switch_off(context)
    assert tls_sessions.switch_off(context)


def test_another_openssl_than_pythons_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_NUMBER", 1)
    assert not tls_sessions.switch_off(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
