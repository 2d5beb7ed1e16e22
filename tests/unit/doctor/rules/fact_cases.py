"""Cases of rules on what no section of the collector holds: facts as a text gives them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from manageout.doctor.facts import Facts, Filtered, Lookup, Ping, Reached, Seen, Told, Unreached
from manageout.windows.policies import CONNECTIVITY

TARGET, HOP = IPv6Address("2001:db8:77:d000::9"), IPv6Address("2001:db8:77:ff::2")
CASES: dict[str, Callable[[], Facts]] = {
    "IPSEC-SERVICE": lambda: Facts("x", services={"mpssvc": Seen(False, "service mpssvc: Stopped")}),
    "LOCATION-ASSISTANT": lambda: Facts("x", services={"ncasvc": Seen(False, "service NcaSvc: Stopped")}),
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
    "PATH-NO-NEIGHBOUR": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "host", "line")]),
    "PATH-LOOP": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "loop", "line")]),
    "PATH-SILENT": lambda: Facts("x", unreached=[Unreached(TARGET, HOP, "silent", "line")]),
    "POLICY-DENIED": lambda: Facts("x", filtered=[Filtered("DA Clients", "security", "line")]),
    "POLICY-WMI": lambda: Facts("x", filtered=[Filtered("DA Clients", "wmi", "line")]),
    "POLICY-DISABLED": lambda: Facts("x", filtered=[Filtered("DA Clients", "disabled", "line")]),
}
