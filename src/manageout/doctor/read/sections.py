"""Rows of one kind -> facts: those of the collector's sections, and the same ones read from PowerShell's text.

CIM's words, in no language. A property that is not there says nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import islice
from typing import Any

from manageout.doctor import facts as model
from manageout.doctor.console import settings as netsh
from manageout.doctor.console import system
from manageout.doctor.facts import Facts, NrptRule, Seen, kind_of
from manageout.windows.policies import IPHTTPS
from manageout.windows.text import ipv6_network
from manageout.wire.address import embedded_isatap

MAX_ROWS = 1000
"""Of one section; a server has a few hundred routes."""
MAX_ITEMS = 64
"""Of a list in a row."""
MAX_TEXT = 1000
Row = dict[str, Any]
Reader = Callable[[Facts, Iterator[Row]], None]


class Readers(dict[str, Reader]):
    """Readers by their sections; in the order in which they are to read."""

    def whole(self, *names: str) -> Callable[[Reader], Reader]:
        """Decorate a function that reads all rows of these sections."""

        def take(reader: Reader) -> Reader:
            self.update(dict.fromkeys(names, reader))
            return reader

        return take

    def each(self, *names: str) -> Callable[[Callable[[Facts, Row], None]], Reader]:
        """Decorate a function that reads one row."""

        def take(look: Callable[[Facts, Row], None]) -> Reader:
            def read(facts: Facts, rows: Iterator[Row]) -> None:
                for row in rows:
                    look(facts, row)

            return self.whole(*names)(read)

        return take


READERS = Readers()
"""Of the collector's sections."""


def add(facts: Facts, name: str, reader: Reader, rows: object) -> None:
    """What ``rows`` say; whatever is not as it should be is told, and ends that section alone."""
    listed = rows if isinstance(rows, list) else [rows]
    if len(listed) > MAX_ROWS:
        facts.unread.append(f"{name}: {len(listed)} rows, the first {MAX_ROWS} are looked at")
    try:
        reader(facts, (row for row in listed[:MAX_ROWS] if isinstance(row, dict | str)))  # type: ignore[misc]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        facts.unread.append(f"{name}: not as the collector writes it")


@READERS.each("isatap")
def _isatap(facts: Facts, row: Row) -> None:
    words = [f"{key} {row.get(key) or '(none)'}" for key in ("State", "Router") if key in row]
    quote = f"Get-NetIsatapConfiguration: {', '.join(words)}"
    if "State" in row:
        facts.isatap_state = Seen(str(row["State"] or "default").lower(), quote)
    if "Router" in row:
        facts.isatap_router = Seen(str(row["Router"] or ""), quote)


@READERS.each("adapters")
def _adapters(facts: Facts, row: Row) -> None:
    name, description = str(row.get("Name") or ""), str(row.get("InterfaceDescription") or "")
    interface = _at(facts, row.get("ifIndex"), name)
    interface.description = description
    interface.kind = kind_of(f"{name} {description}")
    interface.guid = str(row.get("InterfaceGuid") or "").strip("{}").upper() or None
    interface.quote = f"adapter {name!r} ({description}), {row.get('Status')}"
    if interface.connected is None:
        interface.connected = _CONNECTED.get(str(row.get("Status")))


_CONNECTED = {"Up": True, "Disconnected": False, "Not Present": False, "Disabled": False}
"""What Get-NetAdapter says; Get-NetIPInterface has the last word."""


def _at(facts: Facts, index: object, name: str = "") -> model.Interface:
    return facts.named(name, index if isinstance(index, int) else None)


@READERS.whole("interfaces")
def _interfaces(facts: Facts, rows: Iterator[Row]) -> None:
    pairs = (
        ("forwarding", "Forwarding"),
        ("advertising", "Advertising"),
        ("advertise_default", "AdvertiseDefaultRoute"),
        ("ignore_default", "IgnoreDefaultRoutes"),
        ("router_discovery", "RouterDiscovery"),
    )
    for row in rows:
        interface = _at(facts, row.get("ifIndex"), str(row.get("InterfaceAlias") or ""))
        for name, key in pairs:
            word = str(row.get(key) or "").lower()
            if word in ("enabled", "disabled"):
                quote = f"{interface.name or interface.index}: {key} {row[key]}"
                setattr(interface, name, Seen(word == "enabled", quote))
        if str(row.get("AdvertisedRouterLifetime")) == "00:00:00":
            quote = f"{interface.name or interface.index}: AdvertisedRouterLifetime 00:00:00"
            interface.advertise_default = Seen(False, quote)
        if "ConnectionState" in row:
            interface.connected = str(row["ConnectionState"]) == "Connected"
        interface.mtu = row["NlMtu"] if isinstance(row.get("NlMtu"), int) else interface.mtu


