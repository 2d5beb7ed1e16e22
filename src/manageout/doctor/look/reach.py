"""Gather what this machine sees of the way from a manager to a client: each look bounded, most side by side.

On the gateway: who is connected, lease, policy, and what the client answers the manager. On the ISATAP router: its
hosts, protocol 41. On the manager: names, the router, and the client itself. Elsewhere: names.
"""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeVar

from manageout.doctor.look import forwarding as reach_forwarding
from manageout.doctor.look import pair as reach_pair
from manageout.doctor.look import policy as reach_policy
from manageout.doctor.look import site as reach_site
from manageout.doctor.look.gatherer import Gatherer, Scope
from manageout.doctor.reach import reach as walk
from manageout.doctor.reach.reach import ReachFacts, Way
from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.linux.netlink import neighbours
from manageout.linux.netlink.links import Netlink
from manageout.service.probe import client as probe_client
from manageout.service.probe import dns as probe_dns
from manageout.service.probe import isatap as probe_isatap
from manageout.service.probe import path as probe_path
from manageout.service.probe.machine import of_others
from manageout.service.probe.results import DnsAnswer, Echo, PathMtu, RouterAnswer, TcpAnswer
from manageout.service.translate.ipv4_side import ipv4_side
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, isatap_address
from manageout.wire.address import is_address

T = TypeVar("T")
A = TypeVar("A")
WAIT = 2.0
_NOT_PERMITTED = "not permitted"
PATIENCE = 4.0
"""Seconds: a router that finds no machine says so after three."""


@dataclass(frozen=True, kw_only=True)
class ReachScope(Scope):
    """The pair. ``service``: tcp/3389, icmp or nothing.

    ``socket_there``: there is a control socket, so that a daemon that does not answer is hung or dead.
    """

    host: str
    client: str
    service: str = ""
    socket_there: bool = False


def look(scope: ReachScope) -> ReachFacts:
    """Everything that can be seen from here. Raises :class:`NotPermitted` for a socket that is not for this user."""
    return _ReachLook(scope).look()


