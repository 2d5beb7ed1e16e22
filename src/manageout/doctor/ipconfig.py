"""``ipconfig /all`` -> adapters, in any language: by the shape of lines and values, and by names that are never
translated (ISATAP, Teredo, IP-HTTPS, the address of a tunnel adapter)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

Kind = Literal["isatap", "teredo", "6to4", "iphttps", "other"]
TUNNEL_ADDRESS = "00-00-00-00-00-00-00-E0"

_ENTRY = re.compile(r"^\s{1,6}(\S[^:]*?)[ .]*:(?:\s+(.*))?$")
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")
_ADDRESS = re.compile(r"^([0-9A-Fa-f:.]+)(?:%(\d+))?(?:\((.*)\))?\s*$")
_GATEWAYS = (
    "default gateway", "standardgateway", "standard-gateway", "standaardgateway", "passerelle par défaut",
    "puerta de enlace predeterminada", "gateway predefinito", "gateway padrão", "gateway predefinido",
    "brama domyślna", "výchozí brána", "основной шлюз", "oletusyhdyskäytävä", "默认网关", "預設閘道",
    "デフォルト ゲートウェイ", "기본 게이트웨이",
)  # fmt: skip


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
    text: list[str] = field(default_factory=list)

    @property
    def connected(self) -> bool:
        """Whether it holds any address; without one Windows calls its medium disconnected."""
        return bool(self.link_local or self.ipv6 or self.ipv4)

    @property
    def index(self) -> int | None:
        """The interface's index, from the zone of a link-local address."""
        return next((index for _, index in self.link_local if index is not None), None)


def parse(lines: list[str]) -> list[Adapter]:
    """The adapters in ``lines``; empty when it is no such output."""
    adapters: list[Adapter] = []
    label = ""
    for line in lines:
        if line and not line[0].isspace():
            if line.endswith(":") and ". ." not in line:
                adapters.append(Adapter(line[:-1].strip(), text=[line]))
            label = ""
            continue
        if not adapters or not line.strip():
            continue
        adapters[-1].text.append(line)
        entry = _ENTRY.match(line)
        if entry:
            label = entry[1].lower()
        _value(adapters[-1], label, (entry[2] or "") if entry else line.strip())
    for adapter in adapters:
        _classify(adapter)
    return [adapter for adapter in adapters if len(adapter.text) > 1]


def _value(adapter: Adapter, label: str, value: str) -> None:
    """One value, or a further line of the one before, which belongs to the same label."""
    if value == TUNNEL_ADDRESS:
        adapter.tunnel = True
    match = _ADDRESS.match(value)
    if match is None:
        if not adapter.description and re.search(
            r"adapter|isatap|teredo|6to4|http|ethernet|adapt|карта", value, re.I
        ):
            adapter.description = value
        return
    try:
        address = ip_address(match[1])
    except ValueError:
        return
    index = int(match[2]) if match[2] else None
    if label in _GATEWAYS:
        adapter.gateways.append(address)
    elif match[3] is None and index is None and isinstance(address, IPv4Address):
        pass  # masks, servers of DHCP and DNS
    elif isinstance(address, IPv4Address):
        adapter.ipv4.append(address)
    elif address.is_link_local:
        adapter.link_local.append((address, index))
    elif match[3] is not None:
        adapter.ipv6.append(address)


def _classify(adapter: Adapter) -> None:
    names = f"{adapter.header} {adapter.description}".lower()
    for kind, marks in _KINDS:
        if any(mark in names for mark in marks):
            adapter.kind = kind
            break
    if adapter.kind == "isatap" and (
        guid := _GUID.search(adapter.header) or _GUID.search(adapter.description)
    ):
        adapter.guid = guid[1].upper()


_KINDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("isatap", ("isatap",)),
    ("teredo", ("teredo",)),
    ("6to4", ("6to4",)),
    ("iphttps", ("iphttps", "ip-https")),
)
