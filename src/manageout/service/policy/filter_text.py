"""The words of nftables: objects from templates, networks, members, and where IPv4 networks lie within IPv6."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from string import Template
from typing import TypeVar

from manageout.wire.address import ISATAP_IDS, rfc6052_embed

_ISATAP = int.from_bytes(ISATAP_IDS[0]) << 32
_U_BIT = 0x02000000 << 32

Network = TypeVar("Network", IPv4Network, IPv6Network)


def _lines(text: str) -> list[tuple[bool, list[str], str]]:
    """Whether a line stands inside an object, the facts before it, and the line."""
    found = []
    for line in text.splitlines():
        rule, facts = line.strip(), ""
        if rule.startswith("["):
            facts, rule = rule[1:].split("] ", 1)
        if rule and not rule.startswith("#"):
            found.append((line.startswith(" "), facts.split(), rule))
    return found


_TEMPLATES = {
    file.name: _lines(file.read_text(encoding="utf-8"))
    for file in files(__package__).iterdir()
    if file.name.endswith(".nft")
}
"""Not when one is first wanted, by a reload that brings the first manager: an upgrade may replace them while we run."""


def objects(file: str, facts: Mapping[str, bool], values: Mapping[str, object]) -> list[str]:
    """Those of ``file`` whose facts hold; filter.nft says what its lines mean."""
    found: dict[str, list[str]] = {}
    rules: list[str] | None = None
    for inside, asked, rule in _TEMPLATES[file]:
        there = all(facts[fact.removeprefix("!")] != fact.startswith("!") for fact in asked)
        if not inside:
            rules = found.setdefault(Template(rule).substitute(values), []) if there else None
        elif there and rules is not None:
            rules += Template(rule).substitute(values).splitlines()
    return [block(head, rules) for head, rules in found.items()]


def chain(name: str, rules: Iterable[str]) -> str:
    """A chain; a base chain's first rule is its hook."""
    return block(f"chain {name}", rules)


def nets(prefixes: Iterable[Network]) -> str:
    """An anonymous set without overlapping members."""
    return "{ " + ", ".join(map(str, collapse_addresses(prefixes))) + " }"


def embedded(prefix: IPv6Network, network: IPv4Network) -> IPv6Network:
    """The addresses of ``network`` under a NAT64 ``prefix`` (RFC 6052 2.2)."""
    first = rfc6052_embed(prefix, network.network_address)
    bits = prefix.prefixlen + network.prefixlen
    # Bits 64 to 71 are always zero, and count for prefixes that the address steps over them.
    octet = 8 if prefix.prefixlen < 96 and bits > 64 else 0
    return IPv6Network((first, bits + octet))


def as_isatap(prefix: IPv6Network, network: IPv4Network) -> list[IPv6Network]:
    """The ISATAP addresses of ``network`` (RFC 5214 6.1), with and without the u bit: systems differ in when
    they set it.
    """
    base = int(prefix.network_address) | _ISATAP | int(network.network_address)
    return [IPv6Network((value, 96 + network.prefixlen)) for value in (base, base | _U_BIT)]


def block(head: str, lines: Iterable[str]) -> str:
    """An object of the table."""
    return f"  {head} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }"


def elements(members: Iterable[object]) -> str:
    """The line with the members of a set, if there are any."""
    listed = ", ".join(map(str, members))
    return f"elements = {{ {listed} }}" if listed else ""


def addresses(members: Iterable[bytes]) -> str:
    """The same of packed addresses."""
    return elements(map(ip_address, members))


def pairs(members: Mapping[bytes, object]) -> str:
    """The line with the members of a map from packed addresses."""
    return elements(f"{ip_address(key)} : {value}" for key, value in members.items())