@READERS.each("addresses")
def _addresses(facts: Facts, row: Row) -> None:
    text, _, zone = str(row.get("IPAddress")).partition("%")
    address = ip_address(text)
    index = int(zone) if zone.isdecimal() and len(zone) < 10 else None
    interface = _at(facts, row.get("InterfaceIndex", index), str(row.get("InterfaceAlias") or ""))
    six = interface.link_local if address.is_link_local else interface.ipv6
    own: list[Any] = interface.ipv4 if isinstance(address, IPv4Address) else six
    if interface.kind == "other" and isinstance(address, IPv6Address) and embedded_isatap(address.packed):
        interface.kind = "isatap"  # nobody else forms such an address (RFC 5214 6.1)
    interface.shown[address] = str(row["IPAddress"])[:MAX_TEXT]
    if address not in own:
        own.append(address)


@READERS.whole("routes")
def _routes(facts: Facts, rows: Iterator[Row]) -> None:
    facts.routes = list(each_route(facts, rows))
    for route in facts.routes:
        interface = facts.interface(route.interface)
        known = interface.gateways if interface is not None else []
        if route.prefix.prefixlen == 0 and route.next_hop is not None and route.next_hop not in known:
            known.append(route.next_hop)


def each_route(facts: Facts, rows: Iterator[Row]) -> Iterator[model.WindowsRoute]:
    """Rows of Get-NetRoute as routes."""
    for row in rows:
        prefix = IPv6Network(str(row["DestinationPrefix"]), strict=False)
        hop = IPv6Address(str(row.get("NextHop") or "::").partition("%")[0])
        index, alias = row.get("InterfaceIndex"), str(row.get("InterfaceAlias") or "")
        if not isinstance(index, int):
            called = (one.index for one in facts.interfaces if alias and one.name.lower() == alias.lower())
            index = next(called, None)
        where = f" interface {index or alias}" if index or alias else ""
        quote = f"route {prefix} next hop {hop}{where} Publish {row.get('Publish')}"
        published = str(row["Publish"]) in ("Yes", "Age") if row.get("Publish") else None
        single = prefix.prefixlen == 128 and prefix.is_link_local
        own = single and embedded_isatap(prefix.network_address.packed)
        if index and own and (one := facts.named("", index)).kind == "other":
            one.kind = "isatap"
        if not index and kind_of(alias) == "isatap":
            facts.named(alias)
        way = hop if int(hop) else None
        yield model.WindowsRoute(prefix, index or 0, way, published, quote, alias)


@READERS.each("suffixes")
def _suffixes(facts: Facts, row: Row) -> None:
    index, alias = row.get("InterfaceIndex"), str(row.get("InterfaceAlias") or "").lower()
    held = facts.interface(int(index)) if index is not None else None
    named = (one for one in facts.interfaces if index is None and alias and one.name.lower() == alias)
    if (interface := held or next(named, None)) is not None:
        interface.suffix = str(row.get("ConnectionSpecificSuffix") or "")


@READERS.each("services")
def _services(facts: Facts, row: Row) -> None:
    start = f", start {row['StartType']}" if row.get("StartType") else ""
    quote = f"service {row['Name']}: {row.get('Status')}{start}"
    facts.services[str(row["Name"]).lower()] = Seen(str(row.get("Status")) == "Running", quote)


@READERS.whole("registry")
def _registry(facts: Facts, rows: Iterator[Row]) -> None:
    for row in rows:
        key, name, value = str(row["Key"]), str(row["Name"]), row.get("Value")
        facts.registry[key.lower(), name.lower()] = Seen(value, f"HKLM\\{key}\\{name} = {value}")
    system.isatap_policy(facts)


