"""What outputs show of which the collector holds nothing."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts, Filtered, Role, Seen
from tests.unit.doctor.judging import found, pasted, pasted_all


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


OURS, OTHER = "8d1f40a7-52c6-4e1b-9a70-3b64c1d9e205", "c0a5e7f3-16b2-4d8e-8f44-7a92d05b3c18"
POLICY = """
PS C:\\> Get-GPO -Guid {{{0}}}

DisplayName      : {1}
Id               : {0}
GpoStatus        : AllSettingsEnabled
ComputerVersion  : AD Version: {2}, SysVol Version: {3}
"""
LINKED = (
    "[LDAP://cn={{8D1F40A7-52C6-4E1B-9A70-3B64C1D9E205}},cn=policies,cn=system,DC=corp,DC=example;{0}]"
    "[LDAP://cn={{C0A5E7F3-16B2-4D8E-8F44-7A92D05B3C18}},cn=policies,cn=system,DC=corp,DC=example;0]"
)
UNIT = {
    "Get-ADOrganizationalUnit": "PS C:\\> Get-ADOrganizationalUnit OU=Admins,DC=corp,DC=example -Properties gPLink\n\n"
    f"DistinguishedName : OU=Admins,DC=corp,DC=example\ngPLink            : {LINKED}\nName              : Admins\n",
    "wrapped": "PS C:\\> Get-ADObject OU=Admins,DC=corp,DC=example -Properties * | fl gPLink,gPOptions\n\n"
    f"gPLink    : {LINKED[:60]}\n            {LINKED[60:120]}\n            {LINKED[120:]}\ngPOptions : 0\n",
    "dsquery": "C:\\>dsquery * OU=Admins,DC=corp,DC=example -scope base -attr name gPLink\n"
    f"  name      gPLink\n  Admins    {LINKED}\n",
    "ldifde": f"dn: OU=Admins,DC=corp,DC=example\nchangetype: add\ngPLink: \n {LINKED[:70]}\n {LINKED[70:]}\n",
    "ADSI": "PS C:\\> ([ADSI]'LDAP://OU=Admins,DC=corp,DC=example').gPLink\n" + LINKED + "\n",
}


@pytest.mark.parametrize("form", UNIT.values(), ids=UNIT.keys())
@pytest.mark.parametrize(("options", "off"), [(0, False), (1, True), (2, False), (3, True)])
def test_links_by_their_options(form: str, options: int, off: bool) -> None:
    told = pasted_all(form.format(options) + POLICY.format(OURS, "ISATAP Managers", 3, 3))
    assert ("POLICY-LINK" in told) == off
    assert "EVIDENCE" not in told


def test_a_link_of_another_policy_is_no_matter() -> None:
    text = UNIT["ADSI"].format(1) + POLICY.format(OURS, "Screen savers", 3, 3)
    assert "POLICY-LINK" not in pasted(text)


def test_a_link_of_a_policy_that_nobody_names() -> None:
    assert pasted(f"Nothing arrives.\n\n{UNIT['ADSI'].format(1)}")["POLICY-LINK"].severity == "warning"
    assert "POLICY-LINK" not in pasted(f"Nothing arrives.\n\n{UNIT['ADSI'].format(0)}")


def test_a_name_beside_an_identifier() -> None:
    text = UNIT["ADSI"].format(1) + (
        "C:\\>dsquery * CN=Policies,CN=System,DC=corp,DC=example -attr displayName name\n"
        f"  displayName       name\n  Printers          {{{OTHER}}}\n  ISATAP Managers   {{{OURS}}}\n"
    )
    assert pasted(text)["POLICY-LINK"].seen[1] == f"{{{OURS}}} is ISATAP Managers"


BLOCKS = """The DirectAccess policy is not applied.

PS C:\\> Get-GPInheritance -Target OU=Field,DC=corp,DC=example

