"""Which clients the gateway lets in: authority, revocation list, allow-list; all may change while it runs."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from manageout.errors import PkiError
from manageout.protocol.core.drops import Drop
from manageout.service.tls import certificates
from manageout.service.tls import contexts as tls
from manageout.service.tls.revocation import ChainLink, Issuer, RevocationLists, issuer_of, links
from manageout.site.tables.site import GatewayTable

MAX_SEEN = 64
"""Authorities between ours and clients' that are remembered for what is to be reported."""
MAX_STRANGE, MAX_CERTIFICATE = 4096, 16384
"""Bytes of a certificate that is read though nobody has vouched for it, and of a client's. What is in it becomes
Python's objects, one by one and with its lock held, for which packets wait: 9,000 names, 54 KB, are 65 ms."""
log = logging.getLogger(__name__)


class PeerCertificate(NamedTuple):
    """What stays in memory of a client's certificate, and of those above it."""

    named: certificates.Identities
    chain: tuple[ChainLink, ...]
    """Itself first. Authorities may be revoked, and expire, while the client is connected."""

    @property
    def known_as(self) -> str:
        """For log and counters."""
        return f"{self.identity}, serial {self.chain[0].serial:x}"

    @property
    def identity(self) -> str:
        """The name under which the client is listed and judged: the first of its certificate."""
        return self.named.names[0]


class Refusal(NamedTuple):
    """Why a client may not connect: the counter, and words for the log."""

    drop: Drop
    words: str
    certificate: str = ""
    """What the certificate says of itself, if one was seen; unverified when TLS has refused it."""


class Trust:
    """What one ``[gateway]`` table says about certificates, as the files are now."""

    def __init__(self, gateway: GatewayTable, before: Trust | None = None) -> None:
        """Raises :class:`PkiError` that names the file at fault.

        ``before``: its revocation lists are taken, if the file is still the same: long ones take a while to read.
        """
        self._gateway = gateway
        self._files = self._fingerprint()
        self.required = gateway.authentication == "certificates"
        client_ca = self._client_ca = gateway.client_ca if self.required else None
        client_crl = gateway.client_crl if self.required else None
        self.context = self._context()
        self.authorities = certificates.load_certificates(client_ca) if client_ca else []
        self._fingerprints = frozenset(one.fingerprint(hashes.SHA256()) for one in self.authorities)
        self._issuers = _issuers(self.authorities)
        self._common_name = gateway.common_name
        self._allow = tuple(pattern.lower() for pattern in gateway.allow)
        self._lists_read = client_crl, tls.fingerprint(client_crl)
        self.lists: RevocationLists
        if before is not None and before._lists_read == self._lists_read:
            self.lists = before.lists
        else:
            self.lists = RevocationLists.read(client_crl) if client_crl else RevocationLists()
        self.seen: dict[Issuer, float] = {}
        """Authorities in chains of clients that were found good lately, and when their certificates end."""
        # A list is held against an authority's key once, which takes long for a long one: here, where it may.
        for issuer in (*self._issuers, *(tuple(before.seen) if before is not None else ())):
            self.lists.of(issuer)
        self.own = certificates.load_certificates(gateway.certificate)
        self.subject = ", ".join(certificates.names_of(self.own[0]))
        self.not_after = self.own[0].not_valid_after_utc.timestamp()

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
        return tls.server_context(self._gateway.certificate, self._gateway.key, self._client_ca)

    def lets_in_all_of(self, old: Trust) -> bool:
        """Whether every authority of ``old`` still counts; if not, everybody has to show a certificate again."""
        return self.required == old.required and self._fingerprints >= old._fingerprints

    def issuers(self) -> dict[Issuer, float]:
        """Every authority that signs here, as far as is known, and when its certificate ends."""
        return {**self.seen, **self._issuers}

    def meet(self, tls_object: ssl.SSLObject) -> PeerCertificate | Refusal | None:
        """Who has finished a handshake: a client that may be connected, or why it may not. Never looks at files."""
        if not self.required:
            return self.admit(None)
        found = read_peer(tls.verified_chain(tls_object), common_name=self._common_name)
        if isinstance(found, Refusal):
            return found
        return self.admit(found) or found

    def admit(self, certificate: PeerCertificate | None) -> Refusal | None:
        """As :meth:`check`, for a client that comes now."""
        if fault := self.check(certificate):
            return fault
        if certificate is not None and (ended := self.lists.ended(certificate.chain, time.time())):
            words = f"the revocation list of {ended.name} has ended: renew it"
            return Refusal(Drop.CERTIFICATE_UNCHECKED, words, certificate.known_as)
        return None

    def check(self, certificate: PeerCertificate | None) -> Refusal | None:
        """Whether a client that TLS accepts, now or when it came, may be connected. None: it may."""
        if certificate is None:
            return Refusal(Drop.CERTIFICATE_MISSING, "no client certificate") if self.required else None
        known_as = certificate.known_as
        if certificate.named.common and not self._common_name:
            words = f"client certificate: {certificates.NO_NAME}"
            return Refusal(Drop.CERTIFICATE_INVALID, words, known_as)
        if not any(fnmatchcase(certificate.identity.lower(), pattern) for pattern in self._allow):
            words = f"{certificate.identity} is not in gateway.allow"
            return Refusal(Drop.CERTIFICATE_UNLISTED, words, known_as)
        if link := self.lists.revoked(certificate.chain):
            words = f"{_whose(link, certificate)}: revoked"
            return Refusal(Drop.CERTIFICATE_REVOKED, words, known_as)
        first = min(certificate.chain, key=lambda each: each.not_after)
        if first.not_after < time.time():
            return Refusal(Drop.CERTIFICATE_EXPIRED, f"{_whose(first, certificate)}: expired", known_as)
        if len(self.seen) < MAX_SEEN:
            above = [*certificate.chain[1:], certificate.chain[-1]]
            self.seen.update(
                {link.issuer: each.not_after for link, each in zip(certificate.chain, above, strict=True)}
            )
        return None

    def _fingerprint(self) -> tuple[object, ...]:
        gateway = self._gateway
        return tls.fingerprint(gateway.certificate, gateway.key, gateway.client_ca, gateway.client_crl)


