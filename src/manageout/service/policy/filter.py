"""Site and plan -> the body of our nftables table ``inet manageout``: one text, replaced as a whole. Pure.

What enters or leaves a link of ours is judged in the chain ``forward``, in this order: what belongs to a
connection that was let through; what cannot come from there; then who may begin a connection::

    client  -> intranet   from_clients    policy.intranet and the site prefix; other clients by policy.hairpin
    client  -> gateway    to_gateway      ICMP, the DNS64, policy.gateway_services
    manager -> client     managers        only by [[policy.managers]], whether by ISATAP, to its lease or in IPv6
    anything else                         refused

ICMP errors pass with the connection that they are about. Traffic between other devices is not ours to judge. What is
refused is counted by reason, and by source in bounded sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from manageout.linux.netlink.conntrack import PROBE_MARK
from manageout.linux.nft.features import ALL, Features
from manageout.protocol.core.drops import Drop
from manageout.service.policy import filter_text as text
from manageout.service.policy.filter_managers import CLIENTS, EMPTY, OTHERS, Contents, managers, service_rules
from manageout.service.policy.filter_tracking import tracking
from manageout.service.policy.revision import REFUSED_MARK
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site, needed

# RFC 4890 4.3.1: errors that must pass, whoever sends them; and their like in IPv4.
_ERRORS = "destination-unreachable, packet-too-big, time-exceeded, parameter-problem"
_ERRORS4 = "destination-unreachable, time-exceeded, parameter-problem"

# The kernel reports its own multicast groups into every link; ours carry none, and would count them as drops.
# What the doctor asks clients in a manager's name is not to count as the manager's call.
_OUTPUT = [
    "type filter hook output priority filter; policy accept;",
    f"meta mark {PROBE_MARK:#x} ct mark set meta mark",
    'oifname "mo-*" icmpv6 type { mld-listener-report, mld2-listener-report, mld-listener-done } drop',
]

_MSS = 1280 - 60  # the MTU of the clients' link ([MS-IPHTTPS] 3.2.3.1) less the headers of IPv6 and TCP

REFUSALS: dict[Drop, str] = {
    Drop.POLICY: "reject with icmpx admin-prohibited",
    Drop.OUTSIDE: "reject with icmpx admin-prohibited",
    Drop.HAIRPIN: "reject with icmpx admin-prohibited",
    Drop.GATEWAY_SERVICE: "reject with icmpx admin-prohibited",
    Drop.CONNECTION_LIMIT: "reject with icmpx admin-prohibited",
    Drop.UNKNOWN_CLIENT: "drop",
    Drop.WRONG_WAY: "drop",
    Drop.FOREIGN: "drop",
}
"""Why the filter refuses, and how: whoever is what it says is told so, others are not."""


def table(
    site: Site,
    plan: Plan,
    underlays: Sequence[str] = (),
    contents: Contents = EMPTY,
    features: Features = ALL,
    towards: Sequence[str] = (),
) -> str:
    """The whole table. ``contents``: members of its sets that are known by now; ``towards``: devices by which other
    ISATAP routers are reached.
    """
    sets, manager_chains = managers(site, plan, contents, set_name(Drop.POLICY))
    for reason in REFUSALS:
        sets += text.source_sets(set_name(reason), contents.counters.get(set_name(reason), 0))
    sets += text.pair_sets(set_name(Drop.POLICY))
    chains = [text.chain("forward", _forward(site, plan, contents.torn, towards))]
    if site.gateway is not None:
        chains.append(text.chain("whence", _whence(site, plan)))
        chains.append(text.chain("from_clients", _from_clients(site, plan)))
    chains += manager_chains
    if site.gateway is not None:
        chains.append(text.chain("to_gateway", _to_gateway(site, plan)))
    chains += [
        text.chain(set_name(reason), _refusal(reason, verdict)) for reason, verdict in REFUSALS.items()
    ]
    chains += [
        text.chain("output", [*_OUTPUT, *_false_reports(site)]),
        text.chain("input", _input(site, plan, underlays)),
    ]
    if site.gateway is not None:
        chains.append(text.chain("mss", _clamp()))
    if site.translation is not None:
        sets.append(text.addresses(CLIENTS, contents.members.get(CLIENTS, ())))
        sets.append(text.mapping(OTHERS, contents.others))
        chains.append(text.chain("postrouting", _source_addresses(site, plan)))
    limits = tracking(site, plan, features, contents.owners, set_name(Drop.CONNECTION_LIMIT))
    return "\n".join([*sets, *limits[0], *chains, *limits[1]])


def set_name(reason: Drop) -> str:
    """The chain and counter of a refusal; the sets of its sources end in 4 and 6."""
    return f"refused_{reason.name.lower()}"


def _whence(site: Site, plan: Plan) -> Iterator[str]:
    """A packet to a client must come from where its source lies: the Internet's side must not speak for the intranet.

    Managers are told by their source, and so is who may call machines with a mapping of their own. The kernel is asked
    here, because it answers in forward hooks only since Linux 5.18.
    """
    yield "type filter hook prerouting priority filter; policy accept;"
    astray = f"fib saddr . iif oif missing goto {set_name(Drop.WRONG_WAY)}"
    # With several ISATAP routers a host sends by one, and is answered by another.
    several = site.isatap is not None and bool(site.isatap.routers)
    but = f"ip6 saddr != {plan.isatap_prefix} " if several else ""
    anew = f"ip6 daddr {plan.client_prefix} ct state != {{ established, related }}"
    yield f"iifname != {IPHTTPS_DEVICE} {anew} {but}{astray}"
    if plan.leases is not None and site.translation is not None:
        shown = text.nets([plan.leases, *(each.ipv4 for each in site.translation.eam)])
        yield f'iifname != "mo-*" ip daddr {shown} {astray}'


def _forward(site: Site, plan: Plan, torn: bool, towards: Sequence[str]) -> Iterator[str]:
    yield "type filter hook forward priority filter; policy accept;"
    yield 'iifname != "mo-*" oifname != "mo-*" accept'
    yield f"ct state established,related ct mark & {REFUSED_MARK:#x} == 0 accept"
    yield f"ct state established,related goto {set_name(Drop.POLICY)}"
    if torn and site.gateway is not None:
        # The middle of a connection would be taken for the beginning of one, in either direction. Of clients every
        # packet passes here; what ISATAP hosts have begun through another router is not known, and goes on.
        middle = f"ct state new tcp flags & (fin | syn | rst | ack) != syn goto {set_name(Drop.POLICY)}"
        yield from (f"{way} {IPHTTPS_DEVICE} {middle}" for way in ("iifname", "oifname"))
    yield from _origins(site, plan, towards)
    yield from _strange_errors(site)
    if site.gateway is not None:
        yield f"iifname {IPHTTPS_DEVICE} goto from_clients"
    if site.translation is not None:
        yield from _translated(site, plan)
    if site.gateway is not None:
        yield f"oifname {IPHTTPS_DEVICE} ip6 daddr {text.nets([plan.client_prefix])} goto managers"
    if site.isatap is not None:
        yield from _isatap(site, plan)
    yield f"goto {set_name(Drop.FOREIGN)}"


def _origins(site: Site, plan: Plan, towards: Sequence[str]) -> Iterator[str]:
    """What has a source of one link must come from that link."""
    refuse = f"goto {set_name(Drop.WRONG_WAY)}"
    if site.gateway is not None:
        yield f"iifname != {IPHTTPS_DEVICE} ip6 saddr {plan.client_prefix} {refuse}"
    if site.translation is not None:  # towards the translator, it says so itself
        yield f"iifname != {XLAT_DEVICE} oifname {IPHTTPS_DEVICE} ip6 saddr {plan.nat64} {refuse}"
    if site.isatap is not None:
        # With several ISATAP routers a host sends by one, and is answered by another.
        others = towards if site.isatap.routers else ()
        devices = ", ".join([ISATAP_DEVICE, *(f'"{name}"' for name in others)])
        yield f"iifname != {{ {devices} }} ip6 saddr {plan.isatap_prefix} {refuse}"


def _strange_errors(site: Site) -> Iterator[str]:
    """Errors about connections that this machine has not seen."""
    if site.isatap is not None and site.isatap.routers:
        # What another router has carried. Of clients every packet passes here, there and back.
        elsewhere = f"iifname != {IPHTTPS_DEVICE} oifname != {IPHTTPS_DEVICE} "
        yield f"{elsewhere}icmpv6 type {{ {_ERRORS} }} accept"
    if site.translation is not None and site.translation.eam:
        machines = text.nets(eam.ipv4 for eam in site.translation.eam)
        yield f"oifname {XLAT_DEVICE} ip daddr {machines} icmp type {{ {_ERRORS4} }} accept"


def _from_clients(site: Site, plan: Plan) -> Iterator[str]:
    between = "accept" if site.policy.hairpin else f"goto {set_name(Drop.HAIRPIN)}"
    outside = f"goto {set_name(Drop.OUTSIDE)}"
    yield f"oifname {IPHTTPS_DEVICE} {between}"
    yield f"ip6 saddr != {plan.client_prefix} goto {set_name(Drop.WRONG_WAY)}"
    if site.translation is not None:
        # Before its address is in the sets, a connection would begin with the wrong one, and keep it.
        yield f"oifname {XLAT_DEVICE} ip6 saddr != @{CLIENTS} goto {set_name(Drop.UNKNOWN_CLIENT)}"
    prefixes = [each.prefix for each in site.dns64.prefixes] if site.dns64 else []
    if site.translation is not None:
        yield f"ip6 daddr {text.embedded(plan.nat64, site.translation.pool)} {between}"
        prefixes.append(plan.nat64)
    for prefix in dict.fromkeys(prefixes):
        # An ISATAP router would take a tunnelling client for an ISATAP host, and for a manager if its lease is one.
        yield f"ip6 daddr {prefix} meta l4proto 41 {outside}"
        reached = [text.embedded(prefix, each) for each in _intranet4(site)]
        if reached:
            yield f"ip6 daddr {text.nets(reached)} accept"
        yield f"ip6 daddr {prefix} {outside}"
    intranet = [each for each in site.policy.intranet if isinstance(each, IPv6Network)]
    yield f"ip6 daddr {text.nets([*plan.client_routes, plan.isatap_prefix, plan.site, *intranet])} accept"
    yield outside


def _translated(site: Site, plan: Plan) -> Iterator[str]:
    """A packet through the translator is judged where it is IPv6; there both ends are known.

    Its IPv4 half passes unseen, also by connection tracking, unless that must masquerade.
    """
    table = needed(site.translation)
    between = "accept" if site.policy.hairpin else f"goto {set_name(Drop.HAIRPIN)}"
    clients = text.embedded(plan.nat64, table.pool)
    yield f"iifname {XLAT_DEVICE} meta nfproto ipv4 accept"
    yield f"oifname {XLAT_DEVICE} ip daddr {table.pool} accept"
    yield f"iifname {XLAT_DEVICE} oifname {IPHTTPS_DEVICE} ip6 saddr {clients} {between}"
    machines4 = [eam.ipv4 for eam in table.eam]
    machines6 = [eam.ipv6 for eam in table.eam]
    intranet = _intranet4(site)
    if machines4 and intranet:
        reached = text.nets(text.embedded(plan.nat64, each) for each in intranet)
        yield f"oifname {XLAT_DEVICE} ip saddr {text.nets(intranet)} ip daddr {text.nets(machines4)} accept"
        yield f"oifname {XLAT_DEVICE} ip6 saddr {text.nets(machines6)} ip6 daddr {reached} accept"
        yield f"iifname {XLAT_DEVICE} ip6 saddr {reached} ip6 daddr {text.nets(machines6)} accept"


def _isatap(site: Site, plan: Plan) -> Iterator[str]:
    own = plan.isatap_prefix
    beyond = "::/0" if needed(site.isatap).default_route else text.nets((*plan.advertised, plan.site))
    yield f"iifname {ISATAP_DEVICE} ip6 saddr {own} ip6 daddr {text.nets(_client_prefixes(site, plan))} goto managers"
    yield f"iifname {ISATAP_DEVICE} ip6 saddr {own} ip6 daddr {beyond} accept"
    yield f"oifname {ISATAP_DEVICE} ip6 saddr {beyond} ip6 daddr {own} accept"


def _client_prefixes(site: Site, plan: Plan) -> Iterator[IPv6Network]:
    """Where clients are, as far as an ISATAP router knows."""
    yield plan.client_aggregate
    if site.gateway is not None:
        yield plan.client_prefix
    if site.isatap is not None:
        yield from (route.prefix for route in site.isatap.routes)
    # Who advertises the whole site does not mean that all of it is clients.
    yield from (prefix for prefix in plan.advertised if not plan.isatap_prefix.subnet_of(prefix))


def _refusal(reason: Drop, verdict: str) -> Iterator[str]:
    """Two rules for the source, because a full set ends its rule."""
    name = set_name(reason)
    yield f"update @{name}4 {{ ip saddr counter }}"
    yield f"update @{name}6 {{ ip6 saddr counter }}"
    if reason is Drop.POLICY:
        yield from text.pair_rules(name)
    yield f"counter name {name} {verdict}"


def _input(site: Site, plan: Plan, underlays: Sequence[str]) -> Iterator[str]:
    yield "type filter hook input priority filter; policy accept;"
    if site.isatap is not None and underlays:
        yield _arrival(site.isatap.locators, underlays)
    if site.gateway is not None:
        yield f"iifname {IPHTTPS_DEVICE} goto to_gateway"
    if site.translation is not None:
        pool = site.translation.pool
        yield f"iifname {XLAT_DEVICE} ip saddr {pool} goto to_gateway"
        yield f"iifname {XLAT_DEVICE} ip6 saddr {text.embedded(plan.nat64, pool)} goto to_gateway"
    if site.dns64 is not None:  # ours is no open resolver
        yield f'ip6 daddr {plan.dns64} iifname != "mo-*" iifname != "lo" counter drop'


def _false_reports(site: Site) -> Iterator[str]:
    """With its module sit loaded Linux calls the port of every packet unreachable that our raw socket has taken."""
    if site.isatap is not None:
        about = f"@th,136,8 41 ip saddr {{ {', '.join(map(str, site.isatap.locators))} }}"
        yield f"icmp type destination-unreachable icmp code port-unreachable {about} drop"


def _to_gateway(site: Site, plan: Plan) -> Iterator[str]:
    """A client's packets for this machine. What it has begun is judged at each packet, what we have begun passes."""
    yield "ct state established ct direction reply accept"
    yield "meta l4proto { icmp, icmpv6 } accept"
    if site.dns64 is not None:
        yield f"ip6 daddr {plan.dns64} meta l4proto {{ tcp, udp }} th dport 53 accept"
    yield from service_rules(site.policy.gateway_services, "accept")
    yield f"goto {set_name(Drop.GATEWAY_SERVICE)}"


