"""A :class:`Farm` -> the site file of an ISATAP router in front of it, and what is left for a person."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from manageout.doctor.powershell.gathered import UNCUT
from manageout.doctor.read.sections import balancing, no_balancing
from manageout.errors import ConfigError, ManageoutError
from manageout.imports.domain import is_domain
from manageout.imports.farm import Farm, Node
from manageout.imports.texts import phrase
from manageout.site.contradictions import contradictions
from manageout.site.plan import ISATAP_SUBNET, plan, subnet
from manageout.site.tables import site as config
from manageout.words import counted, printable

SERVICES = ("icmp", "tcp/22", "tcp/3389", "tcp/5985-5986")
SHOWN = 40
"""Things that were not understood, of which each is named."""
_HEAD = "# An ISATAP router in front of a DirectAccess farm; made by `manageout import`."


class Wishes(NamedTuple):
    """What no server can know. ``vias``: prefix or server (lower case) -> next hop."""

    locators: tuple[IPv4Address, ...]
    name: str = ""
    hosts: tuple[IPv4Network, ...] = ()
    vias: Mapping[str, IPv6Address] = {}


@dataclass
class Imported:
    """``text``: the site file; ``taken``, ``left``, ``unread``: what it says, what is to be done, what was not read."""

    text: str = ""
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


class _Way(NamedTuple):
    node: str
    prefix: IPv6Network
    via: IPv6Address | None


def site_of(farm: Farm, wishes: Wishes) -> Imported:
    """Raises :class:`ManageoutError` when nothing in ``farm`` leads to a site file."""
    clients = [node.client for node in farm.nodes if node.client is not None]
    if not clients:
        hint = phrase("nothing")
        if farm.cut:
            hint = f"PowerShell has cut {printable('; '.join(farm.cut[:5]))}: {UNCUT}"
        elif strange := [line for line in farm.unread if "ClientIPv6Prefix " in line]:
            hint = phrase("strange-prefix", line=strange[0])
        elif farm.nodes:
            hint = phrase("blank-prefix")
        raise ManageoutError("no ClientIPv6Prefix there", hint)
    unread = list(dict.fromkeys(farm.unread))
    more = [f"and {len(unread) - SHOWN} more"] if len(unread) > SHOWN else []
    made = Imported(unread=[*unread[:SHOWN], *more])
    site = _prefix(farm, clients, made)
    domain = _domain(farm, made)
    known = f'domain = "{domain}"' if domain else "# domain = ?   (not known: the evidence names none)"
    lines = [_HEAD, *_cut(farm, made), "[site]", f'prefix = "{site}"', known]
    own = next((prefix for prefix in clients if _site_of(prefix) == site), clients[0])
    made.taken.append(f"site {site}, of ClientIPv6Prefix {own}; domain {domain or 'unknown'}")
    lines += _isatap(farm, wishes, site, domain, made)
    for way in _ways(farm, wishes, made):
        mark = "# " if way.via is None else ""
        lines += ["", f"{mark}[[isatap.routes]]  # {way.node}"]
        lines += [f'{mark}prefix = "{way.prefix}"', f'{mark}via = "{way.via or "ADDRESS"}"']
    lines += [*_policy(wishes, made), *farm.names.comment()]
    made.taken += [printable(line) for line in farm.names.taken()]
    made.left += [printable(line) for line in farm.names.left()]
    _kind(farm, made)
    made.text = "\n".join(lines) + "\n"
    parsed = config.parse(made.text, "what would be written")
    if faults := contradictions(parsed, plan(parsed)):
        raise ConfigError("what would be written", faults)
    return made


def _cut(farm: Farm, made: Imported) -> list[str]:
    """What PowerShell has cut: it may be just what is missing here."""
    if not farm.cut:
        return []
    which = "; ".join(dict.fromkeys(farm.cut[:SHOWN]))
    made.left.insert(0, phrase("cut", which=printable(which), uncut=UNCUT))
    return ["# ? lists were cut by PowerShell, so names or prefixes may be missing below"]


def _prefix(farm: Farm, clients: Sequence[IPv6Network], made: Imported) -> IPv6Network:
    """The /48 of the ISATAP link, else of most clients. Entry points may each have one of their own."""
    links = [_site_of(prefix) for node in farm.nodes for prefix in node.internal if prefix.prefixlen == 64]
    sites = Counter(map(_site_of, clients))
    site = links[0] if links and links[0] in sites else sites.most_common(1)[0][0]
    for node in farm.nodes:
        if node.client is not None and _site_of(node.client) != site:
            made.left.append(phrase("other-site", node=node.name, client=node.client, site=site))
    return site


def _site_of(prefix: IPv6Network) -> IPv6Network:
    return IPv6Network((int(prefix.network_address), 48), strict=False)


def _domain(farm: Farm, made: Imported) -> str:
    found = list(dict.fromkeys(node.domain for node in farm.nodes if is_domain(node.domain)))
    if len(found) > 1:
        made.left.append(phrase("several-domains", domains=", ".join(found), first=found[0]))
    domain = next((domain for domain in (*found, farm.names.domain) if is_domain(domain)), "")
    others = [name for name in farm.names.suffixes if name.strip(".") != domain]
    if domain and others and not any(node.policy for node in farm.nodes):
        made.left.append(phrase("several-suffixes", suffixes=", ".join(farm.names.suffixes), domain=domain))
    return domain


def _isatap(farm: Farm, wishes: Wishes, site: IPv6Network, domain: str, made: Imported) -> list[str]:
    name = wishes.name or (f"manageout-isatap.{domain}" if domain else "")
    if not name:
        made.left.append(phrase("no-domain"))
    known = f"name = {json.dumps(name)}"
    lines = ["", "[isatap]", known if name else "# name = ?   (not known: without a domain there is none)"]
    lines += [f"locators = {_listed(wishes.locators)}", f"hosts = {_listed(wishes.hosts)}"]
    if not wishes.hosts:
        made.left.append(phrase("no-hosts"))
    own = subnet(site, ISATAP_SUBNET)
    links = [prefix for node in farm.nodes for prefix in node.internal if prefix.prefixlen == 64]
    if links:
        if links[0] != own:
            lines.append(f'prefix = "{links[0]}"')
        made.taken.append(f"ISATAP link {links[0]}, of InternalIPv6Prefix")
        made.left.append(phrase("isatap-off", link=links[0]))
        if others := ", ".join(str(link) for link in dict.fromkeys(links) if link != links[0]):
            made.left.append(phrase("other-links", others=others, link=links[0]))
    elif not any(node.internal for node in farm.nodes):
        lines.append(f"# prefix = ?   (not known: no InternalIPv6Prefix; {own} until it is said)")
        made.left.append(phrase("no-internal-prefix", own=own))
    else:
        made.left.append(phrase("no-isatap-prefix", own=own))
    return lines


def _listed(values: Iterable[object]) -> str:
    return json.dumps(list(map(str, values)))


def _ways(farm: Farm, wishes: Wishes, made: Imported) -> list[_Way]:
    """A route for each node's clients; those that are not known stand as comments."""
    ways: list[_Way] = []
    used: set[str] = set()
    shared = Counter(way for node in farm.nodes for way in node.ways)
    for node in farm.nodes:
        if node.client is None:
            made.left.append(phrase("no-client-prefix", node=node.name))
            continue
        for prefix in node.slices or ([] if node.client.prefixlen < 64 else [node.client]):
            ways.append(_way(node, prefix, wishes, used, shared))
    ways += _named_by_prefix(farm, wishes, used, {way.prefix for way in ways})
    for node in farm.nodes:
        if node.client and not any(way.prefix.subnet_of(node.client) for way in ways):
            made.left.append(phrase("own-slice", node=node.name, client=node.client))
    if unknown := sorted(set(wishes.vias) - used):
        raise _no_way(farm, unknown[0], ways)
    return _distinct(ways, made)