def read_peer(chain: Sequence[bytes], *, common_name: bool = False) -> PeerCertificate | Refusal:
    """The certificates, DER, that TLS has verified of a client, its own first."""
    if not chain:
        # A resumed session has none; what cannot be looked at is not let in.
        return Refusal(Drop.CERTIFICATE_INVALID, "client certificate: its chain is not known")
    if len(chain[0]) > MAX_CERTIFICATE:
        words = f"client certificate: it has more than {MAX_CERTIFICATE} bytes"
        return Refusal(Drop.CERTIFICATE_INVALID, words)
    try:
        leaf = x509.load_der_x509_certificate(chain[0])
        return PeerCertificate(certificates.identities(leaf, common_name=common_name), links(leaf, chain[1:]))
    except certificates.UNREADABLE as error:
        words = str(error) if isinstance(error, certificates.NoIdentity) else "cannot be read"
        return Refusal(Drop.CERTIFICATE_INVALID, f"client certificate: {words}", describe(chain))


def refusal(error: ssl.SSLError, tls_object: ssl.SSLObject | None = None) -> Refusal:
    """What a failed handshake of a client comes to; ``tls_object`` may know whose certificate it was about."""
    words = tls.explain(error, "client")
    if isinstance(error, ssl.SSLCertVerificationError):
        drop = Drop.CERTIFICATE_EXPIRED if error.verify_code == 10 else Drop.CERTIFICATE_INVALID
        return Refusal(drop, words, describe(tls.verified_chain(tls_object)) if tls_object else "")
    missing = error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    return Refusal(Drop.CERTIFICATE_MISSING if missing else Drop.TLS_FAILED, words)


def describe(chain: Sequence[bytes]) -> str:
    """What the first certificate says of itself; nothing if it says too much."""
    try:
        if len(chain[0]) > MAX_STRANGE:
            return ""
        return certificates.described(x509.load_der_x509_certificate(chain[0]))
    except (IndexError, *certificates.UNREADABLE):
        return ""


def _whose(link: ChainLink, certificate: PeerCertificate) -> str:
    return "client certificate" if link is certificate.chain[0] else f"its authority {link.name}"


def _issuers(authorities: Iterable[x509.Certificate]) -> dict[Issuer, float]:
    """Those whose keys we know how to use; clients of others are refused when they come."""
    found: dict[Issuer, float] = {}
    for one in authorities:
        with contextlib.suppress(*certificates.UNREADABLE):
            found[issuer_of(one.public_bytes(Encoding.DER))] = one.not_valid_after_utc.timestamp()
    return found
