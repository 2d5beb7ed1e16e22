"""``[[policy.managers]]`` -> sets and chains of the packet filter. Pure.

Each table becomes a chain, reached from ``managers`` by source and destination, both of them sets::

    mN_from   networks of the file, as they are seen in IPv6: plain, as ISATAP hosts, behind the translator
    mN_names  the addresses of the file's DNS names, likewise
    mN_to     addresses of connected clients whose certificate name fits; none is needed for "*"
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from manageout.service.policy import filter_text as text
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.site.tables.translation import ManagerTable

EVERYBODY = "*"
CLIENTS = "clients"
"""The set of all addresses of connected clients."""
OTHERS = "others"
"""The map of clients' further addresses to the ones that have leases."""


@dataclass(frozen=True)
class Contents:
    """What the site file does not say: members of sets by name, the map of further addresses, counters."""

    members: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    others: Mapping[bytes, bytes] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    """Packets that counters of refusals have counted by now."""
    owners: Mapping[bytes, int] = field(default_factory=dict)
    """The number by which connections of a client's address are counted."""
    torn: bool = False
    """The rules were gone once: what is not known to have begun under them did not."""


EMPTY = Contents()


def from_set(number: int) -> str:
    """The set of networks that manager table ``number`` names."""
    return f"m{number}_from"


def to_set(number: int) -> str:
    """The set of clients that manager table ``number`` may call."""
    return f"m{number}_to"


def names_set(number: int) -> str:
    """The set of addresses that its names have."""
    return f"m{number}_names"


def counter(number: int) -> str:
    """The counter of connections that it has let through."""
    return f"m{number}"


def names_of(manager: ManagerTable) -> list[str]:
    """The DNS names in ``from``."""
    return [source for source in manager.source if isinstance(source, str)]


def calls_everybody(manager: ManagerTable) -> bool:
    """Whether it needs no set of clients."""
    return EVERYBODY in manager.to


def managers(site: Site, plan: Plan, contents: Contents, refused: str) -> list[str]:
    """Sets, counters and chains. Whoever fits no table goes to the chain ``refused``."""
    found: list[str] = []
    ways: list[str] = []
    for number, manager in enumerate(site.policy.managers):
        facts = {"names": bool(names_of(manager)), "some": not calls_everybody(manager)}
        values = {
            "chain": counter(number),
            "given": text.elements(collapse_addresses(_given(manager, site, plan))),
            "named": text.addresses(contents.members.get(names_set(number), ())),
            "called": text.addresses(contents.members.get(to_set(number), ())),
            "services": "\n".join(service_rules(manager.services, f"counter name {counter(number)} accept")),
        }
        found += text.objects("manager.nft", facts, values)
        ways += _ways(number, manager)
    return [*found, text.chain("managers", [*ways, f"goto {refused}"])]


def seen_as(source: IPv4Network | IPv6Network, site: Site, plan: Plan) -> Iterator[IPv6Network]:
    """The IPv6 sources that packets of ``source`` have when they reach a client's link.

    An IPv6 network, the whole site for instance, does not mean the IPv4 machines that the translator shows in it.
    """
    if isinstance(source, IPv6Network):
        inside = site.translation is not None and plan.nat64 != source and plan.nat64.subnet_of(source)
        yield from source.address_exclude(plan.nat64) if inside else (source,)
        return
    yield from text.as_isatap(plan.isatap_prefix, source)
    if site.translation is not None and not site.translation.masquerade:
        yield text.embedded(plan.nat64, source)


def fixed_sets(site: Site, plan: Plan) -> dict[str, list[IPv6Network]]:
    """The sets whose members the file says, by name."""
    tables = enumerate(site.policy.managers)
    return {from_set(number): _given(manager, site, plan) for number, manager in tables}


def _given(manager: ManagerTable, site: Site, plan: Plan) -> list[IPv6Network]:
    given = (source for source in manager.source if not isinstance(source, str))
    return [each for source in given for each in seen_as(source, site, plan)]


def _ways(number: int, manager: ManagerTable) -> Iterator[str]:
    """From the chain of all managers to that of this one."""
    to = "" if calls_everybody(manager) else f" ip6 daddr @{to_set(number)}"
    if len(names_of(manager)) < len(manager.source):
        yield f"ip6 saddr @{from_set(number)}{to} jump {counter(number)}"
    if names_of(manager):
        yield f"ip6 saddr @{names_set(number)}{to} jump {counter(number)}"


def service_rules(services: Sequence[str], accept: str) -> Iterator[str]:
    """Rules that ``accept`` what ``services`` of the file mean."""
    if "any" in services:
        yield accept
        return
    for protocol in ("tcp", "udp"):
        ports = _ports(protocol, services)
        if protocol in services:
            yield f"meta l4proto {protocol} {accept}"
        elif ports:
            yield f"{protocol} dport {{ {', '.join(ports)} }} {accept}"
    if "icmp" in services:
        yield f"meta l4proto icmpv6 {accept}"


def _ports(protocol: str, services: Iterable[str]) -> list[str]:
    """Ranges of ports that do not overlap: nftables refuses those that do."""
    ranges = sorted(_range(each) for each in services if each.startswith(f"{protocol}/"))
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return [f"{low}" if low == high else f"{low}-{high}" for low, high in merged]


def _range(service: str) -> tuple[int, int]:
    low, _, high = service.partition("/")[2].partition("-")
    return int(low), int(high or low)
