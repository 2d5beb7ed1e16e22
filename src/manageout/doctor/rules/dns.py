"""Names: the block list of DNS servers, records that are stale, missing or lead nowhere."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.doctor.facts import Facts, Lookup, WindowsRoute
from manageout.doctor.rules.evidence import around, holding, of_intranets, quotes, stated
from manageout.doctor.rules.isatap import enabled, is_real, router_lookup
from manageout.doctor.rules.nrpt import covers, rules_known
from manageout.doctor.rules.rule import Case, Severity, Theme
from manageout.windows.deployment import CLIENTS, DNS64, NAT64, subnet
from manageout.wire.address import TEREDO, embedded_isatap

rule = Theme()
REGISTERS_NOT = 19041
"""Windows 10 2004: since then clients do not register in servers that come from the NRPT."""
DNSCACHE = r"SYSTEM\CurrentControlSet\Services\Dnscache\Parameters"


def _by_name(facts: Facts) -> dict[str, tuple[list[IPv4Address], list[IPv6Address], list[str]]]:
    """Name -> A, AAAA, quotes; without the router's own name."""
    routers = {lookup.name.lower() for lookup in router_lookup(facts)}
    found: dict[str, tuple[list[IPv4Address], list[IPv6Address], list[str]]] = {}
    for lookup in facts.lookups:
        if lookup.name.lower() in routers:
            continue
        four, six, words = found.setdefault(lookup.name.lower(), ([], [], []))
        four += [address for address in lookup.addresses if isinstance(address, IPv4Address)]
        six += [address for address in lookup.addresses if isinstance(address, IPv6Address)]
        words.append(lookup.quote)
    return found


