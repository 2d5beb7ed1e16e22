"""Pasted or saved output of Windows' commands -> facts. Several outputs may stand in one text, in any order.

:mod:`~manageout.doctor.pasted.segments` cuts the text; here each output is given to the reader of its kind.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Any

from manageout.doctor.console import certificates as text_certificates
from manageout.doctor.console import dates as text_dates
from manageout.doctor.console import events as text_events
from manageout.doctor.console import features as text_features
from manageout.doctor.console import firewall as text_firewall
from manageout.doctor.console import ipconfig
from manageout.doctor.console import logs as text_logs
from manageout.doctor.console import names as text_names
from manageout.doctor.console import netsh as text_netsh
from manageout.doctor.console import paths as text_paths
from manageout.doctor.console import policies as text_policies
from manageout.doctor.console import policy_objects as text_objects
from manageout.doctor.console import settings as netsh
from manageout.doctor.console import system as text_system
from manageout.doctor.console.netsh import HEX
from manageout.doctor.facts import EVENTS, Facts, Interface, Kind, Lookup, Seen
from manageout.doctor.languages import INNER, OUTER, means
from manageout.doctor.pasted import prose, unread
from manageout.doctor.pasted.machines import Machines
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import RULE
from manageout.doctor.powershell.gathered import Gathered
from manageout.doctor.read.text import outputs
from manageout.windows.text import MAX_ADDRESSES, public

MAX_UNREAD = 100
"""Parts that are named."""
Reader = Callable[[Facts, Part], bool]
"""Adds to the facts what a part says; False when it says nothing that is known."""


def read(facts: Facts, lines: list[str], others: Iterable[Facts] = ()) -> list[Facts]:
    """Add to ``facts`` what ``lines`` (of :func:`~manageout.doctor.read.text.lines`) say of its machine.

    Returns the other machines in the text: those of ``others`` of which it speaks too, and new ones.
    """
    found, too_much = outputs(lines)
    facts.unread += too_much
    machines = Machines(facts, others)
    machines.begin(found)
    cmdlets = Gathered(lambda name: machines.of(Part("", [], name)))
    for part in found:
        _one(machines.of(part), part, cmdlets)
    cmdlets.into_facts()
    _said(lines, found, machines.known)
    if not any(one.understood or one.unread for one in machines.known):
        facts.unread.append("nothing in this text is the output of a command that is known")
    _prefixes(machines.known)
    text_dates.taken(facts, found)
    for one in machines.known[1:]:
        one.date = one.date or facts.date
    for one in machines.known:
        _asked_of(one, machines.known)
        _finish(one)
    return machines.known[1:]


def _said(lines: list[str], parts: list[Part], machines: list[Facts]) -> None:
    """What the prose says: of all machines, and which of them is a server."""
    told = prose.told(lines)
    for one in machines:  # what their clusters say
        told.virtual, told.nodes = one.told.virtual | told.virtual, one.told.nodes | told.nodes
    if any(one.load_balancing is not None for one in machines):
        told.balancing = None  # the server says it itself
    told.virtual |= {one: line for one, line in prose.marked(lines).items() if one not in told.virtual}
    told.hosts, told.direct, told.build = prose.hosts(lines), prose.direct(lines), prose.build(lines)
    told.logon, told.no_probe = prose.logon(lines), prose.no_probe(lines)
    missing = prose.missing(lines, text_system.PLACES)
    if len(machines) == 1 and machines[0].edition is None:
        machines[0].edition = prose.edition(lines)
    for one in machines:
        one.told = told
        for name, line in missing.items() if one.role not in ("server", "manager") else ():
            one.lack(text_system.PLACES[name], name, line)
        short = one.computer.partition(".")[0].lower()
        own = {address for interface in one.interfaces for address in interface.ipv4}
        if one.role == "unknown" and (short in told.servers or own & told.addresses.keys()):
            one.role = "server"
    first = next((number for number, part in enumerate(parts) if part.kind or part.command), 0)
    above = [line for part in parts[:first] for line in part.lines]
    alone = machines[0] if len(machines) == 1 and not (machines[0].computer and told.servers) else None
    if alone and alone.role == "unknown" and not _follows(alone) and prose.speaks_of_a_server(above):
        alone.role = "server"
    clients = [one for one in machines if one.iphttps_error is None and one.role != "server"]
    failed = [one for one in clients if one.iphttps_url is not None] or (clients if told.url else [])
    if told.error is not None and len(failed) == 1:
        failed[0].iphttps_error = told.error
        failed[0].iphttps_url = failed[0].iphttps_url or told.url
        failed[0].understood = True


def _prefixes(machines: list[Facts]) -> None:
    """Of which clients the targets are that were not reached: a server beside says it."""
    known = [one.client_prefix for one in machines if one.client_prefix is not None]
    for one in machines:
        for number, each in enumerate(one.unreached):
            if isinstance(target := each.target, IPv6Address):
                prefix = next((seen for seen in known if target in seen.value), None)
                one.unreached[number] = each._replace(prefix=prefix)


def _follows(facts: Facts) -> bool:
    """Whether its ISATAP interface is that of a host: it follows a router, or waits for one."""
    return any(
        one.gateways or (one.listed and one.link_local and not one.ipv6) for one in facts.of_kind("isatap")
    )


def _asked_of(server: Facts, machines: Iterable[Facts]) -> None:
    """What others know of a server: the names that its DNS blocks, and the addresses of the router that its farm is."""
    blocked = server.block_list.value if server.block_list is not None else ()
    farm = server.load_balancing is not None and server.load_balancing.value != "none"
    others = [one for one in machines if one is not server] if blocked or farm else []
    asked = [look for one in others for look in one.lookups if _concerns(look, blocked, farm)]
    held = [record for one in others for record in one.records if _label(record.name) in blocked]
    server.lookups += asked[:MAX_ADDRESSES]
    server.records += held[:MAX_ADDRESSES]


def _concerns(look: Lookup, blocked: tuple[str, ...], farm: bool) -> bool:
    label = _label(look.name)
    return (farm and "isatap" in label) if look.addresses else label in blocked


def _label(name: str) -> str:
    return name.lower().partition(".")[0]


def _finish(facts: Facts) -> None:
    """What only the whole text tells: the role, and routes of which nobody says whether they are published."""
    if facts.role == "unknown" and _serves(facts):
        facts.role = "server"
    if facts.role == "unknown" and facts.load_balancing is None:
        isatap = facts.of_kind("isatap")
        tunnels = [*isatap, *facts.of_kind("iphttps")]
        manages = facts.isatap_state is not None and facts.isatap_state.value in ("enabled", "automatic")
        follows = facts.iphttps_url is not None or facts.nrpt
        if follows and not manages and not any(one.ipv6 for one in isatap):
            facts.role = "client"
        elif any(one.advertising is not None and one.advertising.value for one in tunnels):
            facts.role = "server"  # no host advertises, and no client
        elif not manages and any(map(_forwards, isatap)):
            facts.role = "server"
        elif facts.block_list is not None and facts.isatap_state is None and not facts.interfaces:
            facts.role = "dns"
    serves = facts.role == "server" or facts.load_balancing is not None
    if facts.routes is None and facts.active_routes and not serves:
        facts.routes = facts.active_routes


def _serves(facts: Facts) -> bool:
    """A DirectAccess server by its addresses: P::1 and P::2 where clients come in by IP-HTTPS, P::1 on the ISATAP link;
    or by ways out to the internet and to the intranet, where the text speaks of DirectAccess; or by two cards that are
    called after these, of which the outer one has a public address."""

    def ends(kind: Kind) -> list[set[int]]:
        return [{int(six) & (1 << 64) - 1 for six in one.ipv6} for one in facts.of_kind(kind)]

    if any({1, 2} <= held for held in ends("iphttps")) or any(1 in held for held in ends("isatap")):
        return True
    follows = any(one.gateways for one in facts.of_kind("isatap"))
    client = facts.iphttps_url is not None or facts.nrpt or follows
    cards = [one for one in facts.of_kind("other") if one.ipv4]
    outer = [one for one in cards if OUTER.search(one.name) and any(map(public, one.ipv4))]
    if not client and outer and any(INNER.search(one.name) for one in cards if one not in outer):
        return True
    hops = {
        *(hop for _, hop in facts.gateways),
        *(hop for one in facts.of_kind("other") for hop in one.gateways),
    }
    outside = {public(hop) for hop in hops if isinstance(hop, IPv4Address)}
    return bool(facts.told.direct) and not client and outside == {True, False}


def _forwards(one: Interface) -> bool:
    """A router's ISATAP interface that does not advertise: forwarding is off until somebody makes the machine a router,
    and a router follows no other."""
    return one.forwarding is not None and one.forwarding.value and not one.gateways


def _one(facts: Facts, part: Part, cmdlets: Gathered) -> None:
    reader = READERS.get(part.kind)
    before = _told(facts, part)
    known = reader is not None and reader(facts, part)
    for name, seen in _told(facts, part).items():
        old = before.get(name)
        if old is not None and old.value != seen.value and len(facts.replaced) < MAX_UNREAD:
            facts.replaced.append(f"{old.quote}; later {seen.quote}")
    known |= _events(facts, part)
    dated = bool(part.lines) and text_dates.ASKED.match(part.command) is not None and part.kind != "w32tm"
    known |= dated and ";" not in part.command  # what another command printed is below
    known |= text_logs.ike(facts, part.lines) | text_logs.denied(facts, part)
    known |= text_events.read(facts, part.lines)
    known |= text_events.dropped(facts, part.lines)
    known |= text_policies.extensions(facts, part.lines) | text_policies.report(facts, part.lines)
    known |= text_policies.links(facts, part.lines)
    known |= text_features.read(facts, part)
    known |= text_objects.read(facts, part)
    facts.understood |= known or dated
    known = known or cmdlets.part(facts, part.lines, part.command) or dated
    if not known and (name := unread.name(part)) and len(facts.unread) < MAX_UNREAD:
        facts.unread.append(name)


_ONCE = (
    "isatap_state", "isatap_router", "iphttps_error", "teredo_type", "teredo_state", "block_list", "proxy", "inside",
    "firewall_off",
)  # fmt: skip
"""What an output says once of a machine."""


def _told(facts: Facts, part: Part) -> dict[str, Seen[Any]]:
    """What was told of the kind that ``part`` is of."""
    if part.kind == "sc":
        return dict(facts.services)
    if part.kind == "interface":
        return {
            f"{one.index} {name}": seen
            for one in facts.interfaces
            for name in ("forwarding", "advertising")
            if (seen := getattr(one, name)) is not None
        }
    return {name: seen for name in _ONCE if (seen := getattr(facts, name)) is not None}


def _isatap(facts: Facts, part: Part) -> bool:
    """``ISATAP State : x`` and the trio of ``show router``: name, state or relay, interval."""
    known = False
    router = part.kind == "isatap" and bool(re.search(r"\bro\w*$|\bro\w* ", part.command.lower()))
    for setting in netsh.settings(part.lines):
        # "enabled (Group Policy)"
        label, value = setting.label.lower(), setting.value.partition(" (")[0].strip()
        state = "default" if means(value, "default") else _WORDS.get(setting._replace(value=value).on)
        if "isatap" in label and "." not in label and state is not None:
            facts.isatap_state = Seen(state, setting.text)
            known = True
        elif router and _NO_ROUTER.search(label):
            router = False  # the name's line was left out
        elif (router or means(label, "router-name")) and value and not HEX.match(value):
            if state is not None or " " not in value:
                facts.isatap_router = Seen(value if state is None else "", setting.text)
                known = True
            router = False
    return known


_NO_ROUTER = re.compile(r"relay|relais|retransm|interval|auflösung|r\S{1,2}solution|resoluci", re.I)
_WORDS: dict[bool | None, str] = {True: "enabled", False: "disabled"}


def _teredo(facts: Facts, part: Part) -> bool:
    """Below a heading with its name, where it is there. An error stands between the state and the kind of client."""
    before = ""
    settings = netsh.settings(_below(part.lines, re.compile("teredo", re.I)) or part.lines)
    if settings:
        facts.teredo_type = facts.teredo_state = facts.teredo_error = None
    for setting in settings:
        # "enterpriseclient (Group Policy)", "probe (primary server)", "probe(cone)"
        value = setting.value.lower().partition("(")[0].strip()
        if value in _TEREDO_TYPES and facts.teredo_type is None:
            facts.teredo_type = Seen(value, setting.text)
        elif value in _TEREDO_STATES:
            facts.teredo_state = Seen(value, setting.text)
        elif _is_error(setting.label, before) and "teredo" not in value and not means(value, "no-error"):
            facts.teredo_error = Seen(setting.value, setting.text)
        before = value
    whole = facts.teredo_type is not None and facts.teredo_type.value in ("disabled", "server", "relay")
    if whole and facts.teredo_type is not None and facts.teredo_type.value == "server":
        facts.teredo_server = Seen(True, facts.teredo_type.quote)
        facts.role = "server" if facts.role == "unknown" else facts.role
    return whole or facts.teredo_state is not None


def _is_error(label: str, before: str) -> bool:
    """By its label; in a language that is not known by its place, behind the state."""
    return _ERROR.search(label) is not None or (before in _TEREDO_STATES and not _NO_ERROR.search(label))


_ERROR = re.compile(r"^(?:error|fehler|erreur)\b", re.I)
_NO_ERROR = re.compile(
    r"client|kunde|nat\b|nat\S|net|r\S{1,2}seau|\bred\b|typ|tipo|port|serv|mapping|local", re.I
)
"""Labels of the lines behind the error's; people leave that one out."""
_TEREDO_TYPES = ("client", "enterpriseclient", "server", "natawareclient", "relay", "disabled", "default")
_TEREDO_STATES = ("offline", "online", "dormant", "probe", "qualified")


