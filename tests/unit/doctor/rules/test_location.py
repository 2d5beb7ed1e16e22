"""Inside or outside: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import Diagnosis, diagnose
from manageout.doctor.read.bundle import read_pasted
from tests.unit.doctor.bundles import CLIENT, Bundle, changed
from tests.unit.doctor.judging import found, pasted, pasted_all
from tests.unit.doctor.rules.cases import alone, code, theme


@pytest.mark.parametrize("name", theme("location"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def located(bundle: Bundle, status: str, substatus: str = "") -> Bundle:
    return changed(bundle, "location", [{"Status": status, "Substatus": substatus}])


def covered(bundle: Bundle) -> Bundle:
    """With the gateway's name below a name rule."""
    return changed(
        bundle, "nrpt", lambda rows: [row for row in rows if row["Namespace"] != "gateway.corp.example"]
    )


def test_failed_authentication_is_not_hidden_by_a_name_that_did_resolve() -> None:
    told = found(located(covered(CLIENT), "Error", "RemoteNetworkAuthenticationFailure"))
    assert set(told) == {"LOCATION-FAILED"}
    assert "IPsec" in told["LOCATION-FAILED"].cause
    assert "certutil -store my" in told["LOCATION-FAILED"].remedy[0]


def test_a_name_that_goes_into_the_tunnel_is_the_cause_while_it_is_down() -> None:
    assert set(found(located(covered(code(0x2AF9)), "Error", "NameResolutionFailure"))) == {"NRPT-GATEWAY"}


@pytest.mark.parametrize(
    ("word", "cause", "step"),
    [
        ("NameResolutionFailure", "the DNS server that the name rules point to", "Resolve-DnsName NAME "),
        (
            "CouldNotContactDirectAccessServer",
            "IP-HTTPS reaches the server",
            "Get-NCSIPolicyConfiguration; ",
        ),
    ],
)
def test_each_word_behind_the_status_has_its_own_cause(word: str, cause: str, step: str) -> None:
    told = found(located(CLIENT, "Error", word))["LOCATION-FAILED"]
    assert cause in told.cause and told.remedy[1].startswith(step)


def test_a_status_that_nobody_knows_keeps_the_general_words() -> None:
    told = found(located(CLIENT, "ActionRequired", "SomethingNew"))
    assert "Nothing else in this evidence" in told["LOCATION-FAILED"].cause


def test_stranded_by_the_status_too() -> None:
    """Inside, not connected, and no word of ConnectedLocally."""
    inside = changed(
        code(0x274C), "suffixes", [{"InterfaceIndex": 8, "ConnectionSpecificSuffix": "corp.example"}]
    )
    told = found(located(inside, "Error", "CouldNotContactDirectAccessServer"))
    assert set(told) == {"LOCATION-STRANDED"}
    assert "LOCATION-STRANDED" not in found(located(inside, "ConnectedLocally"))
    assert "LOCATION-STRANDED" not in found(changed(inside, "location", []))
    assert "LOCATION-STRANDED" not in found(
        located(code(0x274C), "Error", "CouldNotContactDirectAccessServer")
    )


STATE = """
At home, and it does not try:

C:\\>netsh dnsclient show state

Name Resolution Policy Table Options
--------------------------------------------------------------------

Network Location Behavior             : Let Network ID determine when Direct
                                        Access settings are to be used

Machine Location                      : {where} corporate network

PS C:\\> (Get-NCSIPolicyConfiguration).DomainLocationDeterminationURL
https://nls.quarry.example/

"""
PAGES = {
    "curl": "C:\\>curl -sI https://nls.quarry.example/\nHTTP/1.1 200 OK\nServer: Microsoft-IIS/10.0\n",
    "curl with address": 'C:\\>curl -sw "%{{http_code}} %{{remote_ip}}" https://nls.quarry.example\n200 {address}\n',
    "web request": "PS C:\\> iwr https://nls.quarry.example/ -UseBasicParsing | fl StatusCode\n\nStatusCode : 200\n",
    "tcp": "PS C:\\> Test-NetConnection nls.quarry.example -Port 443\n\nComputerName     : nls.quarry.example\n"
    "RemoteAddress    : {address}\nRemotePort       : 443\nTcpTestSucceeded : True\n",
    "nslookup": "C:\\>nslookup nls.quarry.example\nServer:  fritz.box\nAddress:  192.168.178.1\n\n"
    "Name:    nls.quarry.example\nAddress:  {address}\n",
}


