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
from manageout.service.check.found import Remark, failed, remark
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
        yield remark("clock-not-set")


def _closed(option: str, path: Path) -> Iterator[Remark]:
    """What we may not read the daemon perhaps may: nothing is known then, least of all how to mend it."""
    try:
        with open(path, "rb"):
            return
    except PermissionError:
        if os.geteuid():
            yield remark("not-permitted", what=f"{option} {path}", do="read it")
    except OSError:
        return  # told by whoever reads it


def _own(gateway: GatewayTable) -> Iterator[Remark]:
    certificate = yield from _certificate(gateway)
    key = yield from _key(gateway)
    if certificate is None or key is None:
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        yield remark("wrong-key", key=gateway.key, certificate=gateway.certificate)


def _certificate(gateway: GatewayTable) -> Generator[Remark, None, x509.Certificate | None]:
    if closed := list(_closed("gateway.certificate", gateway.certificate)):
        yield from closed
        return None
    try:
        certificate, *above = load_certificates(gateway.certificate)
    except PkiError as failure:
        yield failed(failure, "gateway.certificate ")
        return None
    for each in (certificate, *above):
        yield from _validity(each, gateway.certificate)
    if not names_of(certificate):
        yield remark("nameless-certificate", path=gateway.certificate)
    yield from _usage(certificate, gateway.certificate)
    return certificate


def _key(gateway: GatewayTable) -> Generator[Remark, None, PrivateKey | None]:
    if closed := list(_closed("gateway.key", gateway.key)):
        yield from closed
        return None
    try:
        key = load_key(gateway.key)
    except PkiError as failure:
        yield failed(failure, "gateway.key ")
        return None
    mode = gateway.key.stat().st_mode
    if mode & 0o007:
        yield remark("readable-key", key=gateway.key)
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
    yield remark("not-for-servers", path=path, whose=whose)


def _validity(certificate: x509.Certificate, path: Path) -> Iterator[Remark]:
    now, name = time.time(), ", ".join(names_of(certificate)) or "no name"
    ends, starts = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if ends.timestamp() < now:
        yield remark("expired", path=path, name=name, ends=ends)
    elif ends.timestamp() < now + trust_report.SOON:
        yield remark("expires", path=path, name=name, ends=ends)
    if starts.timestamp() > now:
        yield remark("not-yet-valid", path=path, name=name, starts=starts)


def _authorities(gateway: GatewayTable, path: Path) -> Iterator[Remark]:
    known = yield from _lists(gateway)
    if closed := list(_closed("gateway.client_ca", path)):
        yield from closed
        return
    try:
        found = load_certificates(path)
    except PkiError as failure:
        yield failed(failure, "gateway.client_ca ")
        return
    for authority in found:
        yield from _validity(authority, path)
    yield from _everybody(gateway, len(found))
    try:
        issuers = [issuer_of(each.public_bytes(Encoding.DER)) for each in found]
    except UNREADABLE:
        yield remark("odd-key", path=path)
        return
    if known is None:
        return
    foreign = list(known.foreign(issuers))
    for each in foreign:
        key = "foreign-list" if len(foreign) == len(known.all) else "other-list"
        yield remark(key, file=gateway.client_crl, issuer=each.issuer, path=path)
    for row in trust_report.lists(issuers, known, time.time()):
        yield Remark(row.severity, row.what, row.remedy)


def _lists(gateway: GatewayTable) -> Generator[Remark, None, RevocationLists | None]:
    if gateway.client_crl is None:
        return RevocationLists()
    if closed := list(_closed("gateway.client_crl", gateway.client_crl)):
        yield from closed
        return None
    try:
        return RevocationLists.read(gateway.client_crl)
    except PkiError as failure:
        yield failed(failure, "gateway.client_crl ")
        return None


def _everybody(gateway: GatewayTable, authorities: int) -> Iterator[Remark]:
    """Authorities often certify more than the machines that should connect."""
    if "*" not in gateway.allow:
        return
    yield remark("any-client-of-many" if authorities > 1 else "any-client-of-one", authorities=authorities)
