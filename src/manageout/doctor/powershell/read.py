"""Rows of cmdlets that the collector has no section for -> facts; the others go to the readers of its sections."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

from manageout.doctor.console import events as text_events
from manageout.doctor.console import policy_objects
from manageout.doctor.console.certificates import bare
from manageout.doctor.facts import Facts, Filtered, HeldRecord, Lookup, Ping, PrefixPolicy, Reached, Seen
from manageout.doctor.powershell import firewall
from manageout.doctor.powershell.value import listed
from manageout.doctor.read.sections import MAX_ITEMS, READERS, Readers, Row, add, each_route
from manageout.windows.policies import ASSISTANT, CONNECTIVITY, TRANSITION
from manageout.windows.text import any_address, end_of

_MORE = Readers()


def read(facts: Facts, rows: dict[str, list[Row]]) -> None:
    """Add what the rows of each section say; those of a filter belong to a firewall rule."""
    for section, reader in (READERS | _MORE).items():
        if section in rows:
            add(facts, section, reader, _prepared(section, rows[section]))
    firewall.read(facts, rows)


def _prepared(section: str, rows: list[Row]) -> list[Row]:
    """What the collector leaves out: IPv4 in tables of both, and the IPv4 rows of a list."""
    if section == "interfaces":
        return [row for row in rows if row.get("AddressFamily") != "IPv4"]
    if section in ("routes", "someRoutes"):
        return [row for row in rows if _is_route(row)]
    if section == "addresses":
        return [row for row in rows if any_address(str(row.get("IPAddress"))) is not None]
    return rows


def _is_route(row: Row) -> bool:
    prefix, hop = str(row.get("DestinationPrefix")), str(row.get("NextHop") or "::")
    return ":" in prefix and any_address(prefix) is not None and ":" in hop and any_address(hop) is not None


@_MORE.whole("daServer", "remoteAccess", "locationPage")
def _server(facts: Facts, rows: Iterator[Row]) -> None:
    kept = list(rows)
    READERS["remoteAccess"](facts, iter(kept))
    _MORE["management"](facts, ({"MgmtServer": row.get("MgmtServer"), "Cut": row.get("Cut")} for row in kept))
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
    for key in row:
        if key.lower().endswith("ipaddress"):
            _of_cluster(facts, row, key, facts.told.virtual if "virtual" in key.lower() else facts.told.nodes)


def _of_cluster(facts: Facts, row: Row, key: str, kept: dict[IPv4Address | IPv6Address, str]) -> None:
    """Addresses that a cluster itself names, as others are told of in words."""
    for text in listed(row.get(key)):
        if (address := any_address(text)) is not None:
            kept.setdefault(address, f"{key} {address}")


@_MORE.each("cluster")
def _cluster(facts: Facts, row: Row) -> None:
    """Get-NlbCluster: of NLB and its virtual address."""
    key = "IPAddress" if row.get("IPAddress") else "ClusterPrimaryIP"
    name = row.get("Name") or row.get("ClusterName") or "a cluster"
    quote = f"Get-NlbCluster: {name} {row.get(key) or ''}".strip()
    facts.load_balancing = facts.load_balancing or Seen("nlb", quote)
    _of_cluster(facts, row, key, facts.told.virtual)


@_MORE.each("clusterNodes")
def _cluster_node(facts: Facts, row: Row) -> None:
    """Get-NlbClusterNode, Get-RemoteAccessLoadBalancerNode: whether a node takes part."""
    name = str(row.get("Name") or row.get("ComputerName") or row.get("LoadBalancerNode") or "a node")
    state = next(
        (
            str(row[key])
            for key in ("State", "NodeState", "NodeStatus", "LoadBalancerState", "Status")
            if row.get(key)
        ),
        "",
    )
    if state:
        facts.farm_nodes[name.lower()] = Seen(state.lower().partition("(")[0].strip(), f"{name}: {state}")
    for key in ("DedicatedIPAddress", "InternalDedicatedIPAddress"):
        _of_cluster(facts, row, key, facts.told.nodes)


_ENDS = re.compile(r"\[Not After\]\s+(\S{1,30}(?: [^\s\[]{1,12}){0,3})")
_THUMB = re.compile(r"\[Thumbprint\]\s+([0-9A-Fa-f]{40})")


@_MORE.each("store")
def _store(facts: Facts, row: Row) -> None:
    """Get-ChildItem Cert:\\LocalMachine\\My, or the certificate of Get-RemoteAccess: its hash, key and end."""
    named, end = bare(str(row.get("Thumbprint") or "")), end_of(str(row.get("NotAfter") or ""))
    subject = str(row.get("Subject") or row.get("Thumbprint") or "a certificate")
    subject += "".join(f", DNS={name.strip('{}')}" for name in listed(row.get("DnsNameList")))
    if usages := ", ".join(listed(row.get("EnhancedKeyUsageList"))):
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
    ranges = tuple(listed(row["EntryPointRange"]))
    quote = f"{row.get('EntryPointName') or 'an entry point'}: EntryPointRange {', '.join(ranges)}"
    facts.site_ranges += [Seen(ranges, quote)] if ranges and not row.get("Cut") else []


@_MORE.each("management")
def _management(facts: Facts, row: Row) -> None:
    """Get-DAMgmtServer."""
    for key in ("MgmtServer", "ServerName", "IPAddress") if not row.get("Cut") else ():
        for name in listed(row.get(key)):
            facts.management.setdefault(name.lower().rstrip("."), f"{key} {name}")


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


@_MORE.each("policyObjects")
def _policy_object(facts: Facts, row: Row) -> None:
    """Get-ADObject of a policy; lists are read as LDAP's tools print them."""
    name, number = str(row.get("DisplayName") or ""), str(row["versionNumber"])
    if number.isdecimal() and len(number) < 11:
        policy_objects.add(facts, str(row.get("Name") or "").strip("{}"), name, int(number), False)
    if str(row.get("flags")) in ("2", "3"):
        facts.filtered.append(Filtered(name, "disabled", f"{name}: flags {row['flags']}"))


