"""What DirectAccess servers say of themselves -> a :class:`Farm`: from the collector's JSON, or pasted text.

Read is what an ISATAP router before the farm must know; everything else is named as not understood or not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from manageout.doctor import read_json
from manageout.doctor.farm_names import FarmNames
from manageout.doctor.sections import MAX_ROWS
from manageout.errors import ManageoutError

LINK_LOCAL = IPv6Network("fe80::/10")
DNS64_SUBNET = 0x3333
MAX_NODES = 512
MAX_VALUE = 4096
"""Characters of a value that goes on over several lines."""
Row = dict[str, Any]

_USED_WORDS = (
    "LoadBalancing InternalInterface InternalIPv6Prefix ClientIPv6Prefix EntrypointName "
    "DnsSuffix DAInstallType DAStatus PrefixMapping ConnectToAddress NlsUrl Namespace "
    "DirectAccessDnsServers NameServers DnsIPAddress Router OnlySendAQuery ExclusionList"
)
_USED = frozenset(_USED_WORDS.split())
# Documented, and nothing that a router before the farm needs.
_OTHER_WORDS = (
    "VpnStatus VpnS2SStatus InternetInterface SslCertificate "
    "AppServerSecurityGroupNameList AppServerGpoName ConnectionType TrafficProtection "
    "ClientSecurityGroupNameList ClientGpoName OnlyRemoteComputers Downlevel ForceTunnel "
    "ForceTunnelingNrptSuffix DownlevelSecurityGroupNameList DownlevelGpoName "
    "EnableDAForAllNetworks SecureNameQueryFallback QueryPolicy ServerGpoName UserAuthentication "
    "ComputerCertAuthentication IPsecRootCertificate IntermediateRootCertificate TeredoState "
    "IsSingleNic IsNatDeployed HealthCheck NlsLocation NlsCertificate NlsReachability "
    "MgmtServer IPAssignmentMethod IPAddressRangeList IPv6Prefix AuthenticationType "
    "RadiusServerList InstanceName State IPv4AddressPortPool InboundInterface OutboundInterface "
    "TcpMappingTimeoutSeconds PolicyStore LatencyMilliseconds AlwaysSynthesize "
    "AcceptInterface SendInterface Description ResolutionState ResolutionIntervalSeconds "
    "DirectAccessProxyType DirectAccessProxyName DirectAccessEnabled NameEncoding "
    "DirectAccessIPsecCARestriction DirectAccessQueryIPsecEncryption "
    "DirectAccessQueryIPsecRequired DnsSecIPsecCARestriction DnsSecQueryIPsecEncryption "
    "DnsSecQueryIPsecRequired DnsSecValidationRequired ConfigureClients PSComputerName"
)
_OTHER = frozenset(_OTHER_WORDS.split())
_NAMES = ("nrpt", "clientNames", "isatap", "dnsTransition")
"""Sections about names."""
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*) *: ?(.*)")
_CERTIFICATES = ("SslCertificate", "NlsCertificate", "IPsecRootCertificate", "IntermediateRootCertificate")


@dataclass
class Node:
    """One DirectAccess server, or one entry point of which nothing more is known."""

    name: str
    entry_point: str = ""
    balancing: str = ""
    internal: list[IPv6Network] = field(default_factory=list)
    client: IPv6Network | None = None
    """Prefix of its clients; a /59 is that of all nodes of its cluster."""
    slices: list[IPv6Network] = field(default_factory=list)
    """The /64 that are this node's own."""
    ways: list[IPv6Address] = field(default_factory=list)
    """Its addresses on the intranet."""
    domain: str = ""


@dataclass
class Farm:
    """The servers, and what was not understood."""

    nodes: list[Node] = field(default_factory=list)
    nat64: list[IPv6Network] = field(default_factory=list)
    names: FarmNames = field(default_factory=FarmNames)
    servers: set[str] = field(default_factory=set)
    """Servers that some entry point names, lower case, first label."""
    unread: list[str] = field(default_factory=list)


def add(farm: Farm, source: str, text: str) -> None:
    """Add what ``text`` says. Raises :class:`ManageoutError` for a broken file of the collector."""
    if read_json.is_bundle(text):
        _bundle(farm, source, text)
    else:
        _pasted(farm, source, text)
    if len(farm.nodes) > MAX_NODES:
        raise ManageoutError(f"{source}: more than {MAX_NODES} servers", "give one file of each server")


# --- The collector's JSON ---------------------------------------------------------------------------------


