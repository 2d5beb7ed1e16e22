"""A DirectAccess server, alone or in a farm: the ISATAP router, its name, translator, health, scripts, cards."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network

from manageout.doctor.facts import Facts, Interface, Seen, WindowsRoute
from manageout.doctor.languages import INNER, OUTER
from manageout.doctor.rules.dns import SIX_TO_FOUR, native_names
from manageout.doctor.rules.evidence import (
    ended,
    gateway,
    gateway_certificates,
    label,
    location,
    of_intranets,
    quotes,
    stated,
)
from manageout.doctor.rules.isatap import OFF_BY_DEFAULT, followed_routers, router_lookup
from manageout.doctor.rules.nrpt import rules_known
from manageout.doctor.rules.rule import Case, Severity, Theme
from manageout.windows.text import any_address

rule = Theme()
FORGETS = 14393
"""Server 2016: since then the router's settings do not survive a restart."""
NATIVE = IPv6Network("2000::/3")


def is_server(facts: Facts) -> bool:
    return facts.role == "server" or facts.load_balancing is not None


def isatap(facts: Facts) -> list[Interface]:
    """The ISATAP interfaces of a server."""
    return facts.of_kind("isatap") if is_server(facts) else []


def _inner(facts: Facts) -> list[Interface]:
    """The ISATAP interfaces that hosts of the intranet use. There is one for each card, and those of the others are
    rightly no routers: the one with the internal card's GUID counts; if it is not known, those with an address."""
    found = isatap(facts)
    alias = facts.internal_interface.value.lower() if facts.internal_interface is not None else ""
    guids = {one.guid for one in facts.interfaces if alias and one.name.lower() == alias and one.guid}
    inner = [
        one
        for one in found
        if any(guid in (one.guid or "", one.name.upper().strip("}")[-36:]) for guid in guids)
    ]
    return inner or [one for one in found if one.ipv6] or found


def _unpublished(facts: Facts, one: Interface) -> tuple[str, ...]:
    """What is known of the /64's route when it is not published; () when it is, or nothing is known."""
    routes = [route for route in facts.routes or facts.some_routes if _is_of(route, one)]
    own = [route for route in routes if route.prefix.prefixlen == 64 and not route.prefix.is_link_local]
    if any(route.published is not False for route in own):
        return ()
    if not own and (facts.routes is None or one.index is None):
        return ()
    return quotes(*own) or (f"no /64 route on {one.name or one.index}",)


def _is_of(route: WindowsRoute, one: Interface) -> bool:
    alias = route.alias.lower()
    return (
        route.interface == one.index if one.index is not None else bool(alias) and alias == one.name.lower()
    )


def _own_prefix(facts: Facts, one: Interface) -> str:
    """Of the ISATAP link: as the deployment says, or as the interface's address does."""
    if facts.internal_prefix is not None and facts.internal_prefix.value.prefixlen == 64:
        return str(facts.internal_prefix.value)
    return str(IPv6Network((int(one.ipv6[0]) >> 64 << 64, 64))) if one.ipv6 else ""


@rule("SERVER-HEALTH")
def health(facts: Facts) -> Iterator[Case]:
    """Components in error, or with a warning; what is switched off is no fault."""
    bad = [seen for seen in facts.health.values() if seen.value in ("error", "critical", "warning")]
    worst: Severity = "error" if any(seen.value != "warning" for seen in bad) else "warning"
    yield Case(quotes(*bad), severity=worst)


