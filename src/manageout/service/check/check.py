"""``manageout check``: hold a site file against this machine, before the daemon does. Changes nothing.

Each check is a function that yields findings; the table at the end names them in the order in which they are
shown. A check that cannot be made (no privilege) says so instead of passing silently.
"""

import errno
import shutil
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from manageout.errors import KernelError
from manageout.linux.host import privileges, sysctl, systemd
from manageout.linux.netlink.links import RA, Netlink
from manageout.service.check import dns as check_dns
from manageout.service.check import files as check_files
from manageout.service.check import kernel as check_kernel
from manageout.service.check import names as check_names
from manageout.service.check import needs as check_needs
from manageout.service.check import pool as check_pool
from manageout.service.check.found import Remark, gathered, remark
from manageout.service.daemon.desired import desired
from manageout.service.policy import untracked
from manageout.service.policy.surroundings import surroundings
from manageout.service.probe import machine
from manageout.service.process.runtime import RuntimeDir
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.address import WELL_KNOWN_NAT64
from manageout.wire.host_port import HostPort
from manageout.wire.special import is_global
from manageout.words import counted

ISATAP_OVERHEAD = 20
BROAD = 4096
"""More hosts than this in isatap.hosts are hardly all managers."""


class Checked(NamedTuple):
    """What the checks look at."""

    site: Site
    plan: Plan
    netlink: Netlink
    running: bool
    """Our own daemon is running: what it holds is not taken by somebody else."""
    roles: frozenset[str]
    """What the running daemon serves; empty when it was not asked, or did not answer."""


Findings = Iterator[Remark]


def check(
    site: Site, plan: Plan, runtime_dir: Path | None = None, roles: Collection[str] = ()
) -> list[tuple[str, list[Remark]]]:
    """Every check by its title, with what it found. ``roles``: those of the running daemon, by its status."""
    with Netlink() as netlink:
        running = RuntimeDir(runtime_dir or site.daemon.runtime_dir).busy()
        host = Checked(site, plan, netlink, running, frozenset(roles))
        return [(title, gathered(partial(each, host))) for title, each in _CHECKS.items()]


def _policy(host: Checked) -> Findings:
    """What is legal in the file and yet perhaps not meant."""
    gateway, isatap = host.site.gateway, host.site.isatap
    if gateway and gateway.authentication == "none":
        yield remark("everybody-connects")
    if gateway and not gateway.allow:
        yield remark("nobody-connects")
    if isatap and not isatap.hosts:
        yield remark("no-hosts")
    for network in isatap.hosts if isatap else ():
        if network.num_addresses > BROAD:
            yield remark("broad-hosts", network=network, hosts=counted(network.num_addresses, "host"))
    if isatap and (many := sum(network.num_addresses for network in isatap.hosts)) > isatap.max_hosts:
        yield remark("too-many-hosts", hosts=counted(many, "host"), most=isatap.max_hosts)
    if isatap and not isatap.name:
        yield remark("no-router-name")
    if isatap and not host.plan.advertised:
        yield remark("no-client-prefix")
    if isatap and isatap.default_route:
        yield remark("default-router")


def _managers(host: Checked) -> Findings:
    """Who may call clients, and whether a way leads there."""
    site = host.site
    if not site.policy.managers:
        yield remark("nobody-calls")
    if site.translation is not None and not site.translation.masquerade:
        return  # every IPv4 machine reaches leases
    hosts = site.isatap.hosts if site.isatap is not None else ()
    behind_another = site.gateway is not None and site.gateway.isatap_router is not None
    for number, manager in enumerate(site.policy.managers):
        for network in manager.source:
            known = not isinstance(network, IPv4Network) or any(network.overlaps(each) for each in hosts)
            if not known and not behind_another:
                leases = "leave out masquerade" if site.translation else "give clients leases: [translation]"
                yield remark("manager-without-way", number=number, network=network, leases=leases)


def _prefix(host: Checked) -> Findings:
    prefix = host.site.site.prefix
    first = prefix.network_address.packed
    if first[0] == 0xFD and len(set(first[1:6])) < 3:
        yield remark("prefix-not-random", prefix=prefix)
    if first[0] == 0xFC:
        yield remark("prefix-not-assigned", prefix=prefix)
    if first[:4] == b"\x20\x01\x0d\xb8":
        yield remark("prefix-of-documents", prefix=prefix)
    if first[:2] == b"\x20\x02":
        embedded = IPv4Address(first[2:6])
        if not is_global(embedded.packed):
            yield remark("prefix-6to4-private", prefix=prefix, address=embedded)
        elif embedded not in _own_addresses(host):
            yield remark("prefix-6to4-foreign", prefix=prefix, address=embedded)


