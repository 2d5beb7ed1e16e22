"""Whose a certificate is that has expired or is not taken: the machine's own, the gateway's, the location server's."""

from __future__ import annotations

import pytest

from manageout.windows.policies import CONNECTIVITY
from tests.unit.doctor.judging import pasted
from tests.unit.doctor.read.test_pasted_pastes import judged

TODAY = "C:\\>date /t\nWed 12/02/2026\n\n"
STORE = """C:\\>certutil -store my
my "Personal"
================ Certificate 0 ================
Serial Number: 61000005
Issuer: CN=nls.corp.example CA, DC=corp, DC=example
 NotBefore: 11/3/2024 10:00 AM
 NotAfter: {} 10:00 AM
Subject: CN={}
Cert Hash(sha1): 1a2b3c4d5e6f708192a3b4c5d6e7f80918273645
{}CertUtil: -store command completed successfully.

"""
GERMAN = """C:\\>certutil -store my
my "Eigene Zertifikate"
================ Zertifikat 0 ================
Seriennummer: 61000005
Aussteller: CN=Corp CA, DC=corp, DC=example
 Nicht vor: 03.11.2024 10:00
 Nicht nach: 03.11.2026 10:00
Antragsteller: CN={}
Zertifikathash(sha1): 1a2b3c4d5e6f708192a3b4c5d6e7f80918273645
CertUtil: -store-Befehl wurde erfolgreich ausgeführt.

"""
LISTED = """PS C:\\> Get-ChildItem Cert:\\LocalMachine\\My | fl Subject, NotAfter, EnhancedKeyUsageList

Subject              : CN={}
NotAfter             : 11/3/2026 10:00:00 AM
EnhancedKeyUsageList : {{{}}}

"""
CLIENT, SERVER = "Client Authentication (1.3.6.1.5.5.7.3.2)", "Server Authentication (1.3.6.1.5.5.7.3.1)"
URL = f"""HKEY_LOCAL_MACHINE\\{CONNECTIVITY}
    DomainLocationDeterminationUrl    REG_SZ    https://inside.corp.example/

"""
TUNNEL = """C:\\>netsh interface httpstunnel show interfaces

Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://connect.example.net:443/IPHTTPS
Last Error Code            : 0x0
Interface Status           : IPHTTPS interface active

"""
OLD, NEW = "11/3/2026", "11/3/2030"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (STORE.format(OLD, "lt77.corp.example", ""), {"IPHTTPS-OWN-CERTIFICATE"}),
        (STORE.format(NEW, "lt77.corp.example", ""), set()),
        (STORE.format(OLD, "nls.corp.example", ""), {"LOCATION-EXPIRED"}),
        (STORE.format(NEW, "nls.corp.example", ""), set()),
        (STORE.format(OLD, "da.example.net", ""), {"SERVER-CERTIFICATE-ENDED"}),
        (STORE.format(NEW, "da.example.net", ""), set()),
        (GERMAN.format("nls.corp.example"), {"LOCATION-EXPIRED"}),
        (GERMAN.format("lt77.corp.example"), {"IPHTTPS-OWN-CERTIFICATE"}),
        (LISTED.format("da.corp.example", CLIENT), {"IPHTTPS-OWN-CERTIFICATE"}),
        (LISTED.format("da.corp.example", SERVER), {"SERVER-CERTIFICATE-ENDED"}),
        # names that only the settings know
        (URL + STORE.format(OLD, "inside.corp.example", ""), {"LOCATION-EXPIRED"}),
        (URL + STORE.format(OLD, "*.corp.example", ""), {"LOCATION-EXPIRED"}),
        (URL + STORE.format(OLD, "lt77.corp.example", ""), {"IPHTTPS-OWN-CERTIFICATE"}),
        (URL + "=== WEB1 ===\n" + STORE.format(OLD, "inside.corp.example", ""), {"LOCATION-EXPIRED"}),
        (TUNNEL + "=== EDGE1 ===\n" + STORE.format(OLD, "connect.example.net", ""), {"SERVER-CERTIFICATE-ENDED"}),
        (TUNNEL + STORE.format(OLD, "lt77.corp.example", ""), {"IPHTTPS-OWN-CERTIFICATE"}),
        # several in one store
        (STORE.format(OLD, "lt77.corp.example",
            "================ Certificate 1 ================\n NotBefore: 11/3/2024\n NotAfter: 11/3/2030\n"
            "Subject: CN=nls.corp.example\n"), {"IPHTTPS-OWN-CERTIFICATE"}),
        (STORE.format(OLD, "nls.corp.example",
            "================ Certificate 1 ================\n NotBefore: 11/3/2024\n NotAfter: 11/3/2030\n"
            "Subject: CN=web1.corp.example\n"), {"LOCATION-EXPIRED"}),
        (STORE.format(OLD, "da.example.net",
            "================ Certificate 1 ================\n NotBefore: 11/3/2026\n NotAfter: 11/3/2030\n"
            "Subject: CN=da.example.net\n"), set()),
        # a machine whose own name looks like a gateway's
        ("=== DA1 ===\n" + STORE.format(OLD, "da1.corp.example", ""), {"IPHTTPS-OWN-CERTIFICATE"}),
    ],
)  # fmt: skip
def test_whose_the_expired_certificate_is(text: str, codes: set[str]) -> None:
    assert {one.code for one in judged(TODAY + text)} == codes