Name                  : field
ContainerType         : OU
Path                  : ou=field,dc=corp,dc=example
GpoInheritanceBlocked : {}
GpoLinks              : {{{}}}
InheritedGpoLinks     : {{{}}}
"""


@pytest.mark.parametrize(
    ("state", "own", "inherited", "told"),
    [("Yes", "Printers", "", True), ("Yes", "", "", True), ("No", "Printers", "", False),
     ("Yes", "DirectAccess Clients", "DirectAccess Clients", False),
     ("Yes", "Printers", "DirectAccess Clients", False)],
)  # fmt: skip
def test_a_unit_that_inherits_nothing(state: str, own: str, inherited: str, told: bool) -> None:
    assert ("POLICY-BLOCKED" in pasted(BLOCKS.format(state, own, inherited))) == told


def test_the_option_of_a_unit_that_inherits_nothing() -> None:
    text = "The DirectAccess policy is missing.\n\nC:\\>ldifde -f con -d OU=Field,DC=corp,DC=example\n"
    text += "dn: OU=Field,DC=corp,DC=example\ngPOptions: {}\n"
    assert pasted(text.format(1))["POLICY-BLOCKED"].severity == "warning"
    assert "POLICY-BLOCKED" not in pasted(text.format(0))


@pytest.mark.parametrize(
    ("name", "directory", "folder", "code"),
    [("ISATAP Managers", 0, 0, {"POLICY-DISABLED"}), ("ISATAP Managers", 4, 3, {"POLICY-BEHIND"}),
     ("ISATAP Managers", 4, 4, set()), ("Printers", 4, 3, set()), ("Printers", 0, 0, set())],
)  # fmt: skip
def test_versions_of_a_policy(name: str, directory: int, folder: int, code: set[str]) -> None:
    assert set(pasted(POLICY.format(OURS, name, directory, folder))) == code


SIX = "2002:c633:640a:1000:1c4e:8a02:5fd1:b377"
PINGED = "C:\\>ping {}\n\nPinging {} with 32 bytes of data:\n{}\n\n"
TIMED_OUT, REPLY = "Request timed out.", f"Reply from {SIX}: time=44ms"
OFFICE = """C:\\>ipconfig

Windows IP Configuration

Ethernet adapter Ethernet:

   Connection-specific DNS Suffix  . : corp.example
   IPv4 Address. . . . . . . . . . . : 10.20.30.5
   Subnet Mask . . . . . . . . . . . : 255.255.0.0
   Default Gateway . . . . . . . . . : 10.20.0.1
"""
NAMED, OLD = f"lt7.corp.example [{SIX}]", "lt7.corp.example [10.20.31.77]"
NOT_FOUND = "C:\\>ping -6 lt7.corp.example\nPing request could not find host lt7.corp.example.\n"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (PINGED.format("lt7", NAMED, TIMED_OUT), "PATH-UNANSWERED", "drops ICMPv6"),
        (PINGED.format(SIX, SIX, "PING: transmit failed. General failure."), "PATH-UNANSWERED", "did not leave"),
        (PINGED.format(SIX, SIX, "Destination host unreachable."), "PATH-UNANSWERED", "did not leave"),
        ("DirectAccess client at home:\n\n" + PINGED.format("lt7", OLD, TIMED_OUT), "PATH-UNANSWERED", "IPv4 address"),
        (PINGED.format("lt7", OLD, TIMED_OUT) + NOT_FOUND, "DNS-NO-AAAA", "does not register"),
        (PINGED.format("lt7", OLD, TIMED_OUT) + PINGED.format("-6 lt7", NAMED, REPLY), "PREFER-STALE-A", ""),
        (PINGED.format("10.20.31.77", "10.20.31.77", "Reply from 10.20.30.5: Destination host unreachable.") + OFFICE,
         "PATH-NO-NEIGHBOUR", "this machine itself"),
        (PINGED.format(SIX, SIX, "Antwort von fd12::1: Die Gültigkeitsdauer wurde überschritten."), "PATH-LOOP", ""),
    ],
)  # fmt: skip
def test_what_a_ping_says(text: str, code: str, words: str) -> None:
    found = [one for one in pasted(text).values() if one.severity != "note"]
    assert [one.code for one in found] == [code] and words in found[0].cause


@pytest.mark.parametrize(
    "text",
    [
        PINGED.format("lt7", NAMED, REPLY),
        PINGED.format("lt7", NAMED, TIMED_OUT) + PINGED.format("lt7", NAMED, REPLY),
        PINGED.format("printer", "printer.corp.example [10.20.31.77]", TIMED_OUT),
        PINGED.format("fe80::1", "fe80::1%4", TIMED_OUT),
    ],
)
def test_a_ping_that_answers_or_is_of_something_else(text: str) -> None:
    assert not [one for one in pasted(text).values() if one.severity != "note"]


def test_a_silent_ping_is_not_told_beside_its_cause() -> None:
    off = "C:\\>netsh interface isatap show state\nISATAP State                       : disabled\n\n"
    off += "C:\\>netsh interface isatap show router\nRouter Name               : da.corp.example\n\n"
    assert set(pasted(off + PINGED.format("lt7", NAMED, TIMED_OUT))) == {"ISATAP-DISABLED"}


def test_a_trace_that_was_broken_off() -> None:
    head = f"C:\\>tracert -d {SIX}\n\nTracing route to {SIX} over a maximum of 30 hops\n\n"
    hops = "  1     1 ms     1 ms     1 ms  fd12:8:1:1:0:5efe:10.0.0.5\n"
    silent = "  2     *        *        *     Request timed out.\n  3     *        *        *     Request timed out.\n"
    assert set(pasted(head + hops + silent + "  4     *     ^C\n")) == {"PATH-SILENT"}
    assert not pasted(head + hops + silent + f"  4    44 ms    41 ms    43 ms  {SIX}\n")


UPPER_KEY = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition"
OF_IPHTTPS = f"{UPPER_KEY}\\IPHTTPS\\IPHTTPSInterface"


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        (UPPER_KEY, "Teredo_State    REG_SZ    EnterpriseClient", True),
        (UPPER_KEY, "Teredo_State    REG_SZ    Enterprise Client", False),
        (UPPER_KEY, "Teredo_State    REG_SZ    Client", False),
        (UPPER_KEY, "6to4_State    REG_SZ    off", True),
        (UPPER_KEY, "6to4_State    REG_SZ    Disabled", False),
        (UPPER_KEY, "ISATAP_State    REG_SZ    Enable", True),
        (UPPER_KEY, "ISATAP_State    REG_SZ    enabled", False),
        (UPPER_KEY, "IPHTTPS_ClientState    REG_DWORD    0x2", True),  # its key is the one below
        (OF_IPHTTPS, "IPHTTPS_ClientState    REG_DWORD    0x2", False),
        (OF_IPHTTPS, "IPHTTPS_ClientState    REG_SZ    2", True),
        (OF_IPHTTPS, "IPHTTPS_ClientUrl    REG_SZ    https://da.example.net:443", True),
        (OF_IPHTTPS, "IPHTTPS_ClientUrl    REG_SZ    http://da.example.net:443/IPHTTPS", True),
        (OF_IPHTTPS, "IPHTTPS_ClientUrl    REG_SZ    https://da.example.net:443/IPHTTPS", False),
        (OF_IPHTTPS, "IPHTTPS_ClientUrl    REG_SZ    https://da.example.net/iphttps", False),
    ],
)
def test_values_of_policies_that_windows_knows(key: str, value: str, found: bool) -> None:
    told = {code for code, one in pasted(f"{key}\n    {value}\n").items() if one.severity != "note"}
    assert told == ({"POLICY-VALUE"} if found else set())


@pytest.mark.parametrize(("state", "codes"), [("Default", {"ISATAP-POLICY-DEFAULT"}), ("Enabled", set())])
def test_a_policy_as_lgpo_prints_it(state: str, codes: set[str]) -> None:
    name = "Software\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition\nISATAP_{}\nSZ:{}\n"
    text = f"LGPO.exe /parse /m registry.pol\n\nComputer\n{name.format('State', state)}\n"
    assert set(pasted(f"{text}Computer\n{name.format('RouterName', 'mo.corp.example')}")) == codes


GROUPS = """
PS C:\\> Get-GPPermission -Name "{}" -All | ft Trustee,TrusteeType,Permission

