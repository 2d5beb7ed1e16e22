"""Output of netsh, in any language: tables by their columns, lists of settings by their labels.

Labels are translated, keywords (``enabled``, ``disabled``) mostly are not; where they are, ``languages.toml``
knows the common languages. In the others, and where a code page has garbled the words, they are known by where they
stand, when the list is whole: every interface looks for neighbours, and nobody publishes a route to all multicast.
People leave lines out, and then a place says nothing.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from itertools import islice
from typing import NamedTuple

from manageout.doctor.facts import PrefixPolicy
from manageout.doctor.languages import either
from manageout.windows.text import ipv6_address, ipv6_network
from manageout.words import toml_of

MAX_ROWS = 1000
"""Of a table; a server has some hundred routes."""
NUMBER = re.compile(r"[0-9]{1,9}")
INTERFACE_ORDER = (
    "luid", "index", "state", "metric", "mtu", "reachable", "base_reachable", "retransmit", "dad", "site_length",
    "site_id", "forwarding", "advertising", "neighbour_discovery", "unreachability", "router_discovery", "managed",
    "other", "weak_send", "weak_receive", "automatic_metric", "ignore_default", "router_lifetime",
    "advertise_default", "hop_limit",
)  # fmt: skip
"""The settings of ``show interface INDEX`` in the order in which every language prints them."""


class NetshSetting(NamedTuple):
    """A line ``label : value``; ``text`` is the line to be quoted."""

    label: str
    value: str
    text: str

    @property
    def on(self) -> bool | None:
        """True or False for enabled and disabled in a language that is known, else None."""
        return either(self.value, "enabled", "disabled")


class InterfaceRow(NamedTuple):
    """A row of ``show interfaces``. ``number``: the interface's index."""

    number: int
    mtu: int
    state: str
    name: str
    text: str


class RouteRow(NamedTuple):
    """A row of ``show route``. ``via``: a next hop, or the name of an interface."""

    publish: str
    prefix: IPv6Network
    interface: int
    via: str
    text: str

    @property
    def next_hop(self) -> IPv6Address | None:
        """The next hop, when it is one."""
        return ipv6_address(self.via)


def settings(lines: list[str]) -> list[NetshSetting]:
    """Every ``label : value``. Values may hold colons themselves, labels not."""
    found = []
    for line in lines:
        label, colon, value = line.replace("\uff1a", ":").partition(":")
        if colon and label.strip():
            found.append(NetshSetting(label.strip(), value.strip(), line.strip()))
    return found


def each_interface(lines: list[str]) -> Iterator[dict[str, NetshSetting]]:
    """The settings of each ``show interface INDEX``, by the names of :data:`INTERFACE_ORDER`."""
    block: list[NetshSetting] = []
    names: set[str] = set()
    count = 0
    for line in [*lines, "IfLuid:"]:
        for one in settings([line]):
            name = _labelled(one.label, _INTERFACE)
            if (name in names and name) or (name == "luid" and block):
                if (found := _settings_of(block)) and (count := count + 1) <= MAX_ROWS:
                    yield found
                block, names = [], set()
            block.append(one)
            names.add(name)


def _settings_of(block: list[NetshSetting]) -> dict[str, NetshSetting]:
    """By their labels; by their places where no label is known and none is missing."""
    found = {name: one for one in block if (name := _labelled(one.label, _INTERFACE))}
    if found.keys() - {"luid", "index", "mtu"}:
        return found
    whole = dict(zip(INTERFACE_ORDER, block, strict=False))
    numbers = ("index", "metric", "mtu", "dad", "site_length", "site_id", "router_lifetime", "hop_limit")
    complete = all(name in whole and NUMBER.match(whole[name].value) for name in numbers)
    return whole if complete else {}


def _labelled(label: str, known: dict[str, re.Pattern[str]]) -> str:
    """Which setting a label means, in a language that is known; "" for none."""
    return next((name for name, pattern in known.items() if pattern.fullmatch(label.lower())), "")


_INTERFACE, _ROUTE = (
    {name: re.compile(pattern) for name, pattern in table.items()}
    for table in toml_of("manageout.doctor.console", "labels.toml").values()
)


