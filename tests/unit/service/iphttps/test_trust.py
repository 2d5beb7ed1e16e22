"""Who may connect: names, allow-list, revocation and expiry of whole chains, and files that change."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from manageout.errors import PkiError
from manageout.protocol.core.drops import Drop
from manageout.service.iphttps.trust import (
    MAX_SEEN,
    PeerCertificate,
    Refusal,
    Trust,
    describe,
    read_peer,
    refusal,
)
from manageout.service.tls import contexts as tls
from manageout.service.tls import revocation
from manageout.service.tls.pki import Authority
from manageout.service.tls.revocation import RevocationLists
from manageout.site.tables.site import GatewayTable
from tests.tools.chains import Ca, der


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path, "CA")
    authority.issue("gateway", server=True)
    return authority


def trust(authority: Authority, before: Trust | None = None, **more: object) -> Trust:
    table = {
        "certificate": authority.directory / "gateway.pem",
        "key": authority.directory / "gateway.key",
        "client_ca": authority.certificate_path,
        "client_crl": authority.crl_path,
    }
    return Trust(GatewayTable.model_validate(table | more), before)


def peer(authority: Authority, name: str) -> PeerCertificate:
    files = authority.issue(name, server=False)
    chain = [
        ssl.PEM_cert_to_DER_cert(file.read_text()) for file in (files.certificate, authority.certificate_path)
    ]
    found = read_peer(chain)
    assert isinstance(found, PeerCertificate)
    return found


def greet(
    known: Trust, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[PeerCertificate | Refusal | None, ssl.SSLObject]:
    """A handshake in memory, and what trust makes of it; the client's side."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = known.context.wrap_bio(up, down, server_side=True)
    here = client.wrap_bio(down, up, server_hostname="gateway", session=session)
    for side in (here, there, here, there, here):
        try:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        except ssl.SSLError as error:
            if side is there:
                return refusal(error, there), here
    return known.meet(there), here


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> tuple[Path, Ca, Ca]:
    """A root, an authority below it that issues, and a client ``laptop`` that shows both its certificates."""
    root = Ca("Root")
    issuing = Ca("Issuing", root)
    (tmp_path / "root.pem").write_bytes(root.pem)
    issuing.write_leaf(tmp_path, "laptop", ["laptop.corp.example"], [issuing])
    return tmp_path, root, issuing


def chained(authority: Authority, place: Path, *crls: bytes, before: Trust | None = None) -> Trust:
    (place / "chain.crl").write_bytes(b"".join(crls))
    crl = place / "chain.crl" if crls else None
    return trust(authority, before, client_ca=place / "root.pem", client_crl=crl)


def client(place: Path, name: str = "laptop") -> ssl.SSLContext:
    return tls.client_context(place / "ca.pem", place / f"{name}.pem", place / f"{name}.key")


def drop(found: object) -> Drop | None:
    return found.drop if isinstance(found, Refusal) else None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_authority_in_the_middle_refuses_and_cuts_off(
    authority: Authority, site: tuple[Path, Ca, Ca], version: ssl.TLSVersion
) -> None:
    place, root, issuing = site
    context = client(place)
    context.maximum_version = version
    good = chained(authority, place, root.crl(), issuing.crl())
    found, _ = greet(good, context)
    assert isinstance(found, PeerCertificate) and found.identity == "laptop.corp.example"
    assert [link.name for link in found.chain] == ["CN=laptop", "CN=Issuing", "CN=Root"]
    bad = chained(authority, place, root.crl([issuing.certificate.serial_number]), issuing.crl())
    assert greet(bad, context)[0] == bad.check(found)
    refused = bad.check(found)
    assert drop(refused) is Drop.CERTIFICATE_REVOKED
    assert refused and refused.words == "its authority CN=Issuing: revoked"
    assert refused.certificate == found.known_as


def test_an_authority_without_a_list_never_refuses(authority: Authority, site: tuple[Path, Ca, Ca]) -> None:
    place, root, issuing = site
    for crls in ((), (root.crl(),), (issuing.crl(),)):
        known = chained(authority, place, *crls)
        found, _ = greet(known, client(place))
        assert isinstance(found, PeerCertificate)
        assert {issuer.name for issuer in known.issuers()} == {"CN=Issuing", "CN=Root"}


