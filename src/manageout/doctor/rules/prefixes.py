"""The addresses that a DirectAccess deployment is made of: its prefixes, and what still carries an old one."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from itertools import combinations

from manageout.doctor.facts import Facts, Interface
from manageout.doctor.languages import INNER, OUTER
from manageout.doctor.rules.dns import SIX_TO_FOUR
from manageout.doctor.rules.evidence import around, holding, quotes
from manageout.doctor.rules.isatap import addressed
from manageout.doctor.rules.nrpt import rules_known
from manageout.doctor.rules.rule import Case, Theme
from manageout.doctor.rules.server import NATIVE, card_named, is_server, isatap
from manageout.windows.deployment import CLIENTS, NAT64, deployment, dns64_of, is_dns64, subnet
from manageout.windows.text import ipv6_address, ipv6_network, public
from manageout.wire.address import ISATAP_IDS, embedded_sixtofour

rule = Theme()


@rule("SERVER-PUBLIC-INSIDE")
def public_inside(facts: Facts) -> Iterator[Case]:
    """An ISATAP address with the u bit on a server; a warning where only the card shows it, for some have public
    addresses inside by design."""
    shown = False
    for one in isatap(facts):
        if any(address.packed[8:12] == ISATAP_IDS[True] for address in (*one.link_local, *one.ipv6)):
            shown = True
            yield Case((holding(one, (*one.link_local, *one.ipv6)),))
    for one in _inner_cards(facts) if is_server(facts) and not shown else ():
        outer = [address for address in one.ipv4 if public(address)]
        if outer:
            yield Case((holding(one, outer),), variant="card")


def _inner_cards(facts: Facts) -> list[Interface]:
    """The cards of the intranet: as the deployment says, by their names, or by DNS64's address; of a server with one
    card none."""
    outer, inner = (
        card_named(facts, "internetinterface").lower(),
        card_named(facts, "internalinterface").lower(),
    )
    if outer and outer == inner:
        return []
    cards = [one for one in facts.of_kind("other") if not OUTER.search(one.name)]
    if inner:
        return [one for one in cards if one.name.lower().endswith(inner)]
    return [one for one in cards if INNER.search(one.name) or any(map(is_dns64, one.ipv6))]


@rule("FARM-CLIENT-PREFIX")
def client_prefix(facts: Facts) -> Iterator[Case]:
    """Load balanced with a /64."""
    balancing, prefix = facts.load_balancing, facts.client_prefix
    if balancing is None or balancing.value == "none" or prefix is None or prefix.value.prefixlen <= 59:
        return
    wider = prefix.value.supernet(new_prefix=59).with_prefixlen
    yield Case(quotes(balancing, prefix), {"PREFIX": wider})


def _today(facts: Facts) -> tuple[set[IPv6Network], tuple[str, ...]]:
    """The /48 that the deployment has now, and the words that say so: its own settings; else DNS64's address on a card;
    else what the name rules of any machine here ask; else where NAT64 translates to."""
    told = facts.remote_access.get("internalipv6prefix") or facts.internal_prefix
    if told is not None:
        listed = [ipv6_network(word.strip("{},")) for word in str(told.value).split()]
        return {deployment(one.network_address) for one in listed if one is not None}, quotes(told)
    for found in (_held(facts), _asked(facts), _translated(facts)):
        if found:
            return {deployment(address) for address in found}, tuple(dict.fromkeys(found.values()))
    return set(), ()


def _held(facts: Facts) -> dict[IPv6Address, str]:
    return {six: holding(one, [six]) for one in facts.of_kind("other") for six in one.ipv6 if is_dns64(six)}


def _asked(facts: Facts) -> dict[IPv6Address, str]:
    return {six: quote for where in around(facts) for six, quote in _of_rules(where).items()}


def _of_rules(facts: Facts) -> dict[IPv6Address, str]:
    servers = [(one.quote, ipv6_address(text)) for one in rules_known(facts) for text in one.servers]
    return {six: quote for quote, six in servers if is_dns64(six)}


def _translated(facts: Facts) -> dict[IPv6Address, str]:
    addresses = [(one.value.network_address, one.quote) for one in facts.translated]
    return {address: quote for address, quote in addresses if subnet(address) == NAT64}


@rule("SERVER-PREFIX-DIFFERS")
def prefix_differs(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A published /64 on the ISATAP interface outside of InternalIPv6Prefix, or of the deployment's /48."""
    prefix = facts.internal_prefix
    wanted, quotes_ = ({prefix.value}, quotes(prefix)) if prefix is not None else _today(facts)
    indexes = {one.index for one in isatap(facts)}
    for route in facts.routes or facts.some_routes:
        own = route.interface in indexes and route.published and route.prefix.prefixlen == 64
        if wanted and own and not any(map(route.prefix.subnet_of, wanted)):
            yield (route.quote, *quotes_)


