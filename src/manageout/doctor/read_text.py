"""Pasted or saved output of Windows' commands -> facts. Several outputs may stand in one text, in any order.

:mod:`~manageout.doctor.segments` cuts the text; here each output is given to the reader of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice, pairwise

from manageout.doctor import ipconfig, netsh, unread
from manageout.doctor.facts import EVENTS, Facts, Interface, Lookup, NrptRule, PrefixPolicy, Route, Seen
from manageout.doctor.machines import Machines
from manageout.doctor.netsh import MAX_ROWS, Setting
from manageout.doctor.read_cmdlets import Gathered
from manageout.doctor.segments import Part, parts
from manageout.doctor.shapes import ROUTER_LABELS

MAX_LINES = 120_000
MAX_PARTS = 2000
"""Outputs in one text."""
MAX_UNREAD = 100
"""Parts that are named."""
MAX_INTERFACES = 500
MAX_ANSWERS = 64
"""Addresses of one DNS answer, and of one list of servers."""
_DEFAULT = (
    "default", "standard", "standaard", "par défaut", "predeterminado", "predefinito", "impostazione predefinita",
    "padrão", "predefinição", "domyślny", "výchozí", "по умолчанию", "oletus", "alapértelmezett", "varsayılan",
    "implicit", "προεπιλογή", "默认", "默认值", "預設", "預設值", "既定", "既定値", "기본값",
)  # fmt: skip
_HEX = re.compile(r"^0x[0-9A-Fa-f]+$")


Reader = Callable[[Facts, Part], bool]
"""Adds to the facts what a part says; False when it says nothing that is known."""


def read(facts: Facts, lines: list[str], others: Iterable[Facts] = ()) -> list[Facts]:
    """Add to ``facts`` what ``lines`` (of :func:`~manageout.doctor.text.lines`) say of its machine.

    Returns the other machines in the text: those of ``others`` of which it speaks too, and new ones.
    """
    if len(lines) > MAX_LINES:
        facts.unread.append(f"more than {MAX_LINES} lines: the rest was not looked at")
    found = list(islice(parts(lines[:MAX_LINES]), MAX_PARTS + 1))
    if len(found) > MAX_PARTS:
        facts.unread.append(f"more than {MAX_PARTS} outputs: the rest was not looked at")
    machines = Machines(facts, others)
    machines.begin(found)
    gathered: dict[int, tuple[Facts, Gathered]] = {}
    for part in found[:MAX_PARTS]:
        machine = machines.of(part)
        _, cmdlets = gathered.setdefault(id(machine), (machine, Gathered()))
        _one(machine, part, cmdlets)
    for machine, cmdlets in gathered.values():
        cmdlets.into(machine)
    if not any(one.understood or one.unread for one in machines.known):
        facts.unread.append("nothing in this text is the output of a command that is known")
    return machines.known[1:]


def _one(facts: Facts, part: Part, cmdlets: Gathered) -> None:
    reader = READERS.get(part.kind)
    known = (reader is not None and reader(facts, part)) or cmdlets.part(part.lines, part.command)
    known |= _events(facts, part)
    facts.understood |= known
    if not known and (name := unread.name(part)) and len(facts.unread) < MAX_UNREAD:
        facts.unread.append(name)


def _adapters(facts: Facts, part: Part) -> bool:
    """A whole output takes the place of one before; adapters that stand alone are added to it."""
    adapters = ipconfig.parse(part.lines)
    before = _shown(facts)
    again = bool(before) and bool(adapters) and (bool(part.command) or _repeats(adapters, before))
    if again:
        _forget(facts)
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
        interface.quote = adapter.header
    if again and before != (after := _shown(facts)):
        gone = [name for name in before if before[name] != after.get(name)] or list(after)
        facts.replaced.append(
            f"{part.command or 'ipconfig'}, which was there before with other values: {gone[0]}"
        )
    return bool(adapters)


def _repeats(adapters: list[ipconfig.Adapter], before: dict[str, object]) -> bool:
    return any(adapter.header in before for adapter in adapters)


def _shown(facts: Facts) -> dict[str, object]:
    """What ipconfig said of each adapter."""
    return {
        one.quote: (one.link_local, one.ipv6, one.ipv4, one.gateways) for one in facts.interfaces if one.quote
    }


def _forget(facts: Facts) -> None:
    """What ipconfig said before; what netsh says of an interface stays."""
    facts.interfaces = [one for one in facts.interfaces if not one.quote or one.mtu or one.forwarding]
    for one in facts.interfaces:
        one.link_local, one.ipv6, one.ipv4, one.gateways, one.connected, one.quote = [], [], [], [], None, ""


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


def _interfaces(facts: Facts, part: Part) -> bool:
    listed = list(netsh.each_interface(part.lines))
    for found in listed:
        number = int(found["index"].value)
        interface = facts.interface(number) or _named(facts, "", number)
        for name in ("forwarding", "advertising", "advertise_default", "ignore_default", "router_discovery"):
            on = netsh.on(found, name)
            if on is not None:
                setattr(interface, name, Seen(on, found[name].text))
        mtu = netsh.NUMBER.match(found["mtu"].value)
        interface.mtu = int(mtu[0]) if mtu else None
    return bool(listed)


def _table(facts: Facts, part: Part) -> bool:
    rows = netsh.interfaces(part.lines)
    for row in rows:
        interface = facts.interface(row.number) or _named(facts, row.name, row.number)
        interface.index, interface.mtu, interface.name = row.number, row.mtu, row.name
        if "isatap" in row.name.lower():
            interface.kind = "isatap"
    return bool(rows)


def _routes(facts: Facts, part: Part) -> bool:
    if routes := netsh.routes(part.lines):
        facts.routes = [
            Route(row.prefix, row.interface, row.next_hop, netsh.published(row, routes), row.text)
            for row in routes
        ]
    return bool(routes)


def _policies(facts: Facts, part: Part) -> bool:
    if policies := netsh.prefix_policies(part.lines):
        facts.policies = [PrefixPolicy(*row[:3], row.text) for row in policies]
    return bool(policies)


def _isatap(facts: Facts, part: Part) -> bool:
    """``ISATAP State : x`` and the trio of ``show router``: name, state or relay, interval."""
    before = facts.isatap_state, facts.isatap_router
    router = part.kind == "isatap" and bool(re.search(r"\bro\w*$|\bro\w* ", part.command.lower()))
    for setting in netsh.settings(part.lines):
        label, value = setting.label.lower(), setting.value.strip()
        state = "default" if value.lower() in _DEFAULT else _WORDS.get(setting.on)
        if "isatap" in label and "." not in label and state is not None:
            facts.isatap_state = Seen(state, setting.text)
        elif (router or label in ROUTER_LABELS) and value and not _HEX.match(value):
            if state is not None or " " not in value:
                facts.isatap_router = Seen(value if state is None else "", setting.text)
            router = False
    return before != (facts.isatap_state, facts.isatap_router)


_WORDS: dict[bool | None, str] = {True: "enabled", False: "disabled"}


def _iphttps(facts: Facts, part: Part) -> bool:
    settings = netsh.settings(part.lines)
    for position, setting in enumerate(settings):
        if setting.value.lower().startswith("https://") and "/ip" in setting.value.lower():
            facts.iphttps_url = Seen(setting.value, setting.text)
        elif facts.iphttps_url and _HEX.match(setting.value) and facts.iphttps_error is None:
            facts.iphttps_error = Seen(int(setting.value, 16), setting.text)
            if position + 1 < len(settings):
                facts.iphttps_status = Seen(settings[position + 1].value, settings[position + 1].text)
    return facts.iphttps_url is not None


def _teredo(facts: Facts, part: Part) -> bool:
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
    return facts.teredo_type is not None or facts.teredo_state is not None


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


def _nrpt(facts: Facts, part: Part) -> bool:
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
    return bool(rules)


_NAMESPACE = re.compile(r"(?<![\w-])(\.?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,30})(?![\w.-])", re.I | re.A)


def _events(facts: Facts, part: Part) -> bool:
    """Errors whose numbers and names Windows does not translate."""
    found = [line.strip() for line in part.lines if any(mark in line for mark in EVENTS)]
    facts.events += found[: max(0, MAX_ANSWERS - len(facts.events))]
    return bool(found)


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


def _lookup(facts: Facts, part: Part) -> bool:
    """``nslookup NAME``: the first addresses are the server's own, those after the name the answer."""
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
        return True
    return False


READERS: dict[str, Reader] = {
    "ipconfig": _adapters, "interface": _interfaces, "interfaces": _table, "routes": _routes, "policies": _policies,
    "isatap": _isatap, "iphttps": _iphttps, "teredo": _teredo, "namespace": _nrpt, "nslookup": _lookup,
}  # fmt: skip
"""By the kind of a part. ``powershell`` is the reader of cmdlets' output."""