_VERSIONS = re.compile(r"AD[^:]{0,20}: (\d{1,9}),[^:]{1,30}: (\d{1,9})")


@_MORE.whole("permissions")
def _permissions(facts: Facts, rows: Iterator[Row]) -> None:
    """Get-GPPermission -All: a policy that no group may apply."""
    held: dict[str, list[str]] = {}
    for row in rows:
        held.setdefault(str(row.get("Policy") or ""), []).append(f"{row['Trustee']} {row['Permission']}")
    for name, listed_ in held.items():
        if len(listed_) > 1 and not any(
            "apply" in words.lower() or "custom" in words.lower() for words in listed_
        ):
            facts.filtered.append(Filtered(name, "nobody", f"{name or 'a policy'}: {', '.join(listed_[:8])}"))


@_MORE.each("inheritance")
def _inheritance(facts: Facts, row: Row) -> None:
    """Get-GPInheritance of a unit that inherits nothing."""
    if str(row.get("GpoInheritanceBlocked")) in ("Yes", "True"):
        own = (*listed(row.get("GpoLinks")), *listed(row.get("InheritedGpoLinks")))
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


@_MORE.whole("someRoutes")
def _some_routes(facts: Facts, rows: Iterator[Row]) -> None:
    facts.some_routes = list(each_route(facts, rows))


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
    READERS["nrptLocal"](facts, ({**row, **{name: listed(row.get(name)) for name in names}} for row in rows))


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
            found = [any_address(text) for text in listed(row.get("IPAddress"))]
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
        for text in listed(row.get(name))
    ]
    own = {"InterfaceIndex": index, "InterfaceAlias": alias}
    READERS["addresses"](
        facts, ({**own, "IPAddress": text} for text in texts if any_address(text) is not None)
    )
    interface = facts.interface(index) if isinstance(index, int) else None
    if interface is not None:
        hops = [*listed(row.get("IPv6DefaultGateway")), *listed(row.get("IPv4DefaultGateway"))]
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
    why = " ".join(listed(row.get("Heuristics")))
    quote = f"Get-RemoteAccessHealth{server}: {component} {state}" + (f" ({why})" if " " in why else "")
    facts.health[component.lower()] = Seen(state.lower(), quote)


@_MORE.each("experience")
def _experience(facts: Facts, row: Row) -> None:
    """The connectivity assistant's probes, as its registry key has them."""
    for text in listed(row.get("CorporateResources")):
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


JUDGED = frozenset((*READERS, *_MORE, "firewallRule", "portFilter", "addressFilter"))
"""Sections in which a rule looks at something."""
