"""Values of the registry that are not there, asked for in every way: by reg and by cmdlets, in several languages."""

from __future__ import annotations

import pytest

from manageout.doctor.rules.dns import DNSCACHE
from tests.unit.doctor.judging import pasted

VALUE = "DisableNRPTForAdapterRegistration"
KEY = f"HKLM\\{DNSCACHE}"
PATH = f"HKLM:\\{DNSCACHE}"
BUILD = """PS C:\\> [Environment]::OSVersion.Version

Major  Minor  Build  Revision
-----  -----  -----  --------
10     0      {}  0

"""
THROWN = """Get-ItemProperty : {}
In Zeile:1 Zeichen:1
+ Get-ItemProperty {} ...
+ ~~~~~~~~~~~~~~~~
    + CategoryInfo          : InvalidArgument: (DisableNRPT...:String) [Get-ItemProperty], PSArgumentException
    + FullyQualifiedErrorId : System.Management.Automation.PSArgumentException,Microsoft.PowerShell.Commands.Get...
"""
NO_PROPERTY = THROWN.format(
    f'Die Eigenschaft "{VALUE}" ist im Pfad "HKEY_LOCAL_MACHINE\\..." nicht vorhanden.', PATH
)
LISTED = f"HKEY_LOCAL_MACHINE\\{DNSCACHE}\n    ServiceDllUnloadOnStop    REG_DWORD    0x1\n"
ABSENT = {
    "reg": f"C:\\>reg query {KEY} /v {VALUE}\n\n"
    "ERROR: The system was unable to find the specified registry key or value.\n",
    "reg in German": f'C:\\>reg query "{KEY}" /v {VALUE}\n\n'
    "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.\n",
    "reg in French": f"C:\\>reg query {KEY} /v {VALUE}\n\n"
    "ERREUR : la valeur ou clé de Registre spécifiée est introuvable.\n",
    "reg in ISE": f"PS C:\\> reg query {KEY} /v {VALUE}\n"
    "reg : ERROR: The system was unable to find the specified registry key or value.\n",
    "findstr": f"C:\\>reg query {KEY} | findstr /i NRPT\n\nC:\\>\n",
    "property": f"PS C:\\> Get-ItemProperty {PATH} -Name {VALUE}\n{NO_PROPERTY}",
    "by place": f"PS C:\\> gp {PATH} {VALUE}\n{NO_PROPERTY}",
    "PowerShell 7": f"PS C:\\> Get-ItemPropertyValue {PATH} -Name {VALUE}\n"
    f"Get-ItemPropertyValue: Property {VALUE} does not exist at path HKEY_LOCAL_MACHINE\\{DNSCACHE}.\n",
    "nothing": f"PS C:\\> (Get-ItemProperty {PATH}).{VALUE}\nPS C:\\>\n",
    "an empty column": f"PS C:\\> Get-ItemProperty {PATH} | select {VALUE}\n\n{VALUE}\n{'-' * len(VALUE)}\n\n\n",
    "an empty line": f"PS C:\\> Get-ItemProperty {PATH} | select {VALUE} | fl\n\n\n{VALUE} :\n\n\n",
}  # fmt: skip


@pytest.mark.parametrize("text", ABSENT.values(), ids=ABSENT)
@pytest.mark.parametrize(("build", "found"), [(19041, True), (22631, True), (18363, False)])
def test_what_is_on_where_the_value_is_not_there(text: str, build: int, found: bool) -> None:
    told = pasted(BUILD.format(build) + text)
    assert ("DNS-REGISTRATION-OFF" in told) is found
    assert "EVIDENCE" not in told


PRESENT = {
    "reg": f"C:\\>reg query {KEY} /v {VALUE}\n\nHKEY_LOCAL_MACHINE\\{DNSCACHE}\n    {VALUE}    REG_DWORD    0x0\n",
    "bare": f"PS C:\\> (Get-ItemProperty {PATH}).{VALUE}\n0\n",
    "column": f"PS C:\\> Get-ItemProperty {PATH} | select {VALUE}\n\n{VALUE}\n{'-' * len(VALUE)}\n{0:>33}\n",
    "refused": f"C:\\>reg query {KEY} /v {VALUE}\n\nERROR: Access is denied.\n",
    "listed on a machine of which nobody says that it is a client": f"C:\\>reg query {KEY}\n\n{LISTED}",
    "another value": f"C:\\>reg query {KEY} /v DisableParallelAandAAAA\n\n"
    "ERROR: The system was unable to find the specified registry key or value.\n",
}  # fmt: skip


