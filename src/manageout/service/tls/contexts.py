"""TLS contexts for IP-HTTPS, and plain words for what goes wrong with certificates.

TLS 1.2 and 1.3, no ALPN (HTTP/2 cannot carry IP-HTTPS), no session tickets and no cache of sessions: every connection
of a client shows its certificates anew, and nothing of one that has gone stays in memory. Where this Python does not
let us switch the cache off, a TLS 1.2 session could be resumed by its number; its chain does not come back with it, and
:meth:`Trust.meet` refuses what it cannot look at. Revocation is not left to OpenSSL, which refuses every client of an
authority without a list: :mod:`revocation` looks at the chain that was verified.
"""

import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manageout.errors import PkiError
from manageout.service.tls.openssl import limit_groups, switch_off_sessions
from manageout.words import toml_of

MAX_SESSIONS = 64
"""Kept sessions, where they cannot be helped, after which the context is made anew."""

_WORDS = toml_of("manageout.service.tls", "words.toml")
_TOO_WEAK = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")
"""What the system's security level forbids (SSL_CTX_set_security_level(3))."""


def explain(error: ssl.SSLError | OSError, whose: str) -> str:
    """One phrase for a failed handshake; ``whose`` certificate a verification error is about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _WORDS["verification"].get(str(error.verify_code), error.verify_message)
        return f"{whose} certificate: {words}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return _WORDS["reasons"].get(reason) or reason.replace("_", " ").lower() or "TLS failed"
    return error.strerror or type(error).__name__


def verified_chain(connection: ssl.SSLObject) -> Sequence[bytes]:
    """The peer's certificate and those that lead from it to an authority, DER, as OpenSSL has put them together.

    Empty when there is none, as in a resumed session. After a failed handshake: as far as it came, unverified.
    """
    # Public since Python 3.13 only; the method behind it is there since 3.10.
    found = getattr(connection, "_sslobj").get_verified_chain()  # noqa: B009 - it is private
    return [_der(certificate) for certificate in found or ()]


def _der(certificate: Any) -> bytes:
    data = certificate.public_bytes(2)  # _ssl.ENCODING_DER
    return data if isinstance(data, bytes) else bytes(data)


def server_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """For the gateway; with ``client_ca`` a client certificate is required.

    Raises :class:`PkiError` that names the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _common(context)
    switch_off_sessions(context)
    limit_groups(context)
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    _load_chain(context, certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _load_authorities(context, client_ca)
    return context


def crowded(context: ssl.SSLContext) -> bool:
    """Whether it keeps too many sessions, each with its chain; never where the cache could be switched off."""
    return context.session_stats()["number"] > MAX_SESSIONS


def client_context(authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """For a client; the system's authorities are trusted when none are given. Raises :class:`PkiError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _common(context)
    if authorities is None:
        context.load_default_certs()
    else:
        _load_authorities(context, authorities)
    if certificate is not None:
        _load_chain(context, certificate, key)
    return context


def system_authorities() -> ssl.SSLContext:
    """Verifies alike on every Python: its own default has been stricter since 3.13, also than what companies issue."""
    return client_context(None, None, None)


def _common(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for path in (certificate, key or certificate):
        _readable(path)
    try:
        # An encrypted key would make OpenSSL ask on the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except OSError as error:  # ssl.SSLError among them
        raise _unusable(certificate, key or certificate, error) from None


def _unusable(certificate: Path, key: Path, error: OSError) -> PkiError:
    files, reason = f"{certificate} with {key}", getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return PkiError(f"{key} is not the key of {certificate}", "give the two files that belong together")
    if not isinstance(error, ssl.SSLError):
        # It went between two looks, or the disk fails; OpenSSL does not say which file.
        return PkiError(f"{files}: {error.strerror}", "check the paths, and who may read them")
    if reason in _TOO_WEAK:
        words = f"{files}: OpenSSL refuses it: {explain(error, '')}"
        return PkiError(
            words, "get a certificate with a longer key and a newer signature (RSA 2048, SHA-256)"
        )
    hint = "both must be PEM; see: openssl x509 -in FILE -noout -text"
    return PkiError(f"{files}: not a PEM certificate and its key", hint)


def _no_password() -> str:
    raise PkiError("the private key is encrypted", "decrypt it: openssl pkey -in FILE -out PLAIN_FILE")


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _readable(path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise PkiError(f"{path}: holds no PEM certificate", "give a PEM file") from None
    except OSError as error:  # it went between two looks, or the disk fails
        raise _unreadable(path, error) from None


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> PkiError:
    return PkiError(f"{path}: {error.strerror}", "check the path, and who may read it")


def fingerprint(*paths: Path | None) -> tuple[object, ...]:
    """Changes whenever one of the files does; a missing file counts as one that is empty."""
    found: list[object] = []
    for path in paths:
        if path is not None:
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
