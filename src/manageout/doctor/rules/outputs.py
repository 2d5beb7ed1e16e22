"""What outputs tell of which the collector holds nothing: ways, policies, logs, bindings."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from manageout.doctor.facts import Dropped, Facts, Filtered, PolicyVersion, Role, Unreached
from manageout.doctor.rules.evidence import around, of_intranets, quotes, stated
from manageout.doctor.rules.isatap import followed_routers, router_lookup
from manageout.doctor.rules.rule import Case, Severity, Theme
from manageout.doctor.rules.server import is_server
from manageout.windows.policies import IPHTTPS, TRANSITION
from manageout.windows.text import any_address
from manageout.wire.address import embedded_isatap

rule = Theme()


def _of(facts: Facts, *reasons: str) -> Iterator[tuple[Unreached, tuple[str, ...]]]:
    for one in facts.unreached:
        if one.reason in reasons:
            yield one, (one.quote, *((one.prefix.quote,) if one.prefix is not None else ()))


@rule("PATH-NO-ROUTE")
def no_route(facts: Facts) -> Iterator[Case]:
    """Destination net unreachable."""
    for one, seen in _of(facts, "net"):
        prefix = one.prefix.value if one.prefix is not None else None
        variant = "unnamed" if one.router is None else ""
        yield Case(seen, {"HOP": one.router, "PREFIX": prefix, "TARGET": one.target}, variant)


@rule("PATH-WRONG-NODE")
def wrong_node(facts: Facts) -> Iterator[Case]:
    """A way that ends at one ISATAP router of several: of those that a host follows, of the router's name, or where a
    farm is spoken of."""
    routers = set(followed_routers(facts)) | {
        address for where in around(facts) for one in router_lookup(where) for address in one.addresses
    }
    followed = followed_routers(facts).values()
    for one, seen in _of(facts, "net", "host", "silent"):
        inner = (
            embedded_isatap(one.router.packed) if one.router is not None and one.router.version == 6 else None
        )
        here = IPv4Address(inner) if inner is not None else one.router
        several = len(routers) > 1 and here in routers
        spoken = facts.told.balancing if inner is not None or here in facts.told.nodes else None
        if one.target is not None and one.target.version == 6 and (several or spoken):
            told = quotes(facts.told.balancing) if spoken else ()
            prefix = one.prefix.value if one.prefix is not None else None
            yield Case((*seen, *followed, *told), {"HOP": here, "PREFIX": prefix, "TARGET": one.target})


@rule("PATH-NO-NEIGHBOUR")
def no_neighbour(facts: Facts) -> Iterator[Case]:
    """Destination host unreachable, or words that are not known; where nobody is named it is the machine itself."""
    own = {address for one in facts.interfaces for address in (*one.ipv4, *one.ipv6, *one.link_local)}
    for one, seen in _of(facts, "host"):
        if one.router is not None:
            yield Case(seen, {"HOP": one.router, "TARGET": one.target}, "own" if one.router in own else "")


@rule("PATH-UNANSWERED")
def unanswered(facts: Facts) -> Iterator[Case]:
    """Pings without an answer: to an IPv6 address, sent or not; to an IPv4 address of the intranet that a name led to,
    where somebody speaks of clients outside."""
    done = {one.target for one in facts.unreached if one.router is not None}
    done |= {one.address for one in facts.pings if one.answered}
    remote = facts.told.direct or facts.told.outside or facts.told.isatap
    for one in facts.pings:
        lost = one.unsent or any(each.target == one.address for each in facts.unreached)
        if one.answered or one.address in done or one.address.is_link_local:
            continue
        if isinstance(one.address, IPv6Address):
            yield Case((one.quote,), {"TARGET": one.address, "NAME": one.name}, "unsent" if lost else "")
        elif one.name and remote and not one.forced and of_intranets(one.address):
            yield Case((one.quote, remote), {"TARGET": one.address, "NAME": one.name}, "four")


@rule("PATH-LOOP")
def loop(facts: Facts) -> Iterator[Case]:
    """TTL expired in transit, or a router that a trace comes to again."""
    for one, seen in _of(facts, "loop"):
        yield Case(seen, {"HOP": one.router, "TARGET": one.target})


@rule("PATH-SILENT")
def silent(facts: Facts) -> Iterator[Case]:
    """A trace that ends in three hops without an answer."""
    for one, seen in _of(facts, "silent"):
        yield Case(seen, {"HOP": one.router, "TARGET": one.target})


_OURS = re.compile(
    r"isatap|direct ?access|(?<![a-z])da(?![a-z])|manage.?out|ipv6|ip-?https|nrpt|tunnel|remote ?access", re.I
)
"""Names of policies that are about what is judged here."""


_FOR: dict[Role, re.Pattern[str]] = {
    "server": re.compile(r"server|serveur|servidor|serwer|(?<![a-z])srv", re.I),
    "client": re.compile(r"client|direct ?access|(?<![a-z])da(?![a-z])|ip-?https|nrpt", re.I),
    "manager": re.compile(r"isatap|manage.?out", re.I),
}
"""Role -> names of policies that are for it; what is for servers is for nobody else."""


def _severity(facts: Facts, one: Filtered) -> Severity | None:
    """Policies for others are denied everywhere: DirectAccess links those of its servers and of its clients to the
    whole domain, and each computer but those is denied."""
    role: Role = "manager" if facts.role == "unknown" and facts.of_kind("isatap") else facts.role
    named = [each for each, names in _FOR.items() if names.search(one.name)]
    others = named and role not in (named[:1] if "server" in named else [*named, "unknown"])
    return "note" if others or not _OURS.search(one.name) else None


def _seen(one: Filtered) -> tuple[str, ...]:
    return (one.quote, f"groups: {one.groups}") if one.groups else (one.quote,)


@rule("POLICY-DENIED")
def denied(facts: Facts) -> Iterator[Case]:
    """By security filtering."""
    for one in facts.filtered:
        if one.reason == "security":
            yield Case(_seen(one), {"NAME": one.name}, severity=_severity(facts, one))


@rule("POLICY-WMI")
def wmi(facts: Facts) -> Iterator[Case]:
    """By its WMI filter."""
    for one in facts.filtered:
        if one.reason == "wmi":
            yield Case((one.quote,), {"NAME": one.name}, severity=_severity(facts, one))


@rule("POLICY-DISABLED")
def disabled(facts: Facts) -> Iterator[Case]:
    """The link or the policy is switched off, or it holds nothing for computers though its name is one of ours."""
    explained = any(map(_unversioned, around(facts)))
    for one in facts.filtered:
        empty = one.reason == "empty"
        if (one.reason == "disabled" or (empty and not explained)) and _OURS.search(one.name):
            variant = "empty" if empty else ""
            yield Case((one.quote,), {"NAME": one.name}, variant, _severity(facts, one))


def _unversioned(facts: Facts) -> list[PolicyVersion]:
    """Versions that count nothing for computers, of policies of ours."""
    about = bool(facts.told.isatap or facts.told.direct)
    found = [one for one in facts.policy_versions if not one.number & 0xFFFF]
    return [one for one in found if _OURS.search(name := _policy_called(facts, one)) or (about and not name)]


def _policy_called(facts: Facts, one: PolicyVersion) -> str:
    """Of gpt.ini by the directory's name."""
    return one.name or (_policy(facts, one.identifier) if one.identifier else "")


