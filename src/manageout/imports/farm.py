"""What DirectAccess servers say of themselves -> a :class:`Farm`: from the collector's JSON, or pasted text.

Read is what an ISATAP router before the farm must know; everything else is named as not understood or not used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from manageout.doctor.pasted import unread
from manageout.doctor.powershell import cmdlets
from manageout.doctor.read import json as read_json
from manageout.doctor.read.sections import MAX_ROWS
from manageout.doctor.read.text import lines, outputs
from manageout.errors import ManageoutError
from manageout.imports import domain as farm_domain
from manageout.imports.names import FarmNames, Row, texts
from manageout.windows.text import any_address, ipv6_address, ipv6_network
from manageout.words import toml_of

LINK_LOCAL = IPv6Network("fe80::/10")
DNS64_SUBNET = 0x3333
MAX_NODES = 512
MAX_MAPPINGS = 64
"""Prefixes of NAT64; a farm has one."""

_PROPERTIES = frozenset(
    word for words in toml_of("manageout.imports", "properties.toml").values() for word in words
)
"""Those that are known, used or not."""
_NAMES = (
    "nrpt", "nrptLocal", "clientNames", "isatap", "dnsTransition", "ncsi", "locationPage", "iphttpsConfiguration",
)  # fmt: skip
"""Sections about names."""
_COMPUTER = re.compile(r"-(?:computername|cn|cimsession)[\s:]+[\"']?([\w.:-]{1,255})", re.I)


@dataclass
class Node:
    """One DirectAccess server, or one entry point of which nothing more is known."""

    name: str
    entry_point: str = ""
    balancing: str | None = ""
    """In Windows' word; None: not told."""
    inner: str = ""
    """Alias of its internal card."""
    internal: list[IPv6Network] = field(default_factory=list)
    client: IPv6Network | None = None
    """Prefix of its clients; a /59 is that of all nodes of its cluster."""
    slices: list[IPv6Network] = field(default_factory=list)
    """The /64 that are this node's own."""
    ways: list[IPv6Address] = field(default_factory=list)
    """Its addresses on the intranet."""
    domain: str = ""
    policy: bool = False
    """Whether the name of a policy tells the domain."""
    connect: str = ""
    """Where its clients connect."""
    named: bool = True
    """Whether ``name`` is the computer's; else it is a number, or the address by which it was asked."""
    cmdlets: set[str] = field(default_factory=set)
    """Sections that told of it."""
    source: str = ""


@dataclass
class Farm:
    """The servers, and what was not understood."""

    nodes: list[Node] = field(default_factory=list)
    nat64: list[IPv6Network] = field(default_factory=list)
    names: FarmNames = field(default_factory=FarmNames)
    servers: set[str] = field(default_factory=set)
    """Servers that some entry point names, lower case, first label."""
    unread: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    """Lists and values that PowerShell did not print whole."""


def add(farm: Farm, source: str, text: str) -> None:
    """Add what ``text`` says. Raises :class:`ManageoutError` for a broken file of the collector, and for too many."""
    if read_json.is_bundle(text):
        _bundle(farm, source, text)
    else:
        _pasted(farm, source, text)


# --- The collector's JSON ---------------------------------------------------------------------------------


def _bundle(farm: Farm, source: str, text: str) -> None:
    bundle = read_json.load(source, text)
    sections = bundle["sections"]
    if isinstance(errors := bundle.get("errors"), dict):
        farm.unread += [f"{source}: the server could not read {_clean(name)}" for name in errors]
    _server(farm, source, _clean(bundle.get("computer") or source), sections)
    if not any(True for name in _SERVERS for _ in _rows(sections, name)):
        farm.unread.append(f"{source}: no section remoteAccess: not a DirectAccess server, or not run there")


_SERVERS = ("remoteAccess", "daServer")
"""Sections of a server's settings; the first has the last word."""