@pytest.mark.parametrize("text", PRESENT.values(), ids=PRESENT)
def test_what_is_set_or_not_told(text: str) -> None:
    assert "DNS-REGISTRATION-OFF" not in pasted(BUILD.format(19045) + text)


TUNNEL = """C:\\>netsh interface httpstunnel show interfaces

Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://da.corp.example:443/IPHTTPS
Last Error Code            : 0x0
Interface Status           : IPHTTPS interface active

"""


def test_a_clients_key_that_was_listed_without_the_value() -> None:
    listing = f"C:\\>reg query {KEY}\n\n{LISTED}"
    assert set(pasted(BUILD.format(19045) + TUNNEL + listing)) == {"DNS-REGISTRATION-OFF"}
    cut = listing.replace("    ServiceDll", "    ...\n    ServiceDll")
    assert not pasted(BUILD.format(19045) + TUNNEL + cut)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("All of them are on Win10 22H2.", "Since"), ("Windows 11 Enterprise, version 23H2", "Since"),
        ("Clients: Windows 11", "Since"), ("the 1909 ones register, version 21H1 does not", "Where"),
        ("Laptops have Windows 10", "Where"), ("It is Windows 10, version 1909.", ""),
        ("we bought them in 2004", "Where"),
    ],
)  # fmt: skip
def test_the_version_by_what_people_say(said: str, cause: str) -> None:
    found = pasted(f"{said}\n\n{ABSENT['reg']}").get("DNS-REGISTRATION-OFF")
    assert (found.cause.split()[0] if found else "") == cause


def test_the_old_resolver_without_the_value_that_cures_it() -> None:
    asked = f"C:\\>reg query {KEY} /v DisableParallelAandAAAA\n\nERROR: The system was unable to find it.\n"
    assert set(pasted(BUILD.format(14393) + asked)) == {"RESOLVER-1511"}
    assert set(pasted(f"The helpdesk PC still runs Windows 10 1607.\n\n{asked}")) == {"RESOLVER-1511"}
    assert not pasted(BUILD.format(19045) + asked)


POLICIES = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows"
DRIVE = POLICIES.replace("HKLM", "HKLM:")
GONE = "\n\nERROR: The system was unable to find the specified registry key or value.\n"
THROWN_PATH = """
Get-ItemProperty : Cannot find path 'HKLM:\\...' because it does not exist.
    + CategoryInfo          : ObjectNotFound: (HKLM:\\...:String) [Get-ItemProperty], ItemNotFoundException
    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand
"""


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (f"C:\\>reg query {POLICIES}\\TCPIP\\v6Transition\\IPHTTPS\\IPHTTPSInterface{GONE}", {"LOCATION-NOT-SET-UP"}),
        (f"PS C:\\> gp {DRIVE}\\TCPIP\\v6Transition\\IPHTTPS\\IPHTTPSInterface{THROWN_PATH}",
         {"LOCATION-NOT-SET-UP"}),
        (f"ISATAP does not come up.\n\nC:\\>reg query {POLICIES}\\TCPIP\\v6Transition{GONE}", {"ISATAP-DEFAULT"}),
        (f"C:\\>reg query {POLICIES}\\NetworkConnectivityAssistant\\Probes\n\nC:\\>", {"LOCATION-NO-PING"}),
        (f"C:\\>reg query {KEY} /v {VALUE}\nC:\\>", {"EVIDENCE"}),  # nobody has pasted what came
        (f"It is slow.\n\nC:\\>reg query {POLICIES}\\TCPIP\\v6Transition{GONE}", set()),
    ],
)  # fmt: skip
def test_a_policy_that_has_not_arrived(text: str, codes: set[str]) -> None:
    assert set(pasted(text)) == codes


ASKED = """PS C:\\> Resolve-DnsName lt5.corp.example -Type AAAA -Server dc1

Name          Type TTL   Section    PrimaryServer        NameAdministrator       SerialNumber
----          ---- ---   -------    -------------        -----------------       ------------
corp.example  SOA  3600  Authority  dc1.corp.example     hostmaster.corp.example 118342
"""


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("DisableNRPTForAdapterRegistration is not set.", True), (f"{VALUE} doesn't exist in the registry", True),
        (f"Der Wert {VALUE} ist auf den Laptops nicht gesetzt.", True), (f"{VALUE} n'existe pas", True),
        (f"we have set {VALUE} to 0 everywhere", False), (f"What does {VALUE} do?", False),
    ],
)  # fmt: skip
def test_what_people_say_that_is_not_there(said: str, found: bool) -> None:
    assert ("DNS-REGISTRATION-OFF" in pasted(f"Win10 22H2. {said}\n\n{ASKED}")) is found
