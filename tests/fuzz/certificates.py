"""Drivers for what strangers show and administrators install: certificates of clients, revocation lists."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from manageout.errors import WireError
from manageout.service.iphttps.trust import Refusal, read_peer
from manageout.service.tls.certificates import UNREADABLE
from manageout.service.tls.revocation import RevocationLists, links
from tests.fuzz.engine import Target
from tests.tools.chains import Ca, der

ROOT = Ca("Root")
ISSUING = Ca("Issuing", ROOT)
ABOVE = der(ISSUING.certificate, ROOT.certificate)
LINKS = links(ISSUING.certificate, der(ROOT.certificate))
UPN = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x")
LEAFS = [
    ISSUING.leaf(),
    ISSUING.leaf(["a.corp.example", "b.corp.example"]),
    ISSUING.leaf([], san=x509.SubjectAlternativeName([UPN, x509.DNSName("c.corp.example")])),
]


def client_certificate(data: bytes) -> None:
    """Whatever it says of itself can be printed, in bounds; a name that is let in is one of the DNS."""
    found = read_peer([data, *ABOVE], common_name=True)
    if isinstance(found, Refusal):
        said = found.words + found.certificate
        assert said.isascii() and said.isprintable() and len(said) < 400
        raise WireError(found.words)
    for name in (*found.named.names, found.known_as, *(link.name for link in found.chain)):
        assert name.isascii() and name.isprintable() and len(name) < 400
    assert all(len(name) <= 253 and "*" not in name and " " not in name for name in found.named.names)


def revocation_list(data: bytes) -> None:
    """It is read or not; one that was altered is nobody's any more."""
    try:
        source = x509.load_der_x509_crl(data)
        found = RevocationLists.parse(source.public_bytes(Encoding.PEM))
    except UNREADABLE as error:
        raise WireError(str(error)) from None
    if data not in LISTS:
        assert found.revoked(LINKS) is None


LISTS = [
    x509.load_pem_x509_crl(each).public_bytes(Encoding.DER)
    for each in (
        ROOT.crl(),
        ROOT.crl([1, LINKS[0].serial]),
        ROOT.crl([1], more=[x509.DeltaCRLIndicator(1)]),
        ROOT.crl([], more=[x509.IssuingDistributionPoint(None, None, True, False, None, False, False)]),
    )
]
TARGETS = [
    Target("client certificate", client_certificate, der(*LEAFS)),
    Target("revocation list", revocation_list, LISTS),
]