def _own_addresses(host: Checked) -> set[object]:
    return {address.ip for address in host.netlink.addresses()}


def _locators(host: Checked) -> Findings:
    isatap = host.site.isatap
    own = _own_addresses(host)
    for locator in isatap.locators if isatap else ():
        if locator not in own:
            yield remark("locator-not-here", locator=locator)


def _underlay(host: Checked) -> Findings:
    """The IPv4 path to the managers: MTU, VRF and reverse path filter."""
    isatap = host.site.isatap
    if isatap is None:
        return
    devices = dict.fromkeys(machine.device_of(host.netlink, locator) for locator in isatap.locators)
    links = [host.netlink.link(dev) for dev in devices]
    if len({link.vrf for link in links if link is not None}) > 1:
        yield remark("vrfs-differ")
    for link in links:
        if link is not None and link.vrf:
            yield remark("vrf-is-slow", dev=link.name)
        if link is not None and link.mtu < isatap.mtu + ISATAP_OVERHEAD:
            yield remark("fragments", dev=link.name, mtu=link.mtu, needed=link.mtu - ISATAP_OVERHEAD)
    for path in machine.reverse_paths(host.site, len(isatap.hosts)):
        if not path.back:
            yield remark("no-route-to-managers", network=path.network)
        elif path.drops:
            yield remark("reverse-path", network=path.network, dev=path.dev, back=path.back)


def _routes(host: Checked) -> Findings:
    """Next hops must be on a link of this machine."""
    wanted = [(r.prefix, r.via) for r in host.site.isatap.routes] if host.site.isatap else []
    if host.site.gateway and host.site.gateway.isatap_router:
        wanted.append((host.plan.isatap_prefix, host.site.gateway.isatap_router))
    ours = (host.plan.isatap_prefix, host.plan.client_prefix)
    for prefix, via in wanted:
        if any(via in link for link in ours):
            continue
        try:
            hop = host.netlink.route_get(via)
        except KernelError:
            hop = None
        if hop is None or hop.via is not None:
            yield remark("next-hop-not-here", via=via, prefix=prefix)
    around = surroundings(host.netlink, host.site, host.plan)
    for router in host.site.isatap.routers if host.site.isatap else ():
        default = host.netlink.best_route(router)
        if router not in around.towards and (default is None or default.dev not in around.underlays):
            yield remark("no-route-to-router", router=router)


def _forwarding(host: Checked) -> Findings:
    """Forwarding turns off router advertisements on the other links, and removes default routes learnt from them."""
    forwarding = sysctl.find("net.ipv6.conf.all.forwarding")
    if forwarding is None:
        yield remark("no-ipv6")
    if forwarding != "0":
        return
    for dev in sorted({str(route.dev) for route in host.netlink.routes(protocol=RA)}):
        if sysctl.find(f"net/ipv6/conf/{dev}/accept_ra") == "1":
            yield remark("routes-end", dev=dev)


def _devices(host: Checked) -> Findings:
    if not Path("/dev/net/tun").exists():
        yield remark("no-tun")
    for device in desired(host.site, host.plan).devices:
        if not host.running and host.netlink.index(device.name) is not None:
            yield remark("device-taken", dev=device.name)


def _vrf(host: Checked) -> Findings:
    """Between our devices and those of a VRF the kernel has no way; only ISATAP's own packets need none."""
    gateway = host.site.gateway
    listen = {HostPort.parse(each).address for each in gateway.listen} if gateway is not None else set()
    inside = host.site.policy.intranet if gateway is not None else ()
    for link, held in host.netlink.holdings() if gateway is not None else ():
        addresses = {each.ip for each in held if link.vrf and not each.ip.is_link_local}
        places = [f"gateway.listen {each}" for each in sorted(listen & addresses, key=str)]
        places += [f"policy.intranet {each}" for each in inside if any(one in each for one in addresses)]
        if places:
            yield remark("gateway-in-vrf", dev=link.name, places=", ".join(places))