@rule("SERVER-SETTINGS-ONLY")
def settings_only(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Prefixes or load balancing in a text, without any interface or health."""
    if not (facts.sections or facts.interfaces or facts.routes or facts.health):
        yield quotes(facts.load_balancing, facts.client_prefix, facts.internal_prefix)


@rule("SERVER-RESET")
def reset(facts: Facts) -> Iterator[Case]:
    """All of them are off at once on a system that forgets."""
    for one in _inner(facts) if facts.build is None or facts.build >= FORGETS else ():
        forwards, advertises = stated(one.forwarding, False), stated(one.advertising, False)
        if forwards and advertises:
            yield Case((*forwards, *advertises), {"N": one.index})


@rule("SERVER-FORWARDING")
def forwarding(facts: Facts) -> Iterator[Case]:
    """Forwarding off."""
    for one in _inner(facts):
        yield Case(stated(one.forwarding, False), {"N": one.index})


@rule("SERVER-ADVERTISING")
def advertising(facts: Facts) -> Iterator[Case]:
    """Advertising off."""
    for one in _inner(facts):
        yield Case(stated(one.advertising, False), {"N": one.index})


@rule("SERVER-ROUTE-UNPUBLISHED")
def unpublished(facts: Facts) -> Iterator[Case]:
    """The /64 is not there, or not published."""
    found = _inner(facts)
    for one in found:
        # Of several adapters those count that have a prefix.
        if len(found) == 1 or one.ipv6:
            yield Case(_unpublished(facts, one), {"N": one.index, "PREFIX": _own_prefix(facts, one)})


@rule("SERVER-CLIENTS-CUT")
def clients_cut(facts: Facts) -> Iterator[Case]:
    """Forwarding or advertising off on the interface that clients connect to."""
    for one in facts.of_kind("iphttps") if is_server(facts) else ():
        off = {
            word: stated(seen, False)
            for word, seen in (("Forwarding", one.forwarding), ("Advertising", one.advertising))
        }
        words = " ".join(f"-{word} Enabled" for word, said in off.items() if said)
        step = f"Set-NetIPInterface -InterfaceIndex {one.index or 'N'} {words}"
        yield Case((*off["Forwarding"], *off["Advertising"]), {"N": one.index}, remedy=(step,))


@rule("SERVER-NO-DEFAULT")
def no_default(facts: Facts) -> Iterator[Case]:
    """AdvertiseDefaultRoute off while it advertises."""
    for one in _inner(facts):
        if stated(one.advertising, True):
            yield Case(stated(one.advertise_default, False), {"N": one.index})


@rule("SERVER-NO-ISATAP")
def noisatap(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A single server with interfaces, none of them ISATAP's; what shows one or two may have been asked for those, and
    of ipconfig a part may have been pasted."""
    excerpt = any(one.listed for one in facts.interfaces)
    listed = "adapters" in facts.sections or facts.whole or (len(facts.interfaces) > 2 and not excerpt)
    four = all(
        one.ipv4 and not (one.ipv6 or one.link_local) for one in facts.interfaces
    )  # IPv4 alone was asked for
    named = listed and all(one.name for one in facts.interfaces) and not four
    some = stated(facts.load_balancing, "some")
    if is_server(facts) and named and not facts.of_kind("isatap") and not some and not _farm(facts):
        yield (f"{len(facts.interfaces)} interfaces, none of them ISATAP",)


@rule("SERVER-SEVERAL")
def several(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than one, of which one at least has only a link-local address."""
    found = isatap(facts)
    if len(found) > 1 and any(not one.ipv6 for one in found):
        yield tuple(label(one) for one in found)


@rule("SERVER-NAMED-BY-SUFFIX")
def named_by_suffix(facts: Facts) -> Iterator[Case]:
    """No brace in the name; an error where a script that looks for the GUID has failed."""
    failed = tuple(line for line in facts.events if any(mark in line for mark in _NOT_FOUND))
    for one in facts.of_kind("isatap") if failed else isatap(facts):
        tail = one.name.lower().rpartition("isatap.")[2]
        if "isatap." in one.name.lower() and "{" not in one.name and "." in tail:
            yield Case((label(one), *failed), severity="error" if failed else None)


_NOT_FOUND = ("ParameterArgumentValidationError", "ObjectNotFound: (isatap.{")
"""What PowerShell says of an index that is null, and of an adapter's name that is not there."""


def _balancing(facts: Facts) -> Seen[str] | None:
    """As the server says; else as people say, who know."""
    return facts.load_balancing if facts.load_balancing is not None else facts.told.balancing


def _farm(facts: Facts) -> bool:
    return bool(stated(facts.load_balancing, "external")) or (facts.sites or 0) > 1


@rule("FARM-EXTERNAL")
def external(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, with ISATAP on the server itself."""
    if _farm(facts) and facts.of_kind("isatap"):
        sites = (f"{facts.sites} entry points",) if (facts.sites or 0) > 1 else ()
        yield (*quotes(facts.load_balancing), *sites)


@rule("FARM-EXTERNAL-NAMES")
def external_names(facts: Facts) -> Iterator[tuple[str, ...]]:
    """External load balancing or several entry points, and more than one A record."""
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    addresses = {address for lookup in lookups for address in lookup.addresses if address.version == 4}
    told, followed = _balancing(facts), followed_routers(facts)
    if (_farm(facts) or stated(told, "external")) and len(addresses | followed.keys()) > 1:
        yield (*quotes(told, *lookups), *followed.values())


@rule("FARM-NLB-NAMES")
def nlb_names(facts: Facts) -> Iterator[Case]:
    """NLB, and fewer than three addresses under the name; a note where the farm may be behind another balancer."""
    balancing, setting = _balancing(facts), facts.isatap_policy_router or facts.isatap_router
    lookups = [lookup for lookup in router_lookup(facts) if lookup.addresses]
    addresses = {address for lookup in lookups for address in lookup.addresses}
    told = facts.told.nodes | facts.told.virtual
    if setting is not None and (literal := any_address(setting.value)) is not None:
        addresses.add(literal)
    missing = [address for address in told if address not in addresses and address.version == 4]
    known = addresses & told.keys() if facts.told.nodes else stated(facts.load_balancing, "nlb") and addresses
    few = 0 < len(addresses) < 3 or (known and missing)
    if few and stated(balancing, "nlb", "some"):
        words = (f"without {', '.join(map(str, missing))}",) if missing else ()
        variant = "other-balancer" if stated(balancing, "some") else ""
        seen = quotes(balancing, *lookups, None if lookups else setting)
        steps = tuple(f"register an A record of the router's name for {address} too" for address in missing)
        yield Case((*seen, *words), variant=variant, remedy=steps)


@rule("FARM-NODE-DOWN")
def node_down(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A node that the cluster says does not take part."""
    yield tuple(one.quote for one in facts.farm_nodes.values() if one.value in _DOWN)


_DOWN = ("stopped", "suspended", "drainstopping", "draining", "misconfigured", "unreachable", "unknown", "offline",
         "converging", "error", "down")  # fmt: skip


@rule("FARM-NODE-ADDRESS")
def node_address(facts: Facts) -> Iterator[Case]:
    """A name that clients use, or the DNS server of a name rule, is a node's alone; of nodes that people have named.
    The ISATAP router's name is rightly of each node: FARM-NLB-NAMES judges it."""
    nodes, virtual = facts.told.nodes, facts.told.virtual
    used = [(one.name, set(one.addresses), one.quote) for one in facts.lookups if _shared(facts, one.name)]
    for one in rules_known(facts):
        servers = {found for text in one.servers if (found := any_address(text))}
        used.append((one.namespace, servers, one.quote))
    for name, addresses, quote in used if virtual else ():
        own = [nodes[one] for one in addresses if one in nodes]
        if own and not addresses & virtual.keys():
            alike = {(address.version, of_intranets(address)) for address in addresses}
            right = next((one for one in virtual if (one.version, of_intranets(one)) in alike), None)
            yield Case((quote, own[0]), {"NAME": name, "VIRTUAL": right})


def _shared(facts: Facts, name: str) -> bool:
    """A name of the whole farm: the gateway's, the location server's, or one that is called so."""
    lower = name.lower().rstrip(".")
    if name in {one.name for one in router_lookup(facts)} or "isatap" in lower.partition(".")[0]:
        return False
    return lower in (gateway(facts), location(facts)) or _OF_FARMS.match(lower) is not None


_OF_FARMS = re.compile(
    r"(?:nls|da|directaccess|ra|remote|remote-?access|vpn|gw|gateway|access|iphttps)"
    r"(?:-?(?:nls|gw|gateway|access|vip|cluster))?\."
)
"""Without what a node's own name may end in (``da-a``, ``remote-server``): that rightly leads to the node."""


@rule("SERVER-POLICY-OFF")
def policy_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ISATAP_State by policy is Disabled, or Default where that is the same."""
    off = ("disabled", "default") if (facts.build or OFF_BY_DEFAULT) >= OFF_BY_DEFAULT else ("disabled",)
    if is_server(facts):
        yield stated(facts.isatap_policy_state, *off)


@rule("SERVER-NAME-UNPUBLISHED")
def unpublished_name(facts: Facts) -> Iterator[Case]:
    """Every look-up of the router's name failed on the server; an error where its health of ISATAP is bad."""
    lookups, health = router_lookup(facts), facts.health.get("isatap")
    if is_server(facts) and not any(lookup.addresses for lookup in lookups):
        bad = bool(stated(health, "error", "critical"))
        yield Case(quotes(*lookups), severity="error" if bad else None)


@rule("SERVER-TRANSLATION-OFF")
def translation_off(facts: Facts) -> Iterator[Case]:
    """Either of them disabled; what runs is not to be switched on."""
    off = [("Nat", stated(facts.nat64, False)), ("Dns", stated(facts.dns64, False))]
    steps = tuple(f"Set-Net{name}TransitionConfiguration -State Enabled" for name, said in off if said)
    if is_server(facts):
        yield Case(tuple(quote for _, said in off for quote in said), remedy=steps)


@rule("SERVER-DNS64-ONLY-A")
def only_a(facts: Facts) -> Iterator[Case]:
    """OnlySendAQuery: an error where a host inside has IPv6 of its own, a warning where the internal prefix is neither
    6to4 nor local; else, of a paste, it is told."""
    prefix = facts.internal_prefix
    if not stated(facts.dns64_only_a, True) or not is_server(facts):
        return
    if found := native_names(facts):
        yield Case(quotes(facts.dns64_only_a) + found, variant="native")
    elif prefix and prefix.value.subnet_of(NATIVE) and not prefix.value.subnet_of(SIX_TO_FOUR):
        yield Case(quotes(facts.dns64_only_a, prefix))
    elif not facts.sections:
        yield Case(quotes(facts.dns64_only_a), variant="usual")


@rule("SERVER-CERTIFICATE-ENDED")
def certificate_ended(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Its end, in whatever order of day and month, is past; one in the store of which there is none that is newer."""
    held = [] if facts.role in ("client", "manager") else gateway_certificates(facts)
    held = held if all(ended(facts, one) for one in held) else []
    for one in (*facts.certificates.values(), *held):
        if ended(facts, one):
            yield quotes(one, facts.date)


DOMAIN = "domainauthenticated"


def _set(facts: Facts, name: str, *values: str) -> tuple[str, ...]:
    """The quote of a property of Get-RemoteAccess that has one of the values, lower case."""
    found = facts.remote_access.get(name)
    return (found.quote,) if found is not None and found.value.lower() in values else ()


def card_named(facts: Facts, name: str) -> str:
    found = facts.remote_access.get(name)
    return found.value if found is not None else ""


@rule("SERVER-TWO-GATEWAYS")
def two_gateways(facts: Facts) -> Iterator[Case]:
    """IPv4 default routes by different next hops on different cards, of a server."""
    cards: dict[str, tuple[IPv4Address, str]] = {}
    for (where, hop), quote in facts.gateways.items():
        cards.setdefault(where or str(hop), (hop, quote))
    tunnels = ("isatap", "teredo", "iphttps", "6to4")
    for one in facts.interfaces if not cards else ():
        hops = [hop for hop in one.gateways if isinstance(hop, IPv4Address)]
        if hops and one.kind not in tunnels:
            cards[one.name] = hops[0], f"{label(one)}: default gateway {hops[0]}"
    if is_server(facts) and len({hop for hop, _ in cards.values()}) > 1:
        inner = card_named(facts, "internalinterface")
        next_hop = next(
            (hop for where, (hop, _) in cards.items() if inner and where.lower().endswith(inner.lower())),
            None,
        )
        yield Case(tuple(quote for _, quote in cards.values()), {"INTERNAL": inner or None, "HOP": next_hop})


def _outer(facts: Facts) -> list[Seen[str]]:
    """What networks the card of the Internet is in; of a server with one card nothing."""
    outer, inner = card_named(facts, "internetinterface"), card_named(facts, "internalinterface")
    if stated(facts.internal_interface) or _set(facts, "issinglenic", "true") or (outer and outer == inner):
        return []
    return [
        seen
        for alias, seen in facts.categories.items()
        if (alias == outer.lower() if outer else OUTER.search(alias))
    ]


@rule("SERVER-EXTERNAL-DOMAIN")
def external_domain(facts: Facts) -> Iterator[Case]:
    """The card of the Internet is in the domain's profile."""
    for seen in _outer(facts) if is_server(facts) else ():
        yield Case(stated(seen, DOMAIN), {"EXTERNAL": card_named(facts, "internetinterface") or None})
    outer, inner = card_named(facts, "internetinterface"), card_named(facts, "internalinterface")
    if outer and inner and outer != inner and not facts.categories:
        yield Case(stated(facts.in_domain, frozenset({True})), {"EXTERNAL": outer})


@rule("SERVER-INTERNAL-PUBLIC")
def internal_public(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The card of the intranet is in a public or private profile."""
    inner = card_named(facts, "internalinterface").lower()
    for alias, seen in facts.categories.items() if is_server(facts) else ():
        if alias == inner if inner else INNER.search(alias):
            yield stated(seen, "public", "private")
    if is_server(facts) and not facts.categories:
        yield stated(facts.in_domain, frozenset({False}))


@rule("SERVER-ALL-COMPUTERS")
def all_computers(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The clients' group is that of all computers, and not only mobile ones."""
    groups = facts.remote_access.get("clientsecuritygroupnamelist")
    every = (
        re.search(
            r"\\(?:domain computers|domänencomputer|ordinateurs du domaine|equipos del dominio)\b",
            groups.value,
            re.I,
        )
        if groups
        else None
    )
    if every and groups is not None:
        yield (groups.quote, *_set(facts, "onlyremotecomputers", "false", "disabled"))


@rule("SERVER-MULTISITE-CERTIFICATES")
def multisite_certificates(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Several entry points without computer certificates."""
    off = _set(facts, "computercertauthentication", "disabled")
    if off and (facts.sites or 0) > 1:
        yield (*off, f"{facts.sites} entry points")


@rule("SERVER-CONNECT-NAME")
def connect_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """ConnectToAddress is private, a single label, or of a name that exists inside alone."""
    found = facts.remote_access.get("connecttoaddress")
    host = found.value.lower().rstrip(".") if found is not None else ""
    address = any_address(host)
    inner = of_intranets(address) if address is not None else host.endswith((".local", ".lan", ".internal"))
    if found is not None and host and (inner or (address is None and "." not in host)):
        yield (found.quote,)


@rule("SERVER-LOCATION-WILDCARD")
def location_wildcard(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The location server is on the DirectAccess server, with a certificate for ``*``."""
    found = facts.remote_access.get("nlscertificate")
    if found is not None and (match := re.search(r"CN=\*\.[\w.-]{1,250}", found.value)):
        yield (f"Get-RemoteAccess: NlsCertificate {match[0]}",)


@rule("SERVER-LOCATION-UNREACHED")
def location_unreached(facts: Facts) -> Iterator[tuple[str, ...]]:
    """NlsReachability."""
    found = facts.remote_access.get("nlsreachability")
    if found is not None and re.search(r"not|un|fail|false", found.value, re.I):
        yield quotes(found, facts.remote_access.get("nlsurl"))
