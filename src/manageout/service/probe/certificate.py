"""Certificates and revocation lists: those in files, and those that a gateway's URL leads to."""

import contextlib
import socket
import ssl
import time
import urllib.request
from email.utils import parsedate_to_datetime
from itertools import islice, pairwise
from pathlib import Path
from urllib.error import URLError

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from manageout.errors import ManageoutError, WireError
from manageout.service.iphttps.dial import GatewayUrl
from manageout.service.probe.dns import resolve
from manageout.service.probe.results import Certificate, Crl, GatewayAnswer
from manageout.service.tls import contexts as tls
from manageout.service.tls.certificates import UNREADABLE, load_certificate, load_certificates, names_of
from manageout.service.tls.revocation import RevocationLists
from manageout.wire.iphttps import HeadParser, StatusHead
from manageout.words import said

WAIT = 5.0
MAX_FILE = 4 << 20
MAX_REVOKED = 1000


def from_file(path: Path) -> Certificate:
    """The first certificate of a PEM file; ``chain`` says which of the others does not stand behind the one before."""
    return all_from_file(path)[0]


def all_from_file(path: Path) -> list[Certificate]:
    """As :func:`from_file`, and the others of the file behind it."""
    place = str(path)
    try:
        found = x509.load_pem_x509_certificates(_read(path))
    except (OSError, *UNREADABLE) as error:
        reason = said(error) if isinstance(error, OSError) else "not a PEM certificate"
        return [Certificate(place, (), "", "", 0.0, 0.0, error=reason)]
    first = described(found[0], place)._replace(chain=_chain_fault(found))
    return [first, *(described(each, f"{place}, number {at}") for at, each in enumerate(found[1:], 2))]


def described(certificate: x509.Certificate, place: str) -> Certificate:
    """A certificate in words."""
    issuer, serial = certificate.issuer.rfc4514_string(), f"{certificate.serial_number:x}"
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Certificate(place, names_of(certificate), issuer, serial, begins.timestamp(), ends.timestamp())


def revocation_points(path: Path) -> list[str]:
    """The http URLs where the first certificate of ``path`` says that its revocation list is."""
    try:
        certificate = load_certificate(path)
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (ManageoutError, ValueError, x509.ExtensionNotFound):
        return []
    names = [name.value for point in points for name in point.full_name or ()]
    return [name for name in names if isinstance(name, str) and name.startswith("http://")]


def crls_from_file(path: Path, authorities: Path | None = None) -> list[Crl]:
    """The revocation lists of a PEM file that have no successor in it, or a DER one.

    Each should be signed by one of the certificates in ``authorities``, if that is given.
    """
    try:
        data = _read(path)
        found = RevocationLists.parse(data).newest()
    except OSError as error:
        return [_no_crl(str(path), said(error))]
    except UNREADABLE:
        return [_no_crl(str(path), "not a revocation list")]
    if not found:
        return [_crl(str(path), data, authorities)]
    places = [f"{path} ({one.issuer})" if len(found) > 1 else str(path) for one in found]
    return [_told(place, one.source, authorities) for place, one in zip(places, found, strict=True)]


def crl_from_url(url: str, authority: Path | None = None, wait: float = WAIT) -> Crl:
    """The same from where certificates say that it is; only http, as usual for revocation lists."""
    if not url.startswith("http://"):
        return _no_crl(url, "not an http URL")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=wait) as answer:
            data = answer.read(MAX_FILE)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return _no_crl(url, said(reason) if isinstance(reason, Exception) else str(reason))
    return _crl(url, data, authority)


def gateway(
    url: str, authorities: Path | None = None, address: str = "", wait: float = WAIT
) -> GatewayAnswer:
    """What ``https://NAME/IPHTTPS`` leads to: TLS, certificate, HTTP. Raises BadArgument for what is no such URL.

    ``authorities``: PEM file that clients trust; the system's else. ``address``: instead of asking the DNS.
    """
    place = GatewayUrl.parse(url)
    if not address:
        found, error = resolve(place.host, wait)
        if not found:
            return GatewayAnswer(url, error=f"{place.host}: {error or 'no address'}")
        address = found[0]
    answer = _greet(GatewayAnswer(url, address), place, wait)
    if answer.certificate is None:
        return answer
    return answer._replace(verify=_verify(place, address, authorities, wait))


