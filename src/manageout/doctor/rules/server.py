"""A DirectAccess server as ISATAP router, alone or in a farm."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network

from manageout.doctor.facts import Facts, Interface
from manageout.doctor.findings import Case, rule
from manageout.doctor.rules.manager import router_lookup

FORGETS = 14393
"""Server 2016: since then the router's settings do not survive a restart."""


def is_server(facts: Facts) -> bool:
    return facts.role == "server" or facts.load_balancing is not None


def _isatap(facts: Facts) -> list[Interface]:
    return facts.of_kind("isatap") if is_server(facts) else []


def _inner(facts: Facts) -> list[Interface]:
    """The ISATAP interfaces that hosts of the intranet use. There is one for each card, and those of the others are
    rightly no routers: the one with the internal card's GUID counts; if it is not known, those with an address."""
    found = _isatap(facts)
    alias = facts.internal_interface.value.lower() if facts.internal_interface is not None else ""
    guids = {one.guid for one in facts.interfaces if alias and one.name.lower() == alias and one.guid}
    inner = [
        one
        for one in found
        if any(guid in (one.guid or "", one.name.upper().strip("}")[-36:]) for guid in guids)
    ]
    return inner or [one for one in found if one.ipv6] or found


def _off(one: Interface, name: str) -> bool:
    found = getattr(one, name)
    return found is not None and not found.value


def _unpublished(facts: Facts, one: Interface) -> tuple[str, ...]:
    """What is known of the /64's route when it is not published; () when it is, or nothing is known."""
    if facts.routes is None or one.index is None:
        return ()
    own = [route for route in facts.routes if route.interface == one.index and route.prefix.prefixlen == 64]
    own = [route for route in own if not route.prefix.is_link_local]
    if any(route.published is not False for route in own):
        return ()
    return tuple(route.quote for route in own) or (f"no /64 route on {one.name or one.index}",)


def _own_prefix(facts: Facts, one: Interface) -> str:
    """Of the ISATAP link: as the deployment says, or as the interface's address does."""
    if facts.internal_prefix is not None and facts.internal_prefix.value.prefixlen == 64:
        return str(facts.internal_prefix.value)
    return str(IPv6Network((int(one.ipv6[0]) >> 64 << 64, 64))) if one.ipv6 else ""


@rule(
    "SERVER-RESET",
    "error",
    "the Windows ISATAP router has lost its settings",
    cause="Since Server 2016 forwarding, advertising and the published route are gone after every "
    "restart; Microsoft does "
    "not support the role any more.",
    remedy=(
        "Set-NetIPInterface -InterfaceIndex N -Forwarding Enabled -Advertising Enabled   (until "
        "the next restart)",
        "manageout rollout server-reset   (a start-up script that finds the adapter and sets them again)",
        "or put an ISATAP router of ours in front of the farm: docs/guide/first-site.md",
    ),
    hides=("SERVER-FORWARDING", "SERVER-ADVERTISING", "SERVER-ROUTE-UNPUBLISHED", "SERVER-NO-DEFAULT"),
)
def reset(facts: Facts) -> Iterator[Case]:
    """All of them are off at once on a system that forgets."""
    for one in _inner(facts):
        lost = _off(one, "forwarding") and _off(one, "advertising")
        if lost and (facts.build is None or facts.build >= FORGETS) and one.forwarding and one.advertising:
            yield Case((one.forwarding.quote, one.advertising.quote), {"N": one.index})


@rule(
    "SERVER-FORWARDING",
    "error",
    "the ISATAP router does not forward",
    cause="Forwarding is off on its ISATAP interface: hosts get addresses at best, but no packet passes.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -AddressFamily IPv6 -Forwarding Enabled",),
)
def forwarding(facts: Facts) -> Iterator[Case]:
    """Forwarding off."""
    for one in _inner(facts):
        if _off(one, "forwarding") and one.forwarding:
            yield Case((one.forwarding.quote,), {"N": one.index})


@rule(
    "SERVER-ADVERTISING",
    "error",
    "the ISATAP router does not advertise",
    cause="Advertising is off on its ISATAP interface: hosts ask, nothing answers, they stay with an fe80 "
    "address.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -AddressFamily IPv6 -Advertising Enabled",),
)
def advertising(facts: Facts) -> Iterator[Case]:
    """Advertising off."""
    for one in _inner(facts):
        if _off(one, "advertising") and one.advertising:
            yield Case((one.advertising.quote,), {"N": one.index})


@rule(
    "SERVER-ROUTE-UNPUBLISHED",
    "error",
    "the ISATAP prefix is not published",
    cause="Windows advertises the routes that are marked Publish; without the /64 there is no prefix to "
    "form an address in.",
    remedy=("netsh interface ipv6 add route PREFIX N publish=yes store=persistent",),
)
def unpublished(facts: Facts) -> Iterator[Case]:
    """The /64 is not there, or not published."""
    found = _inner(facts)
    for one in found:
        # Of several adapters those count that have a prefix.
        if (len(found) == 1 or one.ipv6) and (quotes := _unpublished(facts, one)):
            yield Case(quotes, {"N": one.index, "PREFIX": _own_prefix(facts, one)})


