"""``ipconfig /all`` -> adapters, in any language: by the shape of lines and values, and by names that are never
translated (ISATAP, Teredo, IP-HTTPS, the address of a tunnel adapter).

Pages and mails take the blanks at the start of lines away, and empty lines too: neither is needed. In every language an
adapter's own addresses come first (with a remark in brackets, if it was ``/all``), then the
mask; the next line that holds an address, or nothing, is that of the default gateway.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from manageout.doctor.facts import MAX_INTERFACES, Facts, Interface, kind_of
from manageout.doctor.pasted.segments import Part
from manageout.doctor.pasted.shapes import shape_at

_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")
_ADDRESS = re.compile(r"^([0-9A-Fa-f:.]+)(?:%(\d+))?(?:\((.*)\))?\s*$")
_SHOWN = ("link_local", "ipv6", "ipv4", "gateways", "connected", "quote", "listed")
"""What ipconfig alone says of an interface."""


@dataclass
class _Entry:
    """A label, the words behind it, and the addresses there and on the lines that go on: index, remark or not."""

    label: str
    value: str
    addresses: list[tuple[IPv4Address | IPv6Address, int | None, bool]] = field(default_factory=list)


@dataclass
class _Adapter:
    """One that is being read. ``text``: its lines."""

    header: str
    text: list[str]
    interface: Interface
    entries: list[_Entry] = field(default_factory=list)


def read(facts: Facts, part: Part) -> bool:
    """A whole output takes the place of one before; adapters that stand alone are added to it."""
    adapters = parse(part.lines)
    facts.whole |= len(adapters) > 1 and shape_at(part.lines, 0).fresh
    before = _listed(facts)
    repeats = any(one.name in before for one in adapters)
    again = bool(before) and bool(adapters) and (bool(part.command) or repeats)
    if again:
        _forget(facts)
    for one in adapters:
        interface = facts.named(one.name, one.index)
        for name in (*_SHOWN, "kind", "guid", "description", "shown", "suffix"):
            setattr(interface, name, getattr(one, name))
    if again and before != (after := _listed(facts)):
        gone = [name for name in before if before[name] != after.get(name)] or list(after)
        facts.replaced.append(
            f"{part.command or 'ipconfig'}, which was there before with other values: {gone[0]}"
        )
    return bool(adapters) or _ACTS.search(part.command) is not None


_ACTS = re.compile(r"/(?:registerdns|flushdns|renew6?|release6?)\b", re.I)
"""What does something, and shows nothing."""


def _listed(facts: Facts) -> dict[str, object]:
    """What ipconfig said of each adapter."""
    listed = (one for one in facts.interfaces if one.listed)
    return {one.quote: (one.link_local, one.ipv6, one.ipv4, one.gateways) for one in listed}


def _forget(facts: Facts) -> None:
    """What ipconfig said before; what netsh says of an interface stays."""
    facts.interfaces = [one for one in facts.interfaces if not one.listed or one.mtu or one.forwarding]
    nothing = Interface("")
    for one in (one for one in facts.interfaces if one.listed):
        for name in _SHOWN:
            value = getattr(nothing, name)
            setattr(one, name, list(value) if isinstance(value, list) else value)


def parse(lines: list[str]) -> list[Interface]:
    """The adapters in ``lines``; empty when it is no such output."""
    adapters: list[_Adapter] = []
    before = ""
    edge = min((len(line) - len(line.lstrip()) for line in lines if _DOTS.search(line)), default=0)
    for line in lines:
        if not adapters and ":5efe:" in line.lower() and _DOTS.search(line):
            adapters.append(
                _Adapter("", [], Interface("isatap", quote=line.strip(), listed=True))
            )  # find "5efe"
        if _is_header(line, before, adapters, bool(edge)):
            header = line[:-1].strip()
            adapters.append(_Adapter(header, [line], Interface(header, quote=header, listed=True)))
        elif adapters and line:
            adapters[-1].text.append(line)
            _line(adapters[-1], line, edge)
        before = line
    # Whatever ends in a colon may be a header; the dots behind a label are nobody else's.
    return [_finished(one) for one in adapters if any(_DOTS.search(line) for line in one.text)]


def _finished(adapter: _Adapter) -> Interface:
    one = adapter.interface
    _sort(one, adapter.entries)
    one.connected = bool(one.link_local or one.ipv6 or one.ipv4)  # without any its medium is disconnected
    one.kind = kind_of(f"{one.name} {one.description}")
    guid = _GUID.search(one.name) or _GUID.search(one.description)
    one.guid = guid[1].upper() if guid is not None and one.kind == "isatap" else None
    return one


def _is_header(line: str, before: str, adapters: list[_Adapter], indented: bool) -> bool:
    """In German a label without a value may end in a colon too, right below the header."""
    if not line.endswith((":", "\uff1a")) or line[0].isspace() or _DOTS.search(line):
        return False
    below = bool(adapters) and [before] == adapters[-1].text[:1]
    return len(adapters) < MAX_INTERFACES and (indented or not below) and bool(line[:-1].strip())


_DOTS = re.compile(r"\. \.|\. ?:(?:\s|$)")


def _line(adapter: _Adapter, line: str, edge: int) -> None:
    """Keep the addresses of a line; a line without a label belongs to the one before. ``edge``: where labels begin."""
    one, entries = adapter.interface, adapter.entries
    label, colon, value = _split(line.replace("\uff1a", ":"))
    indent = len(label) - len(label.lstrip())
    if colon and (1 <= indent <= edge + 3 or not edge) and (not value or value[0].isspace()):
        value = value.strip()
        if len(entries) < 2 and _DOMAIN.fullmatch(value):
            one.suffix = one.suffix or value
        entries.append(_Entry(label.strip(" ."), value))
    elif entries:
        value = line.strip()
    else:
        return
    match = _ADDRESS.match(value)
    try:
        if match is not None:
            index = int(match[2]) if match[2] else None
            address = ip_address(match[1])
            one.shown.setdefault(address, value.partition("(")[0].strip())
            entries[-1].addresses.append((address, index, match[3] is not None))
            return
    except ValueError:
        return
    if not one.description and _DESCRIPTION.search(value):
        one.description = value


_DOMAIN = re.compile(r"(?=.*[A-Za-z])[\w-]{1,63}(?:\.[\w-]{1,63}){1,20}")


def _split(line: str) -> tuple[str, str, str]:
    """At the colon behind the dots; Spanish has another in a label. Without dots at the first one."""
    match = re.search(r"[ .]:(?=\s|$)", line)
    return (line[: match.start()], ":", line[match.end() :]) if match else line.partition(":")


def _sort(one: Interface, entries: list[_Entry]) -> None:
    """Which addresses are its own, and which are gateways."""
    useful = [entry for entry in entries if entry.addresses or not entry.value]
    last = _last_own(useful)
    if last is None:
        return
    for address, index, _ in (found for entry in useful[: last + 1] for found in entry.addresses):
        if isinstance(address, IPv4Address):
            one.ipv4 += [] if _is_mask(address) else [address]
        elif address.is_link_local:
            one.link_local.append(address)
            one.index = index if one.index is None else one.index
        else:
            one.ipv6.append(address)
    if last + 1 < len(useful):
        one.gateways += [address for address, _, _ in useful[last + 1].addresses]


def _last_own(entries: list[_Entry]) -> int | None:
    """The last mask; else the last with a remark; else the last that is called as the first link-local one is."""

    def last(wanted: Callable[[_Entry], bool]) -> int | None:
        return max((number for number, entry in enumerate(entries) if wanted(entry)), default=None)

    found = last(lambda entry: any(_is_mask(address) for address, _, _ in entry.addresses))
    if found is None:
        found = last(lambda entry: any(remark for _, _, remark in entry.addresses))
    if found is None:
        links = [entry.label for entry in entries if any(a.is_link_local for a, _, _ in entry.addresses)]
        found = last(lambda entry: entry.label in links[:1])
    if found is not None:
        return found
    # Nothing tells: of two lines with addresses and different labels the last is the gateway's.
    held = [number for number, entry in enumerate(entries) if entry.addresses]
    if len(held) > 1 and entries[held[-1]].label != entries[held[0]].label:
        return held[-2]
    return held[-1] if held else None


def _is_mask(address: IPv4Address | IPv6Address) -> bool:
    number = int(address) ^ 0xFFFFFFFF
    return isinstance(address, IPv4Address) and int(address) > 0 and number & (number + 1) == 0


_DESCRIPTION = re.compile(r"adapter|isatap|teredo|6to4|http|ethernet|adapt|карта", re.I)