def _greet(answer: GatewayAnswer, place: GatewayUrl, wait: float) -> GatewayAnswer:
    """TLS without judging the certificate, then one HTTP request of which the head is read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(context, place, answer.address, wait) as stream:
            data = stream.getpeercert(binary_form=True)
            if data is not None:
                seen = described(x509.load_der_x509_certificate(data), answer.url)
                answer = answer._replace(certificate=seen)
            # A gateway that wants a client certificate ends the connection here, by an alert.
            # What answers something else than HTTP has a certificate all the same.
            with contextlib.suppress(OSError, WireError):
                return _ask_http(answer, stream, place, time.monotonic() + wait)
    except (OSError, *UNREADABLE) as error:
        return answer._replace(error=_words(error))
    return answer


def _connect(context: ssl.SSLContext, place: GatewayUrl, address: str, wait: float) -> ssl.SSLSocket:
    plain = socket.create_connection((address, place.port), wait)
    try:
        return context.wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _ask_http(answer: GatewayAnswer, stream: ssl.SSLSocket, place: GatewayUrl, until: float) -> GatewayAnswer:
    """A path that no gateway serves, so that no tunnel begins."""
    request = f"GET /manageout-probe HTTP/1.1\r\nHost: {place.host}\r\nConnection: close\r\n\r\n"
    stream.sendall(request.encode("ascii", "replace"))
    parser = HeadParser()
    while parser.head is None and (left := until - time.monotonic()) > 0:
        stream.settimeout(left)
        if not (data := stream.recv(4096)):
            return answer
        parser.feed(data)
    now, head = time.time(), parser.head
    if not isinstance(head, StatusHead):
        return answer
    answer = answer._replace(status=head.status)
    with contextlib.suppress(ValueError, TypeError):
        answer = answer._replace(ahead=now - parsedate_to_datetime(head.headers.get("date", "")).timestamp())
    return answer


def _verify(place: GatewayUrl, address: str, authorities: Path | None, wait: float) -> str:
    """Why a client would refuse the certificate; empty when it would not."""
    try:
        context = tls.client_context(authorities, None, None)
        with _connect(context, place, address, wait):
            return ""
    except ManageoutError as error:
        return error.message
    except ssl.SSLCertVerificationError as error:
        return tls.explain(error, "the gateway's")
    except (OSError, ValueError):
        return ""  # about the connection, not the certificate; the first attempt has told it


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return tls.explain(error, "the gateway's") if isinstance(error, OSError) else str(error)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE)


def _chain_fault(certificates: list[x509.Certificate]) -> str:
    for lower, upper in pairwise(certificates):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            name = lower.subject.rfc4514_string()
            return f"{name} was not issued by {upper.subject.rfc4514_string()}, which follows it in the file"
    return ""


def _no_crl(place: str, error: str) -> Crl:
    return Crl(place, "", 0.0, None, error=error)


def _crl(place: str, data: bytes, authorities: Path | None) -> Crl:
    try:
        pem = b"-----BEGIN" in data[:4096]
        found = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
        return _told(place, found, authorities)
    except UNREADABLE:
        return _no_crl(place, "not a revocation list")


def _told(place: str, found: x509.CertificateRevocationList, authorities: Path | None) -> Crl:
    revoked = tuple(f"{one.serial_number:x}" for one in islice(found, MAX_REVOKED))
    issuer, this, following = found.issuer.rfc4514_string(), found.last_update_utc, found.next_update_utc
    until = following.timestamp() if following is not None else None
    return Crl(place, issuer, this.timestamp(), until, revoked, _signed(found, authorities))


def _signed(crl: x509.CertificateRevocationList, authorities: Path | None) -> bool:
    """Whether one of the authorities signed it; true when none is given, or none can be read."""
    if authorities is None:
        return True
    try:
        keys = [each.public_key() for each in load_certificates(authorities)]
    except (ManageoutError, ValueError, UnsupportedAlgorithm):
        return True
    usable = [key for key in keys if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)]
    return any(crl.is_signature_valid(key) for key in usable)
