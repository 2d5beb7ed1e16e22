"""An ISATAP host: why it has no address, only a link-local one, no way to the clients, or a router of yesterday."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from manageout.doctor.facts import Facts, Interface, Lookup
from manageout.doctor.rules.evidence import holding, label, of_intranets, quotes, stated
from manageout.doctor.rules.rule import Case, Theme
from manageout.service.probe.results import BLOCKED
from manageout.windows.policies import TRANSITION
from manageout.windows.text import public
from manageout.wire.address import embedded_isatap

rule = Theme()
OFF_BY_DEFAULT = 15063
"""Windows 10 1703: since then 'default' means off."""
CLAT = IPv4Network("192.0.0.0/29")
"""Addresses of the machine's own translator (RFC 7335)."""


def is_real(address: IPv4Address) -> bool:
    """Neither the machine's own translator's (RFC 7335), nor made up by itself."""
    return not (address in CLAT or address.is_loopback or address.is_link_local)


def wanted(facts: Facts) -> bool:
    """Whether the machine is meant to be an ISATAP host."""
    return facts.role in ("manager", "unknown") and facts.load_balancing is None


def enabled(facts: Facts) -> bool:
    return bool(stated(facts.isatap_state, "enabled", "automatic"))


def active(facts: Facts) -> bool:
    """Enabled; where nobody tells the state, by an adapter with an address, which there is only then."""
    return enabled(facts) or (facts.isatap_state is None and bool(addressed(facts)))


def router_lookup(facts: Facts) -> list[Lookup]:
    """The look-ups of the router's name; where none is configured, those of a name with isatap in its first label."""
    named = facts.isatap_policy_router or facts.isatap_router
    name = named.value.lower().rstrip(".") if named is not None else ""
    return [
        lookup
        for lookup in facts.lookups
        if (found := lookup.name.lower().rstrip("."))
        and (found == name if name else "isatap" in found.partition(".")[0])
    ]


def followed_routers(facts: Facts) -> dict[IPv4Address, str]:
    """The ISATAP routers that a host has a default route to, with the words."""
    found: dict[IPv4Address, str] = {}
    routes = facts.routes or facts.some_routes or facts.active_routes
    hops: list[tuple[object, str]] = [(one.next_hop, one.quote) for one in routes if not one.prefix.prefixlen]
    hops += [(hop, f"{label(one)}: gateway {hop}") for one in facts.of_kind("isatap") for hop in one.gateways]
    for hop, quote in hops:
        if isinstance(hop, IPv6Address) and (inner := embedded_isatap(hop.packed)) is not None:
            found.setdefault(IPv4Address(inner), quote)
    return found


def _routers(facts: Facts) -> list[IPv4Address]:
    """Of the router's name."""
    return [a for lookup in router_lookup(facts) for a in lookup.addresses if isinstance(a, IPv4Address)]


def addressed(facts: Facts) -> list[Interface]:
    """ISATAP interfaces that hold an address."""
    return [one for one in facts.of_kind("isatap") if one.link_local or one.ipv6]


def _embedded(one: Interface) -> list[IPv4Address]:
    """In its link-local addresses: the machine's own."""
    found = (embedded_isatap(address.packed) for address in one.link_local)
    return [IPv4Address(inner) for inner in found if inner is not None]


def _modern(facts: Facts) -> bool:
    return facts.build is None or facts.build >= OFF_BY_DEFAULT


@rule("ISATAP-POLICY-OFF")
def policy_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State = Disabled by policy."""
    if wanted(facts):
        yield stated(facts.isatap_policy_state, "disabled")


@rule("ISATAP-POLICY-DEFAULT")
def policy_default(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State = Default by policy on a system where that is off."""
    if wanted(facts) and _modern(facts):
        yield stated(facts.isatap_policy_state, "default")


def _missed(facts: Facts) -> bool:
    """Whether somebody complains of ISATAP, and shows this machine alone."""
    return bool(facts.told.complaint) and not facts.beside


@rule("ISATAP-DISABLED")
def disabled(facts: Facts) -> Iterator[Case]:
    """State disabled; a note on a machine of which nothing else says that it is to have ISATAP."""
    routers = (facts.isatap_router, facts.isatap_policy_router)
    wants = facts.role == "manager" or facts.of_kind("isatap") or any(one and one.value for one in routers)
    told = wants or _missed(facts)
    if wanted(facts):
        yield Case(stated(facts.isatap_state, "disabled"), variant="" if told else "not-wanted")


