"""The certificate files of a gateway, as ``manageout check`` sees them: readable, matching, in time."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from manageout.errors import PkiError
from manageout.linux.host import clock
from manageout.service.check.found import Remark, error, note, warning
from manageout.service.iphttps import trust_report
from manageout.service.tls.certificates import UNREADABLE, PrivateKey, load_certificates, load_key, names_of
from manageout.service.tls.revocation import RevocationLists, issuer_of
from manageout.site.tables.site import GatewayTable, Site


def certificates(site: Site) -> Iterator[Remark]:
    """What is wrong with them, and with the clock that they are held against."""
    gateway = site.gateway
    if gateway is None:
        return
    yield from _own(gateway)
    if gateway.authentication == "certificates" and gateway.client_ca is not None:
        yield from _authorities(gateway, gateway.client_ca)
    if not clock.is_set():
        yield note("the clock is not synchronised, and certificates depend on it", "run chrony or timesyncd")


def _closed(option: str, path: Path) -> Iterator[Remark]:
    """What we may not read the daemon perhaps may: nothing is known then, least of all how to mend it."""
    try:
        with open(path, "rb"):
            return
    except PermissionError:
        if os.geteuid():
            yield note(f"{option} {path}: not permitted to read it", "run check as root")
    except OSError:
        return  # told by whoever reads it


def _own(gateway: GatewayTable) -> Iterator[Remark]:
    certificate = yield from _certificate(gateway)
    key = yield from _key(gateway)
    if certificate is None or key is None:
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        remedy = "give the key that the certificate was issued for"
        yield error(f"{gateway.key} is not the key of {gateway.certificate}", remedy)


def _certificate(gateway: GatewayTable) -> Generator[Remark, None, x509.Certificate | None]:
    if closed := list(_closed("gateway.certificate", gateway.certificate)):
        yield from closed
        return None
    try:
        certificate, *above = load_certificates(gateway.certificate)
    except PkiError as failure:
        yield error(f"gateway.certificate {failure.message}", failure.hint)
        return None
    for each in (certificate, *above):
        yield from _validity(each, gateway.certificate)
    if not names_of(certificate):
        yield error(f"{gateway.certificate} has no name", "clients compare it with their URL: issue another")
    yield from _usage(certificate, gateway.certificate)
    return certificate


def _key(gateway: GatewayTable) -> Generator[Remark, None, PrivateKey | None]:
    if closed := list(_closed("gateway.key", gateway.key)):
        yield from closed
        return None
    try:
        key = load_key(gateway.key)
    except PkiError as failure:
        yield error(f"gateway.key {failure.message}", failure.hint)
        return None
    mode = gateway.key.stat().st_mode
    if mode & 0o007:
        yield warning(f"everybody on this machine can read {gateway.key}", f"chmod 600 {gateway.key}")
    return key


def _usage(certificate: x509.Certificate, path: Path) -> Iterator[Remark]:
    """RFC 5280 4.2.1.12: without the extension a certificate is for everything."""
    try:
        usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError):
        return
    if usages & {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
        return
    whose = "a client's" if ExtendedKeyUsageOID.CLIENT_AUTH in usages else "no server's"
    yield error(
        f"gateway.certificate {path} is {whose} certificate: its extended key usage lacks server authentication, and "
        "Windows refuses it",
        "issue one for a server: `manageout pki issue NAME --server`",
    )


def _validity(certificate: x509.Certificate, path: Path) -> Iterator[Remark]:
    now, name = time.time(), ", ".join(names_of(certificate)) or "no name"
    ends, starts = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if ends.timestamp() < now:
        yield error(f"{path} ({name}) expired on {ends:%Y-%m-%d}", "issue another: `manageout pki issue`")
    elif ends.timestamp() < now + trust_report.SOON:
        yield warning(f"{path} ({name}) expires on {ends:%Y-%m-%d}", "issue another soon")
    if starts.timestamp() > now:
        yield error(
            f"{path} ({name}) is valid from {starts:%Y-%m-%d %H:%M} UTC only", "check the clock: `date -u`"
        )


def _authorities(gateway: GatewayTable, path: Path) -> Iterator[Remark]:
    known = yield from _lists(gateway)
    if closed := list(_closed("gateway.client_ca", path)):
        yield from closed
        return
    try:
        found = load_certificates(path)
    except PkiError as failure:
        yield error(f"gateway.client_ca {failure.message}", failure.hint)
        return
    for authority in found:
        yield from _validity(authority, path)
    yield from _everybody(gateway, len(found))
    try:
        issuers = [issuer_of(each.public_bytes(Encoding.DER)) for each in found]
    except UNREADABLE:
        yield error(f"gateway.client_ca {path}: a key of a kind that we cannot use", "use RSA or ECDSA")
        return
    if known is None:
        return
    foreign = list(known.foreign(issuers))
    for each in foreign:
        text = f"{gateway.client_crl}: the list of {each.issuer} is not of the authority {path}"
        if len(foreign) == len(known.all):
            yield error(text, "take the list of that authority")
        else:
            yield note(f"{text}, nor of another there", "it counts for clients that bring that authority")
    for row in trust_report.lists(issuers, known, time.time()):
        yield (error if row.severity == "error" else warning)(row.what, row.remedy)


def _lists(gateway: GatewayTable) -> Generator[Remark, None, RevocationLists | None]:
    if gateway.client_crl is None:
        return RevocationLists()
    if closed := list(_closed("gateway.client_crl", gateway.client_crl)):
        yield from closed
        return None
    try:
        return RevocationLists.read(gateway.client_crl)
    except PkiError as failure:
        yield error(f"gateway.client_crl {failure.message}", failure.hint)
        return None


def _everybody(gateway: GatewayTable, authorities: int) -> Iterator[Remark]:
    """Authorities often certify more than the machines that should connect."""
    if "*" not in gateway.allow:
        return
    whose = f"any of {authorities} authorities" if authorities > 1 else "the authority"
    yield (warning if authorities > 1 else note)(
        f'gateway.allow has "*": every client certificate of {whose} in gateway.client_ca lets in',
        'name those that may, for example allow = ["*.corp.example"]',
    )
