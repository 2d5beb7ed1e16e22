"""The certificate files of a gateway, as ``manageout check`` sees them: readable, matching, in time."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from manageout.errors import PkiError
from manageout.linux.host import clock
from manageout.service.check.found import Remark, failed, remark
from manageout.service.iphttps import trust_report
from manageout.service.tls.certificates import UNREADABLE, load_certificates, load_key, names_of
from manageout.service.tls.revocation import RevocationLists, issuer_of
from manageout.site.tables.site import GatewayTable, Site

_T = TypeVar("_T")


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


def _loaded(option: str, path: Path, load: Callable[[Path], _T]) -> Generator[Remark, None, _T | None]:
    """What is in a file of ``[gateway]``; None when it cannot be read, which is told."""
    try:
        with open(path, "rb"):
            pass
    except PermissionError:
        if os.geteuid():
            # What we may not read the daemon perhaps may: nothing is known then, least of all how to mend it.
            yield remark("not-permitted", what=f"gateway.{option} {path}", do="read it")
            return None
    except OSError:
        pass  # told by whoever reads it
    try:
        return load(path)
    except PkiError as failure:
        yield failed(failure, f"gateway.{option} ")
        return None


def _own(gateway: GatewayTable) -> Iterator[Remark]:
    certificate = yield from _certificate(gateway)
    key = yield from _loaded("key", gateway.key, load_key)
    if key is not None and gateway.key.stat().st_mode & 0o007:
        yield remark("readable-key", key=gateway.key)
    if certificate is None or key is None:
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        yield remark("wrong-key", key=gateway.key, certificate=gateway.certificate)


def _certificate(gateway: GatewayTable) -> Generator[Remark, None, x509.Certificate | None]:
    found = yield from _loaded("certificate", gateway.certificate, load_certificates)
    if found is None:
        return None
    certificate = found[0]
    for each in found:
        yield from _validity(each, gateway.certificate)
    if not names_of(certificate):
        yield remark("nameless-certificate", path=gateway.certificate)
    yield from _usage(certificate, gateway.certificate)
    return certificate


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
    known: RevocationLists | None = RevocationLists()
    if gateway.client_crl is not None:
        known = yield from _loaded("client_crl", gateway.client_crl, RevocationLists.read)
    found = yield from _loaded("client_ca", path, load_certificates)
    if found is None:
        return
    for authority in found:
        yield from _validity(authority, path)
    if "*" in gateway.allow:  # authorities often certify more than the machines that should connect
        key = "any-client-of-many" if len(found) > 1 else "any-client-of-one"
        yield remark(key, authorities=len(found))
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
