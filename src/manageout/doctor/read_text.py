"""Pasted or saved output of Windows' commands -> facts. Several outputs may stand in one text, in any order.

Where the prompt and the command line were pasted too they are used; otherwise each part is known by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice, pairwise
from typing import NamedTuple

from manageout.doctor import ipconfig, netsh
from manageout.doctor.facts import EVENTS, Facts, Interface, Lookup, NrptRule, PrefixPolicy, Route, Seen
from manageout.doctor.netsh import MAX_ROWS, Setting

MAX_LINES = 50_000
MAX_PARTS = 200
"""Commands in one text."""
MAX_INTERFACES = 500
MAX_ANSWERS = 64
"""Addresses of one DNS answer, and of one list of servers."""
_PROMPT = re.compile(r"^(?:PS )?[A-Za-z]:\\[^>]*>\s*(\S.*)$")
_DEFAULT = (
    "default", "standard", "standaard", "par défaut", "predeterminado", "predefinito", "impostazione predefinita",
    "padrão", "predefinição", "domyślny", "výchozí", "по умолчанию", "oletus", "alapértelmezett", "varsayılan",
    "implicit", "προεπιλογή", "默认", "默认值", "預設", "預設值", "既定", "既定値", "기본값",
)  # fmt: skip
_HEX = re.compile(r"^0x[0-9A-Fa-f]+$")


class Part(NamedTuple):
    """The output of one command; ``command`` is empty when it is not known."""

    command: str
    lines: list[str]


def read(facts: Facts, lines: list[str]) -> None:
    """Add to ``facts`` what ``lines`` say."""
    understood = False
    if len(lines) > MAX_LINES:
        facts.unread.append(f"more than {MAX_LINES} lines: the rest was not looked at")
    for part in islice(parts(lines[:MAX_LINES]), MAX_PARTS):
        before = _size(facts)
        for reader in (_adapters, _interfaces, _tables, _isatap, _iphttps, _teredo, _nrpt, _lookup, _events):
            reader(facts, part)
        understood |= _size(facts) != before
        if part.command and _size(facts) == before and any(line.strip() for line in part.lines):
            facts.unread.append(part.command[:100])
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
        facts.teredo_state, facts.computer, len(facts.events), len(facts.others),
    )  # fmt: skip
    told = sum(interface.forwarding is not None for interface in facts.interfaces)
    sizes = [
        len(items or ())
        for items in (facts.interfaces, facts.routes, facts.policies, facts.lookups, facts.nrpt)
    ]
    return (*simple, told, *sizes)


def _adapters(facts: Facts, part: Part) -> None:
    adapters = ipconfig.parse(part.lines)
    name = _host(part.lines) if adapters else ""
    if name and facts.computer and name.lower() != facts.computer.lower():
        facts.others.append(Seen(name, f"ipconfig of {name}"))
        return
    facts.computer = facts.computer or name
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


def host(lines: list[str]) -> str:
    """Of which machine a text is, if any ``ipconfig /all`` is in it."""
    return next(
        (name for part in islice(parts(lines[:MAX_LINES]), MAX_PARTS) if (name := _host(part.lines))), ""
    )


def _host(lines: list[str]) -> str:
    """The name in the head of ``ipconfig /all``: its first value, in any language; "" without one."""
    for line in lines[:60]:
        if line.startswith((" ", "\t")) and ". ." in line:
            return line.partition(":")[2].strip()[:255]
    return ""


def _named(facts: Facts, header: str, index: int | None) -> Interface:
    """The interface of that index, or of a name in which the header ends; made when there is none."""
    for interface in facts.interfaces:
        if index is not None and interface.index == index:
            return interface
        if interface.name and header.lower().endswith(interface.name.lower()):
            return interface
    made = Interface(header, index=index)
    if len(facts.interfaces) < MAX_INTERFACES:
        facts.interfaces.append(made)
    return made


def _interfaces(facts: Facts, part: Part) -> None:
    for found in netsh.each_interface(part.lines):
        number = int(found["index"].value)
        interface = facts.interface(number) or _named(facts, "", number)
        for name in ("forwarding", "advertising", "advertise_default", "ignore_default", "router_discovery"):
            on = netsh.on(found, name)
            if on is not None:
                setattr(interface, name, Seen(on, found[name].text))
        mtu = netsh.NUMBER.match(found["mtu"].value)
        interface.mtu = int(mtu[0]) if mtu else None


def _tables(facts: Facts, part: Part) -> None:
    for row in netsh.interfaces(part.lines):
        interface = facts.interface(row.number) or _named(facts, row.name, row.number)
        interface.index, interface.mtu, interface.name = row.number, row.mtu, row.name
        if "isatap" in row.name.lower():
            interface.kind = "isatap"
    if routes := netsh.routes(part.lines):
        facts.routes = [
            Route(row.prefix, row.interface, row.next_hop, netsh.published(row, routes), row.text)
            for row in routes
        ]
    if policies := netsh.prefix_policies(part.lines):
        facts.policies = [PrefixPolicy(*row[:3], row.text) for row in policies]


def _isatap(facts: Facts, part: Part) -> None:
    """``ISATAP State : x`` and the trio of ``show router``: name, state or relay, interval."""
    router = "isatap" in part.command and "router" in part.command
    for setting in netsh.settings(part.lines):
        label, value = setting.label.lower(), setting.value.strip()
        state = "default" if value.lower() in _DEFAULT else _WORDS.get(setting.on)
        if "isatap" in label and "." not in label and state is not None:
            facts.isatap_state = Seen(state, setting.text)
        elif (router or label in _ROUTER_LABELS) and value and not _HEX.match(value):
            if state is not None or " " not in value:
                facts.isatap_router = Seen(value if state is None else "", setting.text)
            router = False


_WORDS: dict[bool | None, str] = {True: "enabled", False: "disabled"}
_ROUTER_LABELS = (
    "router name", "routername", "nom du routeur", "nombre del enrutador", "nombre de enrutador", "nome router",
    "nome do roteador", "nome do router", "nazwa routera", "název směrovače", "имя маршрутизатора", "reitittimen nimi",
    "routernavn", "routernamn", "yönlendirici adı", "路由器名称", "路由器名稱", "ルーター名", "라우터 이름",
)  # fmt: skip


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
    """Below a heading with its name. An error stands between the state and the kind of client."""
    before = ""
    for setting in netsh.settings(_below(part.lines, re.compile("teredo", re.I))):
        # "enterpriseclient (Group Policy)", "probe (primary server)", "probe(cone)"
        value = setting.value.lower().partition("(")[0].strip()
        if value in _TEREDO_TYPES and facts.teredo_type is None:
            facts.teredo_type = Seen(value, setting.text)
        elif value in _TEREDO_STATES:
            facts.teredo_state = Seen(value, setting.text)
        elif before in _TEREDO_STATES and "teredo" not in value and value not in _NO_ERROR:
            facts.teredo_error = Seen(setting.value, setting.text)
        before = value


_TEREDO_TYPES = ("client", "enterpriseclient", "server", "natawareclient", "relay", "disabled", "default")
_TEREDO_STATES = ("offline", "dormant", "probe", "qualified")
_NO_ERROR = (
    "", "-", "0", "0x0", "managed", "unmanaged",
    "none", "aucun", "aucune", "keine", "keiner", "kein", "ninguno", "ninguna", "nenhum", "nenhuma", "nessuno",
    "nessuna", "geen", "brak", "žádné", "žádná", "нет", "なし", "无", "無", "없음", "ingen", "inga", "ei mitään", "yok",
    "nincs", "niciuna", "καμία", "κανένα",
)  # fmt: skip
"""What stands there when there is no error, or when the line is missing and the network's follows."""


