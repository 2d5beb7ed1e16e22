"""X.509 values: keys, names, extensions, and files that are replaced in one step."""

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from manageout.errors import PkiError
from manageout.service.process.files import replace_file
from manageout.words import plain

_Loaded = TypeVar("_Loaded")
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading a strange certificate can raise."""
NO_NAME = "has no DNS name among its subject alternative names"
_KEY_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class NoIdentity(ValueError):
    """A certificate that can be read, but names nobody whom we would know; the words say why."""


BACKDATE = timedelta(minutes=10)
"""Clients' clocks may be slow."""


def load_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file. Raises :class:`PkiError`."""
    return _loaded(path, x509.load_pem_x509_certificate, "a PEM certificate")


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, at least one. Raises :class:`PkiError`."""
    return _loaded(path, x509.load_pem_x509_certificates, "a PEM certificate")


def _loaded(path: Path, load: Callable[[bytes], _Loaded], what: str) -> _Loaded:
    try:
        return load(path.read_bytes())
    except (OSError, *UNREADABLE) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not {what}"
        raise PkiError(f"{path}: {reason}", "give a readable PEM file") from None


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names by which a certificate is shown: DNS names of its SAN, else its common name. For people only."""
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound, *UNREADABLE):
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names.extend(san.get_values_for_type(x509.DNSName))
    if not names:
        with contextlib.suppress(*UNREADABLE):
            found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            names.extend(str(each.value) for each in found)
    return tuple(names)


class Identities(NamedTuple):
    """The names under which a client may be known, the first of which it is."""

    names: tuple[str, ...]
    common: bool = False
    """It is only a common name."""


def identities(certificate: x509.Certificate, *, common_name: bool = False) -> Identities:
    """The DNS names of a certificate's SAN; with ``common_name``, where there is none, its one common name.

    Raises one of :data:`UNREADABLE` for a SAN that cannot be read, and for any name that is no DNS name: such names
    end in logs, DNS and lists of permissions.
    """
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound):
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = san.get_values_for_type(x509.DNSName)
    common = common_name and not names
    if common:
        names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)][:2]
        if len(names) > 1:
            raise NoIdentity("has several common names")
    if not names:
        raise NoIdentity(NO_NAME)
    for name in names:
        if not is_host_name(name):
            raise NoIdentity(f"{plain(name)!r} is no DNS name of a machine")
    return Identities(tuple(names), common)


def is_host_name(name: str) -> bool:
    """Whether it names a machine in the DNS: labels of letters, digits, hyphen and underscore, no wildcard."""
    labels = name.split(".")
    return len(name) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()


def described(certificate: x509.Certificate) -> str:
    """Name and serial number of whoever it is, for log and counters: bounded, printable, believed by nobody."""
    name = next(iter(names_of(certificate)), "") or "no name"
    return f"{plain(name)}, serial {f'{certificate.serial_number:x}'[:40]}"


def load_key(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = error.strerror if isinstance(error, OSError) else "not an unencrypted PEM key"
        raise PkiError(f"{path}: {reason}", "give a readable PEM key") from None
    if not isinstance(key, PrivateKey):
        raise PkiError(
            f"{path}: neither an RSA nor an EC key", "give an RSA or EC key, and a certificate for it"
        )
    return key


def new_key(rsa_key: bool) -> PrivateKey:
    if rsa_key:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def certificate_builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - BACKDATE)
        .not_valid_after(now() + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def subject(name: str) -> x509.Name:
    # The common name holds at most 64 characters; the whole name is in the SAN.
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    except ValueError as error:
        raise PkiError(f"{name!r} cannot be a name: {error}", "give a plain name") from None


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise PkiError(f"{name!r} is no DNS name", "write it in ASCII (punycode)") from None


def authority_key(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def key_usage(**uses: bool) -> x509.KeyUsage:
    """As :class:`x509.KeyUsage`, which wants to be told all of them."""
    return x509.KeyUsage(**(dict.fromkeys(_KEY_USES, False) | uses))


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_key(path: Path, key: PrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace_file(path, pem, 0o600)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
