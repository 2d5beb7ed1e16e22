"""Rows of cmdlets that the collector has no section for -> facts; the others go to the readers of its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network
from typing import Any

from manageout.doctor.console import events as text_events
from manageout.doctor.console.certificates import bare
from manageout.doctor.facts import Facts, Filtered, HeldRecord, Lookup, Ping, PrefixPolicy, Reached, Seen
from manageout.doctor.read.sections import MAX_ITEMS, READERS, Readers, Row, add, add_rules
from manageout.windows.deployment import is_dns64
from manageout.windows.policies import ASSISTANT, CONNECTIVITY, TRANSITION
from manageout.windows.text import any_address, end_of, ipv6_address

_MORE = Readers()


def read(facts: Facts, rows: dict[str, list[Row]]) -> None:
    """Add what the rows of each section say; those of a filter belong to a firewall rule."""
    for section, reader in (READERS | _MORE).items():
        if section in rows:
            add(facts, section, reader, _prepared(section, rows[section]))
    _firewall(facts, rows)


def _prepared(section: str, rows: list[Row]) -> list[Row]:
    """What the collector leaves out: IPv4 in tables of both, and the IPv4 rows of a list."""
    if section == "interfaces":
        return [row for row in rows if row.get("AddressFamily") != "IPv4"]
    if section == "routes":
        return [row for row in rows if _is_route(row)]
    if section == "addresses":
        return [row for row in rows if any_address(str(row.get("IPAddress"))) is not None]
    return rows


def _is_route(row: Row) -> bool:
    prefix, hop = str(row.get("DestinationPrefix")), str(row.get("NextHop") or "::")
    return ":" in prefix and any_address(prefix) is not None and ":" in hop and any_address(hop) is not None


@_MORE.whole("daServer", "remoteAccess")
def _server(facts: Facts, rows: Iterator[Row]) -> None:
    kept = list(rows)
    READERS["remoteAccess"](facts, iter(kept))
    for row in kept:
        for name in ("SslCertificate", "NlsCertificate"):
            match = _ENDS.search(str(row.get(name) or ""))
            if match is not None and (end := end_of(match[1])) is not None:
                facts.certificates[name] = Seen(end, f"Get-RemoteAccess: {name} {match[0].strip()}")
        if named := _THUMB.search(str(row.get("SslCertificate") or "")):
            facts.bound_to = Seen(named[1].lower(), f"Get-RemoteAccess: SslCertificate {named[0]}")


@_MORE.each("loadBalancer")
def _load_balancer(facts: Facts, row: Row) -> None:
    """Get-RemoteAccessLoadBalancer: a cluster has virtual addresses, and NLB or another's balancer."""
    word = str(row.get("ThirdPartyLoadBalancer") or "")
    virtual = row.get("InternalVirtualIPAddress") or row.get("InternetVirtualIPAddress")
    if word == "Enabled" or (word == "Disabled" and virtual):
        quote = f"Get-RemoteAccessLoadBalancer: ThirdPartyLoadBalancer {word}"
        facts.load_balancing = Seen("external" if word == "Enabled" else "nlb", quote)


_ENDS = re.compile(r"\[Not After\]\s+(\S{1,30}(?: [^\s\[]{1,12}){0,3})")
_THUMB = re.compile(r"\[Thumbprint\]\s+([0-9A-Fa-f]{40})")


@_MORE.each("store")
def _store(facts: Facts, row: Row) -> None:
    """Get-ChildItem Cert:\\LocalMachine\\My, or the certificate of Get-RemoteAccess: its hash, key and end."""
    named, end = bare(str(row.get("Thumbprint") or "")), end_of(str(row.get("NotAfter") or ""))
    subject = str(row.get("Subject") or row.get("Thumbprint") or "a certificate")
    subject += "".join(f", DNS={name.strip('{}')}" for name in _list(row.get("DnsNameList")))
    if usages := ", ".join(_list(row.get("EnhancedKeyUsageList"))):
        subject += f" ({usages})"
    quote = f"{subject}: NotAfter {row.get('NotAfter')}"
    if row.get("Of"):
        if named:
            facts.bound_to = Seen(named, f"SslCertificate: {subject} {row['Thumbprint']}")
        if end is not None:
            facts.certificates["SslCertificate"] = Seen(end, f"SslCertificate {quote}")
        return
    if end is not None:
        facts.store.append(Seen(end, quote))
    if isinstance(row.get("HasPrivateKey"), bool) and not row.get("Other"):
        facts.keyed |= row["HasPrivateKey"]
        facts.keyless += [] if row["HasPrivateKey"] else [f"{subject}: HasPrivateKey False"]
    if named and row.get("Whole"):
        key = row.get("HasPrivateKey")
        facts.held = facts.held or {}
        facts.held[named] = Seen(
            key if isinstance(key, bool) else None, f"{row['Thumbprint']} {subject}".strip()
        )