def _server(farm: Farm, source: str, computer: str, sections: Row) -> None:
    """What one machine says. ``computer``: its name, "" if nobody gives it one."""
    for row in _rows(sections, "entryPoints"):
        farm.servers |= {name.partition(".")[0].lower() for name in texts(row.get("Servers")) if name}
    for name in ("natTransition", "dnsTransition"):
        for row in _rows(sections, name):
            _mapping(farm, source, row)
    for name in (*_SERVERS, *_NAMES):
        for row in _rows(sections, name):
            farm.names.add(row)
    nodes: dict[int, Node] = {}
    for section in _SERVERS:
        for row in _rows(sections, section):
            node = _known(farm, _node(farm, source, computer, row, section))
            nodes[id(node)] = node
    for node in nodes.values() if len(nodes) == 1 else ():
        inside = _indexes(sections, node.inner)
        node.domain = node.domain or _suffix(sections, inside)
        _addresses(node, sections, inside)


def _node(farm: Farm, source: str, computer: str, row: Row, section: str) -> Node:
    entry = _clean(row.get("EntrypointName") or "")
    named = bool(computer) and any_address(computer) is None
    node = Node(computer or entry or f"server {len(farm.nodes) + 1}", entry, named=named, source=source)
    node.balancing = _clean(row.get("LoadBalancing") or "") if "LoadBalancing" in row else None
    node.inner, node.cmdlets = str(row.get("InternalInterface") or ""), {section}
    for text in texts(row.get("InternalIPv6Prefix")):
        node.internal += _network(farm, source, "InternalIPv6Prefix", text)
    for text in texts(row.get("ClientIPv6Prefix"))[:1]:
        found = _network(farm, source, "ClientIPv6Prefix", text)
        node.client = found[0] if found else None
    node.connect = next((text.lower() for text in texts(row.get("ConnectToAddress"))), "")
    node.policy, node.domain = farm_domain.of(row)
    farm.unread += [f"{source}: {_clean(key)}" for key in row if key not in _PROPERTIES]
    return node


def _known(farm: Farm, node: Node) -> Node:
    """The node of the farm that ``node`` is too, with what it adds; else itself, added."""
    for one in farm.nodes:
        if _same(one, node):
            if node.named and not one.named:
                one.name, one.named = node.name, True
            if node.policy and not one.policy:
                one.policy, one.domain = True, node.domain
            for name in ("entry_point", "connect", "balancing", "internal", "client", "domain", "inner"):
                setattr(one, name, getattr(one, name) or getattr(node, name))
            one.cmdlets |= node.cmdlets
            return one
    if len(farm.nodes) == MAX_NODES:
        raise ManageoutError(f"{node.source}: more than {MAX_NODES} servers", "give one file of each server")
    farm.nodes.append(node)
    return node


def _same(one: Node, other: Node) -> bool:
    """By name, short or long; where one has none, by what both say."""
    if one.named and other.named:
        names = sorted((one.name.lower(), other.name.lower()), key=len)
        return names[0] == names[1] or (names[1].startswith(f"{names[0]}.") and "." not in names[0])
    for name in ("client", "internal", "entry_point", "connect"):
        ours, theirs = getattr(one, name), getattr(other, name)
        if ours and theirs and ours != theirs:
            return False
    shared = one.client is not None and one.client == other.client
    cluster = one.client is not None and one.client.prefixlen < 64
    apart = one.source != other.source and one.cmdlets == other.cmdlets
    return (shared or bool(one.connect and one.connect == other.connect)) and not (cluster and apart)


def _mapping(farm: Farm, source: str, row: Row) -> None:
    """``fd12::7777::/96,0.0.0.0/0``, alone or several."""
    for text in texts(row.get("PrefixMapping")):
        prefix = text.partition(",")[0].strip()
        if prefix and len(farm.nat64) < MAX_MAPPINGS:
            for one in _network(farm, source, "PrefixMapping", prefix):
                _once(farm.nat64, one)


