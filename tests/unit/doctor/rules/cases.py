"""A case for each rule on Windows machines: evidence in which it alone has something to say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts, Reached, Seen
from manageout.doctor.read import json as read_json
from manageout.doctor.read import pasted as read_text
from manageout.doctor.rules.catalogue import MODULES
from manageout.doctor.rules.dns import DNSCACHE
from manageout.doctor.rules.machine import PARAMETERS
from manageout.windows.policies import IPHTTPS, TRANSITION
from tests.unit.doctor.bundles import (
    CARD,
    CLIENT,
    DNS,
    ISATAP,
    MANAGER,
    POLICIES,
    SERVER,
    Bundle,
    changed,
    facts,
    interface,
)
from tests.unit.doctor.console.test_ipconfig import ENGLISH
from tests.unit.doctor.rules import fact_cases

NAME = "manageout-isatap.corp.example"


def registry(bundle: Bundle, key: str, name: str, value: object) -> Bundle:
    return changed(bundle, "registry", lambda rows: [*rows, {"Key": key, "Name": name, "Value": value}])


def isatap(bundle: Bundle, state: str, router: str = NAME) -> Bundle:
    return changed(bundle, "isatap", [{"State": state, "Router": router}])


def without_address(bundle: Bundle) -> Bundle:
    keep = lambda rows: [row for row in rows if not row["IPAddress"].startswith("fd12")]  # noqa: E731
    return changed(bundle, "addresses", keep)


def lookups(bundle: Bundle, *rows: tuple[str, str, list[str]]) -> Bundle:
    return changed(
        bundle,
        "lookups",
        [{"Name": name, "Type": kind, "Addresses": found, "Error": "" if found else "DNS name does not exist"}
         for name, kind, found in rows],
    )  # fmt: skip


def build(bundle: Bundle, number: int) -> Bundle:
    made = copy.deepcopy(bundle)
    made["build"] = number
    return made


def code(number: int) -> Bundle:
    return changed(CLIENT, "iphttps", [{"InterfaceStatus": "failed to connect", "LastErrorCode": number}])


def server_interface(**words: str) -> Bundle:
    base = {"Forwarding": "Enabled", "Advertising": "Enabled", "AdvertiseDefaultRoute": "Enabled"}
    return changed(SERVER, "interfaces", [interface(15, **(base | words))])


def clients_interface(**words: str) -> Bundle:
    """Of a server, with its IP-HTTPS interface beside the ISATAP one."""
    on = {"Forwarding": "Enabled", "Advertising": "Enabled"} | words
    card = {
        "Name": "IPHTTPSInterface",
        "InterfaceDescription": "Microsoft IP-HTTPS Platform Interface",
        "ifIndex": 7,
    }
    made = changed(SERVER, "adapters", lambda rows: [*rows, card])
    return changed(made, "interfaces", lambda rows: [*rows, interface(7, **on)])


def service(bundle: Bundle, name: str) -> Bundle:
    return changed(bundle, "services", [{"Name": name, "Status": "Stopped", "StartType": "Disabled"}])


def farm(**fields: object) -> Bundle:
    return changed(SERVER, "remoteAccess", lambda rows: [rows[0] | fields])


def rules(**fields: object) -> Bundle:
    return changed(CLIENT, "rules", lambda rows: [rows[0] | fields])


def without_nrpt(name: str) -> Bundle:
    return changed(CLIENT, "nrpt", lambda rows: [row for row in rows if row["Namespace"] != name])


def with_error() -> Bundle:
    made = copy.deepcopy(MANAGER)
    made["errors"] = {"nrpt": "Access is denied."}
    return made


CASES: dict[str, Callable[[], Bundle | Facts]] = {
    "TUNNELS-OFF": lambda: registry(without_address(MANAGER), PARAMETERS, "DisabledComponents", 0x01),
    "IPV6-WRONG-VALUE": lambda: registry(MANAGER, PARAMETERS, "DisabledComponents", 0xFFFFFFFF),
    "IPHLPSVC-STOPPED": lambda: service(without_address(MANAGER), "iphlpsvc"),
    "DNSCACHE-STOPPED": lambda: service(MANAGER, "Dnscache"),
    "CLOCK": lambda: skewed(),
    "EVIDENCE": with_error,
    "ISATAP-POLICY-OFF": lambda: registry(
        isatap(without_address(MANAGER), "Disabled"), TRANSITION, "ISATAP_State", "Disabled"),
    "ISATAP-POLICY-DEFAULT": lambda: registry(isatap(MANAGER, "Default"), TRANSITION, "ISATAP_State", "Default"),
    "ISATAP-DISABLED": lambda: isatap(without_address(MANAGER), "Disabled"),
    "ISATAP-DEFAULT": lambda: isatap(without_address(MANAGER), "Default"),
    "ISATAP-NO-ADAPTER": lambda: changed(
        changed(changed(without_address(MANAGER), "adapters", [CARD]), "interfaces", [interface(12)]),
        "addresses", [{"IPAddress": "10.0.1.30", "InterfaceIndex": 12}]),
    "ISATAP-NO-NAME": lambda: lookups(without_address(MANAGER), (NAME, "A", [])),
    "ISATAP-NO-ROUTER": lambda: lookups(isatap(without_address(MANAGER), "Enabled", "")),
    "ISATAP-BARE-NAME": lambda: lookups(
        isatap(MANAGER, "Enabled", "isatap.corp.example"), ("isatap.corp.example", "A", ["10.0.0.1"])),
    "ISATAP-LINK-LOCAL-ONLY": lambda: without_address(MANAGER),
    "ISATAP-NO-ROUTE": lambda: changed(MANAGER, "routes", lambda rows: rows[:1]),
    "ISATAP-DISCOVERY-OFF": lambda: changed(
        without_address(MANAGER), "interfaces", [interface(15, RouterDiscovery="Disabled")]),
    "ISATAP-FORWARDS": lambda: changed(MANAGER, "interfaces", [interface(15, Forwarding="Enabled")]),
    "ISATAP-SEVERAL": lambda: changed(
        changed(MANAGER, "adapters", lambda rows: [*rows, ISATAP | {"ifIndex": 16, "Name": "isatap.{2}"}]),
        "addresses", lambda rows: [*rows, {"IPAddress": "fe80::5efe:10.9.0.1%16", "InterfaceIndex": 16}]),
    "ISATAP-BEHIND-NAT": lambda: lookups(
        changed(without_address(MANAGER), "routes", []), (NAME, "A", ["8.8.8.8"])),
    "ISATAP-MTU": lambda: changed(MANAGER, "interfaces", [interface(15, NlMtu=1500)]),
    "ISATAP-CLIENT-TOO": lambda: changed(MANAGER, "iphttpsConfiguration", [{"ServerURL": "https://g.example/IPHTTPS"}]),
    "ISATAP-NAME-BLOCKED": lambda: lookups(
        isatap(without_address(MANAGER), "Enabled", "isatap.corp.example"), ("isatap.corp.example", "A", [])),
    "ISATAP-DISCONNECTED": lambda: changed(
        MANAGER, "addresses", [{"IPAddress": "10.0.1.30", "InterfaceIndex": 12}]),
    "ISATAP-OLD-ROUTER": lambda: lookups(MANAGER, (NAME, "A", ["10.0.0.2"])),
    "ISATAP-NO-GATEWAY": lambda: pasted(ENGLISH.replace("fe80::5efe:10.0.0.1%15", "")),
    "ISATAP-EVENT-490": lambda: pasted(
        "C:\\>wevtutil qe System\nUnable to update the IP address on ISATAP.corp.example. Update type: 1. "
        "Error Code: 0x490\n"),
    "PREFER-IPV4": lambda: registry(MANAGER, PARAMETERS, "DisabledComponents", 0x20),
    "EVIDENCE-TWICE": lambda: pasted(ENGLISH + ENGLISH.replace("10.0.1.30", "10.0.1.31"), cut="Windows IP"),
    "EVIDENCE-CLOCK": lambda: taken(4_000_000_000),
    "SERVER-POLICY-OFF": lambda: registry(
        changed(changed(SERVER, "adapters", [CARD]), "addresses", []), TRANSITION, "ISATAP_State", "Disabled"),
    "SERVER-NAME-UNPUBLISHED": lambda: lookups(SERVER, (NAME, "A", [])),
    "SERVER-TRANSLATION-OFF": lambda: changed(SERVER, "natTransition", [{"State": "Disabled"}]),
    "SERVER-DNS64-ONLY-A": lambda: native(),
    "SERVER-ERROR-87": lambda: pasted(
        "PS C:\\> Set-NetIPInterface -InterfaceIndex 15 -Forwarding Enabled\nSet-NetIPInterface : Falscher Parameter.\n"
        "    + FullyQualifiedErrorId : Windows System Error 87,Set-NetIPInterface\n"),
    "SERVER-SCRIPT-NULL": lambda: pasted(
        "Set-NetIPInterface : Das Argument ist NULL.\n"
        "    + FullyQualifiedErrorId : ParameterArgumentValidationErrorNullNotAllowed,Set-NetIPInterface\n"),
    "FARM-TEREDO": lambda: changed(
        changed(farm(LoadBalancing="ThirdParty", ClientIPv6Prefix="fd12:3456:789a:1000::/59"), "adapters", [CARD]),
        "addresses", []),
    "IPHTTPS-NO-URL": lambda: changed(CLIENT, "iphttpsConfiguration", []),
    "NRPT-OFF": lambda: changed(changed(CLIENT, "nrpt", []), "nrptGlobal", [{"EnableDAForAllNetworks": "DisableDA"}]),
    "NRPT-IPV4-SERVER": lambda: changed(
        CLIENT, "nrpt", lambda rows: [rows[0] | {"DirectAccessDnsServers": ["10.0.0.10"]}, *rows[1:]]),
    "NRPT-FALLBACK": lambda: changed(CLIENT, "nrptGlobal", [{"SecureNameQueryFallback": "FallbackUnsecure"}]),
    "NRPT-NSLOOKUP": lambda: pasted(NSLOOKUP),
    "LOCATION-FAILED": lambda: changed(
        CLIENT, "location", [{"Status": "Error", "Substatus": "RemoteNetworkAuthenticationFailure"}]),
    "LOCATION-PROBE": lambda: lookups(CLIENT, ("directaccess-corpconnectivityhost.corp.example", "AAAA", [])),
    "LOCATION-NO-PING": lambda: changed(
        CLIENT, "registry",
        lambda rows: [row | {"Name": row["Name"].replace("PING:", "HTTP:")} for row in rows]),
    "FIREWALL-OFF": lambda: changed(
        changed(CLIENT, "rules", []), "firewall", lambda rows: [row | {"Enabled": "False"} for row in rows]),
    "FIREWALL-NO-IPV6": lambda: rules(RemoteAddress=["LocalSubnet", "10.0.0.0/8"]),
    "SERVER-RESET": lambda: server_interface(Forwarding="Disabled", Advertising="Disabled"),
    "SERVER-FORWARDING": lambda: server_interface(Forwarding="Disabled"),
    "SERVER-ADVERTISING": lambda: server_interface(Advertising="Disabled"),
    "SERVER-ROUTE-UNPUBLISHED": lambda: changed(SERVER, "routes", lambda rows: [rows[0] | {"Publish": "No"}]),
    "SERVER-NO-DEFAULT": lambda: server_interface(AdvertiseDefaultRoute="Disabled"),
    "SERVER-NO-ISATAP": lambda: changed(
        changed(changed(SERVER, "adapters", [CARD]), "interfaces", [interface(12)]), "addresses", []),
    "SERVER-SEVERAL": lambda: changed(
        changed(SERVER, "adapters", lambda rows: [*rows, ISATAP | {"ifIndex": 16, "Name": "isatap.{2}"}]),
        "addresses", lambda rows: [*rows, {"IPAddress": "fe80::5efe:10.9.0.1%16", "InterfaceIndex": 16}]),
    "SERVER-NAMED-BY-SUFFIX": lambda: changed(
        SERVER, "adapters", lambda rows: [rows[0], rows[1] | {"Name": "isatap.corp.example"}]),
    "SERVER-PUBLIC-INSIDE": lambda: changed(
        SERVER, "addresses", lambda rows: [*rows, {"IPAddress": "fe80::200:5efe:8.8.8.8%15", "InterfaceIndex": 15}]),
    "SERVER-PREFIX-DIFFERS": lambda: farm(InternalIPv6Prefix=["fd12:3456:789a:5::/64"]),
    "FARM-EXTERNAL": lambda: farm(
        LoadBalancing="ThirdParty", ClientIPv6Prefix="fd12:3456:789a:1000::/59", TeredoState="Disabled"),
    "FARM-NLB-NAMES": lambda: farm(LoadBalancing="WindowsNLB", ClientIPv6Prefix="fd12:3456:789a:1000::/59"),
    "FARM-CLIENT-PREFIX": lambda: lookups(
        farm(LoadBalancing="WindowsNLB"), (NAME, "A", ["10.0.0.1", "10.0.0.2", "10.0.0.3"])),
    "DNS-BLOCKED": lambda: isatap(DNS, "Default", "isatap"),
    "DNS-BLOCK-LIST-OPEN": lambda: changed(DNS, "blockList", [{"Enable": True, "List": ["wpad"]}]),
    "DNS-NO-AAAA": lambda: lookups(
        MANAGER, (NAME, "A", ["10.0.0.1"]), ("laptop", "A", ["10.0.1.77"]), ("laptop", "AAAA", [])),
    "DNS-STALE-ISATAP": lambda: lookups(
        MANAGER, (NAME, "A", ["10.0.0.1"]), ("pc", "AAAA", ["fd12:3456:789a:1:0:5efe:10.0.1.99"])),
    "DNS-REGISTRATION-OFF": lambda: registry(CLIENT, DNSCACHE, "DisableNRPTForAdapterRegistration", 1),
    "PREFER-STALE-A": lambda: lookups(
        MANAGER, (NAME, "A", ["10.0.0.1"]), ("laptop", "A", ["10.0.1.77"]),
        ("laptop", "AAAA", ["fd12:3456:789a:1000::10"])),
    "PREFER-NOWHERE": lambda: changed(
        changed(MANAGER, "prefixPolicies", [line for line in POLICIES if "fc00" not in line]), "routes",
        [{"DestinationPrefix": "::/0", "NextHop": "fe80::5efe:10.0.0.1", "InterfaceIndex": 15, "Publish": "No"}]),
    "RESOLVER-1511": lambda: build(MANAGER, 10586),
    "IPHTTPS-CERTIFICATE": lambda: code(0x103),
    "IPHTTPS-NAME": lambda: code(0x2AF9),
    "IPHTTPS-NO-DATA": lambda: code(0x2AFC),
    "IPHTTPS-TIMEOUT": lambda: code(0x274C),
    "IPHTTPS-CREATE": lambda: code(0x34),
    "IPHTTPS-INSTALL": lambda: code(0x643),
    "IPHTTPS-OTHER": lambda: code(0x57),
    "IPHTTPS-OFF": lambda: registry(CLIENT, IPHTTPS, "IPHTTPS_ClientState", 3),
    "NRPT-GATEWAY": lambda: changed(
        without_nrpt("gateway.corp.example"), "iphttps", code(0x2AF9)["sections"]["iphttps"]),
    "NRPT-LOCATION": lambda: without_nrpt("nls.corp.example"),
    "NRPT-MISSING": lambda: changed(CLIENT, "nrpt", []),
    "LOCATION-STRANDED": lambda: changed(
        code(0x274C), "suffixes", [{"InterfaceIndex": 8, "ConnectionSpecificSuffix": "corp.example"}]),
    "TEREDO-OFFLINE": lambda: changed(
        CLIENT, "teredoState", [{"State": "offline", "Error": "client is in a managed network"}]),
    "FIREWALL-PROFILE": lambda: rules(Profile="Domain", RemoteAddress=["fd12:3456:789a:1:0:5efe::/96"]),
    "FIREWALL-CLOSED": lambda: changed(CLIENT, "rules", []),
    "FIREWALL-SCOPE": lambda: rules(RemoteAddress=["fd12:3456:789a:1:0:5efe::/96"]),
    "FIREWALL-EDGE": lambda: rules(EdgeTraversalPolicy="Block"),
    "SERVER-CLIENTS-CUT": lambda: clients_interface(Forwarding="Disabled"),
    "ISATAP-OFF-BIT": lambda: registry(without_address(MANAGER), PARAMETERS, "DisabledComponents", 0x04),
    "TEREDO-OFF-BIT": lambda: registry(CLIENT, PARAMETERS, "DisabledComponents", 0x08),
    "IPV6-CARDS-OFF": lambda: registry(MANAGER, PARAMETERS, "DisabledComponents", 0x10),
    "ISATAP-OVER-CLAT": lambda: clat_only(),
    "ISATAP-SEVERAL-ROUTERS": lambda: lookups(MANAGER, (NAME, "A", ["10.0.0.1", "10.0.0.2"])),
    "FARM-EXTERNAL-NAMES": lambda: lookups(
        farm(LoadBalancing="ThirdParty", ClientIPv6Prefix="fd12:3456:789a:1000::/59", TeredoState="Disabled"),
        (NAME, "A", ["10.0.0.1", "10.0.0.2"])),
    "PREFER-TABLE-LOST": lambda: changed(MANAGER, "prefixPolicies", ["45 14 fd12:3456:789a::/48", "35 6 2001::/16"]),
    "NRPT-OVERRIDDEN": lambda: with_facts(CLIENT, nrpt_policy=Seen(0, "DnsPolicyConfig: empty")),
    "IPSEC-NONE": lambda: with_facts(
        changed(CLIENT, "location", []), ipsec=Seen(0, "Get-NetIPsecMainModeSA: nothing")),
    "IPHTTPS-UNTRUSTED": lambda: code(0x800B0109),
    "IPHTTPS-EXPIRED": lambda: code(0x800B0101),
    "IPHTTPS-WRONG-NAME": lambda: code(0x800B010F),
    "IPHTTPS-REVOCATION": lambda: code(0x80092013),
    "IPHTTPS-REVOKED": lambda: code(0x800B010C),
    "IPHTTPS-WRONG-USAGE": lambda: code(0x800B0110),
    "IPHTTPS-TLS": lambda: code(0x80090331),
    "IPHTTPS-REFUSED": lambda: code(0x274D),
    "IPHTTPS-NO-WAY": lambda: code(0x2751),
    "IPHTTPS-UNREACHED": lambda: with_facts(
        code(0), tcp={("gateway.corp.example", 443): Reached(False, "Test-NetConnection gateway.corp.example: False")}),
    "SERVER-HEALTH": lambda: with_facts(SERVER, health={"isatap": Seen("error", "Isatap Error")}),
    "IPHTTPS-PROXY": lambda: with_facts(code(0x2AF9), proxy=Seen("proxy:8080", "Proxy Server(s) :  proxy:8080")),
    **fact_cases.CASES,
}  # fmt: skip


def with_facts(bundle: Bundle, **fields: object) -> Facts:
    """Beside the bundle, what no section of it holds."""
    found = facts(bundle)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def clat_only() -> Bundle:
    """In a network without IPv4."""
    rows = [
        {"IPAddress": "192.0.0.2", "InterfaceIndex": 12},
        {"IPAddress": "fe80::5efe:192.0.0.2%15", "InterfaceIndex": 15},
    ]
    return changed(MANAGER, "addresses", rows)


NSLOOKUP = """C:\\>netsh namespace show effectivepolicy