def test_a_list_that_has_ended_refuses_newcomers_of_its_authority_only(
    authority: Authority, site: tuple[Path, Ca, Ca]
) -> None:
    place, root, issuing = site
    good, _ = greet(chained(authority, place), client(place))
    assert isinstance(good, PeerCertificate)
    for ended in (root.crl(days=-1), issuing.crl(days=-1)):
        known = chained(authority, place, ended)
        assert drop(greet(known, client(place))[0]) is Drop.CERTIFICATE_UNCHECKED
        assert known.check(good) is None  # who is connected stays
    other = Ca("Other")
    assert isinstance(greet(chained(authority, place, other.crl(days=-1)), client(place))[0], PeerCertificate)


def test_an_authority_in_the_middle_that_expires_cuts_off(authority: Authority, tmp_path: Path) -> None:
    root = Ca("Root")
    late = Ca("Late", root, days=-1)
    found = read_peer(der(late.leaf(), late.certificate, root.certificate))
    assert isinstance(found, PeerCertificate)
    known = trust(authority)
    assert known.check(found) == Refusal(
        Drop.CERTIFICATE_EXPIRED, "its authority CN=Late: expired", found.known_as
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_that_is_resumed_is_refused_unless_its_chain_can_be_seen(
    authority: Authority, site: tuple[Path, Ca, Ca], version: ssl.TLSVersion
) -> None:
    place, _, _ = site
    known, context = chained(authority, place), client(place)
    context.maximum_version = version
    first, here = greet(known, context)
    assert isinstance(first, PeerCertificate)
    again, here = greet(known, context, here.session)
    assert drop(again) is Drop.CERTIFICATE_INVALID if here.session_reused else again == first


def test_whom_openssl_refuses_is_named(authority: Authority, site: tuple[Path, Ca, Ca]) -> None:
    place, root, _ = site
    stranger = Ca("Stranger")
    stranger.write_leaf(place, "stranger", ["ceo.corp.example"])
    late = Ca("Late", root, days=-1)
    late.write_leaf(place, "late", ["late.corp.example"], [late])
    known = chained(authority, place)
    for name, reason in (("stranger", Drop.CERTIFICATE_INVALID), ("late", Drop.CERTIFICATE_EXPIRED)):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client(place, name)
            context.maximum_version = version
            found, _ = greet(known, context)
            assert isinstance(found, Refusal) and found.drop is reason
            shown = x509.load_pem_x509_certificate((place / f"{name}.pem").read_bytes())
            who = "ceo" if name == "stranger" else "late"
            assert found.certificate == f"{who}.corp.example, serial {shown.serial_number:x}"


NAMES = ["", " ", "*.corp.example", "a..b", ".a", "a.", "-a", "a-", "a b", "a\nb", "a\x00b", "x\x1b[31m", "1.2.3.4",
         "a/b", "x" * 64, ".".join(["x" * 49] * 6), "user@corp.example", "a'b", 'a"b']  # fmt: skip


@pytest.mark.parametrize("odd", NAMES)
@pytest.mark.parametrize("where", ["san", "second", "common name"])
def test_a_name_that_is_no_dns_name_is_refused_and_printed_safely(odd: str, where: str) -> None:
    ca = Ca("CA")
    if where == "common name":
        if not 0 < len(odd) <= 64:
            return
        leaf = ca.leaf([], common_name=odd)
    else:
        leaf = ca.leaf([odd] if where == "san" else ["laptop.corp.example", odd])
    found = read_peer(der(leaf, ca.certificate), common_name=True)
    assert isinstance(found, Refusal) and found.drop is Drop.CERTIFICATE_INVALID
    said = found.words + found.certificate
    assert said.isascii() and said.isprintable() and len(said) < 400


def test_the_common_name_counts_only_when_told(authority: Authority, tmp_path: Path) -> None:
    ca = Ca("CA")
    only_upn = x509.SubjectAlternativeName(
        [x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x")]
    )
    for leaf in (ca.leaf([], common_name="laptop"), ca.leaf([], common_name="laptop", san=only_upn)):
        chain = der(leaf, ca.certificate)
        refused = read_peer(chain)
        assert isinstance(refused, Refusal) and "no DNS name" in refused.words
        told = read_peer(chain, common_name=True)
        assert isinstance(told, PeerCertificate) and told.identity == "laptop"
        assert trust(authority, common_name=True).check(told) is None
        # Who is connected goes as well when it is no longer told.
        assert drop(trust(authority).check(told)) is Drop.CERTIFICATE_INVALID


def many(count: int) -> x509.SubjectAlternativeName:
    """Names that are quickly sent and slowly read."""
    return x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(number)) for number in range(count)])