@READERS.each("iphttps")
def _iphttps(facts: Facts, row: Row) -> None:
    if "LastErrorCode" in row:
        code = int(row["LastErrorCode"] or 0)
        facts.iphttps_error = Seen(code, f"IP-HTTPS last error 0x{code:x}")
    if "InterfaceStatus" in row:
        status = str(row["InterfaceStatus"] or "").strip()
        facts.iphttps_status = Seen(status, f"IP-HTTPS status: {status}")


@READERS.each("iphttpsConfiguration")
def _iphttps_configuration(facts: Facts, row: Row) -> None:
    if row.get("ServerURL"):
        facts.iphttps_url = Seen(str(row["ServerURL"]), f"IP-HTTPS URL {row['ServerURL']}")
    if str(row.get("State")) == "Disabled":
        quote = "Get-NetIPHttpsConfiguration: State Disabled"
        facts.registry.setdefault((IPHTTPS.lower(), "iphttps_clientstate"), Seen(3, quote))


@READERS.whole("nrpt")
def _nrpt(facts: Facts, rows: Iterator[Row]) -> None:
    facts.nrpt = []
    for row in rows:
        other = texts(row.get("NameServers"))
        servers = texts(row.get("DirectAccessDnsServers")) or other
        facts.nrpt += _name_rules(row, "name rule", servers, servers != other)


def _name_rules(row: Row, what: str, servers: Sequence[str], direct: bool) -> Iterator[NrptRule]:
    words = ", ".join(servers) or "no server (an exemption)"
    for namespace in texts(row.get("Namespace")):
        yield NrptRule(namespace, tuple(servers), f"{what} {namespace}: {words}", direct)


def texts(value: object) -> list[str]:
    """The items of a list, or one; nothing for nothing. Bounded."""
    found = value[:MAX_ITEMS] if isinstance(value, list) else [value] if value else []
    return [str(item)[:MAX_TEXT] for item in found if item]


@READERS.each("location")
def _location(facts: Facts, row: Row) -> None:
    status = str(row.get("Status"))
    if status in ("ConnectedLocally", "ConnectedRemotely"):
        facts.inside = Seen(status == "ConnectedLocally", f"Get-DAConnectionStatus: {status}")
    elif row.get("Status"):
        words = f"{status} {row.get('Substatus') or ''}".strip()
        facts.connection = Seen(words, f"Get-DAConnectionStatus: {words}")


@READERS.each("blockList")
def _block_list(facts: Facts, row: Row) -> None:
    names = tuple(name.lower() for name in texts(row.get("List"))) if row.get("Enable") else ()
    quote = f"Get-DnsServerGlobalQueryBlockList: Enable {row.get('Enable')}, List {row.get('List')}"
    facts.block_list = Seen(names, quote)


_BALANCING = (("nlb", "nlb"), ("networkload", "nlb"), ("thirdparty", "external"), ("external", "external"))
"""Part of what Get-RemoteAccess calls it -> what it is."""


_BALANCED = ("configured", "enabled", "installed")
"""Windows' documentation has Configured and NotConfigured, which do not tell of what kind."""


def balancing(word: object) -> str:
    """none, nlb, external, or some: one of the two. A word that is not known says nothing of a farm."""
    plain = re.sub(r"\W", "", str(word or "")).lower()
    some = "some" if plain in _BALANCED else "none"
    return next((kind for part, kind in _BALANCING if part in plain), some)


def no_balancing(word: object) -> bool:
    """Whether Get-RemoteAccess says in so many words that there is none."""
    return re.sub(r"\W", "", str(word or "")).lower() in ("", "none", "disabled", "notconfigured")


