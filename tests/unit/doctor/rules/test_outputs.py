"""What outputs show of which the collector holds nothing."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts, Filtered, Role, Seen
from tests.unit.doctor.judging import found, pasted


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("DA Clients", "error"),
        ("C_ISATAP_Hosts", "error"),
        ("Printers of the 3rd floor", "note"),
        ("Data", "note"),
    ],
)
def test_a_policy_for_others_is_a_note(name: str, severity: str) -> None:
    machine = Facts("x", filtered=[Filtered(name, "security", "line")])
    assert found(machine)["POLICY-DENIED"].severity == severity


@pytest.mark.parametrize(
    ("role", "name", "severity"),
    [
        ("unknown", "DirectAccess Server Settings", "note"),
        ("client", "DirectAccess Server Settings", "note"),
        ("server", "DirectAccess Server Settings", "error"),
        ("server", "DirectAccess Client Settings", "note"),
        ("manager", "DirectAccess Client Settings", "note"),
        ("client", "DirectAccess Client Settings", "error"),
        ("client", "C_ISATAP_Hosts", "note"),
        ("client", "DA ManageOut firewall of clients", "error"),
        ("unknown", "DirectAccess Client Settings", "error"),
        ("manager", "C_ISATAP_Hosts", "error"),
    ],
)
@pytest.mark.parametrize("reason", ["security", "wmi", "disabled"])
def test_a_policy_is_rightly_kept_from_machines_that_it_is_not_for(
    role: Role, name: str, severity: str, reason: str
) -> None:
    """DirectAccess links both of its policies to the whole domain."""
    (told,) = found(Facts("x", role=role, filtered=[Filtered(name, reason, "line")])).values()
    assert told.code.startswith("POLICY-") and told.severity == severity


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({}, "note"),
        ({"role": "manager"}, "note"),
        ({"role": "client", "inside": Seen(False, "ConnectedRemotely")}, "note"),
        ({"connection": Seen("Error", "Status: Error")}, "error"),
        ({"ike": [Seen("credentials", "IKE authentication credentials")]}, "error"),
        ({"role": "server"}, "error"),
    ],
)
def test_an_empty_store_is_a_fault_where_something_fails(fields: dict[str, object], severity: str) -> None:
    """Clients of the Kerberos proxy have no certificate, nor have managers."""
    machine = Facts("x", nothing={"cert:my": "dir Cert: nothing"}, held={})
    for name, value in fields.items():
        setattr(machine, name, value)
    assert found(machine)["CERTIFICATE-NONE"].severity == severity


def test_a_certificate_without_its_key_is_less_where_another_has_one() -> None:
    lost = Facts("x", keyless=["CN=a: HasPrivateKey False"])
    assert found(lost)["CERTIFICATE-NO-KEY"].severity == "error"
    lost.keyed = True
    assert found(lost)["CERTIFICATE-NO-KEY"].severity == "warning"
    assert not found(Facts("x", keyed=True))


REGISTRY_ONE = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
TCPIP_ONE = "[{CDEAFC3D-948D-49DD-AB12-E578BA4AF7AA}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"


@pytest.mark.parametrize(
    ("name", "names", "codes"),
    [
        ("ISATAP hosts", REGISTRY_ONE, {"POLICY-EXTENSION"}),
        ("ISATAP hosts", REGISTRY_ONE + TCPIP_ONE, set()),
        ("Printers", REGISTRY_ONE, set()),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "PS C:\\> Get-ADObject X -Properties *\n\ndisplayName              : {}\ngPCMachineExtensionNames : {}\n",
        "C:\\>dsquery * X -attr displayName gPCMachineExtensionNames\n"
        "  displayName  gPCMachineExtensionNames\n  {}  {}\n",
    ],
)
def test_a_policy_without_the_extension_of_tcpip(form: str, name: str, names: str, codes: set[str]) -> None:
    assert pasted(form.format(name, names)).keys() - {"EVIDENCE"} == codes


GPO = "PS C:\\> Get-GPO -Name x\n\nDisplayName : {}\nDomainName  : corp.example\nGpoStatus   : {}\n"


@pytest.mark.parametrize(
    ("name", "status", "codes"),
    [
        ("ISATAP hosts", "ComputerSettingsDisabled", {"POLICY-DISABLED"}),
        ("ISATAP hosts", "AllSettingsDisabled", {"POLICY-DISABLED"}),
        ("ISATAP hosts", "UserSettingsDisabled", set()),
        ("ISATAP hosts", "AllSettingsEnabled", set()),
        ("Printers", "AllSettingsDisabled", set()),
    ],
)
def test_the_status_of_a_policy(name: str, status: str, codes: set[str]) -> None:
    assert set(pasted(GPO.format(name, status))) == codes


def test_a_report_that_was_copied_out_of_its_page() -> None:
    text = "Denied GPOs\nISATAP-Hosts [{6AC1786C-016F-11D2-945F-00C04FB984F9}]\nLink Location\tcorp.example\n"
    text += "Reason Denied\tAccess Denied (Security Filtering)\n"
    assert set(pasted(text)) == {"POLICY-DENIED"}


CERTUTIL = """C:\\>certutil -store my
my "Personal"
================ Certificate 0 ================
Serial Number: 5f00000012a
 NotBefore: 1/10/2026 8:00 AM
 NotAfter: 1/10/2027 8:00 AM
Cert Hash(sha1): aa11223344556677889900aabbccddeeff001122
{}
CertUtil: -store command completed successfully.
"""


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("Cannot find the certificate and private key for decryption.", {"CERTIFICATE-NO-KEY"}),
        ("  Keine Schlüsselanbieterinformationen", {"CERTIFICATE-NO-KEY"}),
        ("  Provider = Microsoft RSA SChannel Cryptographic Provider", set()),
    ],
)
def test_what_certutil_says_of_a_key(line: str, codes: set[str]) -> None:
    assert set(pasted(CERTUTIL.format(line))) == codes