def _ports(host: Checked) -> Findings:
    if host.running:
        yield remark("ports-not-tried")
        return
    places = [*(host.site.gateway.listen if host.site.gateway else ())]
    if not host.site.daemon.metrics.startswith("unix:") and host.site.daemon.metrics != "off":
        places.append(host.site.daemon.metrics)
    kept = systemd.kept_places("manageout.socket")
    for listener in places:
        if listener in kept:
            yield remark("port-of-systemd", listener=listener)
            continue
        address, port = HostPort.parse(listener)
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        try:
            socket.create_server((str(address), port), family=family).close()
        except PermissionError:
            yield remark("not-permitted", what=listener, do="try")
        except OSError as failure:
            if failure.errno == errno.EADDRNOTAVAIL:
                yield remark("no-such-address", listener=listener, why=failure.strerror)
            else:
                yield remark("port-taken", listener=listener, why=failure.strerror, port=port)


def _kept(host: Checked) -> Findings:
    """systemd must listen where the site file says, or clients wait in vain."""
    if host.site.gateway is None:
        return
    for place in set(systemd.kept_places("manageout.socket")) - set(host.site.gateway.listen):
        yield remark("socket-unit-differs", place=place)


def _untracked(host: Checked) -> Findings:
    """Whether rules of others bear that we leave our listeners untracked."""
    if shutil.which("nft") is None or privileges.Capability.NET_ADMIN not in privileges.effective():
        return  # told above
    for fault in untracked.harm(host.site):
        yield Remark("warning", fault.what, fault.remedy)


def _unreachable(host: Checked) -> Findings:
    """RFC 6052 3.1: nothing private under the Well-Known Prefix."""
    if host.site.translation is None or host.plan.nat64 != WELL_KNOWN_NAT64:
        return
    intranet4 = [each for each in host.site.policy.intranet if isinstance(each, IPv4Network)]
    private = [each for each in intranet4 if not all(is_global(each[end].packed) for end in (0, -1))]
    if private:
        networks = ", ".join(map(str, private))
        yield remark("private-under-well-known", prefix=WELL_KNOWN_NAT64, networks=networks)


def _name(host: Checked) -> Findings:
    """Whether the name that hosts resolve leads here."""
    isatap = host.site.isatap
    if isatap is None or not isatap.name:
        return
    try:
        answers = socket.getaddrinfo(isatap.name, None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as failure:
        yield remark("name-not-resolved", name=isatap.name, why=failure.strerror or "no answer")
        return
    found = {IPv4Address(answer[4][0]) for answer in answers}
    for locator in set(isatap.locators) - found:
        yield remark("name-lacks-locator", name=isatap.name, locator=locator)
    for stranger in found - set(isatap.locators) - set(isatap.routers):
        yield remark("name-of-stranger", name=isatap.name, stranger=stranger)


def _privileges(host: Checked) -> Findings:
    missing = set(map(int, privileges.DAEMON)) - privileges.effective()
    if missing:
        yield remark("lacking-privileges", names=", ".join(privileges.names(missing)))


_CHECKS: dict[str, Callable[[Checked], Iterable[Remark]]] = {
    "policy": _policy,
    "managers": _managers,
    "clients' names": lambda host: check_names.names(host.site),
    "site prefix": _prefix,
    "certificates": lambda host: check_files.certificates(host.site),
    "locators": _locators,
    "path to the managers": _underlay,
    "next hops": _routes,
    "leases": lambda host: check_pool.pool(host.site, host.plan, host.netlink),
    "NAT64 prefix": _unreachable,
    "forwarding": _forwarding,
    "devices": _devices,
    "VRF": _vrf,
    "ports": _ports,
    "socket unit": _kept,
    "packet filter": lambda host: check_kernel.packet_filter(host.site, host.plan),
    "untracked listeners": _untracked,
    "fast path": lambda host: check_kernel.fast_path(host.site, host.plan),
    "router name": _name,
    "DNS servers": lambda host: check_dns.upstreams(host.site),
    "manager names": lambda host: check_dns.managers(host.site),
    "names": lambda host: check_dns.updates(host.site),
    "needs": lambda host: chain(check_needs.needs(host.site), check_needs.restart(host.site, host.roles)),
    "privileges": _privileges,
}