def _bundle(farm: Farm, source: str, text: str) -> None:
    try:
        bundle = json.loads(text)
        sections = bundle["sections"]
        if bundle["version"] != read_json.VERSION or not isinstance(sections, dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "run the script of `manageout doctor --collector` again"
        raise ManageoutError(f"{source}: not whole, or not from this collector", hint) from None
    if isinstance(errors := bundle.get("errors"), dict):
        farm.unread += [f"{source}: the server could not read {_clean(name)}" for name in errors]
    computer = _clean(bundle.get("computer") or source)
    for row in _rows(sections, "entryPoints"):
        farm.servers |= {name.partition(".")[0].lower() for name in _texts(row.get("Servers")) if name}
    for row in _rows(sections, "natTransition"):
        _mapping(farm, source, row)
    rows = list(_rows(sections, "remoteAccess"))
    if servers := list(
        _rows(sections, "daServer")
    ):  # of the same computer; says some things in its own words
        rows = [{**servers[0], **row} for row in rows] or servers[:1]
    for row in (*rows, *(row for name in _NAMES for row in _rows(sections, name))):
        farm.names.add(row, _texts)
    if not rows:
        farm.unread.append(f"{source}: no section remoteAccess: not a DirectAccess server, or not run there")
    for row in rows:
        node = _node(farm, source, computer, row)
        inside = _indexes(sections, str(row.get("InternalInterface") or ""))
        node.domain = node.domain or _suffix(sections, inside)
        _addresses(node, sections, inside)
        farm.nodes.append(node)


def _node(farm: Farm, source: str, name: str, row: Row) -> Node:
    node = Node(name, _clean(row.get("EntrypointName") or ""), _clean(row.get("LoadBalancing") or ""))
    for text in _texts(row.get("InternalIPv6Prefix")):
        node.internal += _network(farm, source, "InternalIPv6Prefix", text)
    for text in _texts(row.get("ClientIPv6Prefix"))[:1]:
        found = _network(farm, source, "ClientIPv6Prefix", text)
        node.client = found[0] if found else None
    if found_suffix := _texts(row.get("DnsSuffix")):
        node.domain = found_suffix[0].strip(".").lower()
    farm.unread += [f"{source}: {_clean(key)}" for key in row if key not in _USED and key not in _OTHER]
    return node


def _mapping(farm: Farm, source: str, row: Row) -> None:
    """``fd12::7777::/96,0.0.0.0/0``, alone or several."""
    for text in _texts(row.get("PrefixMapping")):
        if prefix := text.partition(",")[0].strip():
            farm.nat64 += _network(farm, source, "PrefixMapping", prefix)


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
        address = _address(row.get("IPAddress"))
        if address is None or address in LINK_LOCAL:
            continue
        if node.client is not None and address in node.client:
            _once(node.slices, IPv6Network((int(address) >> 64 << 64, 64)))
        elif row.get("InterfaceIndex") in inside and _is_way(address):
            _once(node.ways, address)
    for row in _rows(sections, "routes"):
        prefix = _parsed(str(row.get("DestinationPrefix") or ""))
        on_link = str(row.get("NextHop")) in ("::", "")
        if prefix and node.client and on_link and prefix.prefixlen == 64 and prefix.subnet_of(node.client):
            _once(node.slices, prefix)


def _is_way(address: IPv6Address) -> bool:
    """Not the DNS64 address, which a cluster shares; not an ISATAP address, whose router ours replaces."""
    number = int(address)
    return number >> 64 & 0xFFFF != DNS64_SUBNET and number >> 32 & 0xFDFFFFFF != 0x5EFE


# --- Pasted text ------------------------------------------------------------------------------------------


def _pasted(farm: Farm, source: str, text: str) -> None:
    for number, row in enumerate(_records(farm, source, text), 1):
        if "PrefixMapping" in row:
            _mapping(farm, source, row)
        if row.keys() & {"ClientIPv6Prefix", "InternalIPv6Prefix"}:
            name = _clean(row.get("PSComputerName") or row.get("EntrypointName") or f"server {number}")
            farm.nodes.append(_node(farm, source, name, row))
        farm.names.add(row, _texts)


def _records(farm: Farm, source: str, text: str) -> list[Row]:
    """``Name : value`` lines; a name that comes again begins a new record, indented lines go on."""
    records: list[Row] = [{}]
    last, unknown = "", 0
    for line in text.split("\n"):
        match = _LINE.fullmatch(line.rstrip())
        if match and (match[1] in _USED or match[1] in _OTHER):
            last = match[1]
            if last in records[-1]:
                records.append({})
            records[-1][last] = match[2].strip()
        elif line[:1].isspace() and last and line.strip():
            if last not in _CERTIFICATES and len(records[-1][last]) < MAX_VALUE:
                records[-1][last] = f"{records[-1][last]} {line.strip()}"
        elif match:
            last = ""
            farm.unread.append(f"{source}: {_clean(match[1])}")
        elif line.strip():
            last = ""
            unknown += 1
    if unknown:
        farm.unread.append(f"{source}: {unknown} lines that are no `Name : value`")
    return [record for record in records if record]


# --- Values -----------------------------------------------------------------------------------------------


def _rows(sections: Row, name: str) -> Iterator[Row]:
    rows = sections.get(name)
    listed = rows if isinstance(rows, list) else [rows]
    return (row for row in listed[:MAX_ROWS] if isinstance(row, dict))


def _texts(value: object) -> list[str]:
    """A list, or text that PowerShell has made of one: ``{a, b}``."""
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    text = str(value or "").strip()
    if text.startswith("{") and text.endswith("}"):
        return [part.strip() for part in re.split(r",\s+", text[1:-1]) if part.strip()]
    return [text] if text else []


def _network(farm: Farm, source: str, what: str, text: str) -> list[IPv6Network]:
    prefix = _parsed(text)
    if prefix is None:
        farm.unread.append(f"{source}: {what} {_clean(text)[:60]}")
    return [prefix] if prefix else []


def _parsed(text: str) -> IPv6Network | None:
    try:
        return IPv6Network(text, strict=False)
    except ValueError:
        return None


def _address(value: object) -> IPv6Address | None:
    try:
        return IPv6Address(str(value).partition("%")[0])
    except ValueError:
        return None


def _once(values: list[Any], value: object) -> None:
    if value not in values:
        values.append(value)


def _clean(value: object) -> str:
    """For comments and terminals: one line, nothing that does anything."""
    return re.sub(r"[^\w .:/,-]", "?", str(value)).strip()[:80]
