"""Revocation lists against chains: whose list it is, which of several counts, when it ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type

from manageout.errors import PkiError
from manageout.service.tls.revocation import MAX_AUTHORITIES, Issuer, RevocationLists, issuer_of, links
from tests.tools.chains import Ca, der, new_key

ROOT = Ca("Root")
ISSUING = Ca("Issuing", ROOT)
LEAF = ISSUING.leaf()
CHAIN = links(LEAF, der(ISSUING.certificate, ROOT.certificate))


def lists(tmp_path: Path, *texts: bytes) -> RevocationLists:
    file = tmp_path / "crl.pem"
    file.write_bytes(b"a list of ours\n" + b"\n".join(texts))
    return RevocationLists.read(file)


def test_a_chain_is_kept_as_who_issued_what() -> None:
    assert [link.serial for link in CHAIN] == [
        each.serial_number for each in (LEAF, ISSUING.certificate, ROOT.certificate)
    ]
    assert [link.issuer.name for link in CHAIN] == ["CN=Issuing", "CN=Root", "CN=Root"]
    assert CHAIN[1].issuer is CHAIN[2].issuer is issuer_of(ROOT.certificate.public_bytes(Encoding.DER))


def test_a_certificate_that_is_trusted_itself_vouches_for_itself(tmp_path: Path) -> None:
    (link,) = links(ROOT.certificate, [])
    assert (link.issuer.name, link.serial) == ("CN=Root", ROOT.certificate.serial_number)
    assert lists(tmp_path, ROOT.crl([link.serial])).revoked((link,)) == link


@pytest.mark.parametrize("at", [0, 1])
def test_any_certificate_of_a_chain_may_be_revoked(tmp_path: Path, at: int) -> None:
    of = (ISSUING, ROOT)[at]
    found = lists(tmp_path, ROOT.crl(), ISSUING.crl(), of.crl([CHAIN[at].serial], made=-0.5))
    assert found.revoked(CHAIN) == CHAIN[at]
    assert lists(tmp_path, ROOT.crl(), ISSUING.crl()).revoked(CHAIN) is None


@pytest.mark.parametrize("kind", [_ASN1Type.PrintableString, _ASN1Type.BMPString, _ASN1Type.T61String])
def test_a_list_is_known_by_its_key_however_its_name_is_spelled(tmp_path: Path, kind: _ASN1Type) -> None:
    found = lists(tmp_path, ISSUING.crl([CHAIN[0].serial], kind=kind))
    assert found.revoked(CHAIN) == CHAIN[0]


def test_a_list_with_the_right_name_and_another_key_says_nothing(tmp_path: Path) -> None:
    found = lists(tmp_path, ISSUING.crl([CHAIN[0].serial], by=new_key()))
    assert found.revoked(CHAIN) is None
    assert found.of(CHAIN[0].issuer) is None
    assert [one.issuer for one in found.foreign(link.issuer for link in CHAIN)] == ["CN=Issuing"]


def test_a_serial_number_counts_for_its_authority_only(tmp_path: Path) -> None:
    assert lists(tmp_path, ROOT.crl([CHAIN[0].serial])).revoked(CHAIN) is None


def test_an_authority_without_a_list_has_revoked_nothing(tmp_path: Path) -> None:
    found = lists(tmp_path, ISSUING.crl())
    assert found.of(CHAIN[0].issuer) is not None and found.of(CHAIN[1].issuer) is None
    assert found.revoked(CHAIN) is None and found.ended(CHAIN, time.time()) is None


def test_the_newest_list_of_a_scope_counts(tmp_path: Path) -> None:
    old = ISSUING.crl([CHAIN[0].serial], made=-20, days=-10)
    assert lists(tmp_path, old).ended(CHAIN, time.time()) == CHAIN[0].issuer
    both = lists(tmp_path, ISSUING.crl(days=5), old)
    standing = both.of(CHAIN[0].issuer)
    assert both.ended(CHAIN, time.time()) is None and both.revoked(CHAIN) is None
    assert standing and standing.until and 4.9 * 86400 < standing.until - time.time() < 5.1 * 86400


def test_lists_of_several_scopes_all_count_and_the_first_to_end_is_the_end(tmp_path: Path) -> None:
    def point(users: bool) -> x509.IssuingDistributionPoint:
        return x509.IssuingDistributionPoint(None, None, users, not users, None, False, False)

    found = lists(
        tmp_path,
        ISSUING.crl([CHAIN[0].serial], days=9, made=-2, more=[point(True)]),
        ISSUING.crl(days=5, more=[point(False)]),
    )
    standing = found.of(CHAIN[0].issuer)
    assert found.revoked(CHAIN) == CHAIN[0]
    assert standing and standing.until and standing.until - time.time() < 6 * 86400


def test_a_delta_adds_and_does_not_end(tmp_path: Path) -> None:
    delta = ISSUING.crl([CHAIN[0].serial], days=-1, made=-3, more=[x509.DeltaCRLIndicator(1)])
    found = lists(tmp_path, ISSUING.crl(), delta)
    assert found.revoked(CHAIN) == CHAIN[0] and found.ended(CHAIN, time.time()) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"rubbish",
        ROOT.pem,
        ROOT.crl()[:200],
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    ],
)
def test_a_file_without_a_list_is_a_fault(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "crl.pem"
    file.write_bytes(text)
    with pytest.raises(PkiError, match=r"crl\.pem: (holds no PEM|not a) revocation list"):
        RevocationLists.read(file)
    with pytest.raises(PkiError, match=r"nowhere: No such file"):
        RevocationLists.read(tmp_path / "nowhere")


def test_authorities_that_are_remembered_are_bounded(tmp_path: Path) -> None:
    found = lists(tmp_path, ROOT.crl())
    for number in range(3 * MAX_AUTHORITIES):
        assert found.of(Issuer(str(number).encode(), "odd")) is None
    assert len(found._known) <= MAX_AUTHORITIES