Trustee           TrusteeType    Permission
-------           -----------    ----------
Domain Admins     Group          GpoEditDeleteModifySecurity
SG-Managers       Group          {}
SYSTEM            WellKnownGroup GpoEditDeleteModifySecurity
"""


@pytest.mark.parametrize(
    ("name", "permission", "told"),
    [
        ("ISATAP Managers", "GpoRead", True),
        ("ISATAP Managers", "GpoApply", False),
        ("Printers", "GpoRead", False),
    ],
)
def test_a_policy_that_nobody_may_apply(name: str, permission: str, told: bool) -> None:
    text = "PS C:\\> Get-GPO -Name x | fl DisplayName,GpoStatus\n\nDisplayName : x\nGpoStatus : AllSettingsEnabled\n"
    found = pasted(text + GROUPS.format(name, permission))
    assert ("POLICY-NOBODY" in found) == told
    assert not told or found["POLICY-NOBODY"].remedy[0].startswith('Set-GPPermission -Name "ISATAP Managers"')


def test_the_name_of_a_silent_ping_leads_to_an_isatap_address() -> None:
    gone = f"fs3.corp.example [{SIX.replace(':1000:1c4e:8a02:5fd1:b377', ':1:0:5efe:10.0.1.20')}]"
    assert set(pasted(PINGED.format("fs3", gone, TIMED_OUT))) == {"DNS-STALE-ISATAP"}
    assert not pasted(PINGED.format("fs3", gone, f"Reply from {gone[18:-1]}: time=1ms"))


def test_an_empty_store_is_why_iphttps_finds_no_certificate() -> None:
    empty = 'C:\\>certutil -store my\nmy "Personal"\nCertUtil: -store command completed successfully.\n\n'
    state = "PS C:\\> Get-NetIPHttpsState\n\nLastErrorCode   : 0x{}\nInterfaceStatus : no usable certificate(s) found\n"
    assert {code: one.severity for code, one in pasted(empty + state.format("103")).items()} == {
        "CERTIFICATE-NONE": "error"
    }
    assert pasted(empty + state.format("0"))["CERTIFICATE-NONE"].severity == "note"


NODES = """{words}