@rule(
    "SERVER-CLIENTS-CUT",
    "error",
    "the server's IP-HTTPS interface does not forward or advertise",
    cause="Clients get their prefix from its advertisements, and what they send comes in there: without the one they "
    "have no address, without the other they reach nothing.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -Forwarding Enabled -Advertising Enabled",),
)
def clients_cut(facts: Facts) -> Iterator[Case]:
    """Forwarding or advertising off on the interface that clients connect to."""
    for one in facts.of_kind("iphttps") if is_server(facts) else ():
        off = [
            seen.quote for seen in (one.forwarding, one.advertising) if seen is not None and not seen.value
        ]
        if off:
            yield Case(tuple(off), {"N": one.index})


@rule(
    "SERVER-NO-DEFAULT",
    "warning",
    "the ISATAP router does not advertise itself as a default router",
    cause="Windows hosts learn the way to the clients from it; without it they have an address and no route.",
    remedy=("Set-NetIPInterface -InterfaceIndex N -AddressFamily IPv6 -AdvertiseDefaultRoute Enabled",),
)
def no_default(facts: Facts) -> Iterator[Case]:
    """AdvertiseDefaultRoute off while it advertises."""
    for one in _inner(facts):
        if (
            one.advertising
            and one.advertising.value
            and _off(one, "advertise_default")
            and one.advertise_default
        ):
            yield Case((one.advertise_default.quote,), {"N": one.index})


