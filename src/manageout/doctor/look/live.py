"""Gather the live facts of this machine: every probe side by side, each bounded, so that all of it takes seconds.

What cannot be looked at (no privilege, no such thing here) is told in ``unseen`` and does not keep the others.
"""

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal, TypeVar

from manageout.doctor.look import records as live_records
from manageout.doctor.look.gatherer import WORKERS, Gatherer, Scope
from manageout.errors import ManageoutError
from manageout.linux.host import clock
from manageout.service.probe import certificate as probe_certificate
from manageout.service.probe import clock as probe_clock
from manageout.service.probe import dns as probe_dns
from manageout.service.probe import isatap as probe_isatap
from manageout.service.probe import machine as live_host
from manageout.service.probe import path as probe_path
from manageout.service.probe import results
from manageout.service.process.finding import Finding
from manageout.service.process.rows import HostRow
from manageout.service.process.runtime import RuntimeDir

T = TypeVar("T")
MAX_TARGETS = 16
ACTIVE = 4
"""So many managers are pinged from their router, to see how wide the way is."""


@dataclass(frozen=True, kw_only=True)
class LiveScope(Scope):
    """What to look at; all but the site file's faults is what the user named."""

    faults: tuple[str, ...] = ()
    """Of the site file, if it cannot be used."""
    router: str = ""
    """A name or an IPv4 address."""
    gateways: tuple[str, ...] = ()
    authorities: Path | None = None
    runtime_dir: Path | None = None
    """Where the daemon's control socket, lock and note would be."""


def look(scope: LiveScope) -> results.Live:
    """Everything, now. Raises BadArgument for a URL that is none."""
    return _LiveLook(scope).run()