@_MORE.each("logged")
def _logged(facts: Facts, row: Row) -> None:
    """Get-WinEvent, Get-EventLog."""
    number = next((str(row[key]) for key in ("Id", "EventID", "InstanceID") if row.get(key)), "")
    source, message = str(row.get("ProviderName") or row.get("Source") or ""), str(row.get("Message") or "")
    if number.isdecimal() and len(number) < 6:
        text_events.add(facts, int(number), source, f"event {number} {source}: {message[:200]}")


@_MORE.each("siteRanges")
def _site_ranges(facts: Facts, row: Row) -> None:
    ranges = tuple(_list(row["EntryPointRange"]))
    quote = f"{row.get('EntryPointName') or 'an entry point'}: EntryPointRange {', '.join(ranges)}"
    facts.site_ranges += [Seen(ranges, quote)] if ranges and not row.get("Cut") else []


@_MORE.each("gpo")
def _gpo(facts: Facts, row: Row) -> None:
    """Get-GPO, and the links of Get-GPInheritance."""
    status = str(row.get("GpoStatus") or f"Enabled {row.get('Enabled')}")
    name, version = str(row["DisplayName"]), str(row.get("ComputerVersion") or "")
    facts.policy_names[str(row.get("Id") or row.get("GpoId") or "").strip("{}").lower()] = name
    if status in ("AllSettingsDisabled", "ComputerSettingsDisabled", "Enabled False"):
        facts.filtered.append(Filtered(name, "disabled", f"{name}: {status}"))
    if (match := _VERSIONS.search(version)) and (match[1] == "0" or match[1] != match[2]):
        reason = "empty" if match[1] == "0" else "behind"
        facts.filtered.append(Filtered(name, reason, f"{name}: ComputerVersion {match[0]}"))


_VERSIONS = re.compile(r"AD[^:]{0,20}: (\d{1,9}),[^:]{1,30}: (\d{1,9})")


@_MORE.each("inheritance")
def _inheritance(facts: Facts, row: Row) -> None:
    """Get-GPInheritance of a unit that inherits nothing."""
    if str(row.get("GpoInheritanceBlocked")) in ("Yes", "True"):
        own = (*_list(row.get("GpoLinks")), *_list(row.get("InheritedGpoLinks")))
        quote = f"{row.get('Path') or row.get('Name')}: GpoInheritanceBlocked {row['GpoInheritanceBlocked']}"
        facts.blocked.append(Seen(own, quote))


@_MORE.whole("networks")
def _networks(facts: Facts, rows: Iterator[Row]) -> None:
    kept = list(rows)
    found = [(str(row.get("Name") or ""), str(row["NetworkCategory"])) for row in kept]
    words = ", ".join(f"{name} {category}".strip() for name, category in found)
    facts.networks = Seen(frozenset(one.lower() for _, one in found), f"Get-NetConnectionProfile: {words}")
    for row in kept:
        if alias := str(row.get("InterfaceAlias") or ""):
            category = str(row["NetworkCategory"])
            quote = f"Get-NetConnectionProfile: {alias} {category}"
            facts.categories[alias.lower()] = Seen(category.lower(), quote)
        four, six = (str(row.get(f"IPv{version}Connectivity") or "") for version in (4, 6))
        if six == "Internet" and four in ("Disconnected", "NoTraffic"):
            facts.no_ipv4.append(f"Get-NetConnectionProfile: IPv4Connectivity {four}, IPv6Connectivity {six}")