def _arrival(locators: Iterable[IPv4Address], underlays: Iterable[str]) -> str:
    """RFC 5214 7.3 rule 1: protocol 41 to a locator counts only on the device that holds it.

    The Internet side of a gateway thus cannot speak for an intranet host. In a VRF the packet came by the VRF's own
    device, and that is its second one.
    """
    devices = ", ".join(f'"{name}"' for name in underlays)
    to = f"meta l4proto 41 ip daddr {{ {', '.join(map(str, locators))} }}"
    return f"{to} iifname != {{ {devices} }} meta sdifname != {{ {devices} }} counter drop"


def _clamp() -> Iterator[str]:
    """No black hole for TCP, whatever an end believes of the clients' link (RFC 4459 3.2)."""
    yield "type filter hook forward priority mangle; policy accept;"
    for way in ("iifname", "oifname"):
        yield (
            f"{way} {IPHTTPS_DEVICE} tcp flags & (syn | rst) == syn"
            f" tcp option maxseg size > {_MSS} tcp option maxseg size set {_MSS}"
        )


def _source_addresses(site: Site, plan: Plan) -> Iterator[str]:
    """A client's further addresses have no lease: they are rewritten to the one that has."""
    table = needed(site.translation)
    yield "type nat hook postrouting priority srcnat; policy accept;"
    yield f"oifname {XLAT_DEVICE} snat ip6 to ip6 saddr map @{OTHERS}"
    if table.masquerade:
        yield f'ip saddr {table.pool} oifname != "mo-*" masquerade'


def _intranet4(site: Site) -> list[IPv4Network]:
    return [each for each in site.policy.intranet if isinstance(each, IPv4Network)]