class _LiveLook(Gatherer):
    """One look at the machine."""

    def __init__(self, scope: LiveScope) -> None:
        super().__init__(scope)
        self._scope = scope

    def run(self) -> results.Live:
        kind, expected, servers = self._kind(), self._expected(), self._servers()
        answers = self._answers(expected, servers)
        routers = self._routers(expected, kind, answers)
        looks: dict[str, tuple[str, Callable[..., Iterable[object]], *tuple[object, ...]]] = {
            "routers": ("ISATAP routers", self._solicit, routers),
            "paths": ("path MTU", self._paths, routers),
            "hops": ("next hops", self._hops, routers),
            "records": ("records of leases", self._records, servers),
            "filters": ("packet filter", self._filters, routers),
            "certificates": ("certificates", self._certificates),
            "crls": ("revocation lists", self._crls),
            "gateways": ("gateways", self._gateways),
            "clocks": ("clocks", self._clocks, servers),
        }
        found = self._side_by_side({field: (what, (), _all, *look) for field, (what, *look) in looks.items()})
        return results.Live(
            host=socket.gethostname(),
            taken=time.time(),
            kind=kind,
            expected=expected,
            daemon=self._daemon(),
            servers=servers,
            answers=answers,
            sysctls=live_host.sysctls(),
            reverse_paths=live_host.reverse_paths(self._site) if self._site is not None else (),
            clock_set=clock.is_set(),
            unseen=tuple(self._unseen),
            faults=self._scope.faults,
            **found,
        )

    # What is here

    def _kind(self) -> Literal["gateway", "router", "host", "plain"]:
        if self._site is not None:
            return "gateway" if self._site.gateway is not None else "router"
        return "host" if self._role("isatap-host") else "plain"

    def _expected(self) -> results.Expected:
        domain = probe_dns.search_domain()
        if self._site is None or self._plan is None:
            name = self._scope.router or self._joined()[0]
            return results.Expected(router_name="" if _is_address(name) else name.rstrip("."), domain=domain)
        isatap = self._site.isatap
        return results.Expected(
            router_name=self._scope.router or (isatap.name if isatap else ""),
            domain=self._site.site.domain or domain,
            routers=self._locators(),
            isatap_prefix=str(self._plan.isatap_prefix) if isatap else "",
            isatap_mtu=isatap.mtu if isatap else 0,
            gateway=self._site.gateway is not None,
            isatap=isatap is not None,
            translation=self._site.translation is not None,
        )

    def _daemon(self) -> results.Daemon | None:
        if self._status is not None:
            roles = self._status.get("roles", {})
            waiting = tuple(name for name, role in roles.items() if not role.get("ready", True))
            findings = tuple(Finding.of(row)[:4] for row in self._status.get("findings", ()))
            return results.Daemon(True, "", waiting, findings)
        assert self._silence is not None, "one of both"
        if self._site is None:
            return self._killed(self._silence.message)
        forbidden = self._silence.exit_code == 4  # which is not down
        if forbidden:
            self._unseen.append(f"daemon: {self._silence.message}")
        return results.Daemon(forbidden, self._silence.message)

    def _killed(self, silence: str) -> results.Daemon | None:
        """A note of what is to be undone, and nobody holds the lock: a daemon was here, whatever its site file."""
        directory = self._scope.runtime_dir
        if directory is None:
            return None
        runtime = RuntimeDir(directory)
        if runtime.busy() or not runtime.remembered():
            return None
        left = f"{directory}/undo.json: a daemon was killed and has left things behind"
        return results.Daemon(False, f"{left}; {silence}")

    # Names

    def _servers(self) -> tuple[str, ...]:
        if self._scope.servers:
            return self._scope.servers
        site = self._site
        listed = [*probe_dns.system_servers()]
        listed += site.dns64.upstreams if site and site.dns64 else ()
        listed += site.names.servers if site and site.names else ()
        return tuple(dict.fromkeys(listed))[: probe_dns.MAX_SERVERS]

    def _answers(self, expected: results.Expected, servers: tuple[str, ...]) -> tuple[results.DnsAnswer, ...]:
        names = [expected.router_name, f"isatap.{expected.domain}" if expected.domain else ""]
        questions = [(name, "A") for name in dict.fromkeys(names) if name]
        return tuple(probe_dns.ask_all(questions or [(".", "NS")], servers))

    def _records(self, servers: tuple[str, ...]) -> Iterable[results.DueRecord]:
        site = self._site
        if site is None or site.names is None or self._status is None:
            return ()
        asked = site.names.servers or (site.dns64.upstreams if site.dns64 else ()) or servers
        return live_records.records(self._scope.ask("leases"), site, asked)

    # Routers

    def _routers(
        self, expected: results.Expected, kind: str, answers: tuple[results.DnsAnswer, ...]
    ) -> tuple[IPv4Address, ...]:
        """Whom to solicit: as a host does, or whom the user names; routers do not answer one another."""
        if _is_address(self._scope.router):
            return (IPv4Address(self._scope.router),)
        if kind in ("gateway", "router") and not self._scope.router:
            return ()
        texts = [text for a in answers if a.name == expected.router_name for text in a.records]
        texts += self._joined()[1]
        return tuple(IPv4Address(text) for text in dict.fromkeys(texts) if _is_address(text))[:MAX_TARGETS]

    def _solicit(self, routers: tuple[IPv4Address, ...]) -> Iterable[results.RouterAnswer]:
        return probe_isatap.solicit(routers) if routers else ()

    def _targets(self, routers: tuple[IPv4Address, ...]) -> list[IPv4Address | IPv6Address]:
        """Machines that packets of ours go to: routers; on a router the next hops of the site file."""
        found: list[IPv4Address | IPv6Address] = [*routers]
        site = self._site
        if site is not None and site.isatap is not None:
            found += [route.via for route in site.isatap.routes]
        if site is not None and site.gateway is not None and site.gateway.isatap_router is not None:
            found.append(site.gateway.isatap_router)
        return list(dict.fromkeys(found))[:MAX_TARGETS]

    def _paths(self, routers: tuple[IPv4Address, ...]) -> Iterable[results.PathMtu]:
        targets = [*self._targets(routers), *self._active_hosts()]
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            found = list(pool.map(_path, targets))
        return [path for path in found if path is not None]

    def _active_hosts(self) -> list[IPv4Address]:
        """On an ISATAP router: the managers that it heard last."""
        if self._status is None or self._site is None or self._site.isatap is None:
            return []
        hosts: list[HostRow] = self._scope.ask("hosts")
        rows = sorted(hosts, key=lambda row: row["last_packet"], reverse=True)
        return [IPv4Address(row["ipv4"]) for row in rows[:ACTIVE]]

    def _hops(self, routers: tuple[IPv4Address, ...]) -> Iterable[results.NextHop]:
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            return list(pool.map(probe_path.next_hop, self._targets(routers)))

    # The machine

    def _filters(self, routers: tuple[IPv4Address, ...]) -> Iterable[results.Judged]:
        if legacy := live_host.legacy_tables():
            self._unseen.append(f"iptables-legacy: tables {', '.join(legacy)}; see iptables-legacy-save")
        return live_host.filters(self._site, self._plan, routers)

    def _certificates(self) -> Iterable[results.Certificate]:
        gateway = self._site.gateway if self._site else None
        if gateway is None:
            return ()
        files = [gateway.certificate, *([gateway.client_ca] if gateway.client_ca else ())]
        return [each for file in files for each in probe_certificate.all_from_file(file)]

    def _crls(self) -> Iterable[results.Crl]:
        gateway = self._site.gateway if self._site else None
        if gateway is None:
            return ()
        file = gateway.client_crl
        lists = probe_certificate.crls_from_file(file, gateway.client_ca) if file is not None else []
        points = probe_certificate.revocation_points(gateway.certificate)[:4]
        return [*lists, *(probe_certificate.crl_from_url(point) for point in points)]

    def _gateways(self) -> Iterable[results.GatewayAnswer]:
        wanted = self._scope
        return [probe_certificate.gateway(url, wanted.authorities) for url in wanted.gateways[:MAX_TARGETS]]

    def _clocks(self, servers: tuple[str, ...]) -> Iterable[results.ClockReading]:
        site = self._site
        domain = site.site.domain if site is not None else probe_dns.search_domain()
        if site is not None and site.names is not None and site.names.key_file is not None:
            zone = site.names.zone or domain
            for server in (site.names.servers or (site.dns64.upstreams if site.dns64 else servers))[:2]:
                yield probe_clock.tsig(server, zone, site.names.key_file)
        for address in _controllers(domain, servers):
            yield probe_clock.kerberos(address, domain)


def _all(look: Callable[..., Iterable[T]], *given: object) -> tuple[T, ...]:
    return tuple(look(*given))


def _is_address(text: str) -> bool:
    try:
        return ip_address(text).version == 4
    except ValueError:
        return False


def _path(target: IPv4Address | IPv6Address) -> results.PathMtu | None:
    """None where there is no way at all, which the next hop tells."""
    try:
        return probe_path.path_mtu(target)
    except ManageoutError as error:
        if error.exit_code == 4:
            raise
        return None


def _controllers(domain: str, servers: tuple[str, ...]) -> list[str]:
    """Addresses of up to two domain controllers, by their record; none where there is no such domain."""
    if not domain:
        return []
    answers = probe_dns.ask_all([(f"_kerberos._tcp.{domain}", "SRV")], servers)
    hosts = {record.split(" ")[-1] for answer in answers for record in answer.records}
    found = probe_dns.ask_all([(host, "A") for host in sorted(hosts)[:2]], servers)
    return list(dict.fromkeys(text for answer in found for text in answer.records))[:2]