C:\\>netsh interface ipv6 show route

Publish  Type      Met  Prefix                    Idx  Gateway/Interface Name
-------  --------  ---  ------------------------  ---  ------------------------
No       Manual    256  ::/0                       21  fe80::5efe:10.44.2.5
{second}
C:\\>tracert -d fd3c:18:9a40:1003::77

Tracing route to fd3c:18:9a40:1003::77 over a maximum of 30 hops

  1     2 ms     1 ms     1 ms  fd3c:18:9a40:1:0:5efe:10.44.2.5
{end}
"""
SECOND = "No       Manual    256  ::/0                       21  fe80::5efe:10.44.2.6\n"
NET = "  2  fd3c:18:9a40:1:0:5efe:10.44.2.5  meldet: Zielnetz nicht erreichbar."
SILENT = "\n".join(f"  {n}     *        *        *     Request timed out." for n in (2, 3, 4))


@pytest.mark.parametrize(
    ("words", "second", "end", "first"),
    [
        ("Half of the laptops are not reached.", SECOND, NET, "PATH-WRONG-NODE"),
        ("Half of the laptops are not reached.", SECOND, SILENT, "PATH-WRONG-NODE"),
        ("Two DA servers behind a NetScaler.", "", NET, "PATH-WRONG-NODE"),
        ("One DA server.", "", NET, "PATH-NO-ROUTE"),
        ("One DA server.", "", SILENT, "PATH-SILENT"),
    ],
)
def test_a_way_that_ends_at_one_node_of_several(words: str, second: str, end: str, first: str) -> None:
    told = pasted_all(NODES.format(words=words, second=second, end=end))
    assert set(told) & {"PATH-WRONG-NODE", "PATH-NO-ROUTE", "PATH-SILENT"} == {first}


def test_a_host_that_follows_two_nodes_behind_an_external_balancer() -> None:
    text = NODES.format(words="Two DA servers behind an F5, no NLB.", second=SECOND, end="").partition(
        "C:\\>tracert"
    )
    assert "FARM-EXTERNAL-NAMES" in pasted_all(text[0])
    assert "FARM-EXTERNAL-NAMES" in pasted_all(text[0].replace("behind an F5, no NLB", "of a multisite"))
    assert not pasted_all(text[0].replace("an F5, no NLB", "NLB"))


LISTED = """{words}

=== DA1 ===

PS> Get-DAMgmtServer -Type All

MgmtServer               Type
----------               ----
dc5.corp.harbour.example DC
{server:<24} UserDefined

=== HELP7 ===

Tunnel adapter isatap.corp.harbour.example:

   IPv6 Address. . . . . . . . . . . : fd3c:18:9a40:1:0:5efe:10.44.9.7(Preferred)
   Link-local IPv6 Address . . . . . : fe80::5efe:10.44.9.7%11(Preferred)
   Default Gateway . . . . . . . . . : fe80::5efe:10.44.2.5%11
"""


@pytest.mark.parametrize(
    "words",
    [
        "The helpdesk reaches laptops only after logon.",
        "Laptops at the sign-in screen do not answer us.",
        "Wir erreichen Laptops erst, wenn jemand angemeldet ist.",
        "Le poste n'est joignable qu'après l'ouverture de session.",
    ],
)
def test_a_manager_that_is_no_management_server(words: str) -> None:
    told = pasted_all(LISTED.format(words=words, server="cm1.corp.harbour.example"))["MANAGER-NOT-LISTED"]
    assert told.severity == "error" and "-MgmtServer HELP7" in told.remedy[0]
    assert "MANAGER-NOT-LISTED" not in pasted_all(
        LISTED.format(words=words, server="help7.corp.harbour.example")
    )
    assert "MANAGER-NOT-LISTED" not in pasted_all(LISTED.format(words=words, server="10.44.9.7"))


def test_one_that_nobody_complains_of_is_told() -> None:
    text = LISTED.format(words="All is well.", server="cm1.corp.harbour.example")
    assert pasted_all(text)["MANAGER-NOT-LISTED"].severity == "note"


def test_without_the_list_it_is_a_doubt() -> None:
    text = LISTED.format(words="Laptops are reached only after logon.", server="").partition("=== HELP7")
    alone = f"Laptops are reached only after logon.\n\n{text[2].partition('===')[2]}"
    assert pasted_all(alone)["MANAGER-NOT-LISTED"].severity == "warning"
