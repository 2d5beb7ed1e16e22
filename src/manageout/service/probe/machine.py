"""This machine's own part of the live facts: kernel parameters, reverse path check, packet filter, clock.

Only tables of others are asked of the packet filter: ours judges clients by policy, which is no obstacle.
"""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from itertools import islice
from pathlib import Path
from socket import AF_INET, AF_INET6

from manageout.errors import KernelError, ManageoutError
from manageout.linux.host import sysctl
from manageout.linux.netlink.links import Netlink
from manageout.linux.nft import program as nft
from manageout.linux.nft.evaluate import Hook, Packet, Ruleset
from manageout.linux.nft.tables import OURS
from manageout.service.probe.results import Judged, Kind, ReversePath
from manageout.service.translate.ipv4_side import Ipv4Side, ipv4_side
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site
from manageout.wire.address import rfc6052_embed
from manageout.wire.host_port import HostPort
from manageout.wire.numbers import PROTOCOL_41, TCP

SYSCTLS = (
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv4.conf.all.rp_filter",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
)
SOMEBODY = {4: "203.0.113.1", 6: "2001:db8::1"}
"""A client somewhere in the Internet (RFC 5737, RFC 3849)."""
MAX_NETWORKS = 8
"""So many of isatap.hosts are tried, by their first address."""

Question = tuple[Hook, Kind, Packet]


def sysctls() -> tuple[tuple[str, str], ...]:
    """Those that matter here and exist."""
    found = ((name, sysctl.find(name)) for name in SYSCTLS)
    return tuple((name, value) for name, value in found if value is not None)


def reverse_paths(site: Site, most: int = MAX_NETWORKS) -> tuple[ReversePath, ...]:
    """The devices of our locators, and the way back to the first address of ``most`` of the managers' networks."""
    isatap = site.isatap
    if isatap is None:
        return ()
    found = []
    with Netlink() as netlink:
        for dev in filter(None, dict.fromkeys(device_of(netlink, locator) for locator in isatap.locators)):
            link = netlink.link(dev)
            modes = [sysctl.find(f"net/ipv4/conf/{name}/rp_filter") for name in ("all", dev)]
            strict = max(int(mode or 0) for mode in modes) == 1
            for network in isatap.hosts[:most]:
                found.append(
                    ReversePath(dev, strict, str(network), _way(netlink, network[0], link.vrf if link else 0))
                )
    return tuple(found)


def _way(netlink: Netlink, address: IPv4Address | IPv6Address, vrf: int = 0) -> str:
    """The device of the way to ``address``; empty when there is none."""
    try:
        return netlink.route_get(address, vrf).dev
    except KernelError:
        return ""


def device_of(netlink: Netlink, address: IPv4Address | IPv6Address) -> str:
    """The device that holds ``address``; empty when none does."""
    for link in netlink.links():
        if any(interface.ip == address for interface in netlink.addresses(link.name)):
            return link.name
    return ""


def filters(site: Site | None, plan: Plan | None, routers: tuple[IPv4Address, ...]) -> tuple[Judged, ...]:
    """What the tables of others do with packets that must pass here. Raises NotPermitted, KernelError."""
    ruleset = of_others()
    with Netlink() as netlink:
        questions = [*_of_host(netlink, routers)]
        if site is not None and plan is not None:
            questions += [*untracked(netlink, site), *_forwarded(netlink, site, plan)]
    return tuple(
        Judged(kind, _words(packet), *ruleset.judge(hook, packet)) for hook, kind, packet in questions
    )


def of_others() -> Ruleset:
    """The packet filter that the kernel holds but for our own tables, about which the site file says more.

    Raises :class:`NotPermitted` without CAP_NET_ADMIN, :class:`KernelError`.
    """
    return Ruleset(*nft.ruleset(OURS))


def legacy_tables(root: Path = Path("/proc/net")) -> list[str]:
    """Tables of the older iptables, which nft does not show; they filter beside it."""
    found = []
    for file in ("ip_tables_names", "ip6_tables_names"):
        with contextlib.suppress(OSError):
            found += [f"{file.partition('_')[0]} {name}" for name in (root / file).read_text().split()]
    return found


def _words(packet: Packet) -> str:
    port = f" port {packet.dport}" if packet.dport else ""
    ways = [f"from {packet.iif}" if packet.iif else "", f"to {packet.oif}" if packet.oif else ""]
    protocol = {PROTOCOL_41: "protocol 41", TCP: "TCP"}.get(packet.protocol, f"protocol {packet.protocol}")
    return f"{protocol} {packet.src} > {packet.dst}{port} {' '.join(filter(None, ways))}".rstrip()


def _of_host(netlink: Netlink, routers: tuple[IPv4Address, ...]) -> Iterator[Question]:
    """An ISATAP host asks first, so that what its router sends belongs to a connection."""
    for router in routers:
        try:
            hop = netlink.route_get(router)
        except ManageoutError:
            continue
        own = str(hop.src)
        yield "output", "protocol 41 out", Packet(own, str(router), PROTOCOL_41, oif=hop.dev)
        back = Packet(str(router), own, PROTOCOL_41, iif=hop.dev, state="established")
        yield "input", "protocol 41 in", back