@READERS.each("remoteAccess")
def _remote_access(facts: Facts, row: Row) -> None:
    if point := str(row.get("EntrypointName") or "")[:MAX_TEXT]:
        if len(facts.entry_points) < MAX_ITEMS:
            facts.entry_points.setdefault(point, {}).update(_properties(row, f"Get-RemoteAccess of {point}"))
        facts.sites = max(facts.sites or 0, len(facts.entry_points))
        if point != next(iter(facts.entry_points)):
            return
    if "LoadBalancing" in row:
        kind = balancing(row["LoadBalancing"])
        facts.load_balancing = Seen(kind, f"Get-RemoteAccess: LoadBalancing {row['LoadBalancing']}")
    facts.remote_access |= _properties(row, "Get-RemoteAccess")
    if inner := str(row.get("InternalInterface") or ""):
        facts.internal_interface = Seen(inner, f"Get-RemoteAccess: InternalInterface {inner}")
    for name, key in (("internal_prefix", "InternalIPv6Prefix"), ("client_prefix", "ClientIPv6Prefix")):
        if found := texts(row.get(key)):
            setattr(facts, name, Seen(IPv6Network(found[0], strict=False), f"{key} {found[0]}"))

    if row.get("TeredoState"):
        quote = f"Get-RemoteAccess: TeredoState {row['TeredoState']}"
        facts.teredo_server = Seen(str(row["TeredoState"]).lower() == "enabled", quote)


def _properties(row: Row, command: str) -> dict[str, Seen[str]]:
    """What is printed of an object, by names in lower case."""
    found = {}
    for key, value in islice(row.items(), MAX_ITEMS):
        if value not in (None, "", []):
            text = ", ".join(texts(value)) if isinstance(value, list) else str(value)[:MAX_TEXT]
            found[key.lower()] = Seen(text, f"{command}: {key} {text}")
    return found


def _translation(name: str, command: str) -> Callable[[Facts, Row], None]:
    def look(facts: Facts, row: Row) -> None:
        state = str(row.get("State") or "")
        if state.lower() in ("enabled", "disabled"):
            setattr(facts, name, Seen(state.lower() == "enabled", f"{command}: State {state}"))
        if name == "nat64" and "IPv4AddressPortPool" in row:
            pool = ", ".join(texts(row["IPv4AddressPortPool"])) or "empty"
            facts.nat64_pool = Seen(pool != "empty", f"{command}: IPv4AddressPortPool {pool}")
        for word in texts(row.get("PrefixMapping")):
            if (prefix := ipv6_network(word.partition(",")[0])) is not None:
                facts.translated.append(Seen(prefix, f"{command}: PrefixMapping {prefix}"))
        if isinstance(only := row.get("OnlySendAQuery"), bool):
            facts.dns64_only_a = Seen(only, f"{command}: OnlySendAQuery {only}")

    return look


READERS.each("natTransition")(_translation("nat64", "Get-NetNatTransitionConfiguration"))
READERS.each("dnsTransition")(_translation("dns64", "Get-NetDnsTransitionConfiguration"))


def _words(command: str, **names: str) -> Callable[[Facts, Row], None]:
    """Properties whose words are kept, lower case; each with the name of its fact."""

    def look(facts: Facts, row: Row) -> None:
        for key, name in names.items():
            if row.get(key):
                setattr(facts, name, Seen(str(row[key]).lower(), f"{command}: {key} {row[key]}"))

    return look


READERS.each("teredo")(_words("Get-NetTeredoConfiguration", Type="teredo_type"))
READERS.each("teredoState")(_words("Get-NetTeredoState", State="teredo_state", Error="teredo_error"))
_GLOBAL = {"EnableDAForAllNetworks": "nrpt_for", "SecureNameQueryFallback": "nrpt_fallback"}
READERS.each("nrptGlobal")(_words("Get-DnsClientNrptGlobal", **_GLOBAL))


@READERS.each("ncsi")
def _ncsi(facts: Facts, row: Row) -> None:
    name, address = (str(row.get(f"CorporateDNSProbeHost{key}") or "") for key in ("Name", "Address"))
    if name and address:
        quote = f"the probe: {name} must be {address}"
        facts.probe = Seen((name.lower().rstrip("."), str(ip_address(address))), quote)


@READERS.whole("firewall")
def _profiles(facts: Facts, rows: Iterator[Row]) -> None:
    outside = [row for row in rows if str(row.get("Name")) in ("Private", "Public")]
    off = [str(row["Name"]) for row in outside if str(row.get("Enabled")).lower() in ("false", "0")]
    if outside:
        facts.firewall_off = Seen(bool(off), f"Get-NetFirewallProfile: off in {', '.join(off)}")