@_MORE.whole("defaults")
def _defaults(facts: Facts, rows: Iterator[Row]) -> None:
    """Default routes of Get-NetRoute; none of IPv4 where both were asked for says that there is none."""
    asked = ""
    for row in rows:
        prefix, asked = str(row["DestinationPrefix"]), str(row["Command"])
        quote = f"Get-NetRoute: {prefix} by {row.get('NextHop')}"
        facts.defaults[6 if ":" in prefix else 4] = quote
        if isinstance(hop := any_address(str(row.get("NextHop"))), IPv4Address) and int(hop):
            where = str(row.get("InterfaceAlias") or row.get("InterfaceIndex") or row.get("ifIndex") or "")
            facts.gateways[where, hop] = quote + (f" on {where}" if where else "")
    if 4 not in facts.defaults and (_BOTH.search(asked) or not _FILTERED.search(asked)):
        facts.no_ipv4.append(f"{facts.defaults[6]}, and no 0.0.0.0/0")


_BOTH = re.compile(r"0\.0\.0\.0/0")
_FILTERED = re.compile(r"-(?:addressfamily|destinationprefix|interface\w+|nexthop)\b|::/0", re.I)


@_MORE.whole("nrptLocal")
def _local_rules(facts: Facts, rows: Iterator[Row]) -> None:
    """Get-DnsClientNrptRule."""
    names = ("Namespace", "NameServers", "DirectAccessDnsServers")
    READERS["nrptLocal"](facts, ({**row, **{name: _list(row.get(name)) for name in names}} for row in rows))


@_MORE.each("records")
def _records(facts: Facts, row: Row) -> None:
    """Get-DnsServerResourceRecord: what the zone holds, whether or not it is answered."""
    kind, data = str(row.get("RecordType") or ""), str(row.get("RecordData") or "")
    if kind in ("A", "AAAA", "") and (address := any_address(data)) is not None:
        quote = f"Get-DnsServerResourceRecord: {row['HostName']} {kind} {data}"
        facts.records.append(HeldRecord(str(row["HostName"]).lower(), address, quote))


@_MORE.whole("resolved")
def _resolved(facts: Facts, rows: Iterator[Row]) -> None:
    """Resolve-DnsName: the addresses of a name, of all rows with it; a row without any says only that it is known."""
    names: dict[str, list[Any]] = {}
    errors: dict[str, str] = {}
    for row in rows:
        name = str(row.get("Name") or "").lower().rstrip(".")
        if error := str(row.get("Error") or ""):
            errors[name] = error
        elif str(row.get("Section") or "Answer") in ("Answer", "1"):
            found = [any_address(text) for text in _list(row.get("IPAddress"))]
            names.setdefault(name, []).extend(address for address in found if address is not None)
    for name, addresses in names.items():
        if addresses:
            words = ", ".join(map(str, addresses))
            facts.lookups.append(
                Lookup(name, "", tuple(addresses[:MAX_ITEMS]), "", f"Resolve-DnsName {name}: {words}")
            )
    for name, error in errors.items():
        facts.lookups.append(Lookup(name, "", (), error, f"Resolve-DnsName {name}: {error}"))


@_MORE.each("tcp")
def _tcp(facts: Facts, row: Row) -> None:
    """Test-NetConnection -Port: whether a TCP connection came about."""
    name, port, well = (
        str(row.get("ComputerName") or ""),
        row.get("RemotePort"),
        row.get("TcpTestSucceeded"),
    )
    target = any_address(str(row.get("RemoteAddress") or name))
    if target is not None and isinstance(row.get("PingSucceeded"), bool):
        quote = f"Test-NetConnection {name}: PingSucceeded {row['PingSucceeded']}"
        facts.pings.append(Ping(target, str(target) == name, row["PingSucceeded"], quote))
    if name and isinstance(port, int) and isinstance(well, bool):
        to = f" ({row['RemoteAddress']})" if row.get("RemoteAddress") else ""
        quote = f"Test-NetConnection {name}{to} port {port}: TcpTestSucceeded {well}"
        address = target if target is not None and row.get("RemoteAddress") else None
        pinged = row.get("PingSucceeded") is True
        quote += ", PingSucceeded True" if pinged else ""
        facts.tcp[name.lower().rstrip("."), port] = Reached(well, quote, address, pinged)