@rule(
    "SERVER-NO-ISATAP",
    "error",
    "the DirectAccess server has no ISATAP adapter",
    cause="On Server 2019 and later the device is often missing, or ISATAP is disabled on the server.",
    remedy=(
        "Set-NetIsatapConfiguration -State Enabled; Restart-Service iphlpsvc",
        "Device Manager, hidden devices: remove old ISATAP adapters, restart",
        "or an ISATAP router of ours in front of the farm",
    ),
    hides=("SERVER-RESET", "SERVER-FORWARDING", "SERVER-ADVERTISING", "SERVER-ROUTE-UNPUBLISHED"),
)
def no_isatap(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A single server with interfaces, none of them ISATAP's; what shows one or two may have been asked for those."""
    listed = "adapters" in facts.sections or any(one.listed for one in facts.interfaces)
    listed |= len(facts.interfaces) > 2
    named = listed and all(one.name for one in facts.interfaces)
    some = facts.load_balancing is not None and facts.load_balancing.value == "some"
    if is_server(facts) and named and not facts.of_kind("isatap") and not some and not _farm(facts):
        yield (f"{len(facts.interfaces)} interfaces, none of them ISATAP",)


@rule(
    "SERVER-SEVERAL",
    "warning",
    "several ISATAP adapters on the server",
    cause="One for each network card; scripts that take 'isatap*' set the wrong one. The right one has "
    "the GUID of the "
    "internal card.",
    remedy=(
        "Get-NetAdapter (Get-RemoteAccess).InternalInterface | Format-List InterfaceGuid",
        "manageout rollout server-reset   (finds it by that GUID)",
    ),
)
def several(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one, of which one at least has only a link-local address."""
    found = _isatap(facts)
    if len(found) > 1 and any(not one.ipv6 for one in found):
        yield tuple(one.quote or one.name for one in found)


@rule(
    "SERVER-NAMED-BY-SUFFIX",
    "note",
    "the ISATAP adapter is named after the DNS suffix",
    cause="With a connection-specific suffix it is called isatap.SUFFIX instead of isatap.{GUID}; scripts "
    "that look for the "
    "GUID in the name do not find it.",
    remedy=(
        "manageout rollout server-reset   (finds it by tunnel type)",
        "or remove the suffix of the card, and restart",
    ),
)
def named_by_suffix(facts: Facts) -> Iterator[tuple[str, ...]]:
    """No brace in the name."""
    for one in _isatap(facts):
        tail = one.name.lower().rpartition("isatap.")[2]
        if "isatap." in one.name.lower() and "{" not in one.name and "." in tail:
            yield (one.quote or one.name,)


@rule(
    "SERVER-PUBLIC-INSIDE",
    "error",
    "a public IPv4 address on the internal card",
    cause="ISATAP then uses identifiers with the u bit, and the server takes itself for a 6to4 router: "
    "Microsoft warns of it.",
    remedy=("give the internal card a private address (RFC 1918)",),
)
def public_inside(facts: Facts) -> Iterator[tuple[str, ...]]:
    """An ISATAP address with the u bit on a server."""
    for one in _isatap(facts):
        if any(address.packed[8:12] == b"\x02\x00\x5e\xfe" for address in (*one.link_local, *one.ipv6)):
            yield (f"{one.quote or one.name}: {one.printed((*one.link_local, *one.ipv6))}",)


def _farm(facts: Facts) -> bool:
    return (facts.load_balancing is not None and facts.load_balancing.value == "external") or (
        facts.sites or 0
    ) > 1


@rule(
    "FARM-EXTERNAL",
    "error",
    "ISATAP on the servers does not work behind a load balancer or in multisite",
    cause="A client's tunnel ends on one node, but the router's name leads to any: packets reach the "
    "wrong one.",
    remedy=(
        "one separate ISATAP router, with a route to each node's client prefix: manageout plan shows them",
        "the router's site file: isatap.routes names each client prefix and the node that owns it",
    ),
    hides=(
        "SERVER-RESET",
        "SERVER-FORWARDING",
        "SERVER-ADVERTISING",
        "SERVER-ROUTE-UNPUBLISHED",
        "SERVER-NO-DEFAULT",
    ),
)
def external(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, with ISATAP on the server itself."""
    if _farm(facts) and facts.of_kind("isatap"):
        sites = (f"{facts.sites} entry points",) if (facts.sites or 0) > 1 else ()
        yield (*((facts.load_balancing.quote,) if facts.load_balancing else ()), *sites)


@rule(
    "FARM-EXTERNAL-NAMES",
    "error",
    "the router's name leads to several nodes of a farm behind a load balancer",
    cause="Hosts take every address of the name for a router and send to any of them, but a client's tunnel ends on "
    "one node. Only NLB wants a record for each node.",
    remedy=(
        "one A record alone, of one separate ISATAP router with a route to each node's client prefix: manageout plan",
        "Restart-Service iphlpsvc   (on each manager, else the old addresses stay for up to a day)",
    ),
    hides=("FARM-EXTERNAL",),
)
def external_names(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, and more than one A record."""
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    addresses = {address for lookup in lookups for address in lookup.addresses if address.version == 4}
    if _farm(facts) and len(addresses) > 1:
        quotes = [lookup.quote for lookup in lookups]
        yield (*((facts.load_balancing.quote,) if facts.load_balancing else ()), *quotes)


@rule(
    "FARM-NLB-NAMES",
    "warning",
    "in a farm with NLB the router's name needs an address record for every node",
    cause="The advertisement comes from a node's own address; hosts take it only if the name resolves to "
    "that too.",
    remedy=("register an A record for each node's own address and for the virtual one",),
)
def nlb_names(facts: Facts) -> Iterator[Case]:
    """NLB, and fewer than three addresses under the name; a note where the farm may be behind another balancer."""
    balancing = facts.load_balancing
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    if balancing is None or balancing.value not in ("nlb", "some") or not lookups:
        return
    addresses = {address for lookup in lookups for address in lookup.addresses}
    if len(addresses) < 3:
        quotes = (balancing.quote, *(lookup.quote for lookup in lookups))
        some = balancing.value == "some"
        yield Case(quotes, cause=_SOME if some else "", severity="note" if some else None)


_SOME = (
    "With NLB hosts need all of them, each node's own and the virtual one: else they reach the clients of one node "
    "alone. Behind an external load balancer it must be one address, of a separate ISATAP router."
)


@rule(
    "FARM-CLIENT-PREFIX",
    "error",
    "a farm whose client prefix is a /64",
    cause="With load balancing each node needs a /64 of its own out of a /59.",
    remedy=("Set-DAServer -ClientIPv6Prefix PREFIX   (a /59, before the load balancer is enabled)",),
)
def client_prefix(facts: Facts) -> Iterator[Case]:
    """Load balanced with a /64."""
    balancing, prefix = facts.load_balancing, facts.client_prefix
    if (
        balancing is not None
        and balancing.value != "none"
        and prefix is not None
        and prefix.value.prefixlen > 59
    ):
        wider = prefix.value.supernet(new_prefix=59).with_prefixlen
        yield Case((balancing.quote, prefix.quote), {"PREFIX": wider})


@rule(
    "SERVER-PREFIX-DIFFERS",
    "error",
    "the published ISATAP prefix is not the deployment's",
    cause="Hosts form addresses in a prefix that the other servers and the clients do not route back.",
    remedy=("remove the wrong route, add that of InternalIPv6Prefix with publish=yes",),
)
def prefix_differs(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A published /64 on the ISATAP interface outside of InternalIPv6Prefix."""
    wanted = facts.internal_prefix
    indexes = {one.index for one in _isatap(facts)}
    for route in facts.routes or []:
        own = route.interface in indexes and route.published and route.prefix.prefixlen == 64
        if wanted is not None and own and not route.prefix.subnet_of(wanted.value):
            yield route.quote, wanted.quote
