"""What is found about certificates and lists: 30 days before, and afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from manageout.service.iphttps.trust import Trust
from manageout.service.iphttps.trust_report import findings, metrics
from manageout.service.tls.pki import Authority
from manageout.site.tables.site import GatewayTable
from tests.tools.chains import Ca

DAY = 86400.0


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """An authority for ten years, a list for 100 days, the gateway's certificate for 50."""
    authority = Authority.create(tmp_path, "CA")
    authority.issue("gateway", server=True, days=50)
    authority.write_crl(days=100)
    files = {
        "certificate": "gateway.pem",
        "key": "gateway.key",
        "client_ca": "ca.pem",
        "client_crl": "crl.pem",
    }
    return Trust(GatewayTable.model_validate({key: tmp_path / file for key, file in files.items()}))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, []),
        (19, []),
        (21, ["CERTIFICATE-EXPIRES warning the gateway's certificate (gateway) expires in 28 days"]),
        (49.5, ["CERTIFICATE-EXPIRES warning the gateway's certificate (gateway) expires in 11 hours"]),
        (51, ["CERTIFICATE-EXPIRED error the gateway's certificate (gateway) expired on "]),
        (75, ["CERTIFICATE-EXPIRED error ",
             "REVOCATION-LIST-EXPIRES warning the revocation list of CN=CA expires in 24 days"]),
        (101, ["CERTIFICATE-EXPIRED error ", "REVOCATION-LIST-ENDED error the revocation list of CN=CA expired on "]),
        (3625, ["CERTIFICATE-EXPIRED ", "CERTIFICATE-EXPIRES warning the certificate of the authority CN=CA", "REV"]),
        (3651, ["CERTIFICATE-EXPIRED ", "CERTIFICATE-EXPIRED error the certificate of the authority CN=CA", "REV"]),
    ],
)  # fmt: skip
def test_ends_are_found_in_time(trust: Trust, days: float, expected: list[str]) -> None:
    rows = findings(trust, time.time() + days * DAY)
    found = [f"{row.code} {row.severity} {row.what}" for row in rows]
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True))
    assert all(row.remedy for row in rows)


def test_a_list_is_renewed_elsewhere(trust: Trust) -> None:
    """The authority's key is not on the gateway: what was made has to be brought here."""
    rows = {row.code: row for row in findings(trust, time.time() + 101 * DAY)}
    assert "copy the list to gateway.client_crl" in rows["REVOCATION-LIST-ENDED"].remedy


def test_files_that_cannot_be_read_are_found(trust: Trust) -> None:
    (row,) = findings(trust, time.time(), "crl.pem: not a revocation list")
    assert row.code == "CERTIFICATES-UNREADABLE" and "crl.pem" in row.what


def test_metrics_say_when(trust: Trust) -> None:
    found = {metric.name: metric.labelled() for metric in metrics(trust)}
    ((labels, until),) = found["revocation_list_expiry_seconds"]
    assert labels == {"authority": "CN=CA"} and 99 * DAY < until - time.time() < 101 * DAY
    ((labels, until),) = found["authority_expiry_seconds"]
    assert labels == {"authority": "CN=CA"} and until - time.time() > 3000 * DAY


def test_a_name_that_is_no_text_keeps_nobody_from_hearing_of_the_end(trust: Trust) -> None:
    """Latin-1 in an UTF8String, as old authorities wrote it; behind the gateway's own certificate in its file."""
    der = Ca("Behörde", days=20).certificate.public_bytes(Encoding.DER)
    trust.own.append(x509.load_der_x509_certificate(der.replace("hö".encode(), b"h\xf6\xf6")))
    (row,) = findings(trust, time.time())
    assert row.what.startswith("a certificate in gateway.certificate (no name) expires in 19 days")