def _no_way(farm: Farm, key: str, ways: Sequence[_Way]) -> ManageoutError:
    """What is wrong with a --via that led to no route."""
    for node in farm.nodes:
        if node.client is not None and node.name.lower() == key:
            words = phrase("via-no-slice", node=node.name, client=node.client)
            return ManageoutError(words, phrase("give-slice"))
    known = dict.fromkeys([*(node.name for node in farm.nodes), *(str(way.prefix) for way in ways)])
    hint = f"there are {printable(', '.join(list(known)[:SHOWN]))}"
    return ManageoutError(phrase("via-nobody", key=key), hint)


def _way(
    node: Node, prefix: IPv6Network, wishes: Wishes, used: set[str], shared: Mapping[IPv6Address, int]
) -> _Way:
    """An address that several nodes hold is their cluster's, and leads to any of them."""
    via = next((way for way in node.ways if shared[way] == 1), None)
    for key in (node.name.lower(), str(prefix)):
        if key in wishes.vias:
            used.add(key)
            via = wishes.vias[key]
    return _Way(node.name, prefix, via)


def _named_by_prefix(farm: Farm, wishes: Wishes, used: set[str], known: set[IPv6Network]) -> list[_Way]:
    """Slices of a cluster of which the command line alone knows."""
    found = []
    for key, via in wishes.vias.items():
        prefix = IPv6Network(key) if "/" in key and key not in used else None
        if prefix is None or prefix in known:
            continue
        if any(node.client and prefix.subnet_of(node.client) for node in farm.nodes):
            used.add(key)
            found.append(_Way("by --via", prefix, via))
    return found


def _distinct(ways: Sequence[_Way], made: Imported) -> list[_Way]:
    kept: dict[IPv6Network, _Way] = {}
    for way in ways:
        other = kept.setdefault(way.prefix, way)
        if other is not way:
            if other.via != way.via or way.via is None:
                made.left.append(phrase("twice", prefix=way.prefix, first=other.node, second=way.node))
        elif way.via is None:
            made.left.append(phrase("no-way", node=way.node, prefix=way.prefix))
        else:
            made.taken.append(f"clients {way.prefix} by {way.via} ({way.node})")
    return list(kept.values())


def _policy(wishes: Wishes, made: Imported) -> list[str]:
    if not wishes.hosts:
        return []
    made.left.append(phrase("services", services=", ".join(SERVICES)))
    lists = [f"from = {_listed(wishes.hosts)}", f"services = {_listed(SERVICES)}"]
    return ["", "[[policy.managers]]", 'name = "managers"', *lists]


def _kind(farm: Farm, made: Imported) -> None:
    points = {node.entry_point.lower() for node in farm.nodes if node.entry_point}
    told = [node.balancing for node in farm.nodes if node.balancing is not None]
    balanced = {word for word in told if balancing(word) != "none"}
    strange = {word for word in told if balancing(word) == "none" and not no_balancing(word)}
    none = "none" if told and not strange else "unknown"
    words = counted(len(farm.nodes), "server")
    made.taken.append(
        f"{words}; balancing {', '.join(sorted(balanced)) or none}; entry points {len(points) or 1}"
    )
    if not told:
        made.left.append(phrase("balancing-unknown"))
    made.left += [phrase("balancing-strange", word=printable(word)) for word in sorted(strange)]
    missing = farm.servers - {node.name.partition(".")[0].lower() for node in farm.nodes}
    made.left += [phrase("no-file", name=name) for name in sorted(missing)]
    if farm.nat64:
        made.taken.append(phrase("nat64", prefix=farm.nat64[0]))
    made.left.append(phrase("next"))