class _ReachLook(Gatherer):
    """One look; the machine's parts are gathered in the order in which they need one another."""

    def __init__(self, scope: ReachScope) -> None:
        super().__init__(scope)
        self._scope = scope
        self._identity = self._daemon_error = ""
        if self._silence is not None and not isinstance(self._silence, DaemonUnreachable):
            raise self._silence
        if self._silence is not None and (scope.site is not None or scope.socket_there):
            self._daemon_error = self._silence.message
        site, (joined, _) = scope.site, self._joined()
        own = site.site.domain if site else ""
        self._domain = own or joined.partition(".")[2] or probe_dns.search_domain()
        self._router_name = (site.isatap.name if site and site.isatap else "") or joined
        upstreams = site.dns64.upstreams if site and site.dns64 else ()
        self._servers = scope.servers or tuple(upstreams) or tuple(probe_dns.system_servers())

    def look(self) -> ReachFacts:
        scope = self._scope
        hosts, error, said = reach_pair.manager(scope.host, self._domain, self._servers, self._site)
        views = self._views(hosts)
        reach = ReachFacts(
            scope.host,
            scope.client,
            scope.service,
            socket.gethostname(),
            views,
            self._client(views),
            daemon_error=self._daemon_error,
            host_addresses=tuple(map(str, hosts)),
            host_error=error,
            by_name=not is_address(scope.client),
            domain=self._domain,
            router_name=self._router_name,
            locators=self._locators(),
        )
        reach = reach._replace(dns=tuple(dict.fromkeys((*said, *self._dns(reach)))))
        if hosts and not self._daemon_error:
            reach = self._of_site(reach, hosts)
            reach = self._of_way(reach, hosts[0])
        if "gateway" in views and reach.target.connected:
            reach = reach._replace(target=self._client(views))  # after the probes: has it been heard of?
        return reach._replace(unseen=tuple(dict.fromkeys(self._unseen)))

    # --- Who is who -------------------------------------------------------------------------------------

    def _views(self, hosts: Sequence[IPv4Address]) -> tuple[walk.View, ...]:
        found: list[walk.View] = []
        if self._site is not None and self._site.gateway is not None:
            found.append("gateway")
        if self._site is not None and self._site.isatap is not None:
            found.append("router")
        with Netlink() as netlink:
            if {address.ip for address in netlink.addresses()} & {*hosts}:
                found.append("manager")
        return tuple(found)

    def _rows(self, command: str) -> list[Any]:
        """Of the control socket; none where the daemon has no such thing."""
        try:
            rows = self._scope.ask(command)
        except ManageoutError as error:
            if error.exit_code != 1:
                self._unseen.append(error.message)
            return []
        return rows if isinstance(rows, list) else []

    def _client(self, views: Sequence[walk.View]) -> walk.ReachedClient:
        given = self._scope.client
        if "gateway" not in views or self._daemon_error:
            self._identity = ""
            if is_address(given):
                return walk.ReachedClient(given, addresses=(given,) if ":" in given else ())
            return walk.ReachedClient(reach_pair.full_name(given, self._domain))
        rows = [self._rows(command) for command in ("clients", "leases", "audit", "drops")]
        target, self._identity = reach_pair.client(given, self._domain, *rows)
        return target

    def _dns(self, reach: ReachFacts) -> list[DnsAnswer]:
        questions = [(self._domain, "SOA")] if self._domain else []
        if reach.by_name:
            questions += [(reach.target.name, "A"), (reach.target.name, "AAAA")]
        if self._router_name:
            questions.append((self._router_name, "A"))
        return probe_dns.ask_all(questions, self._servers)

    # --- What site file and daemon say ------------------------------------------------------------------

    def _of_site(self, reach: ReachFacts, hosts: Sequence[IPv4Address]) -> ReachFacts:
        site, plan = self._site, self._plan
        if site is None or plan is None:
            own = bool(self._role("isatap-host"))
            no_host = "manager" in reach.views and not own
            words = "this machine is no ISATAP host   (manageout join makes it one)"
            return reach._replace(isatap_unused=words if no_host else "")
        names = (reach.host, reach_pair.full_name(reach.host, self._domain))
        reach = reach._replace(
            policy=reach_policy.judge(site, hosts, names, self._identity, reach.service),
            lease_unused=reach_site.no_lease(site),
            certificate=reach_site.certificate(site) if reach.target.connected is False else "",
        )
        if site.isatap is None:
            without = site.gateway is not None and site.gateway.isatap_router is None
            return reach._replace(isatap_unused="the site file names no ISATAP router" if without else "")
        ready = bool(self._role("isatap").get("ready", True))
        isatap = reach_site.isatap(site.isatap, hosts[0], self._rows("hosts"), self._rows("drops"), ready)
        unused = not isatap.allowed and not isatap.refused and isatap.heard is None and not reach.lease_unused
        words = f"{hosts[0]} is not in isatap.hosts, and needs it not" if unused else ""
        return reach._replace(isatap=isatap, isatap_unused=words)

    # --- The way itself ---------------------------------------------------------------------------------

    def _of_way(self, reach: ReachFacts, host: IPv4Address) -> ReachFacts:
        """Everything that sends packets, side by side."""
        manager = "manager" in reach.views
        asks: dict[str, tuple[str, object, Callable[[ReachFacts, IPv4Address], object]]] = {}
        if manager:
            asks = {
                "router": ("router", None, self._router),
                "answers": ("client", (), self._from_here),
                "paths": ("path", (), self._paths_from_here),
                "router_route": ("route", None, self._route),
            }
        elif reach.views:
            asks = {
                "host_echo": ("ping", None, lambda _, host: probe_path.echo(host)),
                "paths": ("path", (), self._path_to),
                "forwarding": ("forwarding", None, self._forwarding),
                "filters": ("packet filter", (), self._filters),
                "isatap": ("protocol 41", reach.isatap, self._tunnel),
                "beyond": ("ping through the router", None, self._beyond),
                "lease_way": ("ARP", None, self._lease_way),
                "answers": ("client", (), self._as_manager),
            }
        found = self._side_by_side({field: (*ask, reach, host) for field, ask in asks.items()})
        reach = reach._replace(**found, sessions=self._sessions(reach))
        by_lease = next((answer.echo for answer in reach.answers if answer.way == "lease"), None)
        return reach._replace(lease_ping=by_lease) if manager else reach

    def _targets(self, reach: ReachFacts) -> list[tuple[Way, IPv4Address | IPv6Address]]:
        """The client's addresses as this manager finds them, one a way."""
        found: dict[Way, IPv4Address | IPv6Address] = {}
        answers = [*reach.about(reach.target.name, "A"), *reach.about(reach.target.name, "AAAA")]
        texts = [record for answer in answers for record in answer.records]
        for text in texts if reach.by_name else [self._scope.client]:
            address = ip_address(text)
            way: Way = "lease" if isinstance(address, IPv4Address) else "isatap"
            if way == "lease" or not reach.isatap_unused:
                found.setdefault(way, address)
        return list(found.items())

    def _from_here(self, reach: ReachFacts, _host: IPv4Address) -> tuple[walk.ClientAnswer, ...]:
        port = _port(self._scope.service)

        def ask(way: Way, address: IPv4Address | IPv6Address) -> walk.ClientAnswer:
            wait = PATIENCE if way == "lease" else WAIT
            silent = Echo(str(address), error=_NOT_PERMITTED)
            echo = partial(self._tried, "ping", silent, probe_path.echo, address, wait)
            tcp = partial(probe_path.tcp, address, port, wait) if port else None
            return _answer(way, "this manager", echo, tcp)

        return _each(ask, self._targets(reach))

    def _paths_from_here(self, reach: ReachFacts, _host: IPv4Address) -> tuple[tuple[Way, PathMtu], ...]:
        return _each(lambda way, address: (way, probe_path.path_mtu(address)), self._targets(reach))

    def _path_to(self, reach: ReachFacts, host: IPv4Address) -> tuple[tuple[Way, PathMtu], ...]:
        return (("both" if "gateway" in reach.views else "isatap", probe_path.path_mtu(host)),)

    def _router(self, reach: ReachFacts, _host: IPv4Address) -> RouterAnswer | None:
        if reach.isatap_unused or self._site is not None:
            return None
        texts = [record for answer in reach.about(self._router_name, "A") for record in answer.records]
        routers = [IPv4Address(text) for text in dict.fromkeys([*texts, *self._joined()[1]])]
        answers = probe_isatap.solicit(routers) if routers else []
        return next((each for each in answers if each.advertisement), answers[0] if answers else None)

    def _route(self, reach: ReachFacts, _host: IPv4Address) -> bool | None:
        for way, address in self._targets(reach):
            if way == "isatap":
                return probe_path.next_hop(address, 0.1).dev == ISATAP_DEVICE
        return None

    def _tunnel(self, reach: ReachFacts, host: IPv4Address) -> walk.Isatap | None:
        isatap, site = reach.isatap, self._site
        if isatap is None or site is None or site.isatap is None or not isatap.allowed or reach.isatap_unused:
            return isatap
        found = any(probe_isatap.is_there(host, locator) for locator in site.isatap.locators[:2])
        return isatap._replace(answers=found)

    def _beyond(self, reach: ReachFacts, host: IPv4Address) -> Echo | None:
        """Through an ISATAP router that is another machine."""
        site, plan = self._site, self._plan
        if site is None or plan is None or site.gateway is None or site.gateway.isatap_router is None:
            return None
        if reach.isatap_unused:
            return None
        target = isatap_address(plan.isatap_prefix, host)
        found = probe_path.echo(target, WAIT, plan.gateway_address)
        if found.seconds is not None or found.by:
            return found
        # Managers know no way back to other addresses of ours; but a router without a daemon knows none to this one.
        other = probe_path.echo(target, WAIT)
        return other if other.by else found

    def _lease_way(self, reach: ReachFacts, _host: IPv4Address) -> walk.LeaseWay | None:
        site, plan = self._site, self._plan
        if site is None or plan is None or plan.leases is None:
            return None
        if reach.lease_unused or not reach.target.lease:
            return None
        with Netlink() as netlink:
            device = ipv4_side(netlink, site, plan).device_for(plan.leases) or ""
        lease = IPv4Address(reach.target.lease).packed
        return walk.LeaseWay(device, (device, lease) in neighbours.proxied())

    def _ways(self, reach: ReachFacts, host: IPv4Address) -> dict[Way, IPv6Address]:
        """As which IPv6 address the client sees the manager, for each way that the pair may use."""
        assert self._site is not None and self._plan is not None, "on gateways and routers"
        lease = not reach.lease_unused and reach.target.lease_state == "held"
        isatap = not reach.isatap_unused and (reach.isatap is None or reach.isatap.allowed)
        return reach_policy.sources(self._site, self._plan, host, lease=lease, isatap=isatap)

    def _forwarding(self, reach: ReachFacts, host: IPv4Address) -> tuple[str, ...] | None:
        """The gateway's questions leave it as its own packets: look apart at what a manager's go through."""
        if "gateway" not in reach.views or not reach.target.addresses:
            return None
        client, manager = IPv6Address(reach.target.addresses[0]), None if reach.lease_unused else host
        with Netlink() as netlink:
            return tuple(reach_forwarding.faults(netlink, client, manager))

    def _filters(self, reach: ReachFacts, host: IPv4Address) -> tuple[walk.FilterRefusal, ...]:
        addresses = [*reach.target.addresses]
        addresses += [r for answer in reach.about(reach.target.name, "AAAA") for r in answer.records]
        if not addresses or self._plan is None:
            return ()
        with Netlink() as netlink:
            out = netlink.route_get(IPv6Address(addresses[0])).dev
        pair = reach_policy.Pair(str(host), addresses[0], reach.target.lease, self._scope.service, out)
        rules = of_others()
        return tuple(reach_policy.refused(rules, self._plan, self._ways(reach, host), pair))

    def _as_manager(self, reach: ReachFacts, host: IPv4Address) -> tuple[walk.ClientAnswer, ...]:
        forbidden = reach.policy is not None and reach.policy.fault
        if "gateway" not in reach.views or not reach.target.addresses or forbidden:
            return ()
        port, target = _port(self._scope.service), IPv6Address(reach.target.addresses[0])

        def ask(way: Way, source: IPv6Address) -> walk.ClientAnswer:
            link = probe_client.AsManager(source, target, IPHTTPS_DEVICE)
            asked = f"the gateway as {source}, past its own forwarding and filter"
            tcp = partial(probe_client.open_tcp, link, port) if port else None
            return _answer(way, asked, partial(probe_client.echo, link), tcp)

        return _each(ask, list(self._ways(reach, host).items()))

    def _sessions(self, reach: ReachFacts) -> tuple[str, ...]:
        """What goes on between both now."""
        if not self._identity or not reach.target.connected:
            return ()
        wanted = (self._identity, "manager", "established")
        found = [
            f"{row['protocol']}/{row['port']} {row['state']} by {row['through']}"
            for row in self._rows("sessions")
            if (row["client"], row["begun_by"], row["state"]) == wanted
            and row["peer"] in reach.host_addresses
        ]
        return tuple(found[:4])


def _each(function: Callable[[Way, A], T], targets: Sequence[tuple[Way, A]]) -> tuple[T, ...]:
    """Of every way, side by side."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return tuple(pool.map(lambda target: function(*target), targets))


def _answer(
    way: Way, asked: str, echo: Callable[[], Echo], tcp: Callable[[], TcpAnswer] | None
) -> walk.ClientAnswer:
    with ThreadPoolExecutor(max_workers=1) as aside:
        opened = aside.submit(tcp) if tcp else None
        return walk.ClientAnswer(way, asked, echo(), opened.result() if opened else None)


def _port(service: str) -> int | None:
    kind, _, port = service.partition("/")
    return int(port) if kind == "tcp" and port else None
