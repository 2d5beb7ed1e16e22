"""Output of netsh -> facts of interfaces, routes, IP-HTTPS, name rules, the firewall, the proxy."""

import re
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any

from manageout.doctor.console import settings as netsh
from manageout.doctor.console.settings import MAX_ROWS
from manageout.doctor.facts import Facts, Interface, NrptRule, Seen, WindowsRoute, kind_of
from manageout.doctor.languages import either
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import RULE
from manageout.windows.text import MAX_ADDRESSES, addresses, any_address

HEX = re.compile(r"^0x[0-9A-Fa-f]{1,8}$")
_ISATAP = re.compile(r"isatap\.(\{[0-9A-Fa-f-]{36}\}|[\w.-]+)", re.IGNORECASE)


def interface(facts: Facts, part: Part) -> bool:
    """``show interface INDEX``, one or several. The title holds the interface's name, in any language."""
    titles = [line for line, rule in pairwise(part.lines) if RULE.match(rule)]
    listed = list(netsh.each_interface(part.lines))
    asked = _ASKED.search(part.command) if len(listed) == 1 else None
    for number, found in enumerate(listed):
        index = (
            int(match[0])
            if "index" in found and (match := netsh.NUMBER.match(found["index"].value))
            else None
        )
        title = titles[number] if len(titles) == len(listed) else ""
        name = _name(title)
        if asked is not None and asked[1].isdecimal():
            index = int(asked[1]) if index is None else index
        elif asked is not None:
            name = name or asked[1]
        if index is None and not name:
            continue
        one = facts.named(name, index)
        one.name = one.name or name
        one.kind = kind_of(title or name) if one.kind == "other" else one.kind
        for key in ("forwarding", "advertising", "advertise_default", "ignore_default", "router_discovery"):
            on = netsh.on(found, key)
            if on is not None:
                setattr(one, key, Seen(on, found[key].text))
        lifetime = found.get("router_lifetime")
        if lifetime is not None and lifetime.value.split(" ")[0] == "0":
            one.advertise_default = Seen(False, lifetime.text)
        mtu = netsh.NUMBER.match(found["mtu"].value) if "mtu" in found else None
        one.mtu = int(mtu[0]) if mtu else one.mtu
    return bool(listed)


_ASKED = re.compile(
    r"\bsho?w? int\w* (?:interface=)?[\"']?(\d{1,9}|[^\"'|\s=]*[^\"'|=]{0,60}?)[\"']?\s*(?:$|\|)", re.I
)
"""The interface that is named behind ``show interface``."""


def _name(title: str) -> str:
    """An ISATAP interface's own name, or the words between those that every title has."""
    if match := _ISATAP.search(title):
        return re.sub("-param[a-zè]+$", "", match[0], flags=re.IGNORECASE)  # German joins them
    words = title.split()
    return " ".join(words[1:-1])


def interfaces(facts: Facts, part: Part) -> bool:
    """``show interfaces``. The loopback interface is always connected: its word says how the others are."""
    rows = netsh.interfaces(part.lines)
    loopback = next((row.state for row in rows if row.mtu > 0xFFFF), "")
    for row in rows:
        one = facts.named(row.name, row.number)
        one.index, one.mtu, one.name = row.number, row.mtu, row.name
        one.kind = kind_of(row.name) if one.kind == "other" else one.kind
        one.connected = row.state == loopback if loopback else either(row.state, "connected", "disconnected")
        if not one.quote or not one.listed:
            one.quote = row.text
    return bool(rows)


def addressed(facts: Facts, part: Part) -> bool:
    """``show addresses``: below each interface's title its rows, the address last."""
    one: Interface | None = None
    found = False
    for line in part.lines:
        if match := _TITLE.match(line):
            one = facts.named(match[2], int(match[1]))
        elif one is not None and len(line.split()) >= 4:
            found |= _address(one, line.split()[-1])
    return found


def four(facts: Facts, part: Part) -> bool:
    """``interface ipv4 show addresses``: below a title with the interface's name in quotes its addresses, each with its
    prefix in the next line; without one it is a gateway's."""
    one: Interface | None = None
    found = False
    lines = [line for line in part.lines if line.strip()]
    for line, after in pairwise([*lines, ""]):
        value = line.replace("\uff1a", ":").partition(":")[2].strip()
        if not value and (match := _CARD.search(line)):
            one = facts.named(match[1].strip(" \u00a0"))
        elif one is not None and isinstance(address := any_address(value), IPv4Address) and "/" not in value:
            held: list[Any] = one.ipv4 if "/" in after else one.gateways
            if address not in held and len(held) < MAX_ADDRESSES:
                held.append(address)
            found = one.listed = True
    return found


