"""A healthy pair as gateway and manager see it, and what makes each rule about the way between them speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.reach.reach import (
    ClientAnswer,
    FilterRefusal,
    Isatap,
    LeaseWay,
    PolicyVerdict,
    ReachedClient,
    ReachFacts,
)
from manageout.service.probe.results import Advertisement, DnsAnswer, Echo, PathMtu, RouterAnswer, TcpAnswer

DNS = "10.0.0.10"
DOMAIN = "corp.example"
NAME = "laptop.corp.example"
ROUTER_NAME = "manageout-isatap.corp.example"
HOST, LEASE, ROUTER = "10.0.1.30", "10.0.0.129", "10.0.0.1"
ADDRESS = "fd12:3456:789a:1000::10"
NO_ANSWER = "no answer in 2 s"


def answer(name: str, kind: str, *records: str, rcode: str = "NOERROR", server: str = DNS) -> DnsAnswer:
    return DnsAnswer(name, kind, server, rcode, records, True)


SOA = answer(DOMAIN, "SOA", "ns.corp.example admin.corp.example 1 2 3 4 5")
A, AAAA = answer(NAME, "A", LEASE), answer(NAME, "AAAA", ADDRESS)
ROUTER_A = answer(ROUTER_NAME, "A", ROUTER)
LAPTOP = ReachedClient(NAME, True, (ADDRESS,), LEASE, "held", "198.51.100.20:5000", 2.0)


def said(way: str, result: str = "open", *, by: str = "", ping: bool = True, error: str = "") -> ClientAnswer:
    echo = Echo(ADDRESS, 0.002) if ping else Echo(ADDRESS, None, "", NO_ANSWER)
    tcp = TcpAnswer(ADDRESS, 80, result, 0.0, by, error)  # type: ignore[arg-type]
    return ClientAnswer(way, "somebody", echo, tcp)  # type: ignore[arg-type]


GATEWAY = ReachFacts(
    "helpdesk",
    "laptop",
    "tcp/80",
    "gw",
    ("gateway", "router"),
    LAPTOP,
    host_addresses=(HOST,),
    domain=DOMAIN,
    router_name=ROUTER_NAME,
    locators=(ROUTER,),
    dns=(SOA, A, AAAA, ROUTER_A),
    policy=PolicyVerdict("", "allowed by helpdesk: tcp/80"),
    isatap=Isatap(True, 10.0, 0, True),
    lease_way=LeaseWay("intranet", True),
    host_echo=Echo(HOST, 0.001),
    paths=(("both", PathMtu(HOST, 1500, 1500)),),
    answers=(said("lease"), said("isatap")),
    sessions=("tcp/80 established by ISATAP",),
)
ADVERTISES = RouterAnswer(ROUTER, HOST, 0.001, Advertisement("fe80::1", 0, "medium", 1280, (), (), ()))
MANAGER = ReachFacts(
    "helpdesk",
    "laptop",
    "tcp/80",
    "pc",
    ("manager",),
    ReachedClient(NAME),
    host_addresses=(HOST,),
    domain=DOMAIN,
    router_name=ROUTER_NAME,
    dns=(SOA, A, AAAA, ROUTER_A),
    router=ADVERTISES,
    router_route=True,
    lease_ping=Echo(LEASE, 0.002),
    paths=(
        ("lease", PathMtu(LEASE, 1500, 1260, ((ROUTER, 1260),))),
        ("isatap", PathMtu(ADDRESS, 1280, 1280)),
    ),
    answers=(said("lease"), said("isatap")),
)
EVERYWHERE = ReachFacts(
    "helpdesk",
    "laptop",
    "",
    "box",
    (),
    ReachedClient(NAME),
    host_addresses=(HOST,),
    domain=DOMAIN,
    dns=(SOA, A, AAAA),
)
HEALTHY = {
    "gateway": GATEWAY,
    "manager": MANAGER,
    "elsewhere": EVERYWHERE,
    "by address": GATEWAY._replace(by_name=False, dns=(SOA,)),
    "no leases": GATEWAY._replace(lease_unused="no [translation]", answers=(said("isatap"),)),
    "no ISATAP": GATEWAY._replace(isatap_unused="not in isatap.hosts", isatap=None, answers=(said("lease"),)),
    "an IPv4 host in a broad isatap.hosts": GATEWAY._replace(isatap=Isatap(True, None, 0, False)),
    "a sleeping manager": GATEWAY._replace(
        isatap=Isatap(True, 900.0, 0, False), host_echo=Echo(HOST, None, "", "x")
    ),
    "a retiring manager": GATEWAY._replace(isatap=Isatap(True, 900.0, 0, False, retires=True)),
    "pings refused": GATEWAY._replace(
        service="", answers=(ClientAnswer("lease", "x", Echo(ADDRESS, None, "", "x")),)
    ),
    "a path that says its size": GATEWAY._replace(
        paths=(("both", PathMtu(HOST, 1500, 1200, ((ROUTER, 1200),))),)
    ),
    "a routed pool": GATEWAY._replace(lease_way=LeaseWay()),
    "no A where there may be no leases": MANAGER._replace(dns=(SOA, answer(NAME, "A"), AAAA, ROUTER_A)),
    "a farm's router": MANAGER._replace(dns=(SOA, A, AAAA), router_name=""),
}


def gateway(**changes: Any) -> ReachFacts:
    return GATEWAY._replace(**changes)


def manager(**changes: Any) -> ReachFacts:
    return MANAGER._replace(**changes)


def away(**changes: Any) -> ReachFacts:
    """The client is not connected, and its names are gone."""
    target = ReachedClient(NAME, False, (), LEASE, "grace", "198.51.100.20:5000")._replace(
        **changes.pop("target", {})
    )
    lost = (SOA, answer(NAME, "A", rcode="NXDOMAIN"), answer(NAME, "AAAA", rcode="NXDOMAIN"), ROUTER_A)
    return GATEWAY._replace(target=target, dns=lost, answers=(), lease_way=LeaseWay("intranet"), **changes)


def dns(*changed: DnsAnswer) -> tuple[DnsAnswer, ...]:
    """The usual answers, but for these."""
    kept = [a for a in GATEWAY.dns if all((a.name, a.kind) != (c.name, c.kind) for c in changed)]
    return (*kept, *changed)


def unnamed(error: str) -> tuple[DnsAnswer, ...]:
    return tuple(DnsAnswer(a.name, a.kind, DNS, "", error=error) for a in GATEWAY.dns)


def both(result: str, **more: Any) -> tuple[ClientAnswer, ...]:
    return tuple(said(way, result, **more) for way in ("lease", "isatap"))


def alone(router: str) -> ReachFacts:
    """The manager's router says this, so that its way leads nowhere."""
    silent = said("isatap", "silent", ping=False, error=NO_ANSWER)
    return manager(router=RouterAnswer(ROUTER, HOST, error=router), answers=(said("lease"), silent))