@rule("DNS-BLOCKED")
def blocked(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The first label of the router's name, when one is set, is in the list; or a record of the zone is, though it is
    there. By default nobody needs 'isatap', and it is rightly in the list."""
    if facts.block_list is None:
        return
    listed = facts.block_list.value
    named = facts.isatap_policy_router or facts.isatap_router
    label = named.value.lower().split(".")[0] if named is not None else ""
    records = [one for one in facts.records if _first(one.name) == "isatap" and "isatap" in listed]
    asked = [one for one in facts.lookups if _first(one.name) == "isatap" and not one.addresses and one.error]
    if (label and label in listed) or records or (asked and "isatap" in listed):
        yield quotes(facts.block_list, *records, *asked)


def _first(name: str) -> str:
    return name.lower().partition(".")[0]


@rule("DNS-BLOCK-LIST-OPEN")
def open_list(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A list that lacks it."""
    if facts.block_list is not None and "isatap" not in facts.block_list.value:
        yield (facts.block_list.quote,)


@rule("DNS-NO-AAAA")
def no_aaaa(facts: Facts) -> Iterator[Case]:
    """A manager resolves a name to IPv4 only, or finds nothing where it asks for IPv6 alone. Of a pasted text nobody
    knows whether the name is a client's; the DNS server's own is none."""
    for one in facts.pings:
        vain = [look for look in facts.lookups if look.name.lower() == one.name and not look.addresses]
        if one.name and isinstance(one.address, IPv4Address) and vain and not one.answered:
            yield Case((one.quote, *quotes(*vain)))
    manages = facts.role == "manager" or (facts.role == "unknown" and enabled(facts))
    servers = {lookup.server for lookup in facts.lookups}
    for four, six, words in _by_name(facts).values() if manages else ():
        if four and not six and not servers & set(map(str, four)):
            yield Case(tuple(words), severity="warning" if facts.role == "unknown" else None)


@rule("DNS-STALE-ISATAP")
def stale_isatap(facts: Facts) -> Iterator[Case]:
    """AAAA with an ISATAP interface identifier of either u bit, for another than the machine itself; or in a zone."""
    own = {address for one in facts.interfaces for address in one.ipv6}
    for name, (_, six, words) in _by_name(facts).items():
        found = [address for address in six if embedded_isatap(address.packed) and address not in own]
        if found:
            host, _, zone = name.partition(".")
            yield Case(tuple(words), {"NAME": host, "ZONE": zone.rstrip("."), "ADDRESS": found[0]})
    for ping in facts.pings:
        stale = isinstance(ping.address, IPv6Address) and embedded_isatap(ping.address.packed)
        if ping.name and stale and not ping.answered and ping.address not in own:
            host, _, zone = ping.name.partition(".")
            yield Case((ping.quote,), {"NAME": host, "ZONE": zone.rstrip("."), "ADDRESS": ping.address})
    for record in facts.records:
        address = record.address
        if isinstance(address, IPv6Address) and embedded_isatap(address.packed) and address not in own:
            yield Case((record.quote,), {"NAME": record.name, "ZONE": record.zone, "ADDRESS": address})


def native_names(facts: Facts) -> tuple[str, ...]:
    """Quotes of names of the intranet that lead to IPv6 addresses of hosts' own, on any machine here: neither ISATAP's
    nor NAT64's nor a client's. A name is of the intranet by its address, a name rule, or a client's failure."""
    looks = [one for where in around(facts) for one in where.lookups]
    missed = {_plain(one) for one in looks if not one.addresses}
    spaces = [rule.namespace for where in around(facts) for rule in rules_known(where) if rule.servers]
    named = missed | {_plain(one) for one in looks if any(covers(space, _plain(one)) for space in spaces)}
    if facts.told.six_only:
        named |= {_plain(one) for one in looks if all(each.version == 6 for each in one.addresses)}
    pairs = [(one, address) for one in looks for address in one.addresses if _native(facts, address)]
    found = [one.quote for one, address in pairs if _plain(one) in named or of_intranets(address)]
    found += [one.quote for where in around(facts) for one in where.records if _native(facts, one.address)]
    return tuple(dict.fromkeys(found))


def _plain(one: Lookup) -> str:
    return one.name.lower().rstrip(".")


def _native(facts: Facts, address: object) -> bool:
    if not isinstance(address, IPv6Address) or address.is_link_local or embedded_isatap(address.packed):
        return False
    clients = facts.client_prefix is not None and address in facts.client_prefix.value
    own = subnet(address) in (DNS64, NAT64, *CLIENTS)
    return not (clients or own or address in TEREDO or address in SIX_TO_FOUR)


SIX_TO_FOUR = IPv6Network("2002::/16")


@rule("DNS-REGISTRATION-OFF")
def registration_off(facts: Facts) -> Iterator[Case]:
    """A client of such a build without the value; or one with it set, for only such a build knows it. An error where a
    name has been asked in vain for its IPv6 address."""
    found = facts.value(DNSCACHE, "DisableNRPTForAdapterRegistration")
    told = facts.version
    # ISATAP registers by itself.
    remote = facts.role == "client" or (facts.role == "unknown" and not enabled(facts))
    unnamed = [one for where in around(facts) for one in where.lookups if one.error == NO_TYPE]
    severity: Severity | None = "error" if unnamed else None
    listed = facts.role == "client" or bool(unnamed)
    absent = facts.lacks(DNSCACHE, "DisableNRPTForAdapterRegistration", listed)
    if facts.role == "client" and "registry" in facts.sections and found is None and told is not None:
        absent = ("no DisableNRPTForAdapterRegistration",)
    if remote and found is not None and found.value != 0:
        yield Case((found.quote, *quotes(*unnamed)), severity=severity)
    elif remote and absent and (told is None or told.value >= REGISTERS_NOT):
        variant = "" if told is not None else "version-unknown"
        yield Case((*absent, *quotes(told, *unnamed)), variant=variant, severity=severity)


NO_TYPE = "no record of that type"
"""Of a name that is there, or that was asked of the zone's own server."""


@rule("DNS-IPV4-LITERAL")
def ipv4_literal(facts: Facts) -> Iterator[Case]:
    """An IPv4 address that was typed does not answer, and an IPv6 address that ends in it does."""
    failed = _failed_literals(facts)
    reached = [(one.address, one.quote) for one in facts.pings if one.answered]
    reached += [
        (one.address, one.quote) for one in facts.tcp.values() if one.value and one.address is not None
    ]
    for address, quote in reached:
        if isinstance(address, IPv6Address) and not embedded_isatap(address.packed):
            inner = IPv4Address(address.packed[12:])
            if inner in failed:
                yield Case((failed[inner], quote, *quotes(facts.clat)), {"NAT64ADDRESS": address})


def _failed_literals(facts: Facts) -> dict[IPv4Address | IPv6Address, str]:
    """Addresses that were typed and did not answer, each with its quote."""
    failed = {one.address: one.quote for one in facts.pings if one.literal and not one.answered}
    return failed | {
        address: one.quote
        for (name, _), one in facts.tcp.items()
        if not one.value and (address := one.address) is not None and name == str(address)
    }


@rule("NETWORK-NO-IPV4")
def no_ipv4(facts: Facts) -> Iterator[Case]:
    """An IPv4 address that was typed could not be reached, and something shows a network without IPv4."""
    failed = {one: quote for one, quote in _failed_literals(facts).items() if isinstance(one, IPv4Address)}
    why = _six_only(facts)
    if failed and why and not stated(facts.clat, True):
        address, quote = next(iter(failed.items()))
        yield Case((quote, *why[:3], *quotes(facts.clat)), {"ADDRESS": address})


def _six_only(facts: Facts) -> list[str]:
    """What shows that the network has IPv6 and no IPv4; empty when nothing does."""
    if 4 in facts.defaults or any(one.answered and one.address.version == 4 for one in facts.pings):
        return []
    cards = [one for one in facts.interfaces if one.kind == "other"]
    if any(is_real(address) for one in cards for address in one.ipv4):
        return []
    found = list(facts.no_ipv4)
    if six := next((one for one in cards if one.listed and one.ipv6), None):
        found.append(f"{holding(six, six.ipv6)}, and no IPv4 address")
    found += [one.quote for one in facts.lookups if one.name.lower() == DNS64_NAME and _has_six(one)]
    if not found and any(one.unsent for one in facts.pings):
        found += [route.quote for route in facts.routes or [] if _by_card(facts, route)]
        found += filter(None, (facts.defaults.get(6), facts.told.six_only))
    return found


DNS64_NAME = "ipv4only.arpa"
"""Has IPv6 addresses from a DNS64 alone (RFC 7050)."""


def _has_six(lookup: Lookup) -> bool:
    return any(isinstance(one, IPv6Address) for one in lookup.addresses)


def _by_card(facts: Facts, route: WindowsRoute) -> bool:
    """Whether it is a default route by a network card, no tunnel."""
    through = facts.interface(route.interface)
    card = through is None or through.kind == "other"
    return route.prefix.prefixlen == 0 and route.next_hop is not None and card