@_MORE.each("ipConfiguration")
def _ip_configuration(facts: Facts, row: Row) -> None:
    """Get-NetIPConfiguration: addresses and gateways of each interface."""
    alias, index = row.get("InterfaceAlias") or "", row.get("InterfaceIndex")
    texts = [
        text
        for name in ("IPv6LinkLocalAddress", "IPv6Address", "IPv4Address")
        for text in _list(row.get(name))
    ]
    own = {"InterfaceIndex": index, "InterfaceAlias": alias}
    READERS["addresses"](
        facts, ({**own, "IPAddress": text} for text in texts if any_address(text) is not None)
    )
    interface = facts.interface(index) if isinstance(index, int) else None
    if interface is not None:
        hops = [*_list(row.get("IPv6DefaultGateway")), *_list(row.get("IPv4DefaultGateway"))]
        interface.gateways = [hop for text in hops if (hop := any_address(text)) is not None]


@_MORE.whole("prefixPolicy")
def _prefix_policy(facts: Facts, rows: Iterator[Row]) -> None:
    facts.policies = [
        PrefixPolicy(
            row["Precedence"],
            row["Label"],
            IPv6Network(str(row["Prefix"]), strict=False),
            f"prefix policy {row['Prefix']} precedence {row['Precedence']} label {row['Label']}",
        )
        for row in rows
    ]


@_MORE.each("computer")
def _computer(facts: Facts, row: Row) -> None:
    name = row.get("CsDNSHostName") or row.get("CsName")
    facts.computer = facts.computer or str(name or "")[:255]
    for key in ("OsBuildNumber", "BuildNumber", "Build"):
        facts.build = row[key] if isinstance(row.get(key), int) else facts.build
    for key in ("OsName", "Caption", "WindowsProductName", "WindowsEditionId"):
        if word := str(row.get(key) or ""):
            facts.edition = Seen(word, f"{key} {word}")


@_MORE.each("health")
def _health(facts: Facts, row: Row) -> None:
    """Get-RemoteAccessHealth: component -> Windows' own judgement."""
    component, state = str(row["Component"]), str(row["HealthState"])
    server = f" of {row['RemoteAccessServer']}" if row.get("RemoteAccessServer") else ""
    facts.health[component.lower()] = Seen(
        state.lower(), f"Get-RemoteAccessHealth{server}: {component} {state}"
    )


@_MORE.each("experience")
def _experience(facts: Facts, row: Row) -> None:
    """The connectivity assistant's probes, as its registry key has them."""
    for text in _list(row.get("CorporateResources")):
        key = rf"{ASSISTANT}\Probes"
        facts.registry[key.lower(), text.lower()] = Seen(text, f"CorporateResources {text}")
    command = "Get-DAClientExperienceConfiguration"
    if str(row.get("PreferLocalNamesAllowed")) == "True":
        words = f"{command}: PreferLocalNamesAllowed True"
        facts.registry[ASSISTANT.lower(), "namepreferenceallowed"] = Seen(1, words)
    if str(row.get("ForceTunneling")) in ("Enabled", "True"):
        words = f"{command}: ForceTunneling {row['ForceTunneling']}"
        facts.registry[TRANSITION.lower(), "force_tunneling"] = Seen("Enabled", words)


@_MORE.whole("registry")
def _item_property(facts: Facts, rows: Iterator[Row]) -> None:
    """Get-ItemProperty of the registry: its values, and in PSPath the key."""
    values = []
    for row in rows:
        hive, _, key = str(row.get("PSPath") or "").replace(" ", "").partition("HKEY_LOCAL_MACHINE\\")
        if not key or not hive.lower().endswith("registry::"):
            continue
        # A long path comes in two lines, and a key such as "Windows NT" has a blank of its own.
        key = key.replace("\\WindowsNT\\", "\\Windows NT\\").replace("\\SessionManager", "\\Session Manager")
        for name, value in row.items():
            if not name.startswith("PS") and (value != "" or (key.lower(), name.lower()) not in facts.absent):
                number = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value)
                values.append({"Key": key, "Name": name, "Value": int(value) if number else value})
    READERS["registry"](facts, iter(values))