def untracked(netlink: Netlink, site: Site) -> Iterator[Question]:
    """Packets that end or begin here, and that our table keeps out of connection tracking."""
    yield from _of_router(netlink, site)
    yield from _of_gateway(netlink, site)


def _of_router(netlink: Netlink, site: Site) -> Iterator[Question]:
    isatap = site.isatap
    if isatap is None:
        return
    for locator in isatap.locators:
        dev = device_of(netlink, locator)
        for network in isatap.hosts[:MAX_NETWORKS]:
            manager, own = str(network[0]), str(locator)
            yield "input", "protocol 41 in", Packet(manager, own, PROTOCOL_41, iif=dev, state="untracked")
            out = Packet(own, manager, PROTOCOL_41, oif=dev, state="untracked")
            yield "output", "protocol 41 out", out


def _of_gateway(netlink: Netlink, site: Site) -> Iterator[Question]:
    for listener in site.gateway.listen if site.gateway is not None else ():
        own, port = HostPort.parse(listener)
        dev = _default_device(netlink, own.version) if own.is_unspecified else device_of(netlink, own)
        if own.is_unspecified and dev:
            held = (
                i.ip for i in netlink.addresses(dev) if i.version == own.version and not i.ip.is_link_local
            )
            own = next(held, own)
        client = Packet(SOMEBODY[own.version], str(own), TCP, port, 50_000, iif=dev, state="untracked")
        yield "input", "TLS in", client
        answer = Packet(client.dst, client.src, TCP, 50_000, port, oif=dev, state="untracked")
        yield "output", "TLS out", answer


def _default_device(netlink: Netlink, version: int) -> str:
    routes = netlink.routes(AF_INET if version == 4 else AF_INET6, protocol=None)
    return next((route.dev for route in routes if not route.prefix.prefixlen and route.dev), "")


def _forwarded(netlink: Netlink, site: Site, plan: Plan) -> Iterator[Question]:
    """First packets of connections that our own table would let through."""
    isatap, gateway = site.isatap, site.gateway
    manager = Packet(str(plan.isatap_prefix[0x10]), "", TCP, dport=3389, iif=ISATAP_DEVICE)
    for route in isatap.routes[:MAX_NETWORKS] if isatap is not None else ():
        if dev := _way(netlink, route.via):
            yield "forward", "clients' packets", manager._replace(dst=str(route.prefix[0x10]), oif=dev)
    if gateway is None:
        return
    client = str(plan.client_prefix[0x10])
    callers = [(manager.src, ISATAP_DEVICE)] if isatap is not None else []
    if gateway.isatap_router is not None:
        callers.append((manager.src, _way(netlink, gateway.isatap_router)))
    callers += [(str(source), _way(netlink, source)) for source in _native_managers(site, plan)]
    for source, dev in callers:
        if dev:
            call = manager._replace(src=source, dst=client, iif=dev, oif=IPHTTPS_DEVICE)
            yield "forward", "clients' packets", call
    if site.translation is None or plan.leases is None:
        return
    server = str(rfc6052_embed(plan.nat64, IPv4Address("10.0.0.1")))
    out = Packet(client, server, TCP, dport=443, iif=IPHTTPS_DEVICE, oif=XLAT_DEVICE)
    yield "forward", "clients' packets", out
    side = ipv4_side(netlink, site, plan)
    lease, network = str(plan.leases[1]), _somebody(netlink, site, plan, side)
    if network is not None:
        dev, somebody = network
        yield "forward", "leases' packets", Packet(lease, somebody, TCP, dport=443, iif=XLAT_DEVICE, oif=dev)
        if not site.translation.masquerade:
            back = Packet(somebody, lease, TCP, dport=3389, iif=dev, oif=XLAT_DEVICE)
            yield "forward", "leases' packets", back


def _native_managers(site: Site, plan: Plan) -> list[IPv6Address]:
    """Of managers that no transition technology brings here, the first address of each network."""
    ours = (plan.isatap_prefix, plan.client_prefix, plan.nat64)
    sources = (source for manager in site.policy.managers for source in manager.source)
    native = (each for each in sources if isinstance(each, IPv6Network) and not any(map(each.overlaps, ours)))
    return [each[0] for each in islice(native, MAX_NETWORKS)]


def _somebody(netlink: Netlink, site: Site, plan: Plan, side: Ipv4Side) -> tuple[str, str] | None:
    """A device of the intranet, and an address on it: where leases are, else locators, else anywhere."""
    assert plan.leases is not None
    locators = site.isatap.locators if site.isatap is not None else ()
    likely = [side.device_for(plan.leases), *(device_of(netlink, locator) for locator in locators)]
    inward = [dev for dev in side.connected if dev != _default_device(netlink, 4)]
    for dev in (*likely, *inward, *side.connected):
        if dev and (networks := side.connected.get(dev)):
            return dev, str(networks[0][-2])
    return None