def _indexes(sections: Row, alias: str) -> list[object]:
    rows = [*_rows(sections, "interfaces"), *_rows(sections, "adapters")]
    named = (row for row in rows if alias and alias in (row.get("InterfaceAlias"), row.get("Name")))
    return [row["ifIndex"] for row in named if isinstance(row.get("ifIndex"), int)]


def _suffix(sections: Row, inside: list[object]) -> str:
    for row in _rows(sections, "suffixes"):
        if row.get("InterfaceIndex") in inside and row.get("ConnectionSpecificSuffix"):
            return str(row["ConnectionSpecificSuffix"]).strip(".").lower()
    return ""


def _addresses(node: Node, sections: Row, inside: list[object]) -> None:
    """Its own /64 by its own address or on-link route in it; its way by the internal card."""
    for row in _rows(sections, "addresses"):
        address = ipv6_address(str(row.get("IPAddress")))
        if address is None or address in LINK_LOCAL:
            continue
        if node.client is not None and address in node.client:
            _once(node.slices, IPv6Network((int(address) >> 64 << 64, 64)))
        elif row.get("InterfaceIndex") in inside and _is_way(address):
            _once(node.ways, address)
    for row in _rows(sections, "routes"):
        prefix = ipv6_network(str(row.get("DestinationPrefix") or ""))
        on_link = str(row.get("NextHop")) in ("::", "")
        if prefix and node.client and on_link and prefix.prefixlen == 64 and prefix.subnet_of(node.client):
            _once(node.slices, prefix)


def _is_way(address: IPv6Address) -> bool:
    """Not the DNS64 address, which a cluster shares; not an ISATAP address, whose router ours replaces."""
    number = int(address)
    return number >> 64 & 0xFFFF != DNS64_SUBNET and number >> 32 & 0xFDFFFFFF != 0x5EFE


# --- Pasted text ------------------------------------------------------------------------------------------


def _pasted(farm: Farm, source: str, text: str) -> None:
    """Outputs of cmdlets, those of several servers apart where a prompt, a property or the command tells."""
    machines: dict[str, Row] = {}
    found_parts, too_much = outputs(lines(text))
    farm.unread += [f"{source}: {words}" for words in too_much]
    for part in found_parts:
        found, strange = cmdlets.sorted_out(part.lines, part.command)
        if part.kind in ("", "powershell") and strange:
            farm.unread += [f"{source}: {_clean(words)}" for words in strange]
        elif not found and (name := unread.name(part)):
            farm.unread.append(f"{source}: {_clean(name)}")
        asked = _COMPUTER.search(part.command)
        for one in found:
            who = _clean(one.row.get("PSComputerName") or (asked and asked[1]) or part.machine)
            rows = machines.setdefault(who, {}).setdefault(one.section, [])
            for name in one.cut:
                farm.cut.append(f"{source}: {name} of {one.cmdlet}")
                if not isinstance(one.row[name], list):
                    one.row[name] = ""
            new = one.row.keys() - {"PSComputerName"}
            if one.section in _SERVERS and rows and not new & rows[-1].keys():
                rows[-1].update(one.row)  # one object, of which properties were selected one after the other
            elif len(rows) < MAX_ROWS:
                rows.append(one.row)
    for who, sections in machines.items():
        _server(farm, source, who, sections)


# --- Values -----------------------------------------------------------------------------------------------


def _rows(sections: Row, name: str) -> Iterator[Row]:
    rows = sections.get(name)
    listed = rows if isinstance(rows, list) else [rows]
    return (row for row in listed[:MAX_ROWS] if isinstance(row, dict))


def _network(farm: Farm, source: str, what: str, text: str) -> list[IPv6Network]:
    prefix = ipv6_network(text)
    if prefix is None:
        farm.unread.append(f"{source}: {what} {_clean(text)[:60]}")
    return [prefix] if prefix else []


def _once(values: list[Any], value: object) -> None:
    if value not in values:
        values.append(value)


def _clean(value: object) -> str:
    """For comments and terminals: one line, nothing that does anything."""
    return re.sub(r"[^\w .:/,-]", "?", str(value)).strip()[:80]
