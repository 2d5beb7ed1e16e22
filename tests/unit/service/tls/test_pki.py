"""The certificate authority: files, modes, revocation, refusals; openssl is the judge of its certificates."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from manageout.errors import PkiError
from manageout.service.tls import certificates
from manageout.service.tls.pki import CRL_RENEW_DAYS, Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "pki", "Corp CA")


def verified(authority: Authority, certificate: Path, purpose: str) -> str:
    argv = ["openssl", "verify", "-x509_strict", "-crl_check", "-purpose", purpose]
    argv += [
        "-CAfile",
        str(authority.certificate_path),
        "-CRLfile",
        str(authority.crl_path),
        str(certificate),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "OK" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("rsa_key", [False, True])
def test_certificates_are_good_for_their_purpose_alone(authority: Authority, rsa_key: bool) -> None:
    server = authority.issue(
        "gateway.corp.example", server=True, rsa_key=rsa_key, dns=["198.51.100.10", "gw2.example"]
    )
    client = authority.issue("laptop.corp.example", server=False, rsa_key=rsa_key)
    assert verified(authority, server.certificate, "sslserver") == "OK"
    assert verified(authority, client.certificate, "sslclient") == "OK"
    assert "certificate purpose" in verified(authority, client.certificate, "sslserver")
    assert "certificate purpose" in verified(authority, server.certificate, "sslclient")
    loaded = certificates.load_certificate(server.certificate)
    assert certificates.names_of(loaded) == ("gateway.corp.example", "gw2.example")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*server)


def test_keys_are_for_their_owner_and_nothing_half_written_stays(authority: Authority) -> None:
    files = authority.issue("laptop.corp.example", server=False)
    for key in (authority.key_path, files.key, authority.directory / "index.json"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.directory.stat().st_mode) == 0o700
    assert not [path for path in authority.directory.iterdir() if path.name.startswith(".")]


def test_revoking_makes_every_certificate_of_a_name_void(authority: Authority) -> None:
    files = authority.issue("laptop.corp.example", server=False)
    authority.issue("laptop.corp.example", server=False, force=True)
    assert len(authority.revoke("LAPTOP.corp.example")) == 2
    assert "certificate revoked" in verified(authority, files.certificate, "sslclient")
    assert {entry.state for entry in authority.entries()} == {"revoked"}
    with pytest.raises(PkiError, match="no certificate that could be revoked"):
        authority.revoke("laptop.corp.example")
    with pytest.raises(PkiError, match="never issued here"):
        authority.revoke("other")


def test_nothing_is_overwritten_unless_told(authority: Authority) -> None:
    authority.issue("laptop", server=False)
    before = {path: path.read_bytes() for path in authority.directory.iterdir()}
    with pytest.raises(PkiError, match="exists already"):
        authority.issue("laptop", server=False)
    with pytest.raises(PkiError, match="exists already") as refused:
        Authority.create(authority.directory, "Another")
    assert "voids all that it has issued" in refused.value.hint
    assert {path: path.read_bytes() for path in authority.directory.iterdir()} == before


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "ca", "crl", "index", ".hidden", "white space", "-x"])
def test_names_that_are_no_names(authority: Authority, name: str) -> None:
    with pytest.raises(PkiError, match="cannot name a certificate"):
        authority.issue(name, server=False)


@pytest.mark.parametrize("name", ["a..b", "10.0.0.1", "x" * 64, "laptop-.example", "laptop.1"])
def test_a_client_gets_no_name_that_gateways_refuse(authority: Authority, name: str) -> None:
    with pytest.raises(PkiError, match="gateways take no client called"):
        authority.issue(name, server=False)
    with pytest.raises(PkiError, match="gateways take no client called"):
        authority.issue("laptop", server=False, dns=["*.corp.example"])
    authority.issue("laptop", server=False, dns=["10.0.0.1", "laptop.corp.example"])


def test_a_long_name_is_whole_in_the_san(authority: Authority) -> None:
    name = "laptop-" + "x" * 50 + ".corp.example.with.a.long.suffix.example"
    files = authority.issue(name, server=False)
    assert certificates.names_of(certificates.load_certificate(files.certificate)) == (name,)


def test_the_revocation_list_is_renewed_before_it_ends(authority: Authority) -> None:
    authority.write_crl(days=CRL_RENEW_DAYS - 1)
    authority.issue("laptop", server=False)
    assert authority.crl_valid_until() - datetime.now(UTC) > timedelta(days=CRL_RENEW_DAYS)
    authority.crl_path.unlink()
    with pytest.raises(PkiError, match="cannot be read"):
        authority.crl_valid_until()
    authority.issue("tablet", server=False)
    assert x509.load_pem_x509_crl(authority.crl_path.read_bytes()).is_signature_valid(
        authority.certificate.public_key()  # type: ignore[arg-type]
    )


def test_an_authority_that_cannot_be_used(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(PkiError, match="no authority here"):
        Authority(tmp_path / "nothing")
    other = Authority.create(tmp_path / "other", "Other")
    authority.key_path.write_bytes(other.key_path.read_bytes())
    with pytest.raises(PkiError, match="does not belong"):
        Authority(authority.directory)
    other.key_path.write_text("rubbish")
    with pytest.raises(PkiError, match="not an unencrypted PEM key"):
        Authority(other.directory)


def test_a_damaged_index_stops_everything(authority: Authority) -> None:
    (authority.directory / "index.json").write_text(json.dumps([{"name": "x"}]))
    with pytest.raises(PkiError, match=r"index\.json: cannot be read"):
        authority.issue("laptop", server=False)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PkiError, match="Not a directory"):
        Authority.create(tmp_path / "file" / "pki", "x")
