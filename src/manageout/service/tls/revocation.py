"""Revocation lists, held against whole chains of certificates.

OpenSSL can look at a chain only if each of its authorities has a list, and refuses the client otherwise. So the chain
that OpenSSL has verified is looked at here, link by link. What counts as the authority of a list is the key that
signed it, not how a name is spelled (RFC 5280 7.1 compares names in ways that few programs do): every serial number
that a list of that key names is revoked. A list that nobody signed whom the chain knows says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from manageout.errors import PkiError
from manageout.service.tls.certificates import UNREADABLE
from manageout.words import plain

MAX_AUTHORITIES = 256
"""Keys for which the lists' signatures are remembered; forgotten all at once above it."""
_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


class Issuer(NamedTuple):
    """An authority: the key that signs. The name is for people."""

    key: bytes
    """SubjectPublicKeyInfo, DER."""
    name: str


class ChainLink(NamedTuple):
    """One certificate of a chain: who issued it, and what it is called there."""

    issuer: Issuer
    serial: int
    name: str
    not_after: float
    """Seconds since the epoch."""


class Revoked(NamedTuple):
    """What the lists say of one authority's certificates."""

    revoked: frozenset[int]
    until: float | None
    """When the first of its lists ends that has no successor here; None: never."""


class RevocationList(NamedTuple):
    """One revocation list, read."""

    source: x509.CertificateRevocationList
    issuer: str
    scope: bytes
    """Lists of one authority and scope replace each other (RFC 5280 5.2.5)."""
    delta: bool
    made: float
    until: float | None
    revoked: frozenset[int]


class _Authority(NamedTuple):
    issuer: Issuer
    serial: int
    not_after: float


def links(leaf: x509.Certificate, above: Sequence[bytes]) -> tuple[ChainLink, ...]:
    """Of a verified chain; ``above``: the authorities' certificates, DER, up to one that vouches for itself.

    Raises certificates.UNREADABLE.
    """
    authorities = [_authority(der) for der in above] or [_about(leaf)]
    end = leaf.not_valid_after_utc.timestamp()
    found = [ChainLink(authorities[0].issuer, leaf.serial_number, _name(leaf.subject), end)]
    for one, over in zip(authorities, [*authorities[1:], authorities[-1]], strict=True):
        found.append(ChainLink(over.issuer, one.serial, one.issuer.name, one.not_after))
    return tuple(found if above else found[:1])


def issuer_of(der: bytes) -> Issuer:
    """The authority whose certificate this is; one object for all its clients."""
    return _authority(der).issuer


@lru_cache(maxsize=64)
def _authority(der: bytes) -> _Authority:
    return _about(x509.load_der_x509_certificate(der))


def _about(certificate: x509.Certificate) -> _Authority:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    end = certificate.not_valid_after_utc.timestamp()
    return _Authority(Issuer(key, _name(certificate.subject)), certificate.serial_number, end)


class RevocationLists:
    """All that a file holds."""

    def __init__(self, found: Iterable[RevocationList] = ()) -> None:
        self.all = tuple(found)
        self._known: dict[bytes, Revoked | None] = {}

    @classmethod
    def read(cls, path: Path) -> RevocationLists:
        """The lists of a PEM file. Raises :class:`PkiError`."""
        try:
            found = cls.parse(path.read_bytes())
        except OSError as error:
            raise PkiError(f"{path}: {error.strerror}", "check the path, and who may read it") from None
        except UNREADABLE as error:
            raise PkiError(f"{path}: not a revocation list: {error}", "give a PEM file") from None
        if not found.all:
            raise PkiError(f"{path}: holds no PEM revocation list", "`manageout pki crl` makes one")
        return found

    @classmethod
    def parse(cls, text: bytes) -> RevocationLists:
        """The lists of a PEM text. Raises one of certificates.UNREADABLE."""
        blocks = [part[part.index(_BEGIN) :] + _END for part in text.split(_END) if _BEGIN in part]
        return cls(_read(x509.load_pem_x509_crl(block)) for block in blocks)

    def newest(self) -> list[RevocationList]:
        """Those without a successor here, as far as names tell whose they are."""
        found: dict[tuple[str, bytes, bool], RevocationList] = {}
        for one in sorted(self.all, key=lambda each: each.made):
            found[one.issuer, one.scope, one.delta] = one
        return list(found.values())

    def of(self, issuer: Issuer) -> Revoked | None:
        """What they say of this authority; None when no list is signed by it."""
        try:
            return self._known[issuer.key]
        except KeyError:
            if len(self._known) >= MAX_AUTHORITIES:
                self._known.clear()
            found = self._known[issuer.key] = _standing([one for one in self.all if _signed(one, issuer)])
            return found

    def revoked(self, chain: Iterable[ChainLink]) -> ChainLink | None:
        """The first certificate of a chain that its authority has revoked."""
        for link in chain:
            standing = self.of(link.issuer)
            if standing is not None and link.serial in standing.revoked:
                return link
        return None

    def ended(self, chain: Iterable[ChainLink], now: float) -> Issuer | None:
        """An authority of a chain of which nobody can say any more what it has revoked."""
        for link in chain:
            standing = self.of(link.issuer)
            if standing is not None and standing.until is not None and standing.until < now:
                return link.issuer
        return None

    def foreign(self, issuers: Iterable[Issuer]) -> Iterator[RevocationList]:
        """The lists that none of these has signed."""
        known = tuple(issuers)
        for one in self.all:
            if not any(_signed(one, issuer) for issuer in known):
                yield one


def _standing(lists: Sequence[RevocationList]) -> Revoked | None:
    """The newest list of each scope counts; a delta adds to them and never ends by itself."""
    if not lists:
        return None
    newest: dict[bytes, RevocationList] = {}
    for one in sorted(lists, key=lambda each: each.made):
        if not one.delta:
            newest[one.scope] = one
    counted = [*newest.values(), *(one for one in lists if one.delta)]
    ends = [one.until for one in newest.values() if one.until is not None]
    return Revoked(frozenset().union(*(one.revoked for one in counted)), min(ends, default=None))


def _signed(one: RevocationList, issuer: Issuer) -> bool:
    try:
        key = cast("CertificateIssuerPublicKeyTypes", load_der_public_key(issuer.key))
        return one.source.is_signature_valid(key)
    except UNREADABLE:
        return False


def _read(source: x509.CertificateRevocationList) -> RevocationList:
    following = source.next_update_utc
    scope = b""
    delta = False
    for extension in source.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            scope = extension.value.public_bytes()
        delta = delta or isinstance(extension.value, x509.DeltaCRLIndicator)
    return RevocationList(
        source,
        _name(source.issuer),
        scope,
        delta,
        source.last_update_utc.timestamp(),
        following.timestamp() if following is not None else None,
        frozenset(entry.serial_number for entry in source if not (delta and _taken_back(entry))),
    )


def _taken_back(entry: x509.RevokedCertificate) -> bool:
    """RFC 5280 5.3.1: a delta may say that a certificate is good again."""
    reasons = [each.value.reason for each in entry.extensions if isinstance(each.value, x509.CRLReason)]
    return x509.ReasonFlags.remove_from_crl in reasons


def _name(name: x509.Name) -> str:
    return plain(name.rfc4514_string(), 128) or "no name"
