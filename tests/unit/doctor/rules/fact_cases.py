"""Cases of rules on what no section of the collector holds: facts as a text gives them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.doctor.facts import (
    Dropped,
    Facts,
    Filtered,
    FirewallRule,
    Interface,
    Linked,
    Lookup,
    NrptRule,
    Ping,
    PolicyVersion,
    Reached,
    Seen,
    Told,
    Unreached,
)
from manageout.windows.policies import CONNECTIVITY, IPHTTPS, NRPT, TRANSITION


def of_server(sites: int | None = None, **said: str) -> Facts:
    held = {name: Seen(value, f"Get-RemoteAccess: {name} {value}") for name, value in said.items()}
    return Facts("x", role="server", sites=sites, remote_access=held)


TARGET, HOP = IPv6Address("2001:db8:77:d000::9"), IPv6Address("2001:db8:77:ff::2")
CASES: dict[str, Callable[[], Facts]] = {
    "IPSEC-SERVICE": lambda: Facts("x", services={"mpssvc": Seen(False, "service mpssvc: Stopped")}),
    "LOCATION-ASSISTANT": lambda: Facts("x", services={"ncasvc": Seen(False, "service NcaSvc: Stopped")}),
    "LOCATION-EXPIRED": lambda: Facts(
        "x",
        read_at=1.8e9,
        registry={
            (CONNECTIVITY.lower(), "domainlocationdeterminationurl"): Seen("https://nls.corp.example/", "url")
        },
        store=[Seen(1e9, "CN=nls.corp.example: NotAfter 9/9/2001")],
    ),
    "POLICY-VALUE": lambda: Facts(
        "x", registry={(TRANSITION.lower(), "teredo_state"): Seen("Enterprise", "line")}
    ),
    "NRPT-OPTIONS": lambda: Facts(
        "x",
        registry={
            (f"{NRPT.lower()}\\{{1}}", "configoptions"): Seen(2, "ConfigOptions 2"),
            (f"{NRPT.lower()}\\{{1}}", "directaccessdnsservers"): Seen(
                "fd00::1", "DirectAccessDNSServers fd00::1"
            ),
        },
    ),
    "FIREWALL-MISSING": lambda: Facts("x", nothing={"rule:rdp": "show rule name=rdp: No rules match"}),
    "FIREWALL-SECURITY": lambda: Facts(
        "x",
        firewall=[
            FirewallRule("TCP", ("3389",), frozenset({"public"}), (), True, "rule", "rdp", secured=True)
        ],
    ),
    "LOCATION-REFUSED": lambda: Facts(
        "x", tls={"nls.corp.example": Seen("untrusted", "curl https://nls.corp.example/: untrusted root")}
    ),
    "LOCATION-UNREACHED": lambda: Facts(
        "x",
        registry={
            (CONNECTIVITY.lower(), "domainlocationdeterminationurl"): Seen("https://nls.corp.example/", "url")
        },
        tcp={("nls.corp.example", 443): Reached(False, "TcpTestSucceeded False", IPv4Address("10.0.0.9"))},
    ),
    "SERVER-CERTIFICATE-ENDED": lambda: Facts(
        "x", role="server", read_at=1.8e9, certificates={"SslCertificate": Seen(1e9, "[Not After] 1/1/2001")}
    ),
    "SERVER-SETTINGS-ONLY": lambda: Facts(
        "x", role="server", load_balancing=Seen("none", "LoadBalancing Disabled")
    ),
    "PATH-UNANSWERED": lambda: Facts("x", pings=[Ping(TARGET, True, False, "Request timed out.")]),
    "DNS-IPV4-LITERAL": lambda: Facts(
        "x",
        pings=[
            Ping(IPv4Address("10.0.0.9"), True, False, "General failure"),
            Ping(IPv6Address("fd12:3456:789a:7777::a00:9"), False, True, "Reply"),
        ],
    ),
    "CLOCK-FREE": lambda: Facts("x", clock_free=Seen(True, "Source: Local CMOS Clock")),
    "IPHTTPS-OWN-CERTIFICATE": lambda: Facts("x", read_at=1.8e9, store=[Seen(1e9, "NotAfter: 3/28/2001")]),
    "NETWORK-NO-IPV4": lambda: Facts(
        "x",
        pings=[Ping(IPv4Address("10.0.0.9"), True, False, "General failure", unsent=True)],
        told=Told(six_only="the hotspot is IPv6 only"),
    ),
    "FARM-NODE-ADDRESS": lambda: Facts(
        "x",
        lookups=[
            Lookup("nls.corp.example", "", (IPv4Address("10.0.0.11"),), "", "nls.corp.example 10.0.0.11")
        ],
        told=Told(nodes={IPv4Address("10.0.0.11"): "node"}, virtual={IPv4Address("10.0.0.10"): "VIP"}),
    ),
    "ISATAP-NAME-ELSEWHERE": lambda: Facts(
        "x",
        lookups=[Lookup("isatap-mo.corp.example", "", (IPv4Address("10.0.0.11"),), "", "10.0.0.11")],
        told=Told(addresses={IPv4Address("10.0.0.10"): "the DA server is edge1, 10.0.0.10"}),
    ),
    "FIREWALL-PORT": lambda: Facts(
        "x", tcp={("laptop7.corp.example", 3389): Reached(False, "PingSucceeded True", pinged=True)}
    ),
    "PATH-NO-ROUTE": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "net", "line")]),
    "PATH-WRONG-NODE": lambda: Facts(
        "x",
        unreached=[Unreached(TARGET, IPv6Address("fd12:3456:789a:1:0:5efe:a00:b"), "net", "line")],
        lookups=[
            Lookup("isatap.corp.example", "", (IPv4Address("10.0.0.11"), IPv4Address("10.0.0.12")), "", "two")
        ],
    ),
    "MANAGER-NOT-LISTED": lambda: Facts(
        "x", management={"dc1.corp.example": "MgmtServer dc1"}, told=Told(logon="only after logon")
    ),
    "PATH-NO-NEIGHBOUR": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "host", "line")]),
    "PATH-LOOP": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "loop", "line")]),
    "PATH-SILENT": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "silent", "line")]),
    "POLICY-DENIED": lambda: Facts("x", filtered=[Filtered("DA Clients", "security", "line")]),
    "POLICY-WMI": lambda: Facts("x", filtered=[Filtered("DA Clients", "wmi", "line")]),
    "POLICY-LINK": lambda: Facts(
        "x", links=[Linked("a-guid", False, "gPLink")], policy_names={"a-guid": "ISATAP hosts"}
    ),
    "POLICY-NOBODY": lambda: Facts("x", filtered=[Filtered("DA Clients", "nobody", "DA Clients: line")]),
    "POLICY-BLOCKED": lambda: Facts("x", blocked=[Seen((), "gPOptions 1")]),
    "POLICY-BEHIND": lambda: Facts("x", filtered=[Filtered("DA Clients", "behind", "line")]),
    "POLICY-VERSION": lambda: Facts(
        "x", policy_versions=[PolicyVersion("", "ISATAP hosts", 65536, False, "versionNumber 65536")]
    ),
    "SERVER-WITHOUT-DIRECTACCESS": lambda: Facts("x", no_feature="DirectAccess-VPN (NameDoesNotExist)"),
    "POLICY-DISABLED": lambda: Facts("x", filtered=[Filtered("DA Clients", "disabled", "line")]),
    "FIREWALL-SCOPE-ELSEWHERE": lambda: Facts(
        "x",
        firewall=[
            FirewallRule(
                "TCP", ("3389",), frozenset({"public"}), ("fd12:3456:789a:9::/64",), None, "rule RDP"
            )
        ],
        told=Told(hosts={IPv6Address("fd12:3456:789a:1:0:5efe:a00:9"): "helpdesk has it"}),
    ),
    "LOCATION-PUBLIC": lambda: Facts(
        "x",
        inside=Seen(True, "Machine Location: Inside"),
        registry={
            (CONNECTIVITY.lower(), "domainlocationdeterminationurl"): Seen("https://nls.corp.example/", "url")
        },
        tcp={("nls.corp.example", 443): Reached(True, "200", IPv4Address("203.0.113.9"))},
    ),
    "EDITION": lambda: Facts("x", role="client", edition=Seen("Windows 11 Pro", "OS: Windows 11 Pro")),
    "ISATAP-POLICY-KEY": lambda: Facts(
        "x",
        registry={
            (r"software\policies\microsoft\tcpip\v6transition", "isatap_state"): Seen(
                "Enabled", "ISATAP_State"
            )
        },
    ),
    "ISATAP-POLICY-TYPE": lambda: Facts(
        "x", registry={(TRANSITION.lower(), "isatap_state"): Seen(2, "ISATAP_State 0x2")}
    ),
    "NRPT-ALWAYS": lambda: Facts("x", nrpt_for=Seen("enableda", "EnableDAForAllNetworks EnableDA")),
    "SERVER-TWO-GATEWAYS": lambda: Facts(
        "x",
        role="server",
        gateways={
            ("10.0.0.2", IPv4Address("10.0.0.1")): "0.0.0.0 10.0.0.1",
            ("203.0.113.2", IPv4Address("203.0.113.1")): "0.0.0.0 203.0.113.1",
        },
    ),
    "SERVER-EXTERNAL-DOMAIN": lambda: Facts(
        "x", role="server", categories={"wan": Seen("domainauthenticated", "WAN DomainAuthenticated")}
    ),
    "SERVER-INTERNAL-PUBLIC": lambda: Facts(
        "x", role="server", categories={"lan": Seen("public", "LAN Public")}
    ),
    "SERVER-DNS64-RULES": lambda: Facts(
        "x",
        role="server",
        internal_prefix=Seen(IPv6Network("fd12:3456:789a:1::/64"), "InternalIPv6Prefix"),
        interfaces=[Interface("Office")],
        dns64_rules={"0FDEEC95": Seen((IPv6Address("fdaa:3456:789a:3333::1"),), "LocalAddress")},
    ),
    "SERVER-OLD-ADDRESS": lambda: Facts(
        "x",
        role="server",
        internal_prefix=Seen(IPv6Network("2002:836b:1:1::/64"), "InternalIPv6Prefix"),
        interfaces=[Interface("Outside", ipv4=[IPv4Address("203.0.113.7")])],
    ),
    "NRPT-OLD-PREFIX": lambda: Facts(
        "x",
        role="client",
        interfaces=[Interface("tunnel", "iphttps", ipv6=[IPv6Address("fd12:3456:789a:1000::9")])],
        nrpt=[NrptRule(".corp.example", ("fdaa:3456:789a:3333::1",), "rule")],
    ),
    "FARM-NODE-DOWN": lambda: Facts("x", farm_nodes={"da2": Seen("stopped", "DA2: Stopped")}),
    "SERVER-OLD-PREFIX": lambda: Facts(
        "x",
        role="server",
        internal_prefix=Seen(IPv6Network("fd12:3456:789a:1::/64"), "InternalIPv6Prefix"),
        interfaces=[Interface("Office")],
        translated=[Seen(IPv6Network("fdaa:3456:789a:7777::/96"), "PrefixMapping")],
    ),
    "SERVER-TEREDO-NAT": lambda: of_server(teredostate="Enabled", isnatdeployed="True"),
    "SERVER-MANAGE-OUT-ONLY": lambda: of_server(dainstalltype="ManageOut"),
    "SERVER-ALL-COMPUTERS": lambda: of_server(clientsecuritygroupnamelist=r"CORP\Domain Computers"),
    "SERVER-DOWNLEVEL": lambda: of_server(downlevel="Enabled", computercertauthentication="Disabled"),
    "SERVER-MULTISITE-CERTIFICATES": lambda: of_server(2, computercertauthentication="Disabled"),
    "SERVER-NAP": lambda: of_server(healthcheck="Enabled"),
    "SERVER-FORCE-TUNNEL": lambda: of_server(forcetunnel="Enabled"),
    "SERVER-CONNECT-NAME": lambda: of_server(connecttoaddress="edge.corp.local"),
    "SERVER-LOCATION-WILDCARD": lambda: of_server(nlscertificate="[Subject] CN=*.corp.example"),
    "SERVER-LOCATION-UNREACHED": lambda: of_server(nlsreachability="Not reachable"),
    "BINDING": lambda: Facts("x", bound=Seen("aa" * 20, "hash"), bound_to=Seen("bb" * 20, "SslCertificate")),
    "CERTIFICATE-NONE": lambda: Facts("x", nothing={"cert:my": "dir Cert: nothing"}, held={}),
    "IPSEC-CREDENTIALS": lambda: Facts("x", ike=[Seen("credentials", "IKE authentication credentials")]),
    "CERTIFICATE-NO-KEY": lambda: Facts("x", keyless=["CN=lt-44: HasPrivateKey False"]),
    "POLICY-EXTENSION": lambda: Facts(
        "x", extensions=[Seen("ISATAP hosts", "[{35378EAC-...}{D02B1F72-...}]")]
    ),
    "POLICY-UNREAD": lambda: Facts("x", logged={"policy": Seen(1129, "event 1129")}),
    "TLS-EVENTS": lambda: Facts("x", logged={"tls": Seen(36874, "event 36874")}),
    "TLS-KEY": lambda: Facts("x", logged={"tls-key": Seen(36870, "event 36870")}),
    "IPSEC-EVENTS": lambda: Facts("x", logged={"ipsec": Seen(4653, "event 4653")}),
    "REGISTRATION-EVENTS": lambda: Facts("x", logged={"registration": Seen(8018, "event 8018")}),
    "NRPT-DISCONNECTED": lambda: Facts(
        "x", nrpt=[], iphttps_error=Seen(0, "0x0"), iphttps_status=Seen("IPHTTPS interface active", "active")
    ),
    "NRPT-NO-DOT": lambda: Facts(
        "x",
        nrpt=[
            NrptRule("corp.example", ("fd12:3456:789a:3333::1",), "corp.example"),
            NrptRule("nls.corp.example", (), "nls.corp.example"),
        ],
    ),
    "LOCATION-NOT-SET-UP": lambda: Facts(
        "x", nothing={"get-daconnectionstatus": "Get-DAConnectionStatus: nothing"}
    ),
    "CLIENT-FORCE-TUNNEL": lambda: Facts(
        "x", registry={(TRANSITION.lower(), "force_tunneling"): Seen("Enabled", "Force_Tunneling Enabled")}
    ),
    "IPHTTPS-POLICY-VALUE": lambda: Facts(
        "x", registry={(IPHTTPS.lower(), "iphttps_clientstate"): Seen(1, "IPHTTPS_ClientState 0x1")}
    ),
    "SERVER-NAT64-POOL": lambda: Facts("x", nat64_pool=Seen(False, "IPv4AddressPortPool empty")),
    "SITE-CLIENT-PREFIXES": lambda: Facts(
        "x",
        entry_points={
            "Lyon": {"clientipv6prefix": Seen("2001:db8:2:1000::/59", "Lyon: ClientIPv6Prefix")},
            "Madrid": {"clientipv6prefix": Seen("2001:db8:2:1010::/64", "Madrid: ClientIPv6Prefix")},
        },
    ),
    "TEREDO-PAIR": lambda: Facts(
        "x",
        role="server",
        teredo_server=Seen(True, "TeredoState Enabled"),
        interfaces=[Interface("Internet", ipv4=[IPv4Address("81.169.20.10"), IPv4Address("81.169.20.13")])],
    ),
    "SITE-RANGE": lambda: Facts("x", site_ranges=[Seen(("2001:db8:2:1::/64",), "Paris: EntryPointRange")]),
    "FIREWALL-DROPS": lambda: Facts(
        "x", dropped=[Dropped("41", None, "10.0.0.5", "10.0.0.1", True, "DROP 41")]
    ),
    "PATH-FILTERED": lambda: Facts(
        "x", denied=[Dropped("41", None, "10.0.0.5", "10.0.0.1", None, "Deny protocol 41")]
    ),
    "SERVER-NO-ROUTER": lambda: Facts(
        "x",
        role="server",
        internal_prefix=Seen(IPv6Network("2001:db8:9::/48"), "InternalIPv6Prefix"),
        interfaces=[Interface("Ethernet", ipv4=[IPv4Address("10.0.0.1")])],
        told=Told(complaint="ISATAP does not get beyond fe80"),
    ),
}