@pytest.mark.parametrize("form", PAGES)
def test_the_location_server_on_the_internet(form: str) -> None:
    text = STATE + PAGES[form]
    assert pasted(text.format(where="Inside", address="203.0.113.80"))["LOCATION-PUBLIC"].severity == "error"


@pytest.mark.parametrize("form", ["curl with address", "tcp", "nslookup"])
def test_the_location_server_of_an_intranet_is_right(form: str) -> None:
    text = STATE + PAGES[form]
    assert "LOCATION-PUBLIC" not in pasted(text.format(where="Inside", address="10.44.0.9"))
    assert "LOCATION-PUBLIC" not in pasted(text.format(where="Outside", address="203.0.113.80"))


PROBE = """
PS> Get-DAConnectionStatus

Status    : Error
Substatus : CouldNotContactDirectAccessServer

PS> Get-NetIPHttpsState

LastErrorCode   : {code}
InterfaceStatus : {status}

PS> Get-NCSIPolicyConfiguration

CorporateDNSProbeHostAddress : fd44:2b7c:dd04:7777::7f00:1
CorporateDNSProbeHostName    : directaccess-corpConnectivityHost.corp.quarry.example

PS> nslookup directaccess-corpConnectivityHost.corp.quarry.example fd44:2b7c:dd04:3333::1
Server:  UnKnown
Address:  fd44:2b7c:dd04:3333::1

*** UnKnown can't find directaccess-corpConnectivityHost.corp.quarry.example: Non-existent domain
"""


def test_the_probe_stands_above_the_status_that_comes_of_it() -> None:
    told = pasted(PROBE.format(code="0x0", status="IPHTTPS interface active"))
    assert told["LOCATION-PROBE"].severity == "error" and "LOCATION-FAILED" not in told
    down = pasted(PROBE.format(code="0x274c", status="failed to connect to the IPHTTPS server"))
    assert "LOCATION-PROBE" not in down and "IPHTTPS-TIMEOUT" in down


RESOLVED = """PS C:\\> Resolve-DnsName directaccess-WebProbeHost.corp.quarry.example -Server dc1

Name                                           Type   TTL   Section    IPAddress
----                                           ----   ---   -------    ---------
directaccess-WebProbeHost.corp.quarry.example  A      3600  Answer     10.12.0.40

"""
MISSING = """PS C:\\> Resolve-DnsName directaccess-corpConnectivityHost.corp.quarry.example -Server dc1
Resolve-DnsName : directaccess-corpConnectivityHost.corp.quarry.example : DNS name does not exist
At line:1 char:1

"""


def test_the_probes_well_known_name_is_enough_where_its_zone_is_known() -> None:
    told = pasted(MISSING + RESOLVED)["LOCATION-PROBE"]
    assert told.severity == "warning" and "A 127.0.0.1" in told.remedy[0]
    found_it = RESOLVED.replace(
        "WebProbeHost.corp.quarry.example ", "corpConnectivityHost.corp.quarry.example"
    ).replace("10.12.0.40", "127.0.0.1")
    assert "LOCATION-PROBE" not in pasted(found_it + RESOLVED)


@pytest.mark.parametrize("other", ["", RESOLVED.replace("corp.quarry", "sales.quarry")])
def test_a_server_that_knows_nothing_of_the_zone_is_no_witness(other: str) -> None:
    """As that of a hotel, which is asked by nslookup or without the name rules."""
    assert "LOCATION-PROBE" not in pasted(MISSING + other)


RULES = """PS> Get-DnsClientNrptPolicy

Namespace              : .corp.quarry.example
DirectAccessDnsServers : {server}

"""