@_MORE.whole("registryKey")
def _key(facts: Facts, rows: Iterator[Row]) -> None:
    """Get-Item of a registry key: its values in one cell, ``DisabledComponents : 255``, one below the other."""
    values = []
    for row in rows:
        hive, _, path = str(row.get("Hive") or "").partition("HKEY_LOCAL_MACHINE\\")
        for name, value in _VALUE.findall(str(row.get("Property") or "")) if not hive else ():
            values.append({"PSPath": f"Registry::HKEY_LOCAL_MACHINE\\{path}\\{row['Name']}", name: value})
    _item_property(facts, iter(values))


_VALUE = re.compile(r"([A-Za-z][\w.-]{0,100})\s*: (\{[^}]{0,300}\}|\S+)")


@_MORE.whole("associations")
def _associations(facts: Facts, rows: Iterator[Row]) -> None:
    count = sum(1 for _ in rows)
    facts.ipsec = Seen(count, f"Get-NetIPsecMainModeSA: {count or 'none'}")


@_MORE.each("multiSite")
def _multi_site(facts: Facts, row: Row) -> None:
    points = row.get("DAEntryPoints")
    if points:
        facts.sites = len(points) if isinstance(points, list) else 1


@_MORE.whole("ncsi")
def _ncsi(facts: Facts, rows: Iterator[Row]) -> None:
    kept = list(rows)
    READERS["ncsi"](facts, iter(kept))
    for row in kept:
        if url := row.get("DomainLocationDeterminationURL"):
            quote = f"DomainLocationDeterminationURL {url}"
            facts.registry[CONNECTIVITY.lower(), "domainlocationdeterminationurl"] = Seen(str(url), quote)


FEW = 10
"""Rules that somebody asked for by name."""
JUDGED = frozenset((*READERS, *_MORE, "firewallRule", "portFilter", "addressFilter"))
"""Sections in which a rule looks at something."""


def _firewall(facts: Facts, sections: dict[str, list[Row]]) -> None:
    """A rule and its filters are three objects, printed one behind the other: the n-th of each belong together."""
    rules = sections.get("firewallRule", [])
    ports, addresses = sections.get("portFilter", []), sections.get("addressFilter", [])
    if not rules and 0 < len(addresses) <= FEW:
        rules = [{"Name": row.get("InstanceID"), "Profile": "Any"} for row in addresses]
    ports, addresses = _by_instance(rules, ports), _by_instance(rules, addresses)
    if not ports and not addresses:
        rules = [{**row, **_own_ports(row)} for row in rules]
    together = [row for row in rules if "LocalPort" in row]  # Select-Object has put them into one
    rules = [row for row in rules if "LocalPort" not in row]
    own = _dns64(facts, rules, addresses)
    if len(rules) == len(addresses) != len(ports):  # DirectAccess' own are judged by their addresses alone
        rules, addresses = (
            [row for n, row in enumerate(each) if n not in own] for each in (rules, addresses)
        )
    if rules and (len(rules) != len(ports) or len(addresses) not in (0, len(rules))):
        beside = addresses if len(addresses) == len(rules) else []
        _without_filters(facts, rules, beside)
        missing = "ports" if beside else "ports and addresses"
        filters = "Get-NetFirewallPortFilter" + ("" if beside else " and Get-NetFirewallAddressFilter")
        facts.unread.append(
            f"Get-NetFirewallRule {rules[0].get('DisplayName') or ''}: not judged without its {missing}; "
            f"give each rule's {filters}, or the collector's file"
        )
        rules, ports, addresses = [], [], []
    whole = []
    pairs = [
        *((rule, port) for rule, port in zip(rules, ports, strict=False)),
        *((row, row) for row in together),
    ]
    for number, (rule, port) in enumerate(pairs):
        address = port if port is rule else addresses[number] if addresses else {}
        if _allows(rule):
            whole.append(
                {
                    **{key: rule.get(key) for key in ("Profile", "EdgeTraversalPolicy")},
                    "Name": rule.get("DisplayName"),
                    "Protocol": port.get("Protocol"),
                    "LocalPort": _list(port.get("LocalPort")),
                    "RemoteAddress": _list(address.get("RemoteAddress") or address.get("RemoteIP")),
                }
            )
    add_rules(facts, whole)


