"""A small certificate authority in a directory: enough for gateways and their clients.

::

    ca.pem  ca.key          the authority
    crl.pem                 what it has revoked; the gateway reads it again when it changes
    NAME.pem  NAME.key      each certificate that it has issued
    index.json              serial numbers of everything issued, so that all of it can be revoked

Keys are readable by their owner only. Every file is replaced in one step, and none is replaced unless asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from manageout.errors import PkiError
from manageout.linux.host.lock import lock
from manageout.service.process.files import replace_file
from manageout.service.tls import certificates
from manageout.words import said

CA_DAYS = 3650
LEAF_DAYS = 825
CRL_DAYS = 365
CRL_RENEW_DAYS = 30
"""A list with less left than this is made anew by any command that writes."""
_RESERVED = frozenset({"ca", "crl", "index"})


class IssuedCertificate(NamedTuple):
    """One certificate that was issued. Times are ISO 8601, UTC; ``revoked`` is empty while it is good."""

    name: str
    serial: str
    usage: str
    not_after: str
    revoked: str = ""

    @property
    def state(self) -> str:
        """``good``, ``expired`` or ``revoked``."""
        if self.revoked:
            return "revoked"
        return "expired" if datetime.fromisoformat(self.not_after) < certificates.now() else "good"


class CertificateFiles(NamedTuple):
    """The files of one certificate."""

    certificate: Path
    key: Path


class Authority:
    """An authority that exists in ``directory``."""

    def __init__(self, directory: Path) -> None:
        """Raises :class:`PkiError` when there is none, or it cannot be read."""
        self.directory = directory
        self.certificate_path = directory / "ca.pem"
        """Of the authority; clients and gateways trust it."""
        self.key_path = directory / "ca.key"
        """Of the authority; it belongs on no gateway."""
        self.crl_path = directory / "crl.pem"
        """The revocation list."""
        self.crl_renewed = False
        """Whether :meth:`issue` had to make the revocation list anew."""
        if not self.certificate_path.exists():
            raise PkiError(f"{directory}: no authority here", f"make one: manageout pki init {directory}")
        self.certificate = certificates.load_certificate(self.certificate_path)
        self._key = certificates.load_key(self.key_path)
        if self._key.public_key() != self.certificate.public_key():
            raise PkiError(
                f"{self.key_path} does not belong to {self.certificate_path}", "restore both files"
            )

    @classmethod
    def create(cls, directory: Path, name: str, *, rsa_key: bool = False, force: bool = False) -> Authority:
        """Make an authority called ``name``. Raises :class:`PkiError` when one exists and not ``force``."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PkiError(
                f"{directory}: {error.strerror}", "choose a directory that you may write"
            ) from None
        if not force:
            hint = "give another DIRECTORY; --force replaces this authority, and voids all that it has issued"
            _refuse_existing([directory / "ca.pem", directory / "ca.key", directory / "index.json"], hint)
        key = certificates.new_key(rsa_key)
        owner = certificates.subject(name)
        usage = certificates.key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        builder = (
            certificates.certificate_builder(owner, owner, key.public_key(), CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        certificates.write_key(directory / "ca.key", key)
        replace_file(directory / "ca.pem", certificates.pem(builder.sign(key, hashes.SHA256())), 0o644)
        authority = cls(directory)
        authority._store([])
        authority.write_crl()
        return authority

    def issue(
        self,
        name: str,
        *,
        server: bool,
        dns: Sequence[str] = (),
        days: int = LEAF_DAYS,
        rsa_key: bool = False,
        force: bool = False,
    ) -> CertificateFiles:
        """A certificate for ``name`` (a DNS name), for a gateway or for a client; ``dns`` adds names or IPs.

        Raises :class:`PkiError` when the name cannot be used, or its files exist and not ``force``.
        """
        if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?", name) or name in _RESERVED:
            raise PkiError(
                f"{name!r} cannot name a certificate", "use a DNS name, for example laptop.corp.example"
            )
        odd = [each for each in dns if not _may_be_client(each)]
        if not server and (odd or not certificates.is_host_name(name)):
            raise PkiError(
                f"gateways take no client called {(*odd, name)[0]!r}",
                "use its DNS name, for example laptop.corp.example",
            )
        files = CertificateFiles(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        with self._locked():
            if not force:
                _refuse_existing(files, "choose another name, or replace it with --force")
            entries = self.entries()
            key = certificates.new_key(rsa_key)
            certificate = self._sign(name, key, server, dns, days)
            usage, end = "server" if server else "client", certificates.iso(certificate.not_valid_after_utc)
            entry = IssuedCertificate(name, f"{certificate.serial_number:x}", usage, end)
            # The index first: a certificate that exists can then always be revoked.
            self._store([*entries, entry])
            certificates.write_key(files.key, key)
            replace_file(files.certificate, certificates.pem(certificate), 0o644)
            self._renew_crl()
        return files

    def revoke(self, name: str) -> list[IssuedCertificate]:
        """Revoke every certificate of ``name`` that is still good, and write the list anew.

        Raises :class:`PkiError` when there is none.
        """
        with self._locked():
            entries = self.entries()
            hit = [e for e in entries if e.name.lower() == name.lower() and e.state == "good"]
            if not hit:
                known = any(e.name.lower() == name.lower() for e in entries)
                why = "no certificate that could be revoked" if known else "never issued here"
                raise PkiError(f"{name}: {why}", f"see: manageout pki show --dir {self.directory}")
            revoked = certificates.iso(certificates.now())
            self._store([e._replace(revoked=revoked) if e in hit else e for e in entries])
            self.write_crl()
        return hit

    def entries(self) -> list[IssuedCertificate]:
        """Everything issued, oldest first. Raises :class:`PkiError` when the index is damaged."""
        path = self.directory / "index.json"
        try:
            return [IssuedCertificate(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError) as error:
            raise PkiError(f"{path}: cannot be read: {said(error)}", "restore it from a backup") from None

    def crl_valid_until(self) -> datetime:
        """When gateways stop believing the list (and so every client). Raises :class:`PkiError`."""
        try:
            crl = x509.load_pem_x509_crl(self.crl_path.read_bytes())
        except (OSError, *certificates.UNREADABLE) as error:
            hint = f"make it anew: manageout pki crl --dir {self.directory}"
            raise PkiError(f"{self.crl_path}: cannot be read: {said(error)}", hint) from None
        return crl.next_update_utc or datetime.max.replace(tzinfo=UTC)

    def write_crl(self, days: int = CRL_DAYS) -> None:
        """Make the revocation list anew, good for ``days``."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(certificates.now() - certificates.BACKDATE)
            .next_update(certificates.now() + timedelta(days=days))
            .add_extension(x509.CRLNumber(int(certificates.now().timestamp())), critical=False)
            .add_extension(certificates.authority_key(self._key), critical=False)
        )
        for entry in self.entries():
            if entry.revoked:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(entry.serial, 16))
                    .revocation_date(datetime.fromisoformat(entry.revoked))
                    .build()
                )
        crl = builder.sign(self._key, hashes.SHA256())
        replace_file(self.crl_path, crl.public_bytes(serialization.Encoding.PEM), 0o644)

    def _renew_crl(self) -> None:
        with contextlib.suppress(PkiError):
            if self.crl_valid_until() - certificates.now() > timedelta(days=CRL_RENEW_DAYS):
                return
        self.write_crl()
        self.crl_renewed = True

    def _sign(
        self, name: str, key: certificates.PrivateKey, server: bool, dns: Sequence[str], days: int
    ) -> x509.Certificate:
        if days < 1:
            raise PkiError(f"{days} days is no validity", "give --days 1 or more")
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        # Windows' RSA key exchange (TLS 1.2 without ECDHE) wants keyEncipherment.
        usage = certificates.key_usage(
            digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPrivateKey)
        )
        names = [certificates.general_name(item) for item in dict.fromkeys((name, *dns))]
        return (
            certificates.certificate_builder(
                certificates.subject(name), self.certificate.subject, key.public_key(), days
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(certificates.authority_key(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _store(self, entries: Sequence[IssuedCertificate]) -> None:
        text = json.dumps([entry._asdict() for entry in entries], indent=1) + "\n"
        replace_file(self.directory / "index.json", text.encode(), 0o600)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise PkiError(f"{self.directory}: {error.strerror}", "check its owner and mode") from None
        try:
            lock(fd, wait=True)
            yield
        finally:
            os.close(fd)


def _may_be_client(name: str) -> bool:
    """An address among the further names is no name, and harmless."""
    return certificates.is_host_name(name) or isinstance(certificates.general_name(name), x509.IPAddress)


def _refuse_existing(paths: Sequence[Path], hint: str) -> None:
    for path in paths:
        if path.exists():
            raise PkiError(f"{path} exists already", hint)
