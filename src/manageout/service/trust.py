"""Which clients the gateway lets in: authority, revocation list, allow-list; all may change while it runs."""

from __future__ import annotations

import logging
import ssl
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from manageout.config import GatewayTable
from manageout.errors import PkiError
from manageout.protocol.drops import Drop
from manageout.service import certificates, tls

SOON = 14 * 86400.0
log = logging.getLogger(__name__)
_END = b"-----END X509 CRL-----"


class PeerCertificate(NamedTuple):
    """What stays in memory of a client's certificate."""

    names: tuple[str, ...]
    issuer: bytes
    serial: int
    not_after: float
    """Seconds since the epoch."""

    @property
    def identity(self) -> str:
        """The name under which the client is listed."""
        return self.names[0]


class Refusal(NamedTuple):
    """Why a client may not connect: the counter, and words for the log."""

    drop: Drop
    words: str


class Trust:
    """What one ``[gateway]`` table says about certificates, as the files are now."""

    def __init__(self, gateway: GatewayTable) -> None:
        """Raises :class:`PkiError` that names the file at fault."""
        self._gateway = gateway
        self._files = self._fingerprint()
        with_clients = gateway.authentication == "certificates"
        client_ca = gateway.client_ca if with_clients else None
        self.context = self._context()
        self._authorities = _authorities(client_ca) if client_ca else frozenset()
        self.required = with_clients
        self._allow = tuple(pattern.lower() for pattern in gateway.allow)
        lists = _lists(gateway.client_crl) if with_clients and gateway.client_crl else []
        self._revoked = frozenset(
            (item.issuer.public_bytes(), entry.serial_number) for item in lists for entry in item
        )
        ends = [item.next_update_utc.timestamp() for item in lists if item.next_update_utc]
        self.revocations_until = min(ends, default=None)
        """When a revocation list ends, and with it every client's way in; seconds since the epoch."""
        own = certificates.load_certificate(gateway.certificate)
        self.subject = ", ".join(certificates.names_of(own))
        self.not_after = own.not_valid_after_utc.timestamp()

    def changed(self) -> bool:
        """Whether a file is another than when it was read, or when this was asked last."""
        before, self._files = self._files, self._fingerprint()
        return before != self._files

    def relieve(self) -> None:
        """Begin with an empty cache of sessions where OpenSSL's cannot be switched off and has grown."""
        if tls.crowded(self.context):
            try:
                self.context = self._context()
            except PkiError as error:  # a file is just being replaced
                log.warning("%s; TLS sessions stay in memory (%s)", error.message, error.hint)

    def _context(self) -> ssl.SSLContext:
        gateway = self._gateway
        client_ca = gateway.client_ca if gateway.authentication == "certificates" else None
        return tls.server_context(gateway.certificate, gateway.key, client_ca, gateway.client_crl)

    def lets_in_all_of(self, old: Trust) -> bool:
        """Whether every authority of ``old`` still counts; if not, everybody has to show a certificate again."""
        return self.required == old.required and self._authorities >= old._authorities

    def warn(self) -> None:
        """Log when the revocation list ends soon."""
        until = self.revocations_until
        if until is not None and until - time.time() < SOON:
            day = time.strftime("%Y-%m-%d", time.gmtime(until))
            log.warning("the revocation list ends on %s; no client can connect after that: renew it", day)

    def admit(self, certificate: PeerCertificate | None) -> Refusal | None:
        """As :meth:`check`, for a client that comes now; a resumed TLS session looks at no revocation list."""
        if self.revocations_until is not None and self.revocations_until < time.time():
            return Refusal(Drop.CERTIFICATE_REVOKED, "the revocation list has ended: renew it")
        return self.check(certificate)

    def check(self, certificate: PeerCertificate | None) -> Refusal | None:
        """Whether a client that TLS accepts, now or when it came, may be connected. None: it may."""
        if certificate is None:
            return Refusal(Drop.CERTIFICATE_MISSING, "no client certificate") if self.required else None
        if not any(
            fnmatchcase(name.lower(), pattern) for name in certificate.names for pattern in self._allow
        ):
            return Refusal(Drop.CERTIFICATE_UNLISTED, f"{certificate.identity} is not in gateway.allow")
        if (certificate.issuer, certificate.serial) in self._revoked:
            return Refusal(Drop.CERTIFICATE_REVOKED, "client certificate: revoked")
        if certificate.not_after < time.time():
            return Refusal(Drop.CERTIFICATE_EXPIRED, "client certificate: expired")
        return None

    def _fingerprint(self) -> tuple[object, ...]:
        gateway = self._gateway
        return tls.fingerprint(gateway.certificate, gateway.key, gateway.client_ca, gateway.client_crl)


def read_peer(der: bytes) -> PeerCertificate | Refusal:
    """The certificate that a client has shown."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificates.names_of(certificate)
    except ValueError:
        return Refusal(Drop.CERTIFICATE_INVALID, "client certificate: cannot be read")
    if not names:
        return Refusal(Drop.CERTIFICATE_INVALID, "client certificate: has neither DNS name nor common name")
    return PeerCertificate(
        names,
        certificate.issuer.public_bytes(),
        certificate.serial_number,
        certificate.not_valid_after_utc.timestamp(),
    )


def refusal(error: ssl.SSLError) -> Refusal:
    """What a failed handshake of a client comes to."""
    words = tls.explain(error, "client")
    if isinstance(error, ssl.SSLCertVerificationError):
        known = {10: Drop.CERTIFICATE_EXPIRED, 23: Drop.CERTIFICATE_REVOKED}
        return Refusal(known.get(error.verify_code, Drop.CERTIFICATE_INVALID), words)
    missing = error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    return Refusal(Drop.CERTIFICATE_MISSING if missing else Drop.TLS_FAILED, words)


def _authorities(path: Path) -> frozenset[bytes]:
    """The fingerprints of the authorities in a PEM file, which TLS has been able to read."""
    found = x509.load_pem_x509_certificates(path.read_bytes())
    return frozenset(certificate.fingerprint(hashes.SHA256()) for certificate in found)


def _lists(path: Path) -> list[x509.CertificateRevocationList]:
    """The revocation lists in a PEM file."""
    try:
        text = path.read_bytes()
        blocks = [part + _END for part in text.split(_END) if b"-----BEGIN X509 CRL-----" in part]
        return [x509.load_pem_x509_crl(block) for block in blocks]
    except (OSError, ValueError) as error:
        raise PkiError(f"{path}: not a revocation list: {error}", "give a PEM file") from None