_CARD = re.compile(r"[\"“«](.{1,80})[\"”»]\s*$")
_TITLE = re.compile(r"^\s*[^\d:]{1,40}?\s?(\d{1,9})\s?[:\uff1a]\s+(\S.*)$")


def _address(one: Interface, text: str) -> bool:
    address = any_address(text)
    if address is None or address.is_multicast:
        return address is not None  # show joins, of which nobody judges anything
    six: list[Any] = one.link_local if address.is_link_local else one.ipv6
    listed: list[Any] = six if address.version == 6 else one.ipv4
    if address not in listed and len(listed) < MAX_ADDRESSES:
        listed.append(address)
        one.shown.setdefault(address, text)
    one.connected = True
    return True


def routes(facts: Facts, part: Part) -> bool:
    """``show route``, as a table or verbose."""
    rows = netsh.routes(part.lines) or netsh.verbose_routes(part.lines)
    for row in rows:
        if row.next_hop is None and row.via and facts.interface(row.interface) is None:
            _numbered(facts, row.via, row.interface)
    if rows:
        facts.routes = [
            WindowsRoute(row.prefix, row.interface, row.next_hop, netsh.published(row, rows), row.text)
            for row in rows
        ]
    return bool(rows)


def _numbered(facts: Facts, name: str, index: int) -> None:
    """An interface that was told by its name alone gets the number that the route on its link has; one of ISATAP is
    known from then on."""
    if kind_of(name) == "isatap" or any(one.name.lower().endswith(name.lower()) for one in facts.interfaces):
        one = facts.named(name, index)
        one.connected = True if one.connected is None else one.connected


def policies(facts: Facts, part: Part) -> bool:
    """``show prefixpolicies``."""
    found = netsh.prefix_policies(part.lines)
    facts.policies = found or facts.policies
    return bool(found)


def iphttps(facts: Facts, part: Part) -> bool:
    """``httpstunnel show interfaces``: role, URL, error, status, in whatever order they were pasted. A server's own URL
    is none to connect to."""
    block: dict[str, netsh.NetshSetting] = {}
    found = False
    for setting in [*netsh.settings(part.lines), None]:
        if setting is None or setting.label in block:
            found |= _tunnel(facts, list(block.values()))
            block = {}
        if setting is not None:
            block[setting.label] = setting
    return found


def _tunnel(facts: Facts, block: list[netsh.NetshSetting]) -> bool:
    """The settings of one interface."""
    values = [setting.value.lower() for setting in block]
    url = next((one for one in block if _URL.match(one.value)), None)
    place = next((number for number, value in enumerate(values) if HEX.match(value)), None)
    if "server" in values and url is not None:
        facts.role = "server"
    elif url is not None:
        facts.iphttps_url = Seen(url.value, url.text)
    if url is not None:
        facts.iphttps_error = facts.iphttps_status = None
    if place is not None and (facts.role != "server" or int(values[place], 16)):
        facts.iphttps_error = Seen(int(values[place], 16), block[place].text)
        near = (*block[place + 1 : place + 2], *block[max(place - 1, 0) : place])
        beside = [one for one in near if one is not url and one.value.lower() not in _NO_STATUS]
        if beside:
            facts.iphttps_status = Seen(beside[0].value, beside[0].text)
    return url is not None or place is not None


_NO_STATUS = ("client", "server", "", "none", "certificates")
_URL = re.compile(r"https://.*/ip", re.IGNORECASE)


def namespace(facts: Facts, part: Part) -> bool:
    """``namespace show effectivepolicy`` or ``policy``: a heading with a namespace in it, a rule, then servers."""
    found: dict[str, NrptRule] = {}
    name, going = "", ""
    for line, after in pairwise([*part.lines, ""]):
        if RULE.match(after) and ":" not in line:
            match = _NAMESPACE.search(line)
            name, going = match[1] if match else "", ""
        elif not line.strip():
            name, going = "", ""
        elif name and "directaccess" in line.lower() and "dns" in line.lower() and len(found) < MAX_ROWS:
            servers = tuple(map(str, addresses(line.partition(":")[2])))
            found[name.lower()] = NrptRule(name, servers, f"{name}: {line.strip()}")
            name, going = "", name.lower()
        elif going and (more := tuple(map(str, addresses(line)))) and line.split()[0] in more:
            found[going] = found[going]._replace(servers=(*found[going].servers, *more))
        else:
            going = ""
    refused = any("show" in line.lower() for line in part.lines)  # what netsh does not know it repeats
    empty = not found and "eff" in part.command.lower() and any(part.lines) and not refused
    if (empty and facts.nrpt is None) or (found and not (facts.nrpt and _configured(part))):
        facts.nrpt = list(found.values())
    return bool(found) or empty