DNS Effective Name Resolution Policy Table Settings

Settings for .corp.example
----------------------------------------------------------------------
DirectAccess (DNS Servers)              : fd12:3456:789a:3333::1

C:\\>nslookup app.corp.example
Server:  router.home
Address:  192.168.1.1

*** app.corp.example: Non-existent domain
"""


def pasted(text: str, cut: str = "") -> Facts:
    """Of a console; ``cut``: a prompt stands before each line that begins so."""
    found = Facts("(pasted)")
    lines = [
        f"C:\\>ipconfig /all\n{line}" if cut and line.startswith(cut) else line for line in text.split("\n")
    ]
    read_text.read(found, "\n".join(lines).split("\n"))
    return found


def taken(when: object) -> Facts:
    found = Facts("x", read_at=1_800_000_000.0)
    read_json.read(found, json.dumps(MANAGER | {"taken": when}))
    return found


def native() -> Bundle:
    """A server in an intranet with IPv6 of its own."""
    made = json.loads(json.dumps(SERVER).replace("fd12:3456:789a", "2a00:1450:9"))
    return copy.deepcopy(made)


def skewed() -> Bundle:
    """Seven minutes behind the domain controller, as w32tm says it."""
    return changed(CLIENT, "clock", ["Tracking DC1 [10.0.0.10:123].", "12:00:00, +420.0123456s"])


def read(case: Bundle | Facts) -> Facts:
    return case if isinstance(case, Facts) else facts(case)


def codes(case: Bundle | Facts) -> list[str]:
    return [finding.code for finding in diagnose([read(case)])]


BESIDE: dict[str, set[str]] = {"IPV6-WRONG-VALUE": {"TUNNELS-OFF"}}
"""Where a second finding is right beside the first."""


def theme(name: str) -> list[str]:
    """The codes of a module of rules."""
    return sorted(MODULES[name].codes())


def alone(code: str) -> bool:
    """Whether the rule's case is named, and its consequences are not."""
    return set(codes(CASES[code]())) == {code} | BESIDE.get(code, set())
