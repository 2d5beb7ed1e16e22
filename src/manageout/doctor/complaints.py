"""What people complain of and what Windows shows, in their words -> the causes that the doctor knows, or why it cannot.

The reference page is made of this table. Comments are those of Hicks, "ISATAP Recommendations for DirectAccess
Deployments" (2013 to 2020), by thread; the other entries are faults that Windows' documentation and its users describe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Complaint(NamedTuple):
    """``instead``: by design, or what evidence cannot show, and where to look. ``threads``: who asked."""

    words: str
    codes: str = ""
    """Separated by blanks."""
    instead: str = ""
    threads: tuple[int, ...] = ()


HOSTS = (
    Complaint(
        "Only an fe80 address on the ISATAP adapter, though the router's name resolves and answers ping",
        "ISATAP-LINK-LOCAL-ONLY ISATAP-DISCOVERY-OFF SERVER-FORWARDING SERVER-ADVERTISING SERVER-ROUTE-UNPUBLISHED "
        "LIVE-ROUTER-SILENT LIVE-ROUTER-NO-PREFIX",
        threads=(10, 11, 12, 15, 20),
    ),
    Complaint(
        "Only an fe80 address: the name does not resolve", "ISATAP-NO-NAME ISATAP-NO-ROUTER LIVE-NAME-MISSING"
    ),
    Complaint(
        "An address, but no default gateway, or no route to the clients",
        "ISATAP-NO-ROUTE ISATAP-NO-GATEWAY SERVER-NO-DEFAULT LIVE-ROUTER-NO-ROUTE",
        threads=(10, 15),
    ),
    Complaint("The adapter says 'Media disconnected'", "ISATAP-DISCONNECTED ISATAP-DEFAULT ISATAP-NO-NAME"),
    Complaint(
        "There is no ISATAP adapter",
        "ISATAP-NO-ADAPTER ISATAP-DEFAULT ISATAP-DISABLED TUNNELS-OFF IPHLPSVC-STOPPED SERVER-NO-ISATAP",
        threads=(20,),
    ),
    Complaint(
        "The router's name is set and nothing happens (since Windows 10 1703)",
        "ISATAP-DEFAULT ISATAP-POLICY-DEFAULT ISATAP-POLICY-OFF",
    ),
    Complaint(
        "The record 'isatap' exists, but queries get no answer",
        "ISATAP-NAME-BLOCKED DNS-BLOCKED ISATAP-BARE-NAME LIVE-NAME-BLOCKED",
    ),
    Complaint(
        "Several isatap.{GUID} adapters, one of a VPN, one named after the domain: which one, which index?",
        "ISATAP-SEVERAL SERVER-SEVERAL SERVER-NAMED-BY-SUFFIX",
        threads=(12, 21, 22, 23),
    ),
    Complaint("The router has moved in the DNS; hosts follow the old one for a day", "ISATAP-OLD-ROUTER"),
    Complaint("The ISATAP interfaces vanish: IP Helper is stopped", "IPHLPSVC-STOPPED"),
    Complaint(
        "DisabledComponents, left by an old policy; event 'Unable to update the IP address on ISATAP', 0x490",
        "TUNNELS-OFF ISATAP-OFF-BIT TEREDO-OFF-BIT IPV6-CARDS-OFF ISATAP-EVENT-490 IPV6-WRONG-VALUE PREFER-IPV4",
    ),
    Complaint("Left-over hidden adapters", "ISATAP-NO-ADAPTER IPHTTPS-CREATE IPHTTPS-INSTALL"),
    Complaint("ISATAP from behind a NAT", "ISATAP-BEHIND-NAT"),
    Complaint("ISATAP in a network without IPv4, where Windows has a CLAT", "ISATAP-OVER-CLAT"),
    Complaint(
        "A firewall between host and router drops IP protocol 41",
        "ISATAP-LINK-LOCAL-ONLY LIVE-ROUTER-FILTERED LIVE-FILTER-41 LIVE-ROUTER-SILENT",
    ),
    Complaint("Small packets pass, large ones do not", "ISATAP-MTU LIVE-MTU-BLACK-HOLE LIVE-MTU-SMALL"),
    Complaint("Managing out works from Windows 7 but not from Windows 10 before 1703", "RESOLVER-1511"),
    Complaint(
        "Works by IPv6 address, slow or wrong by name",
        "PREFER-STALE-A PREFER-IPV4 PREFER-TABLE-LOST LIVE-RECORD-STALE DNS-NO-AAAA",
    ),
    Complaint("Since a prefix policy was added, IPv4 comes first everywhere", "PREFER-TABLE-LOST"),
    Complaint(
        "ISATAP for everybody made the Internet slow, and nobody can see the traffic",
        "PREFER-NOWHERE ISATAP-BARE-NAME DNS-BLOCK-LIST-OPEN LIVE-NAME-PUBLIC",
        "The traffic: `manageout hosts` and `manageout sessions` on our router show it.",
        threads=(5, 18),
    ),
    Complaint("A workstation with ISATAP forwards or advertises", "ISATAP-FORWARDS"),
    Complaint(
        "The administrator is a remote client himself and wants to manage out",
        "ISATAP-CLIENT-TOO",
        threads=(17,),
    ),
)
SERVERS = (
    Complaint(
        "Forwarding, advertising and the published route are gone after every restart (2016 and later)",
        "SERVER-RESET SERVER-FORWARDING SERVER-ADVERTISING SERVER-ROUTE-UNPUBLISHED",
        threads=(20, 22),
    ),
    Complaint(
        "The server has no ISATAP device, or only adapters with fe80",
        "SERVER-NO-ISATAP SERVER-SEVERAL SERVER-HEALTH",
        "",
        (20,),
    ),
    Complaint("Set-NetIPInterface fails with 'Windows System Error 87'", "SERVER-ERROR-87", threads=(21,)),
    Complaint(
        "The start-up script fails: the index is null (Server Core, two cards, a DNS suffix)",
        "SERVER-SCRIPT-NULL SERVER-NAMED-BY-SUFFIX",
        threads=(22, 23),
    ),
    Complaint(
        "Microsoft's support: ISATAP is not supported on 2019, use NAT64 or native IPv6",
        "SERVER-RESET SERVER-NO-ISATAP",
        "It is so. Our router stands in front of the farm (`manageout import`), and a lease serves managers without "
        "ISATAP.",
        threads=(21, 24),
    ),
    Complaint("The console or Get-RemoteAccessHealth shows a component in red or yellow", "SERVER-HEALTH"),
    Complaint("Get-RemoteAccess or Get-DAServer is all that there is", "SERVER-SETTINGS-ONLY"),
    Complaint("A policy for workstations switches ISATAP off on the server", "SERVER-POLICY-OFF"),
    Complaint("A public IPv4 address on the internal card", "SERVER-PUBLIC-INSIDE"),
    Complaint("The router's name is not published", "SERVER-NAME-UNPUBLISHED DNS-BLOCKED"),
    Complaint(
        "Hosts form addresses in a prefix that nobody routes back",
        "SERVER-PREFIX-DIFFERS LIVE-ROUTER-OTHER-PREFIX",
    ),
    Complaint("Clients reach no IPv4 server: NAT64 or DNS64 is off", "SERVER-TRANSLATION-OFF"),
    Complaint("Clients connect, and get no address or reach nothing at all", "SERVER-CLIENTS-CUT"),
    Complaint("Servers without IPv4 are not found through DNS64", "SERVER-DNS64-ONLY-A"),
    Complaint(
        "One server is fine; behind a load balancer or in multisite managing out breaks: how to route to each node?",
        "FARM-EXTERNAL FARM-EXTERNAL-NAMES FARM-CLIENT-PREFIX ISATAP-SEVERAL-ROUTERS",
        "`manageout plan` names what works in each topology, with the routes for each node.",
        threads=(1, 13, 14, 15, 19),
    ),
    Complaint("With NLB hosts get no gateway from the second node", "FARM-NLB-NAMES", "", (10,)),
    Complaint("Teredo clients behind a load balancer cannot be called", "FARM-TEREDO"),
    Complaint(
        "The load balancer's vendor wants ISATAP removed first",
        instead="Not a fault. `manageout retire` shows who would miss it, and takes it away step by step.",
    ),
    Complaint(
        "The servers lack a route back to the ISATAP prefix of a router before the farm",
        instead="The evidence of a server does not say where that router is. `manageout plan` prints the routes that "
        "each server needs; compare with Get-NetRoute there.",
    ),
    Complaint(
        "Enabling load balancing fails",
        instead="It happens in the wizard, and leaves nothing behind that could be collected. Known cure: leave the "
        "IPv6 addresses out of the Set-RemoteAccessLoadBalancer command that it shows.",
    ),
    Complaint(
        "After a change of the internal prefix clients' DNS queries are dropped by the server",
        instead="The server's own firewall rules are not collected. Look at the rules whose names are "
        "0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A and 24FD98AA-178E-4B01-9220-D0DADA9C8503: LocalAddress must be the DNS64 "
        "address.",
    ),
)
NAMES = (
    Complaint(
        "Clients have no AAAA record: ping by address works, by name not",
        "DNS-NO-AAAA DNS-REGISTRATION-OFF LIVE-RECORD-MISSING",
        threads=(11, 12),
    ),
    Complaint(
        "Registration comes late, or the zone takes secure updates only",
        "DNS-NO-AAAA",
        "How late is not in the evidence. Our gateway registers its clients itself (`[names]`), within seconds.",
        threads=(12,),
    ),
    Complaint(
        "Years after ISATAP was removed its AAAA records are there, and calls run into them",
        "DNS-STALE-ISATAP",
        "All of a zone: `manageout retire census`.",
        threads=(16,),
    ),
    Complaint("A client's old A record of its days in the office", "PREFER-STALE-A LIVE-RECORD-STALE"),
    Complaint("Name servers disagree", "LIVE-NAME-DIFFERS LIVE-NAME-ASTRAY LIVE-DNS-SILENT"),
    Complaint(
        "A printer or switch with IPv4 only and without a name is to be reached by a client",
        instead="Not a fault: call the NAT64 address, which `manageout address nat64` computes.",
        threads=(2, 6, 7, 8),
    ),
    Complaint(
        "The console's column 'ISP address' is empty for IP-HTTPS clients",
        instead="By design: the address inside the tunnel is random and does not tell. `manageout clients` shows both.",
    ),
)
CLIENTS = (
    Complaint("IP-HTTPS error 0x103", "IPHTTPS-CERTIFICATE CLOCK"),
    Complaint("IP-HTTPS error 0x2af9", "IPHTTPS-NAME IPHTTPS-PROXY NRPT-GATEWAY"),
    Complaint("IP-HTTPS error 0x800b0109: the root is not trusted", "IPHTTPS-UNTRUSTED"),
    Complaint(
        "IP-HTTPS error 0x800b0101: the certificate has expired",
        "IPHTTPS-EXPIRED SERVER-CERTIFICATE-ENDED CLOCK",
    ),
    Complaint("IP-HTTPS error 0x800b010f: the certificate is for another name", "IPHTTPS-WRONG-NAME"),
    Complaint(
        "IP-HTTPS error 0x80092013 or 0x800b010c: the revocation list is not reached, or names the certificate",
        "IPHTTPS-REVOCATION IPHTTPS-REVOKED",
    ),
    Complaint("IP-HTTPS error 0x800b0110: the certificate is not for a server", "IPHTTPS-WRONG-USAGE"),
    Complaint("IP-HTTPS error 0x80090326 or 0x80090331: no common TLS", "IPHTTPS-TLS"),
    Complaint("IP-HTTPS error 0x90320: the gateway asks for a certificate", "IPHTTPS-CERTIFICATE"),
    Complaint("IP-HTTPS error 0x274d, 0x2746 or 0x2751", "IPHTTPS-REFUSED IPHTTPS-NO-WAY"),
    Complaint(
        "IP-HTTPS is up, and nothing passes: IPsec does not authenticate",
        "LOCATION-FAILED IPSEC-NONE IPSEC-SERVICE CLOCK",
    ),
    Complaint("IP-HTTPS error 0x2afc", "IPHTTPS-NO-DATA"),
    Complaint(
        "A client answers ping, but remote desktop or another port does not open",
        "FIREWALL-PORT FIREWALL-PROFILE",
    ),
    Complaint(
        "A program that calls an IPv4 address does not work outside; by name it does", "DNS-IPV4-LITERAL"
    ),
    Complaint(
        "IP-HTTPS error 0x274c", "IPHTTPS-TIMEOUT IPHTTPS-UNREACHED LOCATION-STRANDED LIVE-GATEWAY-SILENT"
    ),
    Complaint("IP-HTTPS error 0x34", "IPHTTPS-CREATE"),
    Complaint("IP-HTTPS error 0x643", "IPHTTPS-INSTALL TUNNELS-OFF"),
    Complaint("IP-HTTPS: another error, or 'waiting to reconnect'", "IPHTTPS-OTHER IPHTTPS-OFF"),
    Complaint(
        "A proxy lets nobody through without a password",
        "IPHTTPS-PROXY IPHTTPS-NO-DATA",
        "`netsh winhttp show proxy` shows the proxy of the system account, which IP-HTTPS takes.",
    ),
    Complaint("Teredo is offline, or in a managed network", "TEREDO-OFFLINE"),
    Complaint("IP-HTTPS clients answer ping, Teredo clients do not", "FIREWALL-EDGE", threads=(11,)),
    Complaint(
        "The client's firewall: no rule for managers, wrong profile, wrong scope",
        "FIREWALL-CLOSED FIREWALL-PROFILE FIREWALL-SCOPE FIREWALL-NO-IPV6 FIREWALL-OFF",
        threads=(11,),
    ),
    Complaint("The firewall rules vanish when the DirectAccess wizard is run again", "FIREWALL-CLOSED"),
    Complaint(
        "The rule asks for authentication, and connections fail",
        instead="Connection security rules are not collected: Get-NetIPsecMainModeSA on both machines.",
    ),
    Complaint(
        "Inside, clients believe that they are outside and lose the intranet's names",
        "LOCATION-STRANDED LOCATION-UNREACHED NRPT-LOCATION SERVER-CERTIFICATE-ENDED",
        "The location server's own certificate and revocation list: `manageout doctor --live --gateway URL` looks at "
        "them from the intranet. A wildcard, or a certificate without a subject, is refused by the wizard only.",
    ),
    Complaint(
        "Outside, clients believe that they are inside",
        instead="No client can tell. Open the location server's URL from a foreign network: it must fail.",
    ),
    Complaint(
        "Name rules: none, not whole, wrong server, switched off",
        "NRPT-MISSING IPHTTPS-NO-URL NRPT-IPV4-SERVER NRPT-OFF",
    ),
    Complaint(
        "A VPN's own name rules are dead since there is a group policy with name rules, or an empty one",
        "NRPT-OVERRIDDEN",
    ),
    Complaint("nslookup does not find what programs find", "NRPT-NSLOOKUP"),
    Complaint("Names of the intranet are shown to foreign networks", "NRPT-FALLBACK"),
    Complaint("The user has pressed Disconnect", "NRPT-MISSING"),
    Complaint(
        "A client says 'connecting' at random, a restart cures it",
        "LOCATION-FAILED LOCATION-PROBE LOCATION-NO-PING IPHLPSVC-STOPPED",
        "Between two such moments nothing is wrong: collect while it says so.",
        threads=(18,),
    ),
    Complaint("Clients flap between transports after one of two deployments was removed", "LOCATION-PROBE"),
    Complaint(
        "The client policy does not reach a computer that joined offline",
        "IPHTTPS-NO-URL NRPT-MISSING",
        "Which group a computer is in is not collected: `gpresult /r /scope computer`, and a restart once it is in.",
    ),
    Complaint("Get-DAConnectionStatus: the Network Connectivity Assistant is stopped", "LOCATION-ASSISTANT"),
    Complaint("The clock is wrong, and Kerberos or certificates fail", "CLOCK EVIDENCE-CLOCK LIVE-CLOCK"),
    Complaint("The DNS client service is stopped", "DNSCACHE-STOPPED"),
    Complaint(
        "A client is reached only after its user has logged on",
        instead="What the management servers are is not collected: Get-DAMgmtServer -Type All on the server must list "
        "the manager.",
    ),
    Complaint(
        "Configuration Manager finds no distribution point for remote clients",
        instead="Its boundary groups are in its own database: they need the clients' IPv6 prefixes (`manageout plan`).",
    ),
)
QUESTIONS = (
    Complaint(
        "Do I need ISATAP at all, and on which machines?",
        instead="Only machines that open connections to clients do. `manageout sessions` shows who does, "
        "`manageout retire judge` says who needs it.",
        threads=(3, 4, 5),
    ),
    Complaint(
        "Who uses the ISATAP router now?",
        instead="`manageout hosts` on our router. A Windows router keeps no list.",
        threads=(5,),
    ),
    Complaint(
        "How do I give it to a few machines only, by policy?",
        instead="`manageout rollout gpo`; for single machines `manageout rollout powershell`, netsh or hosts-file.",
    ),
    Complaint(
        "One manager cannot reach one client, and nobody knows why",
        instead="`manageout doctor reach HOST CLIENT`, on the gateway or the router: hop by hop, with the one cause.",
    ),
    Complaint(
        "How do I remove it safely?",
        instead="`manageout retire`, step by step, each with its undo.",
        threads=(16,),
    ),
    Complaint(
        "Remote control and software push to laptops in the field",
        "FIREWALL-CLOSED FIREWALL-NO-IPV6",
        "The machine that starts the connection needs the way out, the console's; agents that poll need nothing.",
        threads=(3, 4),
    ),
    Complaint(
        "DirectAccess is being retired: what next?",
        instead="Our gateway serves the same Windows clients, and managers need no ISATAP (`manageout leases`).",
    ),
)
THEMES = (
    ("Managers and other ISATAP hosts", HOSTS),
    ("DirectAccess servers and farms", SERVERS),
    ("Names", NAMES),
    ("Remote clients", CLIENTS),
    ("Questions that are no faults", QUESTIONS),
)
"""Every complaint by theme."""

_HEAD = """# Complaints and causes