@READERS.each("clock")
def _offset(facts: Facts, row: Any) -> None:
    """What w32tm prints: by how much the other clock is ahead of this one."""
    if found := system.clock_error(str(row)[:MAX_TEXT], "the domain controller's"):
        facts.clock_error = found


@READERS.whole("events")
def _events(facts: Facts, rows: Iterator[Any]) -> None:
    facts.events += [str(row)[:MAX_TEXT] for row in islice(rows, MAX_ITEMS)]


@READERS.whole("entryPoints")
def _entry_points(facts: Facts, rows: Iterator[Row]) -> None:
    facts.sites = sum(1 for _ in rows)


@READERS.whole("prefixPolicies")
def _prefix_policies(facts: Facts, rows: Iterator[Any]) -> None:
    facts.policies = netsh.prefix_policies([str(row) for row in rows])


@READERS.each("lookups")
def _lookups(facts: Facts, row: Row) -> None:
    addresses = tuple(ip_address(text) for text in texts(row.get("Addresses")))
    error = str(row.get("Error") or "")
    words = ", ".join(map(str, addresses)) or error or "no address"
    quote = f"Resolve-DnsName {row['Name']} -Type {row.get('Type')}: {words}"
    facts.lookups.append(model.Lookup(str(row["Name"]), "", addresses, error, quote))


@READERS.whole("rules")
def _rules(facts: Facts, rows: Iterator[Row]) -> None:
    facts.firewall = []
    add_rules(facts, rows)


def add_rules(facts: Facts, rows: Iterable[Row], *, whole: bool = True) -> None:
    """Inbound rules that allow. ``whole``: with their ports and addresses."""
    rules = facts.firewall or []
    for row in rows:
        edge, remote = row.get("EdgeTraversalPolicy"), texts(row.get("RemoteAddress"))
        scope = f", from {', '.join(remote)}" if remote else ""
        one = model.FirewallRule(
            str(row.get("Protocol") or ""),
            tuple(texts(row.get("LocalPort"))),
            frozenset(word.strip().lower() for word in str(row.get("Profile")).split(",")),
            tuple(remote),
            None if edge in (None, "") else str(edge).lower() not in ("none", "no", "block", "false", "0"),
            f"firewall rule {row.get('Name')!r}: {row.get('Profile')}{scope}",
            str(row.get("Name") or "")[:MAX_TEXT],
            whole,
            _SECURED.match(str(row.get("Authentication") or "")) is not None,
        )
        rules += [one] if len(rules) < MAX_ROWS else []
        facts.firewall = rules


_SECURED = re.compile(r"auth|required", re.I)
_PROXY = re.compile(r":\s+(\S+:\d{1,5})\s*$")
"""Of what netsh prints in whatever language: a host and a port behind a label."""


@READERS.whole("nrptLocal")
def _local(facts: Facts, rows: Iterator[Row]) -> None:
    """The rules of the machine itself, which group policy's may silence."""
    facts.nrpt_local = []
    for row in rows:
        direct = texts(row.get("DirectAccessDnsServers"))
        enabled = bool(direct) or row.get("DirectAccessEnabled") is True
        servers = [*direct, *texts(row.get("NameServers"))]
        facts.nrpt_local += _name_rules(row, "own name rule", servers, enabled)


@READERS.each("nrptPolicy")
def _policy(facts: Facts, row: Row) -> None:
    held = int(row["Rules"])
    facts.nrpt_policy = Seen(held, f"DnsPolicyConfig of group policy is there, with {held or 'no'} rules")


@READERS.each("ipsec")
def _ipsec(facts: Facts, row: Row) -> None:
    held = int(row["MainMode"])
    if not row.get("Rules"):
        return  # a client of ours: no rule asks for IPsec
    facts.ipsec = Seen(held, f"Get-NetIPsecMainModeSA: {held or 'none'}")


@READERS.whole("proxy")
def _proxy(facts: Facts, rows: Iterator[Any]) -> None:
    lines = [str(row)[:MAX_TEXT].strip() for row in rows]
    found = [(match[1], line) for line in lines if (match := _PROXY.search(line))]
    if any(lines):
        value, line = found[0] if found else ("", "netsh winhttp show proxy: none")
        facts.proxy = Seen(value, line)