@rule("POLICY-VERSION")
def unversioned(facts: Facts) -> Iterator[Case]:
    """The low half of a version is 0."""
    found = _unversioned(facts)
    yield Case(
        tuple(one.quote for one in found), {"NAME": next((one.name for one in found if one.name), None)}
    )


@rule("POLICY-LINK")
def link(facts: Facts) -> Iterator[Case]:
    """A link of a policy of ours that is switched off; a doubt where nobody says which policy it is."""
    on = {one.identifier for one in facts.links if one.enabled}
    for one in facts.links:
        name = _policy(facts, one.identifier)
        if one.enabled or one.identifier in on or (name and not _OURS.search(name)):
            continue
        seen = (one.quote, f"{{{one.identifier}}} is {name}") if name else (one.quote,)
        yield Case(seen, {"GUID": one.identifier}, severity=None if name else "warning")


def _policy(facts: Facts, identifier: str) -> str:
    """Its name, as any machine here knows it."""
    return next(
        (where.policy_names[identifier] for where in around(facts) if identifier in where.policy_names), ""
    )


@rule("POLICY-BLOCKED")
def blocked(facts: Facts) -> Iterator[Case]:
    """A unit that inherits no policies, and has none of ours all the same; a warning where the text is about them."""
    for one in facts.blocked:
        own = [_policy(facts, word) or ("" if _IDENTIFIER.fullmatch(word) else word) for word in one.value]
        if not any(map(_OURS.search, own)):
            spoken = all(own) and (facts.told.isatap or facts.told.direct)
            yield Case((one.quote,), severity="warning" if spoken else None)


_IDENTIFIER = re.compile(r"[0-9a-f-]{36}")


@rule("POLICY-NOBODY")
def nobody(facts: Facts) -> Iterator[Case]:
    """All groups of a policy of ours were listed, and none may apply it."""
    for one in facts.filtered:
        if one.reason == "nobody" and (_OURS.search(one.quote) or facts.told.isatap or facts.told.direct):
            yield Case((one.quote,), {"NAME": one.name or None})