def on(found: dict[str, NetshSetting], name: str) -> bool | None:
    """Whether a setting of :func:`each_interface` is enabled, by the word or by that of the search for neighbours."""
    setting, known = found.get(name), found.get("neighbour_discovery")
    if setting is None or setting.on is not None:
        return setting.on if setting is not None else None
    if known is None or known.on is False or setting.value.lower() == "dhcp":
        return None
    return setting.value == known.value


def interfaces(lines: list[str]) -> list[InterfaceRow]:
    """The rows of ``show interfaces``."""
    rows = ((match, line) for line in lines if (match := _ROW.match(line) or _NARROW.match(line)))
    return [
        InterfaceRow(int(m[1]), int(m[3]), m[4], m[5].strip(), line.strip())
        for m, line in islice(rows, MAX_ROWS)
        if int(m[3]) >= 576
    ]


_ROW = re.compile(r"^\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{3,10})\s+(\S+(?: \S+){0,3})\s{2,}(\S.*)$")
_NARROW = re.compile(r"^\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{3,10})\s+(\S+)\s(\S.*)$")
"""Where a page has made one blank of many."""


def routes(lines: list[str]) -> list[RouteRow]:
    """The rows of ``show route`` as a table."""
    pattern = re.compile(r"^\s*(\S+)\s+(\S+)\s+([0-9]{1,9})\s+([0-9A-Fa-f:.]+/\d+)\s+([0-9]{1,9})\s+(\S.*)$")
    found: list[RouteRow] = []
    for line in lines:
        if (match := pattern.match(line)) and len(found) < MAX_ROWS:
            prefix = ipv6_network(match[4])
            if prefix is not None:
                found.append(RouteRow(match[1], prefix, int(match[5]), match[6].strip(), line.strip()))
    return found


def verbose_routes(lines: list[str]) -> list[RouteRow]:
    """The blocks of ``show route level=verbose``: destination, source, index, next hop, published, type, metric."""
    found: list[RouteRow] = []
    block: list[NetshSetting] = []
    for setting in [*settings(lines), NetshSetting("", "::/0", "")]:
        known = _labelled(setting.label, _ROUTE)
        prefix = ipv6_network(setting.value) is not None and "/" in setting.value and not known
        if known == "prefix" or (prefix and (len(block) != 1 or not setting.label)):
            found += _verbose(block)
            block = []
        block.append(setting)
    return found[:MAX_ROWS]


def _verbose(block: list[NetshSetting]) -> list[RouteRow]:
    """By their labels, else by their places in a block that is whole."""
    named = {name: one for one in block if (name := _labelled(one.label, _ROUTE))}
    if len(block) > 6 and not named and NUMBER.fullmatch(block[6].value):
        named = dict(zip(("prefix", "source", "interface", "via", "publish"), block, strict=False))
    if not named.keys() >= {"prefix", "interface", "publish"} or not NUMBER.fullmatch(
        named["interface"].value
    ):
        return []
    prefix = ipv6_network(named["prefix"].value)
    via = named["via"].value if "via" in named else ""
    told = [named[name].text for name in ("prefix", "interface", "via", "publish") if name in named]
    row = (int(named["interface"].value), via, ", ".join(told))
    return [RouteRow(named["publish"].value, prefix, *row)] if prefix is not None else []


def prefix_policies(lines: list[str]) -> list[PrefixPolicy]:
    """The rows of ``show prefixpolicies``."""
    pattern = re.compile(r"^\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9A-Fa-f:.]+/\d+)\s*$")
    found: list[PrefixPolicy] = []
    for line in lines[: 20 * MAX_ROWS]:
        if (
            len(found) < MAX_ROWS
            and (match := pattern.match(line))
            and (prefix := ipv6_network(match[3])) is not None
        ):
            found.append(PrefixPolicy(int(match[1]), int(match[2]), prefix, line.strip()))
    return found


def published(row: RouteRow, rows: Iterable[RouteRow] = ()) -> bool:
    """Whether a route is advertised: ``Yes`` or ``Age``; in a language that is not known, not as multicast is."""
    if (known := either(row.publish, "published", "unpublished")) is not None:
        return known
    never = {other.publish for other in rows if other.prefix == MULTICAST}
    return bool(never) and row.publish not in never


MULTICAST = IPv6Network("ff00::/8")
