"""The certificate files of a gateway, as ``manageout check`` sees them: readable, matching, in time."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manageout.config import GatewayTable, Site
from manageout.errors import PkiError
from manageout.service import trust_report
from manageout.service.certificates import UNREADABLE, load_certificates, load_key, names_of
from manageout.service.revocation import RevocationLists, issuer_of

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
        yield from _authorities(gateway, gateway.client_ca)
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
        certificate, *above = load_certificates(gateway.certificate)
    except PkiError as error:
        yield "error", f"gateway.certificate {error.message}", error.hint
        return
    for each in (certificate, *above):
        yield from _validity(each, gateway.certificate)
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


def _authorities(gateway: GatewayTable, path: Path) -> Iterator[Found]:
    try:
        found = load_certificates(path)
    except PkiError as error:
        yield "error", f"gateway.client_ca {error.message}", error.hint
        return
    for authority in found:
        yield from _validity(authority, path)
    yield from _everybody(gateway, len(found))
    try:
        issuers = [issuer_of(each.public_bytes(Encoding.DER)) for each in found]
    except UNREADABLE:
        yield "error", f"gateway.client_ca {path}: a key of a kind that we cannot use", "use RSA or ECDSA"
        return
    try:
        known = RevocationLists.read(gateway.client_crl) if gateway.client_crl else RevocationLists()
    except PkiError as error:
        yield "error", f"gateway.client_crl {error.message}", error.hint
        return
    foreign = list(known.foreign(issuers))
    for each in foreign:
        text = f"{gateway.client_crl}: the list of {each.issuer} is not of the authority {path}"
        if len(foreign) == len(known.all):
            yield "error", text, "take the list of that authority"
        else:
            yield "note", f"{text}, nor of another there", "it counts for clients that bring that authority"
    for row in trust_report.lists(issuers, known, time.time()):
        yield ("error" if row.severity == "error" else "warning"), row.what, row.remedy


def _everybody(gateway: GatewayTable, authorities: int) -> Iterator[Found]:
    """Authorities often certify more than the machines that should connect."""
    if "*" not in gateway.allow:
        return
    whose = f"any of {authorities} authorities" if authorities > 1 else "the authority"
    yield (
        "warning" if authorities > 1 else "note",
        f'gateway.allow has "*": every client certificate of {whose} in gateway.client_ca lets in',
        'name those that may, for example allow = ["*.corp.example"]',
    )
