"""The words of nftables: chains, sets, networks, and where IPv4 networks lie within IPv6."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from string import Template
from typing import TypeVar

from manageout.wire.address import ISATAP_IDS, rfc6052_embed

_ISATAP = int.from_bytes(ISATAP_IDS[0]) << 32
_U_BIT = 0x02000000 << 32

Network = TypeVar("Network", IPv4Network, IPv6Network)

SOURCES = 1024
"""Refused sources that a set holds; further ones are only counted."""
REMEMBERED = "1h"


@cache
def _template(file: str) -> list[tuple[bool, list[str], str]]:
    """Whether a line stands inside an object, the facts before it, and the line."""
    found = []
    for line in files(__package__).joinpath(file).read_text(encoding="utf-8").splitlines():
        rule, facts = line.strip(), ""
        if rule.startswith("["):
            facts, rule = rule[1:].split("] ", 1)
        if rule and not rule.startswith("#"):
            found.append((line.startswith(" "), facts.split(), rule))
    return found


def objects(file: str, facts: Mapping[str, bool], values: Mapping[str, object]) -> list[str]:
    """Those of ``file`` whose facts hold; filter.nft says what its lines mean."""
    found: dict[str, list[str]] = {}
    rules: list[str] | None = None
    for inside, asked, rule in _template(file):
        there = all(facts[fact.removeprefix("!")] != fact.startswith("!") for fact in asked)
        if not inside:
            rules = found.setdefault(rule, []) if there else None
        elif there and rules is not None:
            rules += Template(rule).substitute(values).splitlines()
    return [block(head, rules) for head, rules in found.items()]


def chain(name: str, rules: Iterable[str]) -> str:
    """A chain; a base chain's first rule is its hook."""
    return block(f"chain {name}", rules)


def nets(prefixes: Iterable[Network]) -> str:
    """An anonymous set without overlapping members."""
    return "{ " + ", ".join(map(str, collapse_addresses(prefixes))) + " }"


def networks(name: str, members: Collection[IPv6Network]) -> str:
    """A named set of IPv6 networks."""
    listed = elements(map(str, collapse_addresses(members)))
    return block(f"set {name}", ["type ipv6_addr; flags interval;", *listed])


def addresses(name: str, members: Collection[bytes]) -> str:
    """A named set of IPv6 addresses, which come and go."""
    return block(f"set {name}", ["type ipv6_addr;", *elements(map(_address, members))])


def mapping(name: str, members: Mapping[bytes, bytes]) -> str:
    """A named map from IPv6 address to IPv6 address."""
    pairs = (f"{_address(key)} : {_address(value)}" for key, value in members.items())
    return block(f"map {name}", ["type ipv6_addr : ipv6_addr;", *elements(pairs)])


def set_of(name: str, kind: str, size: int, timeout: str = "") -> str:
    """A named set that rules fill; its elements go after ``timeout``, if there is one."""
    flags = f"flags dynamic,timeout; timeout {timeout};" if timeout else "flags dynamic;"
    return block(f"set {name}", [f"type {kind}; size {size}; {flags}"])


def source_sets(name: str, packets: int = 0) -> list[str]:
    """Two sets that count packets by source, and the counter of all of them, which goes on at ``packets``."""
    sets = [set_of(f"{name}{version}", f"ipv{version}_addr", SOURCES, REMEMBERED) for version in (4, 6)]
    return [*sets, block(f"counter {name}", [f"packets {packets} bytes 0"])]


def pair_sets(name: str) -> list[str]:
    """Two sets that count packets by source, destination, protocol and port."""
    key = "ipv{0}_addr . ipv{0}_addr . inet_proto . inet_service"
    return [set_of(f"{name}_to{version}", key.format(version), SOURCES, REMEMBERED) for version in (4, 6)]


def pair_rules(name: str) -> Iterator[str]:
    """Fill the sets of :func:`pair_sets`; other protocols than TCP and UDP have port 0."""
    ported = "meta l4proto { tcp, udp }"
    for version, ip in (("4", "ip"), ("6", "ip6")):
        ends = f"{ip} saddr . {ip} daddr . meta l4proto"
        yield f"{ported} update @{name}_to{version} {{ {ends} . th dport counter }}"
        yield f"{ported.replace('{', '!= {', 1)} update @{name}_to{version} {{ {ends} . 0 counter }}"


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


def elements(texts: Iterable[str]) -> list[str]:
    """Of a set or map, if there are any."""
    listed = ", ".join(texts)
    return [f"elements = {{ {listed} }}"] if listed else []


def _address(packed: bytes) -> str:
    return str(ip_address(packed))