BLOCKED = "isatap.corp.example"
STRANGER = answer(DOMAIN, "SOA", rcode="REFUSED")
CASES: dict[str, Callable[[], ReachFacts]] = {
    "DAEMON-DOWN": lambda: gateway(daemon_error="nothing answers on /run/manageout/control.sock"),
    "HOST-UNKNOWN": lambda: gateway(host_addresses=(), host_error="no IPv4 address"),
    "DNS-SILENT": lambda: manager(
        dns=unnamed(NO_ANSWER), host_addresses=(), host_error=NO_ANSWER, answers=()
    ),
    "DNS-WRONG": lambda: manager(dns=(STRANGER, answer(NAME, "A", rcode="REFUSED")), answers=()),
    "NAME-MISSING": lambda: gateway(dns=dns(answer(NAME, "A", rcode="NXDOMAIN"))),
    "NAME-STALE": lambda: gateway(dns=dns(answer(NAME, "A", "10.0.0.200"))),
    "POLICY-HOST": lambda: gateway(
        policy=PolicyVerdict("host", "no table"), isatap=Isatap(False, None, 3), answers=()
    ),
    "POLICY-CLIENT": lambda: gateway(policy=PolicyVerdict("client", "helpdesk: not laptop"), answers=()),
    "POLICY-SERVICE": lambda: gateway(policy=PolicyVerdict("service", "tcp/80 is not among"), answers=()),
    "GATEWAY-CERTIFICATE": lambda: away(certificate="valid to 2020"),
    "CLIENT-CERTIFICATE": lambda: away(target={"refused": ("certificate-revoked",)}),
    "CLIENT-OFFLINE": away,
    "CLIENT-UNKNOWN": lambda: away(target={"known": False, "lease": "", "lease_state": "", "peer": ""}),
    "NO-LEASE": lambda: gateway(
        target=LAPTOP._replace(lease="", lease_state="waiting"),
        dns=dns(answer(NAME, "A", rcode="NXDOMAIN")),
        answers=(said("isatap"),),
        lease_way=None,
    ),
    "LEASE-NO-WAY": lambda: gateway(lease_way=LeaseWay("intranet", False)),
    "ROUTER-NAME": lambda: gateway(dns=dns(answer(ROUTER_NAME, "A", rcode="NXDOMAIN"))),
    "ROUTER-BLOCKED": lambda: gateway(
        router_name=BLOCKED, dns=(SOA, A, AAAA, answer(BLOCKED, "A", rcode="NXDOMAIN"))
    ),
    "ROUTER-ASTRAY": lambda: gateway(dns=dns(answer(ROUTER_NAME, "A", "10.0.0.77"))),
    "ROUTER-OFF": lambda: alone("10.0.0.1 says: it does not speak protocol 41"),
    "ROUTER-SILENT": lambda: alone(NO_ANSWER),
    "ISATAP-HOSTS": lambda: gateway(isatap=Isatap(False, 900.0, 5)),
    "ISATAP-NEVER": lambda: gateway(
        isatap=Isatap(True, None, 0, False), lease_unused="masquerade", answers=(said("isatap"),)
    ),
    "PROTOCOL-41": lambda: gateway(isatap=Isatap(True, 900.0, 0, False)),
    "NO-ROUTE": lambda: manager(
        router_route=False, answers=(said("lease"), said("isatap", "silent", ping=False))
    ),
    "FILTER": lambda: gateway(filters=(FilterRefusal("lease", "TCP from a to b", "nft table inet x: drop"),)),
    "FORWARDING": lambda: gateway(forwarding=("net.ipv6.conf.all.forwarding is 0",)),
    "MTU": lambda: gateway(paths=(("both", PathMtu(HOST, 1500, 1200)),)),
    "PROHIBITED": lambda: manager(answers=both("prohibited", by=ROUTER, error="x")),
    "CLIENT-FIREWALL": lambda: gateway(answers=both("silent", error=NO_ANSWER)),
    "CLIENT-CLOSED": lambda: gateway(answers=both("refused", error="Connection refused")),
    "CLIENT-SILENT": lambda: manager(answers=both("silent", ping=False, error=NO_ANSWER)),
}


def facts(reach: ReachFacts) -> Facts:
    return Facts("(reach)", computer=reach.here, reach=reach, understood=True)


def codes(reach: ReachFacts) -> list[str]:
    return [finding.code.removeprefix("REACH-") for finding in diagnose([facts(reach)])]
