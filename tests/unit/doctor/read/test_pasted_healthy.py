"""Outputs of machines that are well, beside ones that a rule finds ill: what is not wrong is not said to be."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.judging import pasted

POOL = """PS C:\\> Get-NetNatTransitionConfiguration

State               : {}
PrefixMapping       : {{fd00:1:2:7777::/96,0.0.0.0/0}}
IPv4AddressPortPool : {}
"""
RANGE = """PS C:\\> Get-DAEntryPointTableItem

EntryPointName  : EP1
EntryPointRange : {}
PolicyStore     : corp.example\\DA Clients
"""
FORCED = """The internet {}.
C:\\>reg query HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition

HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition
    Force_Tunneling    REG_SZ    {}
"""
STATE = """C:\\>reg query HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition\\IPHTTPS\\IPHTTPSInterface

HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition\\IPHTTPS\\IPHTTPSInterface
    IPHTTPS_ClientState    REG_DWORD    {}
"""
NOTHING = "PS C:\\> Get-DAConnectionStatus\nPS C:\\> "
CARD = """ipconfig

Windows IP Configuration

Tunnel adapter iphttpsinterface:

   IPv6 Address. . . . . . . . . . . : 2001:db8:1:1000:a1b2:c3d4:e5f6:1
"""
PAGE = r"""PS C:\> Invoke-WebRequest https://da.corp.example/IPHTTPS
Invoke-WebRequest : {}
    + CategoryInfo          : InvalidOperation: (System.Net.HttpWebRequest) [Invoke-WebRequest], WebException
"""
CURL = "C:\\>curl -I https://da.corp.example/\n"
TUNNEL = """
C:\\>netsh interface httpstunnel show interfaces

Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://da.corp.example:443/IPHTTPS
Last Error Code            : 0x0
Interface Status           : IPHTTPS interface active
"""
KEYS = r"""PS C:\> Get-ChildItem Cert:\LocalMachine\{} | Select-Object Subject, HasPrivateKey | Format-List

Subject       : CN=pc1.corp.example
HasPrivateKey : False
"""


@pytest.mark.parametrize(
    ("code", "ill", "well"),
    [
        ("SERVER-NAT64-POOL", POOL.format("Enabled", "{}"), POOL.format("Enabled", "{10.0.0.5,6001-47000}")),
        ("SERVER-NAT64-POOL", POOL.format("Enabled", "{}"), POOL.format("Enabled", "{10.0.0.5,6001-47000...}")),
        ("SERVER-NAT64-POOL", POOL.format("Enabled", "{}"), POOL.format("Disabled", "{}")),
        ("SITE-RANGE", RANGE.format("{fd00:1::/64}"), RANGE.format("{fd00:1::/64, fd00:1:0:3333::1/128}")),
        ("SITE-RANGE", RANGE.format("{fd00:1::/64}"), RANGE.format("{fd00:1::/64, fd00:1:0:3333::1}")),
        ("SITE-RANGE", RANGE.format("{fd00:1::/64}"), RANGE.format("{fd00:1::/64, fd00:2::/64...}")),
        ("SITE-RANGE", RANGE.format("{fd00:1::/64}"), RANGE.format("{}")),
        ("CLIENT-FORCE-TUNNEL", FORCED.format("is slow", "Enabled"), FORCED.format("is slow", "Disabled")),
        ("IPHTTPS-POLICY-VALUE", STATE.format("0x1"), STATE.format("0x0")),
        ("IPHTTPS-POLICY-VALUE", STATE.format("0x1"), STATE.format("0x2")),
        ("IPHTTPS-POLICY-VALUE", STATE.format("0x1"), STATE.format("0x3")),
        ("LOCATION-NOT-SET-UP", f"{NOTHING}hostname\nlap1\n", f"{NOTHING}{TUNNEL}"),
        ("LOCATION-NOT-SET-UP", f"{NOTHING}hostname\nlap1\n", f"{NOTHING}{CARD}"),
        ("LOCATION-NOT-SET-UP", f"{NOTHING}hostname\nlap1\n",
         f"{NOTHING}Get-DAConnectionStatus\n\nStatus    : ConnectedRemotely\nSubstatus : None\n"),
        ("IPHTTPS-UNREACHED", PAGE.format("Unable to connect to the remote server"),
         PAGE.format("The remote server returned an error: (404) Not Found.")),
        ("IPHTTPS-UNREACHED", PAGE.format("Die Verbindung mit dem Remoteserver kann nicht hergestellt werden."),
         PAGE.format("Der Remoteserver hat einen Fehler zurückgegeben: (404) Nicht gefunden.")),
        ("IPHTTPS-UNREACHED", f"{CURL}curl: (28) Connection timed out\n",
         f"{CURL}curl: (28) Connection timed out\n\n{CURL}HTTP/1.1 200 OK\n"),
        ("IPHTTPS-UNREACHED", f"{CURL}curl: (7) Failed to connect\n", f"{CURL}curl: (60) SSL certificate problem\n"),
        ("CERTIFICATE-NO-KEY", KEYS.format("My"), KEYS.format("Root")),
        ("IPSEC-EVENTS", f"The log has event 4653.\n{TUNNEL}", f"There are no events 4653 or 4654.\n{TUNNEL}"),
        ("NRPT-DISCONNECTED",
         f"C:\\>netsh namespace show effectivepolicy\n\nDNS Effective Name Resolution Policy Table Settings\n{TUNNEL}",
         "C:\\>netsh namespace show effectivepolic\n"
         f"The following command was not found: namespace show effectivepolic.\n{TUNNEL}"),
    ],
)  # fmt: skip
def test_a_healthy_neighbour_is_not_accused(code: str, ill: str, well: str) -> None:
    assert code in pasted(ill)
    assert code not in pasted(well)


@pytest.mark.parametrize(("words", "severity"), [("is slow", "warning"), ("works fine", "note")])
def test_force_tunnelling_is_as_bad_as_somebody_finds_it(words: str, severity: str) -> None:
    assert pasted(FORCED.format(words, "Enabled"))["CLIENT-FORCE-TUNNEL"].severity == severity


def test_a_computer_keeps_its_name_whatever_that_says() -> None:
    machine = Facts("(pasted)")
    text = "Windows IP Configuration\n\n   Host Name . . . . . . . . . . . . : DHCP-SRV1\n   Node Type . . . . : Hybrid"
    read_text.read(machine, f"C:\\>ipconfig /all\n\n{text}\n".splitlines())
    assert machine.computer == "DHCP-SRV1"


def test_a_value_of_the_registry_does_not_swallow_what_is_printed_behind_it() -> None:
    key = r"HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
    text = f"""PS C:\\> Get-ItemProperty {key} -Name DisabledComponents; Get-Service iphlpsvc

DisabledComponents : 0
PSChildName        : Parameters

Status   Name               DisplayName
------   ----               -----------
Stopped  iphlpsvc           IP Helper
"""
    assert "IPHLPSVC-STOPPED" in pasted(text)