def _dns64(facts: Facts, rules: list[Row], addresses: list[Row]) -> set[int]:
    """For which addresses DirectAccess' own rules for DNS64 are, known by their identifiers, or by such an address;
    which they are."""
    own = set()
    for number, row in enumerate(addresses):
        beside = rules[number] if number < len(rules) else {}
        key = _identifier(row) or _identifier(beside) or str(beside.get("DisplayName") or number + 1)
        local = _list(row.get("LocalAddress") or row.get("LocalIP"))
        found = tuple(six for text in local if (six := ipv6_address(text)) is not None)
        if found and (key in DNS64_RULES or any(map(is_dns64, found))):
            own.add(number)
            name = f"{{{key}}}" if key in DNS64_RULES else key
            facts.dns64_rules[key] = Seen(found, f"firewall rule {name}: LocalAddress {', '.join(local)}")
    return own


def _identifier(row: Row) -> str:
    return str(row.get("InstanceID") or row.get("Name") or "").strip("{}").upper()


DNS64_RULES = ("0FDEEC95-1EA6-4042-8BA6-6EF5336DE91A", "24FD98AA-178E-4B01-9220-D0DADA9C8503")
"""A DirectAccess server's own, which let questions in to DNS64."""


def _by_instance(rules: list[Row], filters: list[Row]) -> list[Row]:
    """Filters in the order of their rules, where both have their identifiers."""
    keys = [str(row.get("InstanceID") or row.get("ID") or row.get("Name") or "").lower() for row in rules]
    own = {str(row.get("InstanceID") or "").lower(): row for row in filters}
    return [own[key] for key in keys] if keys and all(key and key in own for key in keys) else filters


def _without_filters(facts: Facts, rules: list[Row], addresses: list[Row]) -> None:
    """A few rules whose ports were not pasted: their profiles and addresses say something all the same."""
    remote = [_list(row.get("RemoteAddress") or row.get("RemoteIP")) for row in addresses] or [
        [] for _ in rules
    ]
    both = [{**row, "RemoteAddress": scope} for row, scope in zip(rules, remote, strict=True)]
    found = [row for row in both if _allows(row) and row.get("Profile")]
    if len(found) <= FEW:
        add_rules(
            facts, ({**row, "Name": row.get("DisplayName") or row.get("Name")} for row in found), whole=False
        )


def _allows(rule: Row) -> bool:
    wanted = (("Direction", "Inbound"), ("Action", "Allow"), ("Enabled", True))
    return all(rule.get(key, value) == value for key, value in wanted)


def _own_ports(rule: Row) -> Row:
    """What a rule of Windows' own tells without its filters: in its description, or by its name."""
    if "LocalPort" in rule:
        return {}
    if match := _DESCRIBED.search(str(rule.get("Description") or "")):
        return {"Protocol": match[1], "LocalPort": match[2]}
    name = str(rule.get("Name") or "").lower()
    return next(
        ({"Protocol": "TCP", "LocalPort": port} for start, port in _OWN if name.startswith(start)), {}
    )


_DESCRIBED = re.compile(r"\[(TCP|UDP) (\d{1,5})\]")
_OWN = (
    ("remotedesktop-usermode-in-tcp", "3389"), ("winrm-http-in-tcp", "5985"), ("winrm-https-in-tcp", "5986"),
    ("openssh-server-in-tcp", "22"),
)  # fmt: skip
"""Names that Windows translates nowhere."""


def _list(value: object) -> list[str]:
    """A list, or what PowerShell prints of one on several lines."""
    if isinstance(value, list):
        return [str(item) for item in value[:MAX_ITEMS]]
    return [word.strip(",") for word in str(value or "").split()[:MAX_ITEMS]]