@rule("POLICY-BEHIND")
def behind(facts: Facts) -> Iterator[Case]:
    """The versions in the directory and in SYSVOL differ."""
    for one in facts.filtered:
        if one.reason == "behind" and _OURS.search(one.name):
            yield Case((one.quote,), {"NAME": one.name})
    held = [one for one in facts.policy_versions if not one.sysvol]
    for ini in (one for one in facts.policy_versions if one.sysvol):
        same = next(
            (
                one
                for one in held
                if one.identifier == ini.identifier or "" in (one.identifier, ini.identifier)
            ),
            None,
        )
        if (
            same is not None
            and same.number != ini.number
            and _OURS.search(_policy_called(facts, same) or facts.told.isatap or facts.told.direct)
        ):
            yield Case((same.quote, ini.quote), {"NAME": same.name or None})


@rule("POLICY-VALUE")
def policy_value(facts: Facts) -> Iterator[Case]:
    """A value of tcpip.admx that is none of those that Windows knows; those of IP-HTTPS in the key above their own."""
    for (key, name), seen in facts.registry.items():
        if key == TRANSITION.lower() and name.startswith("iphttps_"):
            yield Case((seen.quote,), variant="key")
        known = _KNOWN.get(name) if key in (TRANSITION.lower(), IPHTTPS.lower()) else None
        if known is not None and isinstance(seen.value, str) and not known.fullmatch(seen.value.strip()):
            yield Case((seen.quote,), variant="url" if name == "iphttps_clienturl" else "")


_STATES = re.compile("default|enabled|disabled", re.I)
_KNOWN = {
    "isatap_state": _STATES, "6to4_state": _STATES, "teredo_defaultqualified": re.compile("enabled", re.I),
    "teredo_state": re.compile("default|disabled|client|enterprise client", re.I),
    "iphttps_clienturl": re.compile(r"https://[\w.-]+(?::\d{1,5})?/iphttps", re.I),
    "iphttps_clientstate": re.compile(r"(?!)"),
}  # fmt: skip
"""Texts that mean something; IPHTTPS_ClientState is a number."""


@rule("BINDING")
def binding(facts: Facts) -> Iterator[Case]:
    """Port 443 has another certificate than DirectAccess, or one that the computer does not hold."""
    bound, ours, held = facts.bound, facts.bound_to, facts.held
    if bound is None:
        return
    gone = held is not None and bound.value not in held
    other = ours is not None and ours.value != bound.value
    if gone or other:
        seen = (bound.quote, *((ours.quote,) if ours is not None else ()))
        listed = ", ".join(held or {}) or "none"
        seen += (f"the computer's certificates: {listed}",) if gone else ()
        yield Case(seen, {"THUMBPRINT": ours.value if ours is not None else None})


@rule("CERTIFICATE-NONE")
def none(facts: Facts) -> Iterator[Case]:
    """The computer's store was listed, and is empty; a note where nothing says that IPsec or the connection fails, as
    managers need none, nor clients of the Kerberos proxy."""
    silent = facts.role != "manager" and stated(facts.ipsec, 0)
    refused = facts.iphttps_error is not None and facts.iphttps_error.value
    failed = refused or facts.ike or facts.connection or silent or facts.role == "server"
    if facts.nothing.get("cert:my") and facts.held is not None:
        yield Case((facts.nothing["cert:my"],), severity=None if failed else "note")