@pytest.mark.parametrize(
    ("server", "code"), [("fd44:2b7c:dd04:3333::1", "LOCATION-PROBE"), ("fd99::1", "NRPT-NSLOOKUP")]
)
def test_a_probe_that_was_asked_past_the_name_rules_says_nothing(server: str, code: str) -> None:
    text = PROBE.format(code="0x0", status="IPHTTPS interface active").partition("PS> Get-NCSI")
    told = set(pasted(RULES.format(server=server) + "".join(text[1:])))
    assert told & {"LOCATION-PROBE", "NRPT-NSLOOKUP"} == {code}


def test_no_tunnel_is_missed_that_is_quoted_as_up() -> None:
    up = found(located(CLIENT, "Error", "CouldNotContactDirectAccessServer"))["LOCATION-FAILED"]
    assert "active" in str(up.seen) and "Neither IP-HTTPS" not in up.cause


def test_a_tunnel_without_ipsec_is_named() -> None:
    text = PROBE.partition("PS> Get-NCSI")[0].format(code="0x0", status="IPHTTPS interface active")
    told = pasted(text + "PS> Get-NetIPsecMainModeSA\n\nPS> hostname\nNB-12\n")
    assert told["IPSEC-NONE"].severity == "error" and "LOCATION-FAILED" not in told


def test_an_intranet_with_public_addresses_has_a_public_location_server() -> None:
    own = "C:\\>ipconfig\n\nWindows IP Configuration\n\nEthernet adapter Office:\n\n"
    own += "   IPv4 Address. . . . . . . . . . . : {own}\n"
    own += "   Subnet Mask . . . . . . . . . . . : 255.255.255.0\n\n"
    for address, named in (("203.0.113.14", False), ("192.168.178.4", True)):
        text = (own + STATE + PAGES["nslookup"]).format(where="Inside", address="203.0.113.80", own=address)
        assert ("LOCATION-PUBLIC" in pasted(text)) is named


PAGE = """
PS C:\\> Get-NCSIPolicyConfiguration

Description                     : NCSI Configuration
CorporateDNSProbeHostAddress    : fd77:19c2:4e10:7777::7f00:1
CorporateDNSProbeHostName       : directaccess-corpConnectivityHost.corp.example
CorporateSitePrefixList         : fd77:19c2:4e10:1::/64
CorporateWebsiteProbeURL        : http://directaccess-WebProbeHost.corp.example
DomainLocationDeterminationURL  : https://nls.corp.example/insideoutside


PS C:\\> Invoke-WebRequest https://nls.corp.example/insideoutside -UseBasicParsing
Invoke-WebRequest : The underlying connection was closed: Could not establish trust relationship for the SSL/TLS.
At line:1 char:1
    + CategoryInfo          : InvalidOperation: (System.Net.HttpWebRequest:) [Invoke-WebRequest], WebException
    + FullyQualifiedErrorId : WebCmdletWebResponseException,Microsoft.PowerShell.Commands.InvokeWebRequestCommand
{status}
Then on the web server WEB04 (the NLS):

PS C:\\Users\\adm> Get-Date; dir Cert:\\LocalMachine\\My | ft Subject,NotAfter,HasPrivateKey -AutoSize

30 November 2026 08:41:17

Subject                          NotAfter            HasPrivateKey
-------                          --------            -------------
CN=nls.corp.example              {end}          True
{more}
"""
STATUS = """
PS C:\\> Get-DAConnectionStatus


Status    : Error
Substatus : CouldNotContactDirectAccessServer

"""


def told(status: str, end: str, more: str = "") -> list[Diagnosis]:
    return diagnose(read_pasted(PAGE.format(status=status, end=end, more=more)))


@pytest.mark.parametrize("status", ["", STATUS])
@pytest.mark.parametrize("more", ["", "CN=WEB04.corp.example     14/06/2027 10:12:40     True"])
def test_the_location_servers_certificate_has_expired(status: str, more: str) -> None:
    worst = [one for one in told(status, "28/11/2026 23:59:59", more) if one.severity != "note"]
    assert [one.code for one in worst] == ["LOCATION-EXPIRED"]
    assert "CN=nls.corp.example: NotAfter 28/11/2026 23:59:59" in worst[0].seen


