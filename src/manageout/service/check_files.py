"""The certificate files of a gateway, as ``manageout check`` sees them: readable, matching, in time."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manageout.config import GatewayTable, Site
from manageout.errors import PkiError
from manageout.service.certificates import load_certificate, load_key, names_of

SOON = 30 * 86400
_TIME_ERROR = 5

Found = tuple[Literal["note", "warning", "error"], str, str]


def certificates(site: Site) -> Iterator[Found]:
    """What is wrong with them, and with the clock that they are held against."""
    gateway = site.gateway
    if gateway is None:
        return
    yield from _own(gateway)
    if gateway.authentication == "certificates" and gateway.client_ca is not None:
        yield from _authority(gateway.client_ca, gateway.client_crl)
    if not clock_is_set():
        yield (
            "note",
            "the clock is not synchronised, and certificates depend on it",
            "run chrony or timesyncd",
        )


def clock_is_set() -> bool:
    """Whether the kernel believes its clock (adjtimex(2))."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, zero: only read
    return int(ctypes.CDLL(None).adjtimex(buffer)) != _TIME_ERROR


def _own(gateway: GatewayTable) -> Iterator[Found]:
    try:
        certificate = load_certificate(gateway.certificate)
    except PkiError as error:
        yield "error", f"gateway.certificate {error.message}", error.hint
        return
    yield from _validity(certificate, gateway.certificate)
    if not names_of(certificate):
        yield (
            "error",
            f"{gateway.certificate} has no name",
            "clients compare it with their URL: issue another",
        )
    try:
        key = load_key(gateway.key)
    except PkiError as error:
        yield "error", f"gateway.key {error.message}", error.hint
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        remedy = "give the key that the certificate was issued for"
        yield "error", f"{gateway.key} is not the key of {gateway.certificate}", remedy
    mode = gateway.key.stat().st_mode
    if mode & 0o007:
        yield "warning", f"everybody on this machine can read {gateway.key}", f"chmod 600 {gateway.key}"


def _validity(certificate: x509.Certificate, path: Path) -> Iterator[Found]:
    now, name = time.time(), ", ".join(names_of(certificate)) or "no name"
    ends, starts = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if ends.timestamp() < now:
        yield "error", f"{path} ({name}) expired on {ends:%Y-%m-%d}", "issue another: `manageout pki issue`"
    elif ends.timestamp() < now + SOON:
        yield "warning", f"{path} ({name}) expires on {ends:%Y-%m-%d}", "issue another soon"
    if starts.timestamp() > now:
        yield (
            "error",
            f"{path} ({name}) is valid from {starts:%Y-%m-%d %H:%M} UTC only",
            "check the clock: `date -u`",
        )


def _authority(path: Path, crl_path: Path | None) -> Iterator[Found]:
    try:
        authority = load_certificate(path)
    except PkiError as error:
        yield "error", f"gateway.client_ca {error.message}", error.hint
        return
    yield from _validity(authority, path)
    if crl_path is None:
        yield (
            "note",
            "no client_crl: a lost client cannot be shut out by its certificate",
            "`manageout pki revoke`",
        )
        return
    try:
        crl = x509.load_pem_x509_crl(crl_path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a PEM revocation list"
        yield "error", f"gateway.client_crl {crl_path}: {reason}", "`manageout pki crl` makes one"
        return
    if crl.issuer != authority.subject:
        yield "error", f"{crl_path} is not of the authority {path}", "take the list of that authority"
    update = crl.next_update_utc
    if update is not None and update < datetime.now(UTC):
        yield (
            "error",
            f"{crl_path} expired on {update:%Y-%m-%d}: no client can connect",
            "`manageout pki crl`",
        )