def test_a_long_certificate_of_a_stranger_is_not_read(authority: Authority) -> None:
    stranger = Ca("Stranger")
    short, long = stranger.leaf([], san=many(10)), stranger.leaf([], san=many(5000))
    assert "laptop, serial" in describe(der(short))
    assert describe(der(long)) == ""


def test_a_long_certificate_of_a_client_is_refused() -> None:
    ca = Ca("CA")
    assert isinstance(read_peer(der(ca.leaf(["a.example"] * 100), ca.certificate)), PeerCertificate)
    found = read_peer(der(ca.leaf(["a.example"] * 5000), ca.certificate))
    assert isinstance(found, Refusal) and found.drop is Drop.CERTIFICATE_INVALID and "bytes" in found.words


@pytest.mark.parametrize("common_name", [False, True])
@pytest.mark.parametrize("san", [b"\x30\x03\x82\x05a", b"", b"\x30\x02\x8f\x00", b"\x30\x04\x82\x02\xff\xfe"])
def test_a_san_that_cannot_be_read_never_falls_back(san: bytes, common_name: bool) -> None:
    ca = Ca("CA")
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), san)
    found = read_peer(
        der(ca.leaf([], common_name="laptop", san=broken), ca.certificate), common_name=common_name
    )
    assert isinstance(found, Refusal) and found.drop is Drop.CERTIFICATE_INVALID


def test_the_first_dns_name_is_the_identity_and_what_allow_means(authority: Authority) -> None:
    ca = Ca("CA")
    found = read_peer(der(ca.leaf(["laptop.corp.example", "admin.corp.example"]), ca.certificate))
    assert isinstance(found, PeerCertificate) and found.identity == "laptop.corp.example"
    assert trust(authority, allow=["laptop.*"]).check(found) is None
    assert drop(trust(authority, allow=["admin.*"]).check(found)) is Drop.CERTIFICATE_UNLISTED


def test_authorities_that_are_remembered_are_bounded(authority: Authority) -> None:
    known, certificate = trust(authority), peer(authority, "laptop")
    link = certificate.chain[0]
    for number in range(2 * MAX_SEEN):
        odd = link._replace(issuer=link.issuer._replace(key=str(number).encode()))
        assert known.check(certificate._replace(chain=(odd,))) is None
    assert len(known.issuers()) <= MAX_SEEN + 1


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("LAPTOP?.corp.example", True), ("*.CORP.*", True), ("laptop", False), ("*.other", False)],
)
def test_the_allow_list_knows_patterns_and_no_case(authority: Authority, pattern: str, fits: bool) -> None:
    certificate = peer(authority, "Laptop7.corp.example")
    found = trust(authority, allow=[pattern]).check(certificate)
    assert (found is None) == fits
    assert fits or (found and found.drop is Drop.CERTIFICATE_UNLISTED)


