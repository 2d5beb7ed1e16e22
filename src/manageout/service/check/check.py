"""``manageout check``: hold a site file against this machine, before the daemon does. Changes nothing.

Each check is a function that yields findings; the table at the end names them in the order in which they are
shown. A check that cannot be made (no privilege) says so instead of passing silently.
"""

from __future__ import annotations

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
from manageout.service.check.found import Remark, error, gathered, note, warning
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
        remedy = 'set gateway.authentication = "certificates" and client_ca'
        yield warning("everybody on the Internet may connect a tunnel", remedy)
    if gateway and not gateway.allow:
        yield warning("gateway.allow is empty: no client may connect", 'list certificate names, or "*"')
    if isatap and not isatap.hosts:
        yield warning("isatap.hosts is empty: no host is answered", "list the managers' IPv4 addresses")
    for network in isatap.hosts if isatap else ():
        if network.num_addresses > BROAD:
            remedy = "list the managers only"
            yield warning(f"isatap.hosts {network} allows {counted(network.num_addresses, 'host')}", remedy)
    if isatap and (many := sum(network.num_addresses for network in isatap.hosts)) > isatap.max_hosts:
        what = f"isatap.hosts allows {counted(many, 'host')}, isatap.max_hosts remembers {isatap.max_hosts}"
        yield warning(f"{what}: forged sources push others out", "list the managers only, or raise max_hosts")
    if isatap and not isatap.name:
        yield warning(
            "isatap.name is empty: `plan` cannot say what hosts resolve", "name it, never bare 'isatap'"
        )
    if isatap and not host.plan.advertised:
        remedy = "add [[isatap.routes]] for the gateway's client prefix, or a [gateway] table"
        yield warning("ISATAP hosts are told of no client prefix", remedy)
    if isatap and isatap.default_route:
        yield note("ISATAP hosts will send all IPv6 through this router", "isatap.default_route = false")


def _managers(host: Checked) -> Findings:
    """Who may call clients, and whether a way leads there."""
    site = host.site
    if not site.policy.managers:
        yield note("nobody may call clients", "name the machines that may in [[policy.managers]]")
    if site.translation is not None and not site.translation.masquerade:
        return  # every IPv4 machine reaches leases
    hosts = site.isatap.hosts if site.isatap is not None else ()
    behind_another = site.gateway is not None and site.gateway.isatap_router is not None
    for number, manager in enumerate(site.policy.managers):
        for network in manager.source:
            known = not isinstance(network, IPv4Network) or any(network.overlaps(each) for each in hosts)
            if not known and not behind_another:
                what = f"policy.managers.{number}: {network} has no way to clients"
                leases = "leave out masquerade" if site.translation else "give clients leases: [translation]"
                yield warning(what, f"list it in isatap.hosts, or {leases}")


def _prefix(host: Checked) -> Findings:
    prefix = host.site.site.prefix
    first = prefix.network_address.packed
    if first[0] == 0xFD and len(set(first[1:6])) < 3:
        remedy = "before anybody uses it, take a random one: `manageout plan --new`"
        yield warning(f"{prefix} is not random: joined with another such site it collides (RFC 4193)", remedy)
    if first[0] == 0xFC:
        yield warning(
            f"{prefix}: fc00::/8 is not assigned", "take one below fd00::/8: `manageout plan --new`"
        )
    if first[:4] == b"\x20\x01\x0d\xb8":
        yield warning(f"{prefix} is for documentation only", "take your own, or `manageout plan --new`")
    if first[:2] == b"\x20\x02":
        embedded = IPv4Address(first[2:6])
        if not is_global(embedded.packed):
            yield warning(
                f"{prefix} is 6to4 of {embedded}, which is not public", "see `manageout plan --public`"
            )
        elif embedded not in _own_addresses(host):
            yield note(f"{prefix} belongs to {embedded}, which this machine does not have")


def _own_addresses(host: Checked) -> set[object]:
    return {address.ip for address in host.netlink.addresses()}


def _locators(host: Checked) -> Findings:
    isatap = host.site.isatap
    own = _own_addresses(host)
    for locator in isatap.locators if isatap else ():
        if locator not in own:
            remedy = "give an address that `ip -4 address` shows, or add it to a device"
            yield error(f"isatap.locators: {locator} is not on this machine", remedy)


def _underlay(host: Checked) -> Findings:
    """The IPv4 path to the managers: MTU and reverse path filter."""
    isatap = host.site.isatap
    if isatap is None:
        return
    for locator in isatap.locators:
        link = host.netlink.link(machine.device_of(host.netlink, locator))
        if link is not None and link.mtu < isatap.mtu + ISATAP_OVERHEAD:
            needed = link.mtu - ISATAP_OVERHEAD
            what = f"{link.name} has MTU {link.mtu}: packets are fragmented"
            yield warning(what, f"isatap.mtu = {needed}")
    for path in machine.reverse_paths(host.site, len(isatap.hosts)):
        if not path.back:
            yield error(f"there is no route to {path.network}", "add an IPv4 route: `ip route`")
        elif path.drops:
            yield warning(
                f"packets from {path.network} may come by {path.dev}, but the way back is {path.back}: rp_filter drops "
                "them",
                f"sysctl net.ipv4.conf.{path.dev}.rp_filter=2 and net.ipv4.conf.all.rp_filter=2",
            )


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
            remedy = "give this machine an IPv6 address on the link that it shares with the next hop"
            yield error(f"the next hop {via} to {prefix} is on no link of this machine", remedy)
    around = surroundings(host.netlink, host.site, host.plan)
    for router in host.site.isatap.routers if host.site.isatap else ():
        default = host.netlink.best_route(router)
        if router not in around.towards and (default is None or default.dev not in around.underlays):
            what = f"isatap.routers: no route but the default one leads to {router}"
            remedy = f"add one where it is: ip route add {router} via ..."
            yield warning(f"{what}: calls of its hosts to clients of this gateway are refused", remedy)