def test_the_location_servers_certificate_is_valid_or_has_a_successor() -> None:
    newer = "CN=nls.corp.example              28/11/2027 23:59:59          True"
    for found_ in (told(STATUS, "28/11/2027 23:59:59"), told(STATUS, "28/11/2026 23:59:59", newer)):
        codes = {one.code for one in found_}
        assert codes == {"LOCATION-REFUSED"}


@pytest.mark.parametrize(
    ("address", "wrong"),
    [("203.0.113.99", True), ("127.0.0.1", False), ("fd12:8:1:7777::7f00:1", False), ("::1", False),
     ("fd12:8:1:7777::a14:409", True)],
)  # fmt: skip
def test_what_the_probes_name_must_be_without_the_policy(address: str, wrong: bool) -> None:
    kind = "AAAA" if ":" in address else "A"
    text = "PS C:\\> Resolve-DnsName directaccess-corpconnectivityhost.corp.example\n\n"
    text += "Name                                            Type   TTL   Section    IPAddress\n"
    text += "----                                            ----   ---   -------    ---------\n"
    text += f"directaccess-corpconnectivityhost.corp.example  {kind:4}   600   Answer     {address}\n"
    assert {one.code for one in diagnose(read_pasted(text))} == ({"LOCATION-PROBE"} if wrong else set())


@pytest.mark.parametrize(("address", "codes"), [("203.0.113.41", {"LOCATION-PUBLIC"}), ("10.1.0.40", set())])
def test_a_page_by_its_name_alone_for_a_machine_that_believes_to_be_inside(
    address: str, codes: set[str]
) -> None:
    text = "PS C:\\> Get-DAConnectionStatus\n\nStatus    : ConnectedLocally\nSubstatus : None\n\n"
    text += "PS C:\\> Resolve-DnsName nls.example.net\n\nName             Type   TTL   Section    IPAddress\n"
    text += f"----             ----   ---   -------    ---------\nnls.example.net  A      300   Answer     {address}\n"
    assert {one.code for one in diagnose(read_pasted(text))} == codes


LAPTOP = """PS> Get-DAConnectionStatus

Status    : Error
Substatus : NameResolutionFailure

"""
AT_DNS64 = """PS> Resolve-DnsName files.corp.quarry.example -Server fd44:2b7c:dd04:3333::1

Name                       Type   TTL   Section    IPAddress
----                       ----   ---   -------    ---------
files.corp.quarry.example  AAAA   600   Answer     fd44:2b7c:dd04:7777::a0c:28

"""
AT_DNSCMD = """C:\\>dnscmd dc1 /enumrecords corp.quarry.example directaccess-corpConnectivityHost
DNS Server failed to enumerate records for node directaccess-corpConnectivityHost.
    Status = 9714 (0x000025f2)

"""
AT_CMDLET = """PS> Get-DnsServerResourceRecord -ZoneName corp.quarry.example -Name directaccess-corpConnectivityHost
Get-DnsServerResourceRecord : Fehler beim Abrufen.
At line:1 char:1
    + CategoryInfo          : ObjectNotFound: (directaccess-corpConnectivityHost:root/Microsoft/...eRecord) [Get-Dn...]
    + FullyQualifiedErrorId : WIN32 9714,Get-DnsServerResourceRecord

"""
AT_WORDS = "Somebody deleted the record of directaccess-corpConnectivityHost with the old server.\n\n"


@pytest.mark.parametrize(
    "missing", [AT_DNSCMD, AT_CMDLET, AT_WORDS, AT_DNS64 + MISSING.replace("dc1", "fd44:2b7c:dd04:3333::1")]
)
def test_a_probe_without_its_record_is_the_cause_though_names_are_said_to_fail(missing: str) -> None:
    told = pasted_all(missing + LAPTOP) if missing is AT_WORDS else pasted(missing + LAPTOP)
    assert told["LOCATION-PROBE"].severity == "error" and "LOCATION-FAILED" not in told


def test_a_probe_that_is_answered_is_not() -> None:
    there = AT_DNS64.replace("files.", "directaccess-corpConnectivityHost.").replace("a0c:28", "7f00:1")
    told = pasted(LAPTOP + AT_DNS64 + there)
    assert "LOCATION-PROBE" not in told and "LOCATION-FAILED" in told