CURL = "C:\\>curl -I https://{}/\ncurl: ({}) schannel: {}\n"
THROWN = """PS C:\\> Invoke-WebRequest https://{}/ -UseBasicParsing
Invoke-WebRequest : {}
    + CategoryInfo          : InvalidOperation: (System.Net.HttpWebRequest:HttpWebRequest) [], WebException
"""
TRUST = "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel."
VERTRAUEN = (
    "Die zugrunde liegende Verbindung wurde geschlossen: Für den geschützten SSL/TLS-Kanal konnte keine "
)
VERTRAUEN += "Vertrauensstellung hergestellt werden.."
EXPIRED = "SEC_E_CERT_EXPIRED (0x80090328) - The received certificate has expired."
OFFLINE = "next InitializeSecurityContext failed: CRYPT_E_REVOCATION_OFFLINE (0x80092013)"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CURL.format("nls.corp.example", 60, EXPIRED), "LOCATION-REFUSED"),
        (THROWN.format("nls.corp.example", TRUST), "LOCATION-REFUSED"),
        (THROWN.format("nls.corp.example", VERTRAUEN), "LOCATION-REFUSED"),
        (CURL.format("nls.corp.example", 35, OFFLINE), "LOCATION-REFUSED"),
        (CURL.format("da.example.net", 60, EXPIRED), "IPHTTPS-EXPIRED"),
        (CURL.format("da.example.net", 35, OFFLINE), "IPHTTPS-REVOCATION"),
        (CURL.format("da.example.net", 60, "SEC_E_UNTRUSTED_ROOT (0x80090325)"), "IPHTTPS-UNTRUSTED"),
        (CURL.format("da.example.net", 60, "SEC_E_WRONG_PRINCIPAL (0x80090322)"), "IPHTTPS-WRONG-NAME"),
        (TUNNEL + CURL.format("shop.example.org", 60, EXPIRED), ""),
        ("C:\\>curl -I https://nls.corp.example/\nHTTP/1.1 200 OK\n", ""),
    ],
)
def test_a_certificate_that_another_program_does_not_take(text: str, code: str) -> None:
    assert set(pasted(text)) == ({code} if code else set())


SHOWN = """$ openssl s_client -connect {0}:443 </dev/null | openssl x509 -noout -subject -dates
subject=CN = {0}
notBefore=Nov 20 10:00:00 2020 GMT
notAfter=Nov 20 10:00:00 {1} GMT
"""
VERIFIED = """C:\\>certutil -urlfetch -verify x.cer
Issuer:
    CN=Corp Issuing CA
  Name Hash(sha1): 1f2a8b6ef2c0b58d6fdd27d8cb1e5b3c4d5f6a7b
Subject:
    CN={}
Cert Serial Number: 6100000b5c

ERROR: Verifying leaf certificate revocation status returned {} 0x80092013 (-2146885613 CRYPT_E_REVOCATION_OFFLINE)
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SHOWN.format("nls.corp.example", 2022), "LOCATION-REFUSED"), (SHOWN.format("nls.corp.example", 2099), ""),
        (SHOWN.format("da.example.net", 2022), "IPHTTPS-EXPIRED"), (SHOWN.format("da.example.net", 2099), ""),
        ("$ openssl s_client -connect da.example.net:443\nVerify return code: 20 (unable to get local issuer)\n", ""),
        ("$ openssl s_client -connect da.example.net:443\nverify error:num=10:certificate has expired\n",
         "IPHTTPS-EXPIRED"),
        (VERIFIED.format("da.example.net", "was offline."), "IPHTTPS-REVOCATION"),
        (VERIFIED.format("nls.corp.example", "was offline."), "LOCATION-REFUSED"),
    ],
)  # fmt: skip
def test_what_other_programs_say_of_a_servers_certificate(text: str, code: str) -> None:
    assert {one.code for one in judged(text)} == ({code} if code else set())
