"""A remote client's name-resolution policy (NRPT): which names go into the tunnel, to which server."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address

from manageout.doctor.facts import Facts, NrptRule
from manageout.doctor.rules.client import gateway, location
from manageout.doctor.rules.iphttps import tunnel_up
from manageout.doctor.rules.rule import Theme
from manageout.windows.policies import CONNECTIVITY

rule = Theme()


def covers(namespace: str, name: str) -> bool:
    space = namespace.lower()
    return name.endswith(space) if space.startswith(".") else name == space


def rules_known(facts: Facts) -> list[NrptRule]:
    """Those in effect; where nobody shows them those of the machine itself, unless group policy has others."""
    if facts.nrpt is not None or facts.nrpt_policy is not None:
        return facts.nrpt or []
    return facts.nrpt_local or []


def rule_of(facts: Facts, name: str) -> tuple[str, tuple[str, ...], str] | None:
    """The most specific rule for a name: namespace, servers, quote."""
    fitting = [one for one in rules_known(facts) if covers(one.namespace, name.lower())]
    best = max(fitting, key=lambda one: len(one.namespace), default=None)
    return (best.namespace, best.servers, best.quote) if best else None


@rule("NRPT-GATEWAY")
def gateway_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the URL's host. Not while the tunnel is up: then the name did resolve."""
    host = gateway(facts)
    found = rule_of(facts, host) if host and not tunnel_up(facts) else None
    if found is not None and found[1] and facts.iphttps_url is not None:
        yield facts.iphttps_url.quote, found[2]


@rule("NRPT-LOCATION")
def location_name(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule with servers covers the location URL's host."""
    url = facts.value(CONNECTIVITY, "DomainLocationDeterminationUrl")
    host = location(facts)
    found = rule_of(facts, host) if host else None
    if found is not None and found[1] and url is not None:
        yield url.quote, found[2]


@rule("NRPT-MISSING")
def no_rules(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A URL, outside, no rule."""
    outside = facts.inside is not None and not facts.inside.value
    if outside and facts.iphttps_url is not None and facts.nrpt == [] and facts.inside is not None:
        yield facts.iphttps_url.quote, facts.inside.quote


def _ipv4_only(texts: tuple[str, ...]) -> bool:
    try:
        return bool(texts) and all(isinstance(ip_address(text), IPv4Address) for text in texts)
    except ValueError:
        return False


@rule("NRPT-OFF")
def rules_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """DisableDA."""
    if facts.nrpt_for is not None and facts.nrpt_for.value == "disableda":
        yield (facts.nrpt_for.quote,)


@rule("NRPT-OVERRIDDEN")
def overridden(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The key is there, and rules of the machine itself are not in effect; or it is there and empty."""
    local = [one for one in facts.nrpt_local or [] if not _in_effect(facts, one)]
    empty = facts.nrpt_policy is not None and facts.nrpt_policy.value == 0 and facts.nrpt_local != []
    if facts.nrpt_policy is not None and (local or empty):
        yield (facts.nrpt_policy.quote, *(one.quote for one in local))
    elif facts.nrpt is not None and (dead := [one for one in local if facts.nrpt or not one.direct]):
        names = ", ".join(one.namespace for one in facts.nrpt)
        yield (*(one.quote for one in dead), f"in effect: {names or 'none'}")


def _in_effect(facts: Facts, wanted: NrptRule) -> bool:
    """Whether the effective table holds this rule; a table that is not known holds none."""
    return any(
        one.namespace.lower() == wanted.namespace.lower() and set(one.servers) == set(wanted.servers)
        for one in facts.nrpt or []
    )


@rule("NRPT-IPV4-SERVER")
def ipv4_server(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule of DirectAccess all of whose servers are IPv4."""
    for one in rules_known(facts):
        if one.direct and _ipv4_only(one.servers):
            yield (one.quote,)


@rule("NRPT-FALLBACK")
def fallback(facts: Facts) -> Iterator[tuple[str, ...]]:
    """FallbackUnsecure."""
    if facts.nrpt_fallback is not None and facts.nrpt_fallback.value == "fallbackunsecure":
        yield (facts.nrpt_fallback.quote,)


@rule("NRPT-NSLOOKUP")
def nslookup(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A failed nslookup of a name for which there is a rule with servers, at another server."""
    for lookup in facts.lookups:
        found = rule_of(facts, lookup.name)
        failed = lookup.server and not lookup.addresses
        if failed and found is not None and found[1] and lookup.server not in found[1]:
            yield lookup.quote, found[2]