@rule("SERVER-NO-ROUTER")
def no_router(facts: Facts) -> Iterator[Case]:
    """The intranet's prefix is one that was there before (native, or wider than the /64 that the wizard makes for
    ISATAP), no ISATAP interface of the server has an address, and hosts here have only fe80 addresses, or so it is
    said."""
    told = facts.remote_access.get("internalipv6prefix") or facts.internal_prefix
    listed = [ipv6_network(word.strip("{},")) for word in str(told.value).split()] if told is not None else []
    own = [
        one
        for one in listed
        if one and (one.prefixlen < 64 or (one.subnet_of(NATIVE) and not one.subnet_of(SIX_TO_FOUR)))
    ]
    waiting = [one for where in facts.beside for one in addressed(where) if not one.ipv6]
    if is_server(facts) and own and not any(one.ipv6 for one in isatap(facts)):
        seen = quotes(told) + tuple(holding(one, one.link_local) for one in waiting)
        if waiting or _ONLY_LOCAL.search(facts.told.complaint):
            yield Case(seen, {"PREFIX": own[0]})


_ONLY_LOCAL = re.compile(r"fe80|link.?local|verbindungslokal|lien.?local", re.I)


@rule("SERVER-DNS64-RULES")
def dns64_rules(facts: Facts) -> Iterator[Case]:
    """DirectAccess' own firewall rules for DNS64 are for another deployment's addresses than today's."""
    now, said = _today(facts)
    wrong = [
        seen for seen in facts.dns64_rules.values() if now and not now & set(map(deployment, seen.value))
    ]
    if wrong:
        yield Case((*quotes(*wrong), *said), {"ADDRESS": dns64_of(min(now))})


@rule("SERVER-OLD-ADDRESS")
def old_address(facts: Facts) -> Iterator[Case]:
    """A 6to4 prefix is made of the server's first public IPv4 address, and none of its cards has that one."""
    now, said = _today(facts)
    made = {old for one in now if (old := embedded_sixtofour(one.network_address.packed)) is not None}
    held = [(one, address) for one in facts.of_kind("other") for address in one.ipv4 if public(address)]
    farm = (
        facts.load_balancing is not None and facts.load_balancing.value != "none"
    )  # the address is the balancer's
    if is_server(facts) and not farm and held and made and not made & {address.packed for _, address in held}:
        cards = tuple(holding(one, [address]) for one, address in held)
        yield Case((*said, f"made of {IPv4Address(min(made))}", *cards))


@rule("SERVER-OLD-PREFIX")
def old_prefix(facts: Facts) -> Iterator[Case]:
    """What DirectAccess has put below its /48 is below another one than today's."""
    now, said = _today(facts)
    parts = {**_held(facts), **_translated(facts), **_asked(facts)}
    if (clients := facts.client_prefix) is not None and subnet(clients.value.network_address) in CLIENTS:
        parts[clients.value.network_address] = clients.quote
    old = [quote for address, quote in parts.items() if now and deployment(address) not in now]
    told = facts.remote_access.get("internalipv6prefix") or facts.internal_prefix
    if told is None and len({deployment(address) for address in (*_held(facts), *_translated(facts))}) > 1:
        old = [*_held(facts).values(), *_translated(facts).values()]  # one of them, and nobody tells which
    if is_server(facts) or facts.dns64_rules:
        yield Case(
            tuple(dict.fromkeys((*old, *said))) if old else (),
            {"PREFIX": next(iter(now)) if len(now) == 1 else None},
        )


@rule("NRPT-OLD-PREFIX")
def old_name_rules(facts: Facts) -> Iterator[Case]:
    """Of a client: its rules ask a DNS64 below another /48 than that of its own address in the tunnel; an error where a
    name was not resolved."""
    own = {six: one for one in facts.of_kind("iphttps") for six in one.ipv6 if subnet(six) in CLIENTS}
    now = set(map(deployment, own))
    old = [quote for address, quote in _of_rules(facts).items() if now and deployment(address) not in now]
    if old and not is_server(facts):
        held = tuple(holding(one, [six]) for six, one in own.items())
        failed = quotes(*(look for look in facts.lookups if look.error and not look.addresses))
        yield Case((*old, *held, *failed[:3]), severity="error" if failed else None)


@rule("SITE-CLIENT-PREFIXES")
def client_prefixes(facts: Facts) -> Iterator[Case]:
    """ClientIPv6Prefix of two entry points, one in the other or the same."""
    known = {
        site: (prefix, seen.quote)
        for site, properties in facts.entry_points.items()
        if (seen := properties.get("clientipv6prefix")) and (prefix := ipv6_network(seen.value.strip("{}")))
    }
    for (_, (one, first)), (site, (other, second)) in combinations(known.items(), 2):
        if one.overlaps(other):
            yield Case((first, second), {"SITE": site})


@rule("SITE-RANGE")
def site_range(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Prefixes of an entry point, and no single address among them."""
    for one in facts.site_ranges:
        if not any("/" not in each or each.endswith("/128") for each in one.value):
            yield (one.quote,)
