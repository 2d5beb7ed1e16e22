"""Pasted or saved output of Windows' commands -> facts. Several outputs may stand in one text, in any order.

Where the prompt and the command line were pasted too they are used; otherwise each part is known by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from manageout.doctor import ipconfig, netsh
from manageout.doctor.facts import Facts, Interface, Lookup, NrptRule, PrefixPolicy, Route, Seen
from manageout.doctor.netsh import Setting

MAX_LINES = 50_000
_PROMPT = re.compile(r"^(?:PS )?[A-Za-z]:\\[^>]*>\s*(\S.*)$")
_STATES = {
    "default": "default",
    "standard": "default",
    "enabled": "enabled",
    "disabled": "disabled",
    "par défaut": "default",
}
_HEX = re.compile(r"^0x[0-9A-Fa-f]+$")


class Part(NamedTuple):
    """The output of one command; ``command`` is empty when it is not known."""

    command: str
    lines: list[str]


def read(facts: Facts, lines: list[str]) -> None:
    """Add to ``facts`` what ``lines`` say."""
    understood = False
    for part in parts(lines[:MAX_LINES]):
        before = _size(facts)
        for reader in (_adapters, _interface, _tables, _isatap, _iphttps, _teredo, _nrpt, _lookup):
            reader(facts, part)
        understood |= _size(facts) != before
        if part.command and _size(facts) == before and any(line.strip() for line in part.lines):
            facts.unread.append(part.command)
    facts.understood |= understood
    if not understood and not facts.unread:
        facts.unread.append("nothing in this text is the output of a command that is known")


def parts(lines: list[str]) -> Iterator[Part]:
    """The text cut at prompts."""
    command = ""
    held: list[str] = []
    for line in lines:
        if match := _PROMPT.match(line):
            if held:
                yield Part(command, held)
            command, held = match[1].strip().lower(), []
        else:
            held.append(line)
    if held:
        yield Part(command, held)


def _size(facts: Facts) -> tuple[object, ...]:
    simple = (
        facts.isatap_state, facts.isatap_router, facts.iphttps_url, facts.iphttps_error, facts.teredo_type,
        facts.teredo_state, facts.computer,
    )  # fmt: skip
    told = sum(interface.forwarding is not None for interface in facts.interfaces)
    sizes = [
        len(items or ())
        for items in (facts.interfaces, facts.routes, facts.policies, facts.lookups, facts.nrpt)
    ]
    return (*simple, told, *sizes)


def _adapters(facts: Facts, part: Part) -> None:
    adapters = ipconfig.parse(part.lines)
    if adapters and not facts.computer:
        host = next((s for s in netsh.settings(part.lines[:8]) if ". ." in s.text and s.value), None)
        facts.computer = host.value if host else ""
    for adapter in adapters:
        interface = _named(facts, adapter.header, adapter.index)
        interface.kind, interface.guid, interface.description = (
            adapter.kind,
            adapter.guid,
            adapter.description,
        )
        interface.index = interface.index or adapter.index
        interface.link_local = [address for address, _ in adapter.link_local]
        interface.ipv6, interface.ipv4, interface.gateways = adapter.ipv6, adapter.ipv4, adapter.gateways
        interface.connected = adapter.connected
        interface.quote = adapter.text[0].strip()


def _named(facts: Facts, header: str, index: int | None) -> Interface:
    """The interface of that index, or of a name in which the header ends; made when there is none."""
    for interface in facts.interfaces:
        if index is not None and interface.index == index:
            return interface
        if interface.name and header.lower().endswith(interface.name.lower()):
            return interface
    made = Interface(header, index=index)
    facts.interfaces.append(made)
    return made


def _interface(facts: Facts, part: Part) -> None:
    found = netsh.interface(part.lines)
    if not found:
        return
    number = int(found["index"].value)
    interface = facts.interface(number)
    if interface is None:
        interface = Interface("", index=number)
        facts.interfaces.append(interface)
    for name in ("forwarding", "advertising", "advertise_default", "ignore_default", "router_discovery"):
        setting = found.get(name)
        if setting is not None and setting.on is not None:
            setattr(interface, name, Seen(setting.on, setting.text))
    interface.mtu = int(re.sub(r"\D.*", "", found["mtu"].value) or 0) or None


def _tables(facts: Facts, part: Part) -> None:
    for row in netsh.interfaces(part.lines):
        interface = facts.interface(row.number) or _named(facts, row.name, row.number)
        interface.index, interface.mtu, interface.name = row.number, row.mtu, row.name
        if "isatap" in row.name.lower():
            interface.kind = "isatap"
    if routes := netsh.routes(part.lines):
        facts.routes = [
            Route(row.prefix, row.interface, row.next_hop, netsh.published(row), row.text) for row in routes
        ]
    if policies := netsh.prefix_policies(part.lines):
        facts.policies = [PrefixPolicy(*row[:3], row.text) for row in policies]


def _isatap(facts: Facts, part: Part) -> None:
    """``ISATAP State : x`` and the trio of ``show router``: name, state or relay, interval."""
    router = "isatap" in part.command and "router" in part.command
    for setting in netsh.settings(part.lines):
        label, value = setting.label.lower(), setting.value.strip()
        if "isatap" in label and "." not in label and value.lower() in _STATES:
            facts.isatap_state = Seen(_STATES[value.lower()], setting.text)
        elif (router or label in _ROUTER_LABELS) and value and " " not in value and not _HEX.match(value):
            facts.isatap_router = Seen("" if value.lower() in _STATES else value, setting.text)
            router = False


_ROUTER_LABELS = (
    "router name",
    "routername",
    "nom du routeur",
    "nombre del enrutador",
    "nome router",
    "路由器名称",
)


def _iphttps(facts: Facts, part: Part) -> None:
    settings = netsh.settings(part.lines)
    for position, setting in enumerate(settings):
        if setting.value.lower().startswith("https://") and "/ip" in setting.value.lower():
            facts.iphttps_url = Seen(setting.value, setting.text)
        elif facts.iphttps_url and _HEX.match(setting.value) and facts.iphttps_error is None:
            facts.iphttps_error = Seen(int(setting.value, 16), setting.text)
            if position + 1 < len(settings):
                facts.iphttps_status = Seen(settings[position + 1].value, settings[position + 1].text)


def _teredo(facts: Facts, part: Part) -> None:
    if not any(re.match(r"^\s*teredo\b.*", line, re.I) and ":" not in line for line in part.lines):
        return
    for setting in netsh.settings(part.lines):
        label, value = setting.label.lower(), setting.value.lower()
        if value in ("client", "enterpriseclient", "server", "natawareclient", "disabled", "default"):
            facts.teredo_type = facts.teredo_type or Seen(value, setting.text)
        elif value in ("offline", "dormant", "probe", "qualified"):
            facts.teredo_state = Seen(value, setting.text)
        elif label.startswith(("error", "fehler", "erreur")) and value not in ("none", "0", "0x0"):
            facts.teredo_error = Seen(setting.value, setting.text)


def _nrpt(facts: Facts, part: Part) -> None:
    """``netsh namespace show effectivepolicy``: a heading ``Settings for .corp.example``, then servers."""
    namespace = ""
    for line in part.lines:
        if match := re.match(r"^\S.*?(?<!\S)(\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)\s*$", line):
            namespace = match[1]
        elif namespace and (setting := netsh.settings([line])):
            servers = tuple(_addresses(setting[0].value))
            if servers or ("dns" in setting[0].label.lower() and "direct" in setting[0].label.lower()):
                rule = NrptRule(namespace, tuple(map(str, servers)), f"{namespace}: {setting[0].text}")
                facts.nrpt = [*(facts.nrpt or []), rule]
                namespace = ""


def _addresses(text: str) -> Iterator[IPv4Address | IPv6Address]:
    for word in re.split(r"[;,\s]+", text):
        try:
            yield ip_address(word.partition("%")[0])
        except ValueError:
            continue


def _lookup(facts: Facts, part: Part) -> None:
    """``nslookup NAME``: the first addresses are the server's own, those after the name the answer."""
    if not part.command.startswith("nslookup"):
        return
    name = part.command.split()[1] if len(part.command.split()) > 1 else ""
    blocks = "\n".join(part.lines).strip().split("\n\n")
    server = next(_addresses(blocks[0]), None)
    answer = blocks[1] if len(blocks) > 1 else ""
    error = next(
        (line.strip() for line in part.lines if line.startswith("***") or "domain" in line.lower()), ""
    )
    settings: list[Setting] = netsh.settings(answer.splitlines())
    if name and (server or error):
        quote = settings[-1].text if settings else error
        facts.lookups.append(Lookup(name, str(server or ""), tuple(_addresses(answer)), error, quote))
