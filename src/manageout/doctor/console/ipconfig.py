"""``ipconfig /all`` -> adapters, in any language: by the shape of lines and values, and by names that are never
translated (ISATAP, Teredo, IP-HTTPS, the address of a tunnel adapter).

Pages and mails take the blanks at the start of lines away, and empty lines too: neither is needed. In every language an
adapter's own addresses come first (with a remark in brackets, if it was ``/all``), then the
mask; the next line that holds an address, or nothing, is that of the default gateway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

Kind = Literal["isatap", "teredo", "6to4", "iphttps", "other"]
_TUNNELS: tuple[Kind, ...] = ("isatap", "teredo", "6to4", "iphttps")
TUNNEL_ADDRESS = "00-00-00-00-00-00-00-E0"

MAX_ADAPTERS = 500
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")
_ADDRESS = re.compile(r"^([0-9A-Fa-f:.]+)(?:%(\d+))?(?:\((.*)\))?\s*$")


@dataclass
class _Entry:
    """A label, the words behind it, and the addresses there and on the lines that go on: index, remark or not."""

    label: str
    value: str
    addresses: list[tuple[IPv4Address | IPv6Address, int | None, bool]] = field(default_factory=list)


@dataclass
class Adapter:
    """One adapter as the machine shows it. ``text``: its lines, to be quoted."""

    header: str
    kind: Kind = "other"
    description: str = ""
    guid: str | None = None
    """Of the network card that an ISATAP adapter belongs to, upper case, when the name tells it."""
    tunnel: bool = False
    link_local: list[tuple[IPv6Address, int | None]] = field(default_factory=list)
    """With the interface's index."""
    ipv6: list[IPv6Address] = field(default_factory=list)
    ipv4: list[IPv4Address] = field(default_factory=list)
    gateways: list[IPv4Address | IPv6Address] = field(default_factory=list)
    shown: dict[IPv4Address | IPv6Address, str] = field(default_factory=dict)
    """Addresses as the machine prints them."""
    suffix: str = ""
    """Of the DNS, when the first setting is one."""
    text: list[str] = field(default_factory=list)

    @property
    def connected(self) -> bool:
        """Whether it holds any address; without one Windows calls its medium disconnected."""
        return bool(self.link_local or self.ipv6 or self.ipv4)

    @property
    def index(self) -> int | None:
        """The interface's index, from the zone of a link-local address."""
        return next((index for _, index in self.link_local if index is not None), None)


def kind_of(text: str) -> Kind:
    """Of an interface, by a word in its name, title or description."""
    lower = text.lower().replace("ip-https", "iphttps")
    return next((kind for kind in _TUNNELS if kind in lower), "other")


def parse(lines: list[str]) -> list[Adapter]:
    """The adapters in ``lines``; empty when it is no such output."""
    adapters: list[Adapter] = []
    entries: list[_Entry] = []
    before = ""
    edge = min((len(line) - len(line.lstrip()) for line in lines if _DOTS.search(line)), default=0)
    for line in lines:
        if _is_header(line, before, adapters, bool(edge)):
            if adapters:
                _sort(adapters[-1], entries)
            adapters.append(Adapter(line[:-1].strip(), text=[line]))
            entries = []
        elif adapters and line:
            adapters[-1].text.append(line)
            _line(adapters[-1], entries, line, edge)
        before = line
    if adapters:
        _sort(adapters[-1], entries)
    for adapter in adapters:
        _classify(adapter)
    # Whatever ends in a colon may be a header; the dots behind a label are nobody else's.
    return [adapter for adapter in adapters if any(_DOTS.search(line) for line in adapter.text)]


def _is_header(line: str, before: str, adapters: list[Adapter], indented: bool) -> bool:
    """In German a label without a value may end in a colon too, right below the header."""
    if not line.endswith((":", "\uff1a")) or line[0].isspace() or _DOTS.search(line):
        return False
    below = bool(adapters) and before == adapters[-1].text[0]
    return len(adapters) < MAX_ADAPTERS and (indented or not below) and bool(line[:-1].strip())


_DOTS = re.compile(r"\. \.|\. ?:(?:\s|$)")


def _line(adapter: Adapter, entries: list[_Entry], line: str, edge: int) -> None:
    """Keep the addresses of a line; a line without a label belongs to the one before. ``edge``: where labels begin."""
    label, colon, value = _split(line.replace("\uff1a", ":"))
    indent = len(label) - len(label.lstrip())
    if colon and (1 <= indent <= edge + 3 or not edge) and (not value or value[0].isspace()):
        value = value.strip()
        if len(entries) < 2 and _DOMAIN.fullmatch(value):
            adapter.suffix = adapter.suffix or value
        entries.append(_Entry(label.strip(" ."), value))
    elif entries:
        value = line.strip()
    else:
        return
    adapter.tunnel = adapter.tunnel or value == TUNNEL_ADDRESS
    match = _ADDRESS.match(value)
    try:
        if match is not None:
            index = int(match[2]) if match[2] else None
            address = ip_address(match[1])
            adapter.shown.setdefault(address, value.partition("(")[0].strip())
            entries[-1].addresses.append((address, index, match[3] is not None))
            return
    except ValueError:
        return
    if not adapter.description and _DESCRIPTION.search(value):
        adapter.description = value


_DOMAIN = re.compile(r"(?=.*[A-Za-z])[\w-]{1,63}(?:\.[\w-]{1,63}){1,20}")


def _split(line: str) -> tuple[str, str, str]:
    """At the colon behind the dots; Spanish has another in a label. Without dots at the first one."""
    match = re.search(r"[ .]:(?=\s|$)", line)
    return (line[: match.start()], ":", line[match.end() :]) if match else line.partition(":")


def _sort(adapter: Adapter, entries: list[_Entry]) -> None:
    """Which addresses are its own, and which are gateways."""
    useful = [entry for entry in entries if entry.addresses or not entry.value]
    last = _last_own(useful)
    if last is None:
        return
    for address, index, _ in (found for entry in useful[: last + 1] for found in entry.addresses):
        if isinstance(address, IPv4Address):
            adapter.ipv4 += [] if _is_mask(address) else [address]
        elif address.is_link_local:
            adapter.link_local.append((address, index))
        else:
            adapter.ipv6.append(address)
    if last + 1 < len(useful):
        adapter.gateways += [address for address, _, _ in useful[last + 1].addresses]


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


def _classify(adapter: Adapter) -> None:
    adapter.kind = kind_of(f"{adapter.header} {adapter.description}")
    if adapter.kind == "isatap" and (
        guid := _GUID.search(adapter.header) or _GUID.search(adapter.description)
    ):
        adapter.guid = guid[1].upper()