def _below(lines: list[str], heading: re.Pattern[str]) -> list[str]:
    """The lines between a heading with a rule below it and the next blank one."""
    for number, (line, rule) in enumerate(pairwise(lines)):
        if netsh.RULE.match(rule) and heading.search(line):
            rest = lines[number + 2 :]
            return rest[: next((n for n, one in enumerate(rest) if not one.strip()), len(rest))]
    return []


def _nrpt(facts: Facts, part: Part) -> None:
    """``netsh namespace show effectivepolicy``: a heading with a namespace in it, a rule, then servers."""
    namespace = ""
    rules = facts.nrpt or []
    for line, after in pairwise([*part.lines, ""]):
        if netsh.RULE.match(after) and ":" not in line:
            match = _NAMESPACE.search(line)
            namespace = match[1] if match else ""
        elif not line.strip():
            namespace = ""
        elif namespace and "directaccess" in line.lower() and "dns" in line.lower() and len(rules) < MAX_ROWS:
            servers = tuple(map(str, _addresses(line.partition(":")[2])))
            rules.append(NrptRule(namespace, servers, f"{namespace}: {line.strip()}"))
            namespace = ""
    facts.nrpt = rules or facts.nrpt


_NAMESPACE = re.compile(r"(?<![\w-])(\.?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,30})(?![\w.-])", re.I | re.A)


def _events(facts: Facts, part: Part) -> None:
    """Errors whose numbers and names Windows does not translate."""
    for line in part.lines:
        if len(facts.events) < MAX_ANSWERS and any(mark in line for mark in EVENTS):
            facts.events.append(line.strip())


def _addresses(text: str) -> Iterator[IPv4Address | IPv6Address]:
    found = 0
    for word in re.split(r"[;,\s]+", text):
        try:
            address = ip_address(word.partition("%")[0])
        except ValueError:
            continue
        yield address
        if (found := found + 1) == MAX_ANSWERS:
            return


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
    if name and (server or error) and len(facts.lookups) < MAX_ROWS:
        quote = settings[-1].text if settings else error
        facts.lookups.append(Lookup(name, str(server or ""), tuple(_addresses(answer)), error, quote))