def _below(lines: list[str], heading: re.Pattern[str]) -> list[str]:
    """The lines between a heading with a rule below it and the next blank one."""
    for number, (line, rule) in enumerate(pairwise(lines)):
        if RULE.match(rule) and heading.search(line):
            rest = lines[number + 2 :]
            return rest[: next((n for n, one in enumerate(rest) if not one.strip()), len(rest))]
    return []


def _events(facts: Facts, part: Part) -> bool:
    """Errors whose numbers and names Windows does not translate."""
    found = [line.strip() for line in part.lines if any(mark in line for mark in EVENTS)]
    facts.events += found[: max(0, MAX_ADDRESSES - len(facts.events))]
    return bool(found)


READERS: dict[str, Reader] = {
    "ipconfig": ipconfig.read, "isatap": _isatap, "teredo": _teredo, "interface": text_netsh.interface,
    "interfaces": text_netsh.interfaces, "addresses": text_netsh.addressed, "ipv4": text_netsh.four,
    "routes": text_netsh.routes,
    "policies": text_netsh.policies, "iphttps": text_netsh.iphttps, "namespace": text_netsh.namespace,
    "netsh": text_netsh.other, "advfirewall": text_firewall.read, "clat": text_netsh.clat,
    "nslookup": text_names.nslookup, "dnscmd": text_names.dnscmd, "displaydns": text_names.displaydns,
    "reg": text_system.registry, "sc": text_system.services, "route": text_system.routes,
    "systeminfo": text_system.build, "ver": text_system.build, "w32tm": text_system.clock,
    "hostname": text_system.hostname, "ping": text_paths.ping, "tracert": text_paths.trace,
    "pathping": text_paths.trace, "gpresult": text_policies.read, "certutil": text_certificates.store,
    "klist": text_system.klist, "sslcert": text_certificates.bound, "pfirewall": text_logs.firewall,
    "openssl": text_certificates.shown,
    "6to4": text_paths.unjudged, "unjudged": text_paths.unjudged,
    "opened": text_paths.opened, "fetched": text_paths.fetched,
}  # fmt: skip
"""By the kind of a part; what is of no kind here may be a cmdlet's."""
