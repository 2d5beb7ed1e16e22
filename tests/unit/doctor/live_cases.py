"""A healthy gateway, router and host as live facts, and what makes each rule speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.service.probe.results import (
    AdvertisedPrefix,
    AdvertisedRoute,
    Advertisement,
    Certificate,
    ClockReading,
    Crl,
    Daemon,
    DnsAnswer,
    DueRecord,
    Expected,
    GatewayAnswer,
    Judged,
    Live,
    NeighbourState,
    NextHop,
    PathMtu,
    ReversePath,
    RouterAnswer,
)

NOW = 1_800_000_000.0
YEAR = 365 * 86400.0
DNS, OTHER_DNS = "10.0.0.10", "10.0.0.11"
NAME = "manageout-isatap.corp.example"
BARE = "isatap.corp.example"
LAPTOP = "laptop.corp.example"
ROUTER = "10.0.0.1"
LEASE, ADDRESS = "10.0.0.129", "fd12:3456:789a:1000::10"
URL = "https://gateway.corp.example:443/IPHTTPS"
ISATAP = "fd12:3456:789a:1::/64"

RA = Advertisement(
    "fe80::5efe:a00:1",
    0,
    "medium",
    1280,
    (AdvertisedPrefix(ISATAP, 86400, 14400, True),),
    (AdvertisedRoute("fd12:3456:789a:1000::/59", 1800, "medium"),),
    (),
)
FAREWELL = RA._replace(
    prefixes=(AdvertisedPrefix(ISATAP, 7200, 0, True),),
    routes=(AdvertisedRoute("fd12:3456:789a:1000::/59", 0, "medium"),),
)
ANSWER = RouterAnswer(ROUTER, "10.0.1.30", 0.0004, RA)


def answer(name: str, kind: str, *records: str, server: str = DNS, rcode: str = "NOERROR") -> DnsAnswer:
    return DnsAnswer(
        name, kind, server, rcode if records or rcode != "NOERROR" else "NXDOMAIN", records, True
    )


def silent(name: str, kind: str = "A", server: str = DNS) -> DnsAnswer:
    return DnsAnswer(name, kind, server, "", error="no answer in 2 s")


def record(kind: str, wanted: str, *found: str) -> DueRecord:
    name = LAPTOP if kind != "PTR" else "129.0.0.10.in-addr.arpa"
    return DueRecord(LAPTOP, name, kind, (wanted,), (answer(name, kind, *found),))  # type: ignore[arg-type]


CERTIFICATE = Certificate(
    "/etc/manageout/gateway.pem", ("gateway.corp.example",), "CN=Test CA", "1f", NOW - YEAR, NOW + YEAR
)
CRL = Crl("/etc/manageout/crl.pem", "CN=Test CA", NOW - 86400, NOW + YEAR, ("2a",))
GATEWAY = Live(
    "gw1",
    NOW,
    "gateway",
    Expected(NAME, "corp.example", (ROUTER,), ISATAP, 1280, gateway=True, isatap=True, translation=True),
    daemon=Daemon(True),
    servers=(DNS,),
    answers=(answer(NAME, "A", ROUTER), answer(BARE, "A")),
    sysctls=(("net.ipv6.conf.all.forwarding", "1"), ("net.ipv4.ip_forward", "1")),
    reverse_paths=(ReversePath("eth1", True, "10.0.1.30/32", "eth1"),),
    filters=(Judged("protocol 41 in", "protocol 41 10.0.1.30 > 10.0.0.1 from eth1", "accept"),),
    certificates=(CERTIFICATE,),
    crls=(CRL,),
    records=(
        record("A", LEASE, LEASE),
        record("AAAA", ADDRESS, ADDRESS),
        record("PTR", LAPTOP, LAPTOP),
    ),
    clocks=(ClockReading(DNS, "signed DNS", 0.2),),
    clock_set=True,
)
HOST = Live(
    "helpdesk",
    NOW,
    "host",
    Expected(NAME, "corp.example"),
    servers=(DNS,),
    answers=(answer(NAME, "A", ROUTER), answer(BARE, "A")),
    routers=(ANSWER,),
    hops=(
        NextHop(
            ROUTER, "eth0", "10.0.1.30", "10.0.1.1", NeighbourState("10.0.1.1", "eth0", "reachable", "02::1")
        ),
    ),
    paths=(PathMtu(ROUTER, 1500, 1500),),
    gateways=(GatewayAnswer(URL, "198.51.100.10", CERTIFICATE._replace(place=URL), "", 403, 0.1),),
    clock_set=True,
)
PLAIN = Live("anybody", NOW, "plain", servers=(DNS,), answers=(answer(".", "NS", "a.root-servers.net"),))
HEALTHY = {"gateway": GATEWAY, "host": HOST, "plain": PLAIN}


def facts(live: Live) -> Facts:
    return Facts("(live)", computer=live.host, live=live, understood=True)


def gateway(**changes: Any) -> Live:
    return GATEWAY._replace(**changes)


def host(**changes: Any) -> Live:
    return HOST._replace(**changes)


def advertising(message: Advertisement) -> Live:
    return host(routers=(ANSWER._replace(advertisement=message),))


def complaining(error: str) -> Live:
    return host(routers=(RouterAnswer(ROUTER, "10.0.1.30", error=error),))


def certificate(**changes: Any) -> Live:
    return gateway(certificates=(CERTIFICATE._replace(**changes),))


def reaching(**changes: Any) -> Live:
    return host(gateways=(HOST.gateways[0]._replace(**changes),))


def filtering(what: str, result: str = "drop") -> Live:
    rule = "nft table inet filter, chain input: policy drop"
    return gateway(filters=(Judged(what, "protocol 41 10.0.1.30 > 10.0.0.1", result, rule),))  # type: ignore[arg-type]


CASES: dict[str, Callable[[], Live]] = {
    "LIVE-DNS-NONE": lambda: host(answers=(silent(NAME), silent(BARE))),
    "LIVE-DNS-SILENT": lambda: host(answers=(*HOST.answers, silent(NAME, server=OTHER_DNS))),
    "LIVE-NAME-MISSING": lambda: host(answers=(answer(NAME, "A"), answer(BARE, "A"))),
    "LIVE-NAME-BLOCKED": lambda: host(expected=Expected(BARE, "corp.example"), answers=(answer(BARE, "A"),)),
    "LIVE-NAME-DIFFERS": lambda: host(answers=(*HOST.answers, answer(NAME, "A", server=OTHER_DNS))),
    "LIVE-NAME-ASTRAY": lambda: gateway(answers=(answer(NAME, "A", ROUTER, "10.0.0.77"), answer(BARE, "A"))),
    "LIVE-NAME-PUBLIC": lambda: host(answers=(answer(NAME, "A", ROUTER), answer(BARE, "A", ROUTER))),
    "LIVE-RECORD-MISSING": lambda: gateway(records=(record("A", LEASE), record("AAAA", ADDRESS, ADDRESS))),
    "LIVE-RECORD-STALE": lambda: gateway(records=(record("A", LEASE, LEASE, "10.0.0.140"),)),
    "LIVE-RECORD-PTR": lambda: gateway(records=(record("PTR", LAPTOP, "tablet.corp.example"),)),
    "LIVE-ROUTER-SILENT": lambda: complaining("no answer in 3 s"),
    "LIVE-ROUTER-FILTERED": lambda: complaining("10.0.1.1 says: prohibited (a packet filter refuses)"),
    "LIVE-ROUTER-OFF": lambda: complaining("10.0.0.1 says: it does not speak protocol 41"),
    "LIVE-ROUTER-NO-WAY": lambda: complaining("there is no route to it"),
    "LIVE-ROUTER-FAREWELL": lambda: advertising(FAREWELL),
    "LIVE-ROUTER-NO-PREFIX": lambda: advertising(RA._replace(prefixes=())),
    "LIVE-ROUTER-NO-ROUTE": lambda: advertising(RA._replace(routes=())),
    "LIVE-ROUTER-OTHER-PREFIX": lambda: host(
        routers=(
            ANSWER,
            RouterAnswer(
                "10.0.0.2",
                "10.0.1.30",
                0.001,
                RA._replace(prefixes=(AdvertisedPrefix("fd99:0:0:1::/64", 86400, 14400, True),)),
            ),
        )
    ),
    "LIVE-NEXT-HOP": lambda: host(
        hops=(
            NextHop(ROUTER, "eth0", "10.0.1.30", "10.0.1.1", NeighbourState("10.0.1.1", "eth0", "failed")),
        ),
        routers=(RouterAnswer(ROUTER, "10.0.1.30", error="10.0.1.30 says: host unreachable"),),
    ),
    "LIVE-MTU-BLACK-HOLE": lambda: host(paths=(PathMtu(ROUTER, 1500, 1280),)),
    "LIVE-MTU-SMALL": lambda: host(paths=(PathMtu(ROUTER, 1500, 1290, (("10.0.1.1", 1290),)),)),
    "LIVE-CONFIG": lambda: PLAIN._replace(faults=("site.toml: isatap.locators: is required",)),
    "LIVE-DAEMON-DOWN": lambda: gateway(
        daemon=Daemon(False, "nothing answers on /run/manageout/control.sock"),
        sysctls=(("net.ipv6.conf.all.forwarding", "0"),),
    ),
    "LIVE-DAEMON-WAITING": lambda: gateway(daemon=Daemon(True, waiting=("isatap",))),
    "LIVE-FORWARDING": lambda: gateway(
        sysctls=(("net.ipv6.conf.all.forwarding", "1"), ("net.ipv4.ip_forward", "0"))
    ),
    "LIVE-IPV6-OFF": lambda: gateway(sysctls=(("net.ipv6.conf.all.disable_ipv6", "1"),)),
    "LIVE-CONNTRACK-FULL": lambda: gateway(
        sysctls=(("net.netfilter.nf_conntrack_count", "250000"), ("net.netfilter.nf_conntrack_max", "262144"))
    ),
    "LIVE-RP-FILTER": lambda: gateway(reverse_paths=(ReversePath("eth1", True, "10.0.1.30/32", "eth0"),)),
    "LIVE-FILTER-41": lambda: filtering("protocol 41 in"),
    "LIVE-FILTER-TLS": lambda: filtering("TLS in"),
    "LIVE-FILTER-FORWARD": lambda: filtering("leases' packets"),
    "LIVE-FILTER-UNSURE": lambda: filtering("TLS in", "maybe"),
    "LIVE-CLOCK": lambda: gateway(
        clocks=(ClockReading(DNS, "Kerberos", -4000.0),),
        certificates=(CERTIFICATE._replace(not_before=NOW + 3000),),
        clock_set=False,
    ),
    "LIVE-CLOCK-FREE": lambda: host(clock_set=False),
    "LIVE-UNSEEN": lambda: host(unseen=("packet filter: not permitted",)),
    "LIVE-CERT-UNREADABLE": lambda: certificate(error="No such file or directory"),
    "LIVE-CERT-EXPIRED": lambda: certificate(not_after=NOW - 1),
    "LIVE-CERT-SOON": lambda: certificate(not_after=NOW + 86400),
    "LIVE-CERT-EARLY": lambda: certificate(not_before=NOW + 1),
    "LIVE-CERT-NAME": lambda: reaching(
        certificate=CERTIFICATE._replace(names=("gw.example.net", "*.example.com")),
        verify="the gateway's certificate: made for another name",
    ),
    "LIVE-CERT-CHAIN": lambda: certificate(chain="CN=gateway was not issued by CN=Other, which follows it"),
    "LIVE-CERT-REFUSED": lambda: reaching(verify="the gateway's certificate: its issuer is not known"),
    "LIVE-CERT-REVOKED": lambda: gateway(crls=(CRL._replace(revoked=("1f",)),)),
    "LIVE-GATEWAY-SILENT": lambda: reaching(certificate=None, error="no answer"),
    "LIVE-CRL-SOON": lambda: gateway(crls=(CRL._replace(next_update=NOW + 29 * 86400),)),
    "LIVE-CRL-EXPIRED": lambda: gateway(crls=(CRL._replace(next_update=NOW - 1),)),
    "LIVE-CRL-UNREADABLE": lambda: gateway(crls=(CRL._replace(error="No such file or directory"),)),
    "LIVE-CRL-UNREACHABLE": lambda: gateway(
        crls=(CRL, Crl("http://pki.example/ca.crl", "", 0.0, None, error="no answer"))
    ),
    "LIVE-CRL-FOREIGN": lambda: gateway(crls=(CRL._replace(signed=False),)),
}


def codes(live: Live) -> list[str]:
    return [finding.code for finding in diagnose([facts(live)])]
