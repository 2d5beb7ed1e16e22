"""An ISATAP host whose router's name is blocked, whose adapter sleeps, or that follows a router of yesterday."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from manageout.doctor.facts import Facts
from manageout.doctor.findings import rule
from manageout.doctor.rules.machine import ISATAP_OFF, PARAMETERS, TUNNELS_OFF, disabled_components
from manageout.doctor.rules.manager import OFF_BY_DEFAULT, active, addressed, enabled, router_lookup, wanted
from manageout.wire.address import embedded_isatap

BLOCKED = ("isatap", "wpad")
"""Labels on the global query block list of a new DNS server."""
PREFER_IPV4 = 0x20
CLAT = IPv4Network("192.0.0.0/29")
"""Addresses of the machine's own translator (RFC 7335)."""


def _routers(facts: Facts) -> list[IPv4Address]:
    return [a for lookup in router_lookup(facts) for a in lookup.addresses if isinstance(a, IPv4Address)]


@rule(
    "ISATAP-NAME-BLOCKED",
    "error",
    "the bare name 'isatap' is not answered",
    cause="Windows' DNS servers block this name from their first start on (global query block list): the record may "
    "exist and is never answered. Each server has a list of its own.",
    remedy=(
        "use a unique name (best): manageout rollout dns, then manageout rollout gpo",
        "Get-DnsServerGlobalQueryBlockList -ComputerName DNSSERVER   (on each: is isatap in it?)",
    ),
    hides=(
        "ISATAP-NO-NAME",
        "ISATAP-BARE-NAME",
        "ISATAP-LINK-LOCAL-ONLY",
        "ISATAP-DISCONNECTED",
        "ISATAP-NO-ROUTE",
    ),
)
def blocked(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A router's name whose first label is blocked by default, and no look-up of it found an address."""
    lookups = [one for one in router_lookup(facts) if one.name.lower().split(".")[0] in BLOCKED]
    if wanted(facts) and active(facts) and lookups and not any(one.addresses for one in lookups):
        yield tuple(lookup.quote for lookup in lookups)


@rule(
    "ISATAP-DISCONNECTED",
    "error",
    "the ISATAP adapter is there but disconnected",
    cause="Up to Windows 10 1607 it stays so until the router's name resolves. Later it means that IP Helper has not "
    "taken up the settings yet, or that the adapter belongs to a network card without IPv4.",
    remedy=(
        "Restart-Service iphlpsvc",
        "Resolve-DnsName ROUTER -Type A   (the router's name, on this machine)",
    ),
    hides=("ISATAP-LINK-LOCAL-ONLY", "ISATAP-NO-ROUTE"),
)
def disconnected(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Wanted, adapters are known, none of them holds an address though other interfaces do, or each is said to be
    disconnected."""
    named = facts.isatap_router is not None and bool(facts.isatap_router.value)
    old = facts.build is not None and facts.build < OFF_BY_DEFAULT
    found = facts.of_kind("isatap")
    if not wanted(facts) or not (enabled(facts) or (old and named)) or not found:
        return
    cut = all(one.connected is False for one in found)
    if not addressed(facts) and (cut or any(one.ipv4 for one in facts.interfaces)):
        yield tuple(one.quote or one.name for one in found)


@rule(
    "ISATAP-OVER-CLAT",
    "error",
    "ISATAP where IPv4 is only translated (CLAT)",
    cause="The network has no IPv4: Windows makes IPv4 packets into IPv6 ones itself. What it translates is TCP, UDP "
    "and ICMP; ISATAP is IP protocol 41 and does not pass (RFC 7915 1.2).",
    remedy=(
        "netsh interface clat show global   (is it this? the address below 192.0.0.8 says so)",
        "use the network's own IPv6 to the clients' prefix, or their leases: no ISATAP on this machine",
        "or be a remote client: IP-HTTPS is TCP and passes",
    ),
    hides=("ISATAP-LINK-LOCAL-ONLY", "ISATAP-DISCONNECTED", "ISATAP-NO-ROUTE"),
)
def over_clat(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP is on, and every IPv4 address of the machine is one of the translator, or the machine says so."""
    own = [(one, address) for one in facts.interfaces for address in one.ipv4]
    own += [
        (one, IPv4Address(found))
        for one in addressed(facts)
        for address in one.link_local
        if (found := embedded_isatap(address.packed)) is not None
    ]
    real = [
        address
        for one, address in own
        if not (address in CLAT or address.is_loopback or address.is_link_local)
    ]
    told = facts.clat is not None and facts.clat.value
    if not wanted(facts) or not (enabled(facts) or addressed(facts)) or real or not (own or told):
        return
    translated = [f"{one.quote or one.name}: {address}" for one, address in own if address in CLAT]
    if translated or told:
        yield (*([facts.clat.quote] if facts.clat is not None and told else []), *translated)


@rule(
    "ISATAP-SEVERAL-ROUTERS",
    "note",
    "the ISATAP router's name has several addresses",
    cause="Windows takes every one of them for a router. That is right for a farm with NLB (one for each node and the "
    "virtual one). Behind an external load balancer, or in multisite, packets then reach any node, and a client's "
    "tunnel ends on one alone.",
    remedy=(
        "NLB: nothing, if the address of every node and the virtual one are among them",
        "external load balancer or multisite: one address alone, of one separate ISATAP router (manageout plan)",
    ),
)
def several_routers(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one A record under the router's name, on a machine that is no server."""
    if wanted(facts) and len(set(_routers(facts))) > 1:
        yield tuple(lookup.quote for lookup in router_lookup(facts))


@rule(
    "ISATAP-OLD-ROUTER",
    "warning",
    "this machine follows a router that is no longer in the DNS",
    cause="The router's name is asked for again only after up to a day. Until then hosts use the address that it had.",
    remedy=(
        "Restart-Service iphlpsvc   (on each manager)",
        "or let the old address answer a day longer",
    ),
    hides=("ISATAP-NO-ROUTE",),
)
def old_router(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A next hop of the ISATAP interface embeds an address that the name does not have."""
    routers = set(_routers(facts))
    for one in addressed(facts) if wanted(facts) and routers else []:
        hops = [route.next_hop for route in facts.routes or [] if route.interface == one.index]
        for hop in dict.fromkeys([*one.gateways, *hops]):
            found = embedded_isatap(hop.packed) if isinstance(hop, IPv6Address) else None
            if found is not None and IPv4Address(found) not in routers:
                quotes = (lookup.quote for lookup in router_lookup(facts))
                yield f"{one.quote or one.name}: next hop {hop}", *quotes


@rule(
    "ISATAP-NO-GATEWAY",
    "note",
    "no default gateway on the ISATAP adapter",
    cause="That is right where the router advertises routes to the clients alone, as ours does; a Windows router "
    "advertises itself as default gateway. This evidence does not show the routes.",
    remedy=("netsh interface ipv6 show route   (a next hop of the ISATAP interface must be there)",),
)
def no_gateway(facts: Facts) -> Iterator[tuple[str, ...]]:
    """An address beyond fe80, no gateway, and no routes in the evidence."""
    for one in addressed(facts):
        if wanted(facts) and facts.routes is None and one.ipv6 and not one.gateways:
            yield (f"{one.quote or one.name}: {one.printed(one.ipv6)}",)


@rule(
    "PREFER-IPV4",
    "note",
    "the registry makes this machine prefer IPv4",
    cause="DisabledComponents has the bit 0x20: a client's name that has an IPv4 address too is called at that one.",
    remedy=(
        "nothing, if clients are called by their leases",
        rf'reg add "HKLM\{PARAMETERS}" /v DisabledComponents /t REG_DWORD /d 0 /f   (then restart)',
    ),
)
def prefers_ipv4(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The bit on a manager, without those that switch tunnels off."""
    found = disabled_components(facts)
    bits = found.value & (PREFER_IPV4 | TUNNELS_OFF | ISATAP_OFF) if found is not None else 0
    if found is not None and facts.role in ("manager", "unknown") and bits == PREFER_IPV4:
        yield (found.quote,)