_NAMESPACE = re.compile(r"(?<![\w-])(\.?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,30})(?![\w.-])", re.I | re.A)


def _configured(part: Part) -> bool:
    """``show policy`` says what is configured; what is in effect counts more."""
    return "pol" in part.command.lower() and "eff" not in part.command.lower()


def other(facts: Facts, part: Part) -> bool:
    """``winhttp show proxy``, ``dns show state``, ``advfirewall``, ``interface clat``: by words, in English."""
    found = False
    for setting in netsh.settings(part.lines):
        label, value = setting.label.lower(), setting.value.lower()
        if label.startswith("machine location") and "corporate network" in value:
            facts.inside = Seen(value.startswith("inside"), setting.text)
            found = True
        elif label.startswith("network location behavior"):
            facts.nrpt_for = Seen(
                "disableda" if value.startswith("never") else "enableonnetworkid", setting.text
            )
            found = True
        elif label.startswith("proxy server"):
            facts.proxy = Seen(setting.value, setting.text)
            found = True
    direct = next((line.strip() for line in part.lines if _DIRECT.search(line)), "")
    if direct and not found:
        facts.proxy = Seen("", direct)
    return found or bool(direct) or _profiles(facts, part) or _associations(facts, part)


_DIRECT = re.compile(
    r"direct access \(no proxy|direktzugriff \(kein proxy|acc[eè]s direct \(aucun|acceso directo \(sin", re.I
)


def clat(facts: Facts, part: Part) -> bool:
    """``interface clat show instance`` or ``show global``: an IPv4 address of RFC 7335's prefix is the translator's
    own; a state that is switched off has none."""
    found = netsh.settings(part.lines)
    for setting in found:
        held = [one for one in addresses(setting.value.replace("/", " ")) if isinstance(one, IPv4Address)]
        if any(one.packed[:3] == b"\xc0\0\0" for one in held):
            facts.clat = Seen(True, setting.text)
            return True
    # A Windows that knows no CLAT repeats the command in its refusal, in any language.
    refusal = next((line.strip() for line in part.lines if "interface clat" in line), "")
    off = next((setting.text for setting in found if setting.on is False), refusal)
    if off and facts.clat is None:
        facts.clat = Seen(False, off)
    return bool(off)


_DOMAIN = re.compile(r"dom[aäeií]|домен|域|ドメイン|도메인|tartom|toimialue", re.I)


def _profiles(facts: Facts, part: Part) -> bool:
    """``advfirewall show allprofiles``: domain, private, public in every language; ON and OFF in some."""
    title = ""
    titles: list[str] = []
    states: list[tuple[str, bool, str]] = []
    for line, after in pairwise([*part.lines, ""]):
        if RULE.match(after):
            title = line.strip(" :")
            titles.append(title)
        elif title and len(line.split()) == 2 and (on := either(line.split()[1], "on", "off")) is not None:
            states.append((title, on, line.strip()))
            title = ""
    outside = [one for one in states if not _DOMAIN.search(one[0])]
    if "currentp" in part.command.lower() and titles:
        inside = {bool(_DOMAIN.search(title)) for title in titles}
        facts.in_domain = Seen(frozenset(inside), f"{part.command}: {', '.join(titles)}")
    if not outside:
        return bool(states or titles)
    off = [f"{title}: {text}" for title, on, text in outside if not on]
    facts.firewall_off = Seen(bool(off), off[0] if off else f"{outside[0][0]}: {outside[0][2]}")
    return True


def _associations(facts: Facts, part: Part) -> bool:
    """``advfirewall monitor show mmsa``: titles with a time, or a line that says that there is none."""
    if "mmsa" not in part.command.lower():
        return False
    count = sum("main mode sa" in line.lower() for line in part.lines)
    empty = next((line.strip() for line in part.lines if "no sas match" in line.lower()), "")
    if count or empty:
        facts.ipsec = Seen(count, empty or f"{part.command}: {count}")
    return bool(count or empty)
