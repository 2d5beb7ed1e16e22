"""A remote client's firewall: whether managers come in, from outside the office."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.facts import Facts, FirewallRule
from manageout.doctor.rules.evidence import label, quotes, stated
from manageout.doctor.rules.rule import Case, Theme
from manageout.wire.address import TEREDO

rule = Theme()
HTTPS = 443
MANAGED = frozenset({"22", "3389", "5985", "5986", "2701"})
_OUTSIDE = {"any", "public", "private"}
"""Profiles of which one holds outside the office."""


@rule("FIREWALL-PROFILE")
def firewall_profile(facts: Facts) -> Iterator[Case]:
    """Rules for a managed port, none of which applies outside; of a client, or of a machine that is outside now."""
    networks = facts.networks if facts.networks and facts.networks.value <= {"public", "private"} else None
    told = facts.told.outside if facts.networks is None else ""
    outside = [networks.quote] if networks else [told] if told else []
    alone = [one for one in facts.firewall or [] if not one.whole]
    office = [one for one in alone if not one.profiles & _OUTSIDE and not _elsewhere(one, alone)]
    if office and facts.role in ("client", "unknown") and (networks or facts.networks is None):
        sure = bool(outside) or facts.role == "client"
        yield Case((*quotes(*office), *outside), severity=None if sure else "warning")
    if not (_of_a_client(facts) or (facts.role == "unknown" and outside)):
        return
    for port in sorted({port for one in facts.firewall or [] if _for_managers(one) for port in one.ports}):
        rules = [one for one in facts.firewall or [] if port in one.ports]
        if not any(one.profiles & _OUTSIDE for one in rules):
            yield Case((*quotes(*rules), *outside))


def _elsewhere(one: FirewallRule, rules: list[FirewallRule]) -> bool:
    """Whether another rule of its name is for the profiles outside."""
    return any(other.name == one.name and other.profiles & _OUTSIDE for other in rules)


@rule("FIREWALL-PORT")
def firewall_port(facts: Facts) -> Iterator[Case]:
    """Of what Test-NetConnection tried but https, which other rules judge."""
    for (_, port), found in facts.tcp.items():
        if found.pinged and not found.value and port != HTTPS:
            yield Case((found.quote,), {"PORT": port})


def _for_managers(one: FirewallRule) -> bool:
    """A rule for a port that managers use, for echo, or for ISATAP hosts, which managers alone are; or one that was
    pasted alone."""
    isatap = any(":5efe:" in scope.lower() for scope in one.remote)
    return not one.whole or bool(set(one.ports) & MANAGED) or one.protocol.upper() == "ICMPV6" or isatap


@rule("FIREWALL-CLOSED")
def firewall_closed(facts: Facts) -> Iterator[tuple[str, ...]]:
    """All rules are there, and none is for the ports. A rule that was pasted alone says nothing of the others."""
    whole = facts.role == "client" and "rules" in facts.sections and facts.firewall is not None
    if whole and not any(set(one.ports) & MANAGED for one in facts.firewall or []):
        yield ("no inbound rule for TCP 22, 2701, 3389, 5985 or 5986",)


@rule("FIREWALL-SCOPE")
def firewall_scope(facts: Facts) -> Iterator[Case]:
    """A scope with the one and without the other; a note where it is that of private addresses, as most are."""
    for one in facts.firewall or []:
        text = " ".join(one.remote).lower()
        if _of_a_client(facts) and (":0:5efe:" in text) != (":200:5efe:" in text):
            yield Case((one.quote,), severity="note" if ":0:5efe:" in text else None)


@rule("FIREWALL-EDGE")
def firewall_edge(facts: Facts) -> Iterator[Case]:
    """Teredo is in use, and a rule for managers does without."""
    teredo = _teredo_in_use(facts) if facts.role in ("client", "unknown") else ""
    for one in facts.firewall or []:
        if teredo and _for_managers(one) and one.edge is False:
            yield Case((one.quote, teredo), {"RULE": one.name})


def _of_a_client(facts: Facts) -> bool:
    """A client, or a machine that lets ISATAP hosts in, as only clients do."""
    scopes = " ".join(scope for one in facts.firewall or [] for scope in one.remote).lower()
    return facts.role == "client" or (facts.role == "unknown" and ":5efe:" in scopes)


def _teredo_in_use(facts: Facts) -> str:
    """The words that say so; empty when nothing does."""
    held = [f"{label(one)}: {each}" for one in facts.interfaces for each in one.ipv6 if each in TEREDO]
    return next(iter((*stated(facts.teredo_state, "qualified"), *held)), "")


_LOCAL = ("localsubnet", "localsubnet4", "localsubnet6")


@rule("FIREWALL-OFF")
def firewall_off(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Disabled in the private or the public profile of a client."""
    if facts.role == "client":
        yield stated(facts.firewall_off, True)


@rule("FIREWALL-NO-IPV6")
def no_ipv6(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Of a managed port, no rule that applies outside has a scope with IPv6 from elsewhere."""
    for port in sorted(MANAGED) if facts.role == "client" else ():
        rules = [one for one in facts.firewall or [] if port in one.ports and one.profiles & _OUTSIDE]
        if all(one.remote and all(map(_near, one.remote)) for one in rules):
            yield quotes(*rules)


def _near(scope: str) -> bool:
    """The local network, or an IPv4 address, network or range."""
    return scope.lower() in _LOCAL or (scope[:1].isdigit() and ":" not in scope)
