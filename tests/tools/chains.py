"""Authorities below authorities, odd certificates and revocation lists: what ``manageout pki`` does not make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from manageout.service.tls import certificates

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> x509.Name:
    """A common name in one of ASN.1's kinds of string."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])


@dataclass
class Ca:
    """An authority with its key; ``issuer`` None: a root."""

    title: str
    issuer: Ca | None = None
    days: float = 200
    key: Key = field(default_factory=new_key)

    def __post_init__(self) -> None:
        usage = certificates.key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        above = self.issuer or self
        builder = _builder(name(self.title), name(above.title), self.key, self.days)
        self.certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(above.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return certificates.pem(self.certificate)

    def leaf(
        self,
        names: Sequence[str] = ("laptop.corp.example",),
        *,
        common_name: str = "laptop",
        san: x509.ExtensionType | None = None,
        days: float = 50,
        key: Key | None = None,
    ) -> x509.Certificate:
        """A client's certificate; ``san`` instead of one of ``names``."""
        builder = _builder(name(common_name), self.certificate.subject, key or new_key(), days)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if san is None and names:
            san = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        if san is not None:
            builder = builder.add_extension(san, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def write_leaf(self, directory: Path, file: str, names: Sequence[str], chain: Iterable[Ca] = ()) -> None:
        """``file``.pem with the certificates of ``chain`` behind it, and ``file``.key."""
        key = new_key()
        leaf = self.leaf(names, key=key)
        text = certificates.pem(leaf) + b"".join(each.pem for each in chain)
        (directory / f"{file}.pem").write_bytes(text)
        certificates.write_key(directory / f"{file}.key", key)

    def crl(
        self,
        revoked: Iterable[int] = (),
        *,
        days: float = 60,
        made: float = -1,
        kind: _ASN1Type = _ASN1Type.UTF8String,
        more: Iterable[x509.ExtensionType] = (),
        by: Key | None = None,
    ) -> bytes:
        """A revocation list that ends in ``days``, made ``made`` days from now; ``by`` another key."""
        now = certificates.now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name(self.title, kind))
            .last_update(now + timedelta(days=min(made, days - 1)))
            .next_update(now + timedelta(days=days))
        )
        for extension in more:
            builder = builder.add_extension(extension, critical=True)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(by or self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: float) -> x509.CertificateBuilder:
    now = certificates.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=200))
        .not_valid_after(now + timedelta(days=days))
    )


def der(*certificate: x509.Certificate) -> list[bytes]:
    """As TLS gives them."""
    return [each.public_bytes(Encoding.DER) for each in certificate]
