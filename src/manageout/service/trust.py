"""Which clients the gateway lets in: authority, revocation list, allow-list; all may change while it runs."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from manageout.config import GatewayTable
from manageout.errors import LinkError, PkiError
from manageout.service import certificates, tls


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


class Trust:
    """What one ``[gateway]`` table says about certificates, as the files are now."""

    def __init__(self, gateway: GatewayTable) -> None:
        """Raises :class:`PkiError` that names the file at fault."""
        self._gateway = gateway
        self._files = self._fingerprint()
        with_clients = gateway.authentication == "certificates"
        client_ca = gateway.client_ca if with_clients else None
        self.context = tls.server_context(gateway.certificate, gateway.key, client_ca, gateway.client_crl)
        self.required = with_clients
        self._allow = tuple(pattern.lower() for pattern in gateway.allow)
        self._revoked = _revoked(gateway.client_crl) if with_clients and gateway.client_crl else frozenset()
        own = certificates.load_certificate(gateway.certificate)
        self.subject = ", ".join(certificates.names_of(own))
        self.not_after = own.not_valid_after_utc.timestamp()

    def changed(self) -> bool:
        """Whether a file is another than the one that was read."""
        return self._files != self._fingerprint()

    def admit(self, der: bytes | None) -> PeerCertificate | None:
        """The certificate of a client that TLS has accepted; None in mode ``none``.

        Raises :class:`LinkError` for one that may not connect.
        """
        if not self.required:
            return None
        if der is None:
            raise LinkError("no client certificate")
        certificate = _read(der)
        self.check(certificate)
        return certificate

    def check(self, certificate: PeerCertificate | None) -> None:
        """Raises :class:`LinkError` when a client that was let in once may no longer be."""
        if certificate is None:
            if self.required:
                raise LinkError("no client certificate")
            return
        if not any(
            fnmatchcase(name.lower(), pattern) for name in certificate.names for pattern in self._allow
        ):
            raise LinkError(f"client certificate: {certificate.identity} is not on the allow-list")
        if (certificate.issuer, certificate.serial) in self._revoked:
            raise LinkError("client certificate: revoked")
        if certificate.not_after < time.time():
            raise LinkError("client certificate: expired")

    def _fingerprint(self) -> tuple[object, ...]:
        gateway = self._gateway
        return tls.fingerprint(gateway.certificate, gateway.key, gateway.client_ca, gateway.client_crl)


def _read(der: bytes) -> PeerCertificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificates.names_of(certificate)
    except ValueError:
        raise LinkError("client certificate: cannot be read") from None
    if not names:
        raise LinkError("client certificate: names nobody (neither DNS name nor common name)")
    return PeerCertificate(
        names,
        certificate.issuer.public_bytes(),
        certificate.serial_number,
        certificate.not_valid_after_utc.timestamp(),
    )


def _revoked(path: Path) -> frozenset[tuple[bytes, int]]:
    """Issuer and serial number of everything on the lists in a PEM file."""
    try:
        text = path.read_bytes()
        blocks = [part + _END for part in text.split(_END) if b"-----BEGIN X509 CRL-----" in part]
        lists = [x509.load_pem_x509_crl(block) for block in blocks]
    except (OSError, ValueError) as error:
        raise PkiError(f"{path}: not a revocation list: {error}", "give a PEM file") from None
    return frozenset((item.issuer.public_bytes(), entry.serial_number) for item in lists for entry in item)


_END = b"-----END X509 CRL-----"
