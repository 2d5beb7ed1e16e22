"""Output of netsh, in any language: tables by their columns, lists of settings by their order.

Labels are translated, keywords (``enabled``, ``disabled``) mostly are not; where they are, :data:`_STATES` knows
the common languages.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

_PAIR = re.compile(r"^(.*?)\s*: ?(.*)$")
_RULE = re.compile(r"^-{3,}[- ]*$")
_STATES = {
    "enabled": True, "aktiviert": True, "activé": True, "habilitado": True, "abilitato": True, "ingeschakeld": True,
    "włączony": True, "povoleno": True, "включен": True, "已启用": True, "已啟用": True, "有効": True,
    "disabled": False, "deaktiviert": False, "désactivé": False, "deshabilitado": False, "disabilitato": False,
    "uitgeschakeld": False, "wyłączony": False, "zakázáno": False, "отключен": False, "已禁用": False, "無効": False,
}  # fmt: skip
INTERFACE_ORDER = (
    "luid", "index", "state", "metric", "mtu", "reachable", "base_reachable", "retransmit", "dad", "site_length",
    "site_id", "forwarding", "advertising", "neighbour_discovery", "unreachability", "router_discovery", "managed",
    "other", "weak_send", "weak_receive", "automatic_metric", "ignore_default", "router_lifetime",
    "advertise_default", "hop_limit",
)  # fmt: skip
"""The settings of ``show interface INDEX`` in the order in which every language prints them."""


class Setting(NamedTuple):
    """A line ``label : value``; ``text`` is the line to be quoted."""

    label: str
    value: str
    text: str

    @property
    def on(self) -> bool | None:
        """True or False for enabled and disabled in a language that is known, else None."""
        return _STATES.get(self.value.strip().lower())


class InterfaceRow(NamedTuple):
    """A row of ``show interfaces``. ``number``: the interface's index."""

    number: int
    metric: int
    mtu: int
    state: str
    name: str
    text: str


class RouteRow(NamedTuple):
    """A row of ``show route``. ``via``: a next hop, or the name of an interface."""

    publish: str
    type: str
    metric: int
    prefix: IPv6Network
    interface: int
    via: str
    text: str

    @property
    def next_hop(self) -> IPv6Address | None:
        """The next hop, when it is one."""
        try:
            return IPv6Address(self.via.partition("%")[0])
        except ValueError:
            return None


class PolicyRow(NamedTuple):
    """A row of ``show prefixpolicies`` (RFC 6724 2.1)."""

    precedence: int
    label: int
    prefix: IPv6Network
    text: str


def settings(lines: list[str]) -> list[Setting]:
    """Every ``label : value``. Values may hold colons themselves, labels not."""
    found = []
    for line in lines:
        match = _PAIR.match(line.strip())
        if match and match[1] and not _RULE.match(line.strip()):
            found.append(Setting(match[1].strip(), match[2].strip(), line.strip()))
    return found


def interface(lines: list[str]) -> dict[str, Setting]:
    """The settings of ``show interface INDEX`` by the names of :data:`INTERFACE_ORDER`; empty if it is not that."""
    found = settings(lines)
    while (
        found
        and not re.fullmatch(r"ifguid_\w+|\w+_\d+", found[0].value)
        and "luid" not in found[0].label.lower()
    ):
        found = found[1:]
    if len(found) < 12 or not found[1].value.isdecimal():
        return {}
    return dict(zip(INTERFACE_ORDER, found, strict=False))


def interfaces(lines: list[str]) -> list[InterfaceRow]:
    """The rows of ``show interfaces``."""
    pattern = re.compile(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*)$")
    rows = [(match, line) for line in lines if (match := pattern.match(line))]
    return [
        InterfaceRow(int(m[1]), int(m[2]), int(m[3]), m[4], m[5].strip(), line.strip())
        for m, line in rows
        if int(m[3]) >= 576
    ]


def routes(lines: list[str]) -> list[RouteRow]:
    """The rows of ``show route`` as a table."""
    pattern = re.compile(r"^\s*(\S+)\s+(\S+)\s+(\d+)\s+([0-9A-Fa-f:.]+/\d+)\s+(\d+)\s+(\S.*)$")
    found = []
    for line in lines:
        if match := pattern.match(line):
            prefix = _network(match[4])
            if prefix is not None:
                numbers = int(match[3]), prefix, int(match[5])
                found.append(RouteRow(match[1], match[2], *numbers, match[6].strip(), line.strip()))
    return found


def prefix_policies(lines: list[str]) -> list[PolicyRow]:
    """The rows of ``show prefixpolicies``."""
    pattern = re.compile(r"^\s*(\d+)\s+(\d+)\s+([0-9A-Fa-f:.]+/\d+)\s*$")
    found = []
    for line in lines:
        if (match := pattern.match(line)) and (prefix := _network(match[3])) is not None:
            found.append(PolicyRow(int(match[1]), int(match[2]), prefix, line.strip()))
    return found


def published(row: RouteRow) -> bool:
    """Whether a route is advertised: ``Yes`` or ``Age``, in a language that is known."""
    return row.publish.lower() in (
        "yes",
        "age",
        "ja",
        "oui",
        "sí",
        "si",
        "sì",
        "sim",
        "tak",
        "ano",
        "да",
        "是",
        "はい",
    )


def _network(text: str) -> IPv6Network | None:
    try:
        return IPv6Network(text, strict=False)
    except ValueError:
        return None
