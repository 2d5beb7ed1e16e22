"""A remote client's firewall: whether managers come in, from outside the office."""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

from manageout.doctor.facts import Facts, FirewallRule
from manageout.doctor.rules.evidence import label, quotes, stated
from manageout.doctor.rules.rule import Case, Severity, Theme
from manageout.wire.address import TEREDO

rule = Theme()
HTTPS = 443
MANAGED = frozenset({"22", "3389", "5985", "5986", "2701"})
SERVICES = frozenset({"135", "139", "445", "5900", "RPC", "RPCEPMap", "RPC-EPMap", "RPC Endpoint Mapper"})
"""What else managers use; Windows' own rules for it are for the local network, and nobody takes them for more."""
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
    """A scope with the one and without the other; a note where it is that of private addresses, as most are, and an
    error where a manager is known that comes from the other."""
    whole = not any(elsewhere(facts))  # which says more
    for one in facts.firewall or []:
        text = " ".join(one.remote).lower()
        if _of_a_client(facts) and (":0:5efe:" in text) != (":200:5efe:" in text):
            shut = [line for six, line in facts.told.hosts.items() if whole and not _let_in(facts, one, six)]
            note: Severity | None = "note" if ":0:5efe:" in text else None
            yield Case((one.quote, *shut), variant="shut" if shut else "", severity=None if shut else note)


def _let_in(facts: Facts, rule: FirewallRule, address: IPv6Address) -> bool:
    """By this rule, or by another for the same."""
    alike = [one for one in facts.firewall or [] if (one.protocol, one.ports) == (rule.protocol, rule.ports)]
    scopes = [scope.lower() for one in alike for scope in one.remote or ("any",)]
    return "any" in scopes or any(low <= address <= high for low, high in filter(None, map(_range, scopes)))


@rule("FIREWALL-MISSING")
def missing(facts: Facts) -> Iterator[tuple[str, ...]]:
    """A rule that was asked for by its name, and is not there; one that blocks is none that is missed."""
    held = {one.name.lower() for one in facts.firewall or []}
    for key, quote in facts.nothing.items() if facts.role in ("client", "unknown") else ():
        name = key.removeprefix("rule:")
        if name != key and name not in held and not re.search("block|deny|sperr|bloq", name):
            yield (quote,)


@rule("FIREWALL-SECURITY")
def secured(facts: Facts) -> Iterator[Case]:
    """A rule for managers wants IPsec, and nothing shows any between them."""
    ipsec = facts.ipsec is not None and facts.ipsec.value
    for one in facts.firewall or [] if facts.role in ("client", "unknown") and not ipsec else ():
        if one.secured and _for_managers(one):
            yield Case((one.quote,), {"RULE": one.name})


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


@rule("FIREWALL-NO-IPV6")
def no_ipv6(facts: Facts) -> Iterator[Case]:
    """Of a managed service, no rule that applies outside has a scope with IPv6 from elsewhere; an error for rules that
    somebody has asked about."""
    for rules in _by_service(facts):
        if all(one.remote and all(map(_near, one.remote)) for one in rules):
            asked = "rules" not in facts.sections
            yield Case(quotes(*rules), {"RULE": rules[0].name}, severity="error" if asked else None)


@rule("FIREWALL-SCOPE-ELSEWHERE")
def elsewhere(facts: Facts) -> Iterator[Case]:
    """Managers' ISATAP addresses are known, and the rules with IPv6 scopes for a service hold none of them."""
    own = {each for one in facts.interfaces for each in one.ipv6}
    managers = {one: line for one, line in facts.told.hosts.items() if one not in own}
    for rules in _by_service(facts) if managers else ():
        scopes = [scope for one in rules for scope in one.remote]
        six = [found for scope in scopes if (found := _range(scope)) is not None]
        open_to_all = not all(one.remote for one in rules) or len(six) < sum(not _near(one) for one in scopes)
        # in the other form of the interface's identifier: FIREWALL-SCOPE says that
        forms = [*managers, *(IPv6Address(int(one) ^ 1 << 57) for one in managers)]
        if six and not open_to_all and not any(low <= one <= high for one in forms for low, high in six):
            manager, line = next(iter(managers.items()))
            yield Case((*quotes(*rules), line), {"RULE": rules[0].name, "MANAGER": manager})


def _by_service(facts: Facts) -> Iterator[list[FirewallRule]]:
    """Of a client the rules that apply outside, by what they let in; of rules that were pasted alone of any machine
    that may be one."""
    asked = "rules" not in facts.sections
    if facts.role != "client" and not (facts.role == "unknown" and asked):
        return
    found: dict[str, list[FirewallRule]] = {}
    for one in facts.firewall or []:
        echo = one.protocol.upper() in ("ICMPV6", "58")
        wanted = set(one.ports) & (MANAGED | SERVICES if asked else MANAGED)
        keys = wanted or ({"echo"} if echo and asked else set() if one.whole else {one.name})
        for key in keys if one.profiles & _OUTSIDE else ():
            found.setdefault(key, []).append(one)
    yield from (found[key] for key in sorted(found))


def _range(scope: str) -> tuple[IPv6Address, IPv6Address] | None:
    """First and last address of a scope of IPv6: an address, a network or a range."""
    try:
        first, dash, last = scope.partition("-")
        if dash:
            return IPv6Address(first.strip()), IPv6Address(last.strip())
        network = IPv6Network(scope, strict=False)
        return network[0], network[-1]
    except ValueError:
        return None


def _near(scope: str) -> bool:
    """The local network, or an IPv4 address, network or range."""
    return scope.lower() in _LOCAL or (scope[:1].isdigit() and ":" not in scope)
