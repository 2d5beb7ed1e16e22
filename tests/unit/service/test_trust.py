"""Who may connect: allow-list, revocation, expiry, and files that change."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

import pytest

from manageout.config import GatewayTable
from manageout.errors import PkiError
from manageout.protocol.drops import Drop
from manageout.service import certificates, tls
from manageout.service.pki import Authority
from manageout.service.trust import PeerCertificate, Refusal, Trust, read_peer, refusal


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path, "CA")
    authority.issue("gateway", server=True)
    return authority


def trust(authority: Authority, **more: object) -> Trust:
    table = {
        "certificate": authority.directory / "gateway.pem",
        "key": authority.directory / "gateway.key",
        "client_ca": authority.certificate_path,
        "client_crl": authority.crl_path,
    }
    return Trust(GatewayTable.model_validate(table | more))


def peer(authority: Authority, name: str) -> PeerCertificate:
    files = authority.issue(name, server=False)
    der = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    found = read_peer(der)
    assert isinstance(found, PeerCertificate)
    return found


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("LAPTOP?.corp.example", True), ("*.CORP.*", True), ("laptop", False), ("*.other", False)],
)
def test_the_allow_list_knows_patterns_and_no_case(authority: Authority, pattern: str, fits: bool) -> None:
    certificate = peer(authority, "Laptop7.corp.example")
    found = trust(authority, allow=[pattern]).check(certificate)
    assert (found is None) == fits
    assert fits or (found and found.drop is Drop.CERTIFICATE_UNLISTED)


def test_revoked_and_expired(authority: Authority) -> None:
    certificate = peer(authority, "laptop")
    before = trust(authority)
    assert before.check(certificate) is None
    authority.revoke("laptop")
    assert before.changed()
    after = trust(authority)
    assert after.check(certificate) == Refusal(Drop.CERTIFICATE_REVOKED, "client certificate: revoked")
    late = peer(authority, "late")._replace(not_after=1.0)
    assert after.check(late) == Refusal(Drop.CERTIFICATE_EXPIRED, "client certificate: expired")


def test_the_end_of_the_revocation_list_is_known(authority: Authority) -> None:
    authority.write_crl(days=3)
    until = trust(authority).revocations_until
    assert until is not None and 2.9 * 86400 < until - time.time() < 3.1 * 86400
    assert trust(authority, client_crl=None).revocations_until is None


def test_nobody_is_admitted_after_the_end_of_the_revocation_list(authority: Authority) -> None:
    certificate = peer(authority, "laptop")
    known = trust(authority)
    assert known.admit(certificate) is None
    known.revocations_until = time.time() - 1
    found = known.admit(certificate)
    assert found is not None and found.drop is Drop.CERTIFICATE_REVOKED
    assert known.check(certificate) is None  # those who are connected stay


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
    with pytest.raises(PkiError, match="holds no PEM certificate or revocation list"):
        trust(authority)
    os.utime(authority.crl_path, (1, 1))
    assert known.changed()


def test_a_certificate_that_is_none() -> None:
    found = read_peer(b"rubbish")
    assert isinstance(found, Refusal) and found.drop is Drop.CERTIFICATE_INVALID


def test_the_name_may_stand_in_the_common_name_alone(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = authority.issue("laptop", server=False)
    assert certificates.names_of(certificates.load_certificate(files.certificate)) == ("laptop",)


def test_faults_of_tls_have_names() -> None:
    missing = ssl.SSLError(1, "x")
    missing.reason = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert refusal(missing) == Refusal(Drop.CERTIFICATE_MISSING, "no client certificate")
    other = ssl.SSLError(1, "x")
    other.reason = "BAD_SIGNATURE"
    assert refusal(other) == Refusal(Drop.TLS_FAILED, "bad signature")
    for code, drop in (
        (10, Drop.CERTIFICATE_EXPIRED),
        (23, Drop.CERTIFICATE_REVOKED),
        (12, Drop.CERTIFICATE_INVALID),
    ):
        error = ssl.SSLCertVerificationError(1, "x")
        error.verify_code, error.verify_message = code, "?"
        assert refusal(error).drop is drop