def _forwarding(host: Checked) -> Findings:
    """Forwarding turns off router advertisements on the other links, and removes default routes learnt from them."""
    forwarding = sysctl.find("net.ipv6.conf.all.forwarding")
    if forwarding is None:
        yield error("this kernel runs without IPv6", "boot it without ipv6.disable=1")
    if forwarding != "0":
        return
    for dev in sorted({str(route.dev) for route in host.netlink.routes(protocol=RA)}):
        if sysctl.find(f"net/ipv6/conf/{dev}/accept_ra") == "1":
            yield warning(
                f"{dev} learns IPv6 routes from router advertisements; turning forwarding on ends that, and takes"
                " the default route away at once",
                f"sysctl net.ipv6.conf.{dev}.accept_ra=2, or configure the routes by hand",
            )


def _devices(host: Checked) -> Findings:
    if not Path("/dev/net/tun").exists():
        yield error("/dev/net/tun is missing: no TUN driver", "modprobe tun")
    for device in desired(host.site, host.plan).devices:
        if not host.running and host.netlink.index(device.name) is not None:
            yield error(f"the device name {device.name} is taken", f"ip link delete {device.name}")


def _ports(host: Checked) -> Findings:
    if host.running:
        yield note("our daemon is running: its ports are not tried")
        return
    places = [*(host.site.gateway.listen if host.site.gateway else ())]
    if not host.site.daemon.metrics.startswith("unix:") and host.site.daemon.metrics != "off":
        places.append(host.site.daemon.metrics)
    kept = systemd.kept_places("manageout.socket")
    for listener in places:
        if listener in kept:
            yield note(f"{listener}: systemd listens there for us (manageout.socket)")
            continue
        address, port = HostPort.parse(listener)
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        try:
            socket.create_server((str(address), port), family=family).close()
        except PermissionError:
            yield note(f"{listener}: not permitted to try", "run check as root")
        except OSError as failure:
            yield error(f"{listener}: {failure.strerror}", f"see who has it: ss -ltnp 'sport = :{port}'")


def _kept(host: Checked) -> Findings:
    """systemd must listen where the site file says, or clients wait in vain."""
    if host.site.gateway is None:
        return
    for place in set(systemd.kept_places("manageout.socket")) - set(host.site.gateway.listen):
        remedy = (
            "write the same places into both; systemctl daemon-reload; systemctl restart manageout.socket"
        )
        yield error(f"manageout.socket listens on {place}, which gateway.listen does not name", remedy)


def _untracked(host: Checked) -> Findings:
    """Whether rules of others bear that we leave our listeners untracked."""
    if shutil.which("nft") is None or privileges.Capability.NET_ADMIN not in privileges.effective():
        return  # told above
    for fault in untracked.harm(host.site):
        yield warning(fault.what, fault.remedy)


def _unreachable(host: Checked) -> Findings:
    """RFC 6052 3.1: nothing private under the Well-Known Prefix."""
    if host.site.translation is None or host.plan.nat64 != WELL_KNOWN_NAT64:
        return
    private = [
        each
        for each in host.site.policy.intranet
        if isinstance(each, IPv4Network) and not all(is_global(each[end].packed) for end in (0, -1))
    ]
    if private:
        text = f"{WELL_KNOWN_NAT64} carries no private addresses: {', '.join(map(str, private))} cannot be reached"
        yield error(text, "leave translation.prefix out (RFC 6052 3.1)")


def _name(host: Checked) -> Findings:
    """Whether the name that hosts resolve leads here."""
    isatap = host.site.isatap
    if isatap is None or not isatap.name:
        return
    try:
        answers = socket.getaddrinfo(isatap.name, None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as failure:
        text = failure.strerror or "no answer"
        yield warning(f"{isatap.name} does not resolve here: {text}", "create the records that `plan` shows")
        return
    found = {IPv4Address(answer[4][0]) for answer in answers}
    for locator in set(isatap.locators) - found:
        yield warning(f"{isatap.name} does not lead to {locator}", "add an A record")
    for stranger in found - set(isatap.locators) - set(isatap.routers):
        remedy = "remove the A record, or list it in isatap.routers"
        yield warning(f"{isatap.name} also leads to {stranger}, which is not of this site", remedy)


def _privileges(host: Checked) -> Findings:
    missing = set(map(int, privileges.DAEMON)) - privileges.effective()
    if missing:
        names = ", ".join(privileges.names(missing))
        yield note(f"you lack {names}: the daemon needs them", "run it as root or by systemd")


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