@rule("IPSEC-CREDENTIALS")
def credentials(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Failure reasons 13801 and 13806."""
    yield tuple(one.quote for one in facts.ike if one.value in ("credentials", "certificate"))


_WANTED: dict[tuple[str, int | None], str] = {
    ("41", None): "ISATAP", ("TCP", 443): "IP-HTTPS", ("UDP", 3544): "Teredo", ("UDP", 500): "IPsec",
    ("UDP", 4500): "IPsec", ("50", None): "IPsec", ("ESP", None): "IPsec",
    **{("TCP", port): "managing" for port in (22, 135, 445, 2701, 3389, 5900, 5985, 5986)},
}  # fmt: skip
"""Protocol and port that matter here; what else a firewall drops is mostly noise of the network."""


@rule("FIREWALL-DROPS")
def drops(facts: Facts) -> Iterator[Case]:
    """The firewall's own log, or events 5152 and 5157; a note of what may be a neighbour, for managers reach clients
    over IPv6."""
    groups: dict[tuple[str, int | None, bool, bool], list[Dropped]] = {}
    for one in facts.dropped:
        protocol = "41" if one.protocol in ("41", "IPV6", "IPV6-ENCAP") else one.protocol
        port = one.port if protocol in ("TCP", "UDP") else None
        inbound, six = one.inbound is not False, isinstance(any_address(one.source), IPv6Address)
        if (what := _WANTED.get((protocol, port))) and not (inbound and _noise(facts, what, one)):
            near = what == "managing" and inbound and not six
            groups.setdefault((protocol, port, inbound, near), []).append(one)
    for (protocol, port, inbound, near), found in groups.items():
        what = _WANTED[protocol, port]
        seen = (f"{found[0].quote} ({len(found)} times): {what}",)
        from_, to, direction = found[0].source, found[0].target, "Inbound" if inbound else "Outbound"
        variant = "protocol" if port is None else "outbound" if not inbound else ""
        yield Case(
            seen, {"PROTOCOL": protocol, "PORT": port, "DIRECTION": direction, "SOURCE": from_, "AT": to},
            "managing" if inbound and what == "managing" else variant, "note" if near else None)  # fmt: skip


@rule("PATH-FILTERED")
def filtered(facts: Facts) -> Iterator[Case]:
    """A firewall on the way refuses what is needed; a warning of a gateway's ports where nothing else fails, as it logs
    whatever the Internet tries. Managers reach clients over IPv6 alone."""
    groups: dict[tuple[str, int | None], list[Dropped]] = {}
    for one in facts.denied:
        what = _WANTED.get((one.protocol, one.port))
        inner = [any_address(end) for end in (one.source, one.target)]
        ours = what != "managing" or all(isinstance(end, IPv6Address) for end in inner)
        if what and ours:
            groups.setdefault((one.protocol, one.port), []).append(one)
    for (protocol, port), found in groups.items():
        seen = (f"{found[0].quote} ({len(found)} times): {_WANTED[protocol, port]}",)
        source, at = found[0].source or None, found[0].target or None
        sure = (
            _WANTED[protocol, port] in ("ISATAP", "managing") or facts.iphttps_error is not None or facts.ike
        )
        yield Case(
            seen, {"PROTOCOL": protocol, "PORT": port, "SOURCE": source, "AT": at},
            "tunnel" if protocol == "41" else "", None if sure else "warning")  # fmt: skip


def _noise(facts: Facts, what: str, one: Dropped) -> bool:
    """What comes in from anywhere and is rightly dropped: attempts of the Internet at ports of managing, and at a
    client's that only servers have open."""
    source = any_address(one.source)
    if what != "managing":
        return facts.role == "client" and what != "ISATAP"
    inner = source is not None and (source.version == 6 or of_intranets(source))
    return not inner or (source is not None and source.is_link_local)


@rule("CERTIFICATE-NO-KEY")
def no_key(facts: Facts) -> Iterator[Case]:
    """Listed without a private key; a warning where another certificate has one."""
    yield Case(tuple(facts.keyless), severity="warning" if facts.keyed else None)


@rule("POLICY-EXTENSION")
def extension(facts: Facts) -> Iterator[Case]:
    """A policy of ISATAP by its name, or by what is said of it."""
    for one in facts.extensions:
        if _OURS.search(one.value) or (not one.value and facts.told.isatap):
            variant = "none" if one.quote.endswith("no gPCMachineExtensionNames") else ""
            yield Case((one.quote,), {"NAME": one.value or None}, variant)


@rule("MANAGER-NOT-LISTED")
def manager_not_listed(facts: Facts) -> Iterator[Case]:
    """The management servers are known, and a manager here is none of them: an error where somebody says that clients
    are reached after logon alone, a note else. Where they are not known, a doubt by those words."""
    listed = facts.management
    names = {each.partition(".")[0] if any_address(each) is None else each for each in listed}
    others = [one for one in facts.beside if not is_server(one) and one.computer]
    managers = [one for one in others if managing(one)]
    strange = [one for one in managers if not names & _called(one)]
    said = (facts.told.logon,) if facts.told.logon else ()
    seen = tuple(dict.fromkeys(listed.values()))[:4]
    if listed and (strange or (said and not managers)):
        name = strange[0].computer if strange else None
        words = tuple(f"{one.computer} is not among them" for one in strange[:3])
        yield Case((*said, *seen, *words), {"MANAGER": name}, severity=None if said else "note")
    elif not any(one.management for one in around(facts)) and not is_server(facts):
        manages = facts.told.isatap or facts.told.complaint
        seen = said if manages and (not facts.beside or managing(facts)) else ()
        yield Case(seen, {"MANAGER": None}, "unknown")


def managing(one: Facts) -> bool:
    """Whether a machine looks like one that reaches out to clients."""
    return bool(one.of_kind("isatap") or one.role == "manager" or one.pings)


def _called(one: Facts) -> set[str]:
    """A machine's name and its addresses, as lists of servers have them."""
    six = [each for card in one.interfaces for each in card.ipv6]
    four = {str(IPv4Address(inner)) for each in six if (inner := embedded_isatap(each.packed)) is not None}
    held = {str(each) for each in six} | {str(each) for card in one.interfaces for each in card.ipv4} | four
    return {one.computer.partition(".")[0].lower(), *held}