What people say, or Windows shows, and what [`manageout doctor`](../guide/troubleshooting.md) calls its possible causes.
Where nothing that it looks at can show the cause, the last column says why, or what to look at instead. Numbers in
brackets are the comment threads of Hicks, "ISATAP Recommendations for DirectAccess Deployments" (2013 to 2020).
`manageout doctor --explain CODE` says more of a code.
"""


def all_complaints() -> Iterator[Complaint]:
    """Without their themes."""
    for _, complaints in THEMES:
        yield from complaints


def about(code: str) -> list[str]:
    """In what words people complain of what ``code`` finds."""
    return [complaint.words for complaint in all_complaints() if code in complaint.codes.split()]


def complaints_text() -> str:
    """Markdown."""
    parts = [_HEAD]
    for title, complaints in THEMES:
        rows = [_row(complaint) for complaint in complaints]
        parts.append(
            f"## {title}\n\n| said or seen | causes | not seen, or by design |\n|---|---|---|\n"
            + "\n".join(rows)
        )
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _row(complaint: Complaint) -> str:
    threads = f" ({', '.join(map(str, complaint.threads))})" if complaint.threads else ""
    codes = ", ".join(f"`{code}`" for code in complaint.codes.split())
    return f"| {complaint.words}{threads} | {codes} | {complaint.instead} |"