@rule("ISATAP-DEFAULT")
def default_state(facts: Facts) -> Iterator[Case]:
    """State default with a router name set, in a role that needs it, or where its policy was looked for; of a machine
    of no known role a note. Nothing sets a state where there is no policy, and nobody tells the local one."""
    absent = facts.lacks(TRANSITION, "ISATAP_State") if facts.isatap_policy_state is None else ()
    router = facts.isatap_router is not None and facts.isatap_router.value
    told = absent or facts.role == "manager" or router or _missed(facts)
    if not wanted(facts) or not _modern(facts):
        return
    if facts.isatap_state is not None:
        said = stated(facts.isatap_state, "default")
        yield Case((*said, *absent) if said else (), severity=None if told else "note")
    elif absent and facts.told.isatap and not addressed(facts):
        yield Case((*absent, facts.told.isatap), variant="no-policy", severity="warning")


@rule("ISATAP-NO-ADAPTER")
def no_adapter(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Enabled, interfaces are known, none is ISATAP's."""
    if wanted(facts) and enabled(facts) and facts.interfaces and not facts.of_kind("isatap"):
        assert facts.isatap_state is not None
        yield (facts.isatap_state.quote, f"{len(facts.interfaces)} interfaces, none of them ISATAP")


@rule("ISATAP-NO-NAME")
def no_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Every look-up of the router's name failed."""
    if wanted(facts) and active(facts) and not _routers(facts):
        yield quotes(*router_lookup(facts))


@rule("ISATAP-NO-ROUTER")
def no_router(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Enabled, no name, no address."""
    by_policy = facts.isatap_policy_router is not None and facts.isatap_policy_router.value
    known = by_policy or any(one.ipv6 for one in facts.of_kind("isatap"))
    if wanted(facts) and enabled(facts) and not known:
        yield stated(facts.isatap_router, "")


@rule("ISATAP-BARE-NAME")
def bare_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The configured name is the bare one."""
    found = facts.isatap_policy_router or facts.isatap_router
    if wanted(facts) and found is not None and found.value.lower().split(".")[0] == "isatap":
        yield (found.quote,)


@rule("ISATAP-LINK-LOCAL-ONLY")
def link_local_only(facts: Facts) -> Iterator[Case]:
    """A link-local address and no other on every ISATAP adapter."""
    live = addressed(facts)
    if wanted(facts) and live and not any(one.ipv6 for one in live):
        quotes = tuple(holding(one, one.link_local) for one in live)
        yield Case(quotes, variant="router-known" if _router_known(facts) else "")


def _router_known(facts: Facts) -> bool:
    """Whether the machine has an IPv4 address of the router: as its setting, by a look-up, or by a ping of the name."""
    named = facts.isatap_policy_router or facts.isatap_router
    name = named.value.lower().rstrip(".") if named is not None and named.value else "isatap"
    pinged = any(
        isinstance(one.address, IPv4Address) and not one.literal and name in one.quote.lower()
        for one in facts.pings
    )
    return bool(_routers(facts)) or pinged or name.replace(".", "").isdigit()


@rule("ISATAP-NO-ROUTE")
def no_route(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Addressed, routes known, none of them through a next hop on an ISATAP interface."""
    live = [one for one in addressed(facts) if one.ipv6]
    if not wanted(facts) or not live or facts.routes is None:
        return
    indexes = {one.index for one in live}
    if not any(route.next_hop is not None and route.interface in indexes for route in facts.routes):
        yield tuple(f"{holding(one, one.ipv6)}, no next hop" for one in live)


@rule("ISATAP-DISCOVERY-OFF")
def discovery_off(facts: Facts) -> Iterator[Case]:
    """RouterDiscovery disabled."""
    for one in facts.of_kind("isatap") if wanted(facts) else ():
        yield Case(stated(one.router_discovery, False), {"N": one.index})


@rule("ISATAP-FORWARDS")
def forwards(facts: Facts) -> Iterator[Case]:
    """Forwarding or advertising on a host."""
    for one in facts.of_kind("isatap") if facts.role == "manager" else ():
        yield Case(stated(one.forwarding, True) or stated(one.advertising, True), {"N": one.index})


@rule("ISATAP-SEVERAL")
def several(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one live adapter."""
    live = addressed(facts)
    if wanted(facts) and len(live) > 1:
        yield tuple(label(one) for one in live)


@rule("ISATAP-BEHIND-NAT")
def behind_nat(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A private host and a public router."""
    routers = _routers(facts)
    private = [own for one in addressed(facts) for own in _embedded(one) if not public(own)]
    if wanted(facts) and private and routers and all(map(public, routers)):
        yield (f"own address {private[0]}, router {routers[0]}",)


@rule("ISATAP-MTU")
def mtu(facts: Facts) -> Iterator[Case]:
    """Outside 1280 to 1480."""
    for one in addressed(facts):
        if one.mtu is not None and not 1280 <= one.mtu <= 1480:
            yield Case((f"{label(one)}: MTU {one.mtu}",), {"N": one.index})


@rule("ISATAP-CLIENT-TOO")
def client_too(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP and IP-HTTPS on one machine."""
    if enabled(facts) and facts.iphttps_url is not None:
        yield quotes(facts.isatap_state, facts.iphttps_url)


@rule("ISATAP-NAME-BLOCKED")
def blocked(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A router's name whose first label is blocked by default, and no look-up of it found an address."""
    lookups = [one for one in router_lookup(facts) if one.name.lower().split(".")[0] in BLOCKED]
    if wanted(facts) and active(facts) and not any(one.addresses for one in lookups):
        yield quotes(*lookups)


@rule("ISATAP-DISCONNECTED")
def disconnected(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Wanted, adapters are known, none of them holds an address though other interfaces do, or each is said to be
    disconnected."""
    named = facts.isatap_router is not None and facts.isatap_router.value
    found = facts.of_kind("isatap")
    cut = all(one.connected is False for one in found) or any(one.ipv4 for one in facts.interfaces)
    if wanted(facts) and (enabled(facts) or (not _modern(facts) and named)) and cut and not addressed(facts):
        yield tuple(label(one) for one in found)


@rule("ISATAP-OVER-CLAT")
def over_clat(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP is on, and every IPv4 address of the machine is one of the translator, or the machine says so."""
    own = [(one, address) for one in facts.interfaces for address in one.ipv4]
    own += [(one, address) for one in addressed(facts) for address in _embedded(one)]
    if wanted(facts) and (enabled(facts) or addressed(facts)) and not any(is_real(a) for _, a in own):
        translated = [f"{label(one)}: {address}" for one, address in own if address in CLAT]
        yield (*stated(facts.clat, True), *translated)


@rule("ISATAP-SEVERAL-ROUTERS")
def several_routers(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one A record under the router's name, on a machine that is no server."""
    if wanted(facts) and len(set(_routers(facts))) > 1:
        yield quotes(*router_lookup(facts))


@rule("ISATAP-OLD-ROUTER")
def old_router(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A next hop of the ISATAP interface embeds an address that the name does not have."""
    routers = set(_routers(facts))
    hops = [(f"{label(one)}: next hop {hop}", hop) for one in addressed(facts) for hop in one.gateways]
    own = {one.index for one in addressed(facts)} | {0}
    hops += [
        (route.quote, route.next_hop)
        for route in facts.routes or []
        if route.interface in own and route.next_hop
    ]
    old: dict[IPv4Address | IPv6Address, str] = {}
    for quote, hop in hops if wanted(facts) and routers else ():
        found = embedded_isatap(hop.packed) if isinstance(hop, IPv6Address) else None
        if found is not None and IPv4Address(found) not in routers:
            old.setdefault(hop, quote)
    for quote in old.values():
        yield quote, *quotes(*router_lookup(facts))


@rule("ISATAP-NO-GATEWAY")
def no_gateway(facts: Facts) -> Iterator[tuple[str, ...]]:
    """An address beyond fe80, no gateway, and no routes in the evidence."""
    for one in addressed(facts):
        if wanted(facts) and facts.routes is None and one.ipv6 and not one.gateways:
            yield (holding(one, one.ipv6),)


@rule("ISATAP-NAME-ELSEWHERE")
def name_elsewhere(facts: Facts) -> Iterator[Case]:
    """None of its addresses is one that people gave as the server's."""
    told = facts.told.addresses | facts.told.nodes | facts.told.virtual
    inner = [address for address in told if address.version == 4 and of_intranets(address)]
    found = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    if facts.told.addresses and inner and found and not any(set(inner) & set(one.addresses) for one in found):
        yield Case((found[0].quote, told[inner[0]]), {"NAME": found[0].name, "ADDRESS": inner[0]})


@rule("ISATAP-POLICY-KEY")
def policy_key(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Values of ISATAP below ...\\Microsoft\\TCPIP\\v6Transition."""
    wrong = TRANSITION.lower().replace("\\windows\\", "\\")
    yield quotes(*(seen for (key, name), seen in facts.registry.items() if key == wrong and "isatap" in name))


@rule("ISATAP-POLICY-TYPE")
def policy_type(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State is a number."""
    found = facts.value(TRANSITION, "ISATAP_State")
    if found is not None and isinstance(found.value, int):
        yield (found.quote,)
