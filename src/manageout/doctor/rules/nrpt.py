"""A remote client's name-resolution policy (NRPT): which names go into the tunnel, to which server."""

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

from manageout.doctor.facts import Facts, Lookup, NrptRule
from manageout.doctor.rules.evidence import (
    gateway,
    inner,
    location,
    location_url,
    locations,
    of_intranets,
    quotes,
    stated,
)
from manageout.doctor.rules.iphttps import tunnel_up
from manageout.doctor.rules.rule import Case, Theme
from manageout.windows.policies import ASSISTANT

rule = Theme()


def covers(namespace: str, name: str) -> bool:
    space = namespace.lower()
    return name.endswith(space) if space.startswith(".") else name == space


def rules_known(facts: Facts) -> list[NrptRule]:
    """Those in effect; where nobody shows them those of the machine itself, unless group policy has others."""
    if facts.nrpt is not None or facts.nrpt_policy is not None:
        return facts.nrpt or []
    return facts.nrpt_local or []


def rule_of(facts: Facts, name: str) -> NrptRule | None:
    """The most specific rule for a name."""
    fitting = [one for one in rules_known(facts) if name and covers(one.namespace, name.lower())]
    return max(fitting, key=lambda one: len(one.namespace), default=None)


@rule("NRPT-GATEWAY")
def gateway_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the URL's host. Not while the tunnel is up: then the name did resolve."""
    found = rule_of(facts, gateway(facts))
    if found is not None and found.servers and not tunnel_up(facts):
        yield quotes(facts.iphttps_url, found)


@rule("NRPT-LOCATION")
def location_name(facts: Facts) -> Iterator[Case]:
    """A rule with servers covers the location URL's host, or a name that looks like it and is found; or a machine
    outside finds it at an address of the intranet, or gets its page, which only the tunnel can have brought."""
    outside = (
        tunnel_up(facts) or stated(facts.inside, False) or (facts.told.outside and not facts.told.inside)
    )
    for host in sorted(locations(facts)):
        found = rule_of(facts, host)
        named = [one for one in facts.lookups if one.name.lower().rstrip(".") == host and one.addresses]
        looked = [one for one in named if not one.server and any(map(of_intranets, one.addresses))]
        page = facts.tcp.get((host, HTTPS))
        came = (
            [page] if page and page.value and (inner(page) if page.address else looked or not named) else []
        )
        through = quotes(*looked, *came)
        if found is not None and found.servers and (through or host == location(facts)):
            yield Case((*quotes(location_url(facts), found), *through), {"NAME": host})
        elif found is None and outside and through and not stated(facts.inside, True):
            told = (facts.told.outside,) if facts.told.outside else ()
            yield Case((*through, *told), {"NAME": host})


HTTPS = 443


@rule("NRPT-MISSING")
def no_rules(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A URL, outside, no rule; or rules without any server, though the tunnel is up."""
    if stated(facts.inside, False) and facts.iphttps_url is not None and facts.nrpt == []:
        yield quotes(facts.iphttps_url, facts.inside)
    if facts.nrpt and not any(one.servers for one in facts.nrpt) and tunnel_up(facts):
        yield quotes(facts.iphttps_status, *facts.nrpt)


def _ipv4_only(texts: tuple[str, ...]) -> bool:
    try:
        return bool(texts) and all(isinstance(ip_address(text), IPv4Address) for text in texts)
    except ValueError:
        return False


@rule("NRPT-OVERRIDDEN")
def overridden(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The key is there, and rules of the machine itself are not in effect; or it is there and empty."""
    local = [one for one in facts.nrpt_local or [] if not _in_effect(facts, one)]
    empty = stated(facts.nrpt_policy, 0) and facts.nrpt_local != []
    if facts.nrpt_policy is not None and (local or empty):
        yield quotes(facts.nrpt_policy, *local)
    elif facts.nrpt is not None and (dead := [one for one in local if facts.nrpt or not one.direct]):
        names = ", ".join(one.namespace for one in facts.nrpt)
        yield (*quotes(*dead), f"in effect: {names or 'none'}")


def _in_effect(facts: Facts, wanted: NrptRule) -> bool:
    """Whether the effective table holds this rule; a table that is not known holds none."""
    return any(
        one.namespace.lower() == wanted.namespace.lower() and set(one.servers) == set(wanted.servers)
        for one in facts.nrpt or []
    )


@rule("NRPT-IPV4-SERVER")
def ipv4_server(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule of DirectAccess all of whose servers are IPv4."""
    yield from ((one.quote,) for one in rules_known(facts) if one.direct and _ipv4_only(one.servers))


def passed_by(facts: Facts, lookup: Lookup) -> NrptRule | None:
    """The rule with servers that a look-up at another server did not follow."""
    found = rule_of(facts, lookup.name.rstrip("."))
    past = found is not None and found.servers and lookup.server and lookup.server not in found.servers
    return found if past else None


@rule("NRPT-NSLOOKUP")
def nslookup(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A failed nslookup of a name for which there is a rule with servers, at another server."""
    for lookup in facts.lookups:
        if not lookup.addresses and (found := passed_by(facts, lookup)) is not None:
            yield quotes(lookup, found)


@rule("NRPT-DISCONNECTED")
def disconnected(facts: Facts) -> Iterator[tuple[str, ...]]:
    """No rule in effect though the tunnel is up, of a client that has the button, or does not say where it is."""
    allowed = stated(facts.value(ASSISTANT, "NamePreferenceAllowed"), 1)
    outside = stated(facts.inside, False) if allowed else facts.inside is None
    if facts.nrpt == [] and tunnel_up(facts) and (outside or facts.inside is None):
        yield (*allowed, *quotes(facts.iphttps_status))


@rule("NRPT-OPTIONS")
def options(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule in the registry with DirectAccess' servers, without the bit by which they count ([MS-GPNRPT] 2.2.2.2)."""
    for (key, name), seen in facts.registry.items():
        if name == "configoptions" and isinstance(seen.value, int) and not seen.value & DIRECT:
            servers = facts.value(key, "DirectAccessDNSServers")
            if servers is not None and servers.value:
                yield seen.quote, servers.quote


DIRECT = 4
"""Of ConfigOptions."""


@rule("NRPT-NO-DOT")
def no_dot(facts: Facts) -> Iterator[Case]:
    """A rule with servers for the name of a domain: another rule is for a name below it, and none for the domain."""
    rules = [one for one in rules_known(facts) if one.direct or not one.servers]
    for one in rules if not any(each.namespace.startswith(".") and each.servers for each in rules) else ():
        below = [each for each in rules if each.namespace.lower().endswith(f".{one.namespace.lower()}")]
        if one.servers and below:
            yield Case((one.quote, below[0].quote), {"DOMAIN": one.namespace})