def test_lists_are_verified_while_they_are_read_and_not_when_a_client_is_looked_at(
    authority: Authority, site: tuple[Path, Ca, Ca], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading has a thread of its own; looking has not, and the signature of a long list takes a second."""
    place, root, issuing = site
    before = chained(authority, place, root.crl(), issuing.crl())
    found = greet(before, client(place))[0]
    assert isinstance(found, PeerCertificate)
    again = chained(authority, place, root.crl(), issuing.crl(), before=before)
    monkeypatch.setattr(revocation, "_signed", None)
    assert again.lists is not before.lists and again.check(found) is None


def test_revoked_and_expired(authority: Authority) -> None:
    certificate = peer(authority, "laptop")
    before = trust(authority)
    assert before.check(certificate) is None
    authority.revoke("laptop")
    assert before.changed()
    after = trust(authority)
    revoked = Refusal(Drop.CERTIFICATE_REVOKED, "client certificate: revoked", certificate.known_as)
    assert after.check(certificate) == revoked
    late = peer(authority, "late")
    late = late._replace(chain=(late.chain[0]._replace(not_after=1.0), *late.chain[1:]))
    assert after.check(late) == Refusal(
        Drop.CERTIFICATE_EXPIRED, "client certificate: expired", late.known_as
    )


def test_nobody_is_admitted_after_the_end_of_the_revocation_list(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = peer(authority, "laptop")
    authority.write_crl(days=3)
    known = trust(authority)
    assert known.admit(certificate) is None
    monkeypatch.setattr(time, "time", lambda at=time.time: at() + 4 * 86400)
    assert drop(known.admit(certificate)) is Drop.CERTIFICATE_UNCHECKED
    assert known.check(certificate) is None  # those who are connected stay


def test_without_authentication_no_list_is_read(authority: Authority) -> None:
    authority.crl_path.write_text("rubbish")
    assert trust(authority, authentication="none", client_ca=None).lists.all == RevocationLists().all


def test_lists_are_read_again_when_their_file_is_another(authority: Authority, tmp_path: Path) -> None:
    first = trust(authority)
    assert trust(authority, first).lists is first.lists
    missing = tmp_path / "none.crl"
    without = trust(authority, first, client_crl=None)
    assert without.lists is not first.lists and not without.lists.all
    for before in (None, first, without):
        with pytest.raises(PkiError):
            trust(authority, before, client_crl=missing)
    lost = peer(authority, "lost")
    authority.revoke("lost")
    second = trust(authority, first)
    fault = second.check(lost)
    assert fault is not None and fault.drop is Drop.CERTIFICATE_REVOKED


def test_the_server_chooses_the_cipher(authority: Authority) -> None:
    ciphers = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
    ciphers += [each.replace("ECDSA", "RSA") for each in ciphers]
    known, chosen = trust(authority, authentication="none", client_ca=None, client_crl=None), set()
    for order in (ciphers, ciphers[::-1]):
        client = ssl.create_default_context(cafile=str(authority.certificate_path))
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(":".join(order))
        _, here = greet(known, client)
        chosen.add(here.cipher())
    assert len(chosen) == 1 and None not in chosen


def test_another_authority_lets_in_others(authority: Authority, tmp_path: Path) -> None:
    before = trust(authority)
    other = Authority.create(tmp_path / "other", "Other CA").certificate_path
    both = tmp_path / "both.pem"
    both.write_text(authority.certificate_path.read_text() + other.read_text())
    wider = trust(authority, client_ca=both, client_crl=None)
    assert wider.lets_in_all_of(before)
    assert not before.lets_in_all_of(wider)
    assert not trust(authority, client_ca=other, client_crl=None).lets_in_all_of(before)
    open_to_all = trust(authority, authentication="none", client_ca=None, client_crl=None)
    assert not before.lets_in_all_of(open_to_all)


def test_a_cache_of_sessions_that_grows_makes_way_for_an_empty_one(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = trust(authority)
    before = judge.context
    judge.relieve()
    assert judge.context is before
    monkeypatch.setattr(tls, "MAX_SESSIONS", -1)
    judge.relieve()
    assert judge.context is not before
    before = judge.context
    key = authority.directory / "gateway.key"
    key.rename(key.with_suffix(".away"))
    judge.relieve()
    assert judge.context is before


def test_without_a_certificate(authority: Authority) -> None:
    found = trust(authority).check(None)
    assert found and found.drop is Drop.CERTIFICATE_MISSING
    open_to_all = trust(authority, authentication="none", client_ca=None, client_crl=None)
    assert open_to_all.check(None) is None
    assert open_to_all.context.verify_mode == ssl.CERT_NONE


def test_a_change_is_seen_once(authority: Authority) -> None:
    known = trust(authority)
    assert not known.changed()
    authority.crl_path.write_text("rubbish")
    assert known.changed() and not known.changed()
    with pytest.raises(PkiError, match="holds no PEM revocation list"):
        trust(authority)
    os.utime(authority.crl_path, (1, 1))
    assert known.changed()


@pytest.mark.parametrize("chain", [[], [b"rubbish"], [b""]])
def test_a_certificate_that_is_none(chain: list[bytes]) -> None:
    found = read_peer(chain)
    assert isinstance(found, Refusal) and found.drop is Drop.CERTIFICATE_INVALID


def test_faults_of_tls_have_names() -> None:
    missing = ssl.SSLError(1, "x")
    missing.reason = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert refusal(missing) == Refusal(Drop.CERTIFICATE_MISSING, "no client certificate")
    other = ssl.SSLError(1, "x")
    other.reason = "BAD_SIGNATURE"
    assert refusal(other) == Refusal(Drop.TLS_FAILED, "bad signature")
    for code, drop in (
        (10, Drop.CERTIFICATE_EXPIRED),
        (20, Drop.CERTIFICATE_INVALID),
    ):
        error = ssl.SSLCertVerificationError(1, "x")
        error.verify_code, error.verify_message = code, "?"
        assert refusal(error).drop is drop
