"""What a site file says of one manager and one client: the tables that name them, and what the rules do here. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Literal, NamedTuple

from manageout.doctor.reach.reach import FilterRefusal, PolicyVerdict, Way
from manageout.linux.nft.evaluate import Packet, Ruleset
from manageout.service.policy.report import rule_name
from manageout.site.plan import ISATAP_DEVICE, XLAT_DEVICE, Plan, isatap_address
from manageout.site.tables.site import Site
from manageout.wire.address import rfc6052_embed
from manageout.wire.numbers import ICMP, ICMPV6, PROTOCOL_41, TCP, UDP


def judge(
    site: Site, host: Sequence[IPv4Address], names: Iterable[str], client: str, service: str
) -> PolicyVerdict:
    """Whether some ``[[policy.managers]]`` table lets the pair through. ``names``: what else the manager is called.

    ``client`` is empty where clients' names are not known; then every table that names clients fits.
    """
    called = {name.lower() for name in names}
    tables = [
        (rule_name(number, table), table)
        for number, table in enumerate(site.policy.managers)
        if any(_is_from(source, host, called) for source in table.source)
    ]
    who = ", ".join(map(str, host))
    if not tables:
        return PolicyVerdict("host", f"no [[policy.managers]] table names {who}")
    listed = ", ".join(name for name, _ in tables)
    calling = [(name, table) for name, table in tables if not client or table.calls(client)]
    if not calling:
        return PolicyVerdict("client", f"{listed}: not {client}")
    kind, _, port = service.partition("/")
    allowed = [name for name, table in calling if not service or table.allows(kind, int(port or 0))]
    services = "; ".join(f"{name}: {', '.join(table.services)}" for name, table in calling)
    if not allowed:
        return PolicyVerdict("service", f"{service} is not among {services}")
    return PolicyVerdict("", f"allowed by {services}")


def _is_from(source: object, host: Sequence[IPv4Address], names: set[str]) -> bool:
    if isinstance(source, IPv4Network):
        return any(address in source for address in host)
    return isinstance(source, str) and source.lower() in names


class Pair(NamedTuple):
    """Addresses of a manager (IPv4) and a client (IPv6, lease), the service, and the device towards the client."""

    host: str
    client: str
    lease: str
    service: str
    device: str


def sources(
    site: Site, plan: Plan, host: IPv4Address, *, lease: bool, isatap: bool
) -> dict[Way, IPv6Address]:
    """Way -> the IPv6 address that a client sees the manager with."""
    found: dict[Way, IPv6Address] = {}
    if lease and site.translation is not None:
        found["lease"] = rfc6052_embed(plan.nat64, host)
    if isatap:
        found["isatap"] = isatap_address(plan.isatap_prefix, host)
    return found


def refused(rules: Ruleset, plan: Plan, ways: dict[Way, IPv6Address], pair: Pair) -> Iterator[FilterRefusal]:
    """Packets of the pair that tables of other people drop on this machine; our own table is the policy's words."""
    kind, _, port = pair.service.partition("/")
    six, four = {"udp": (UDP, UDP), "icmp": (ICMPV6, ICMP)}.get(kind, (TCP, TCP))
    dport = int(port) if port else None
    for way, source in ways.items():
        device = XLAT_DEVICE if way == "lease" else ISATAP_DEVICE
        inner = Packet(str(source), pair.client, six, dport, iif=device, oif=pair.device)
        yield from _dropped(rules, "forward", inner, way)
        if way == "isatap" and plan.isatap_link_locals:
            locator = IPv4Address(plan.isatap_link_locals[0].packed[-4:])
            yield from _dropped(rules, "input", Packet(pair.host, str(locator), PROTOCOL_41), way)
        elif way == "lease" and pair.lease:
            outer = Packet(pair.host, pair.lease, four, dport, oif=XLAT_DEVICE)
            yield from _dropped(rules, "forward", outer, way)


def _dropped(
    rules: Ruleset, hook: Literal["forward", "input"], packet: Packet, way: Way
) -> Iterator[FilterRefusal]:
    found = rules.judge(hook, packet)
    if found.result == "drop":
        kind = {PROTOCOL_41: "protocol 41", TCP: "TCP", UDP: "UDP"}.get(packet.protocol, "ICMP")
        target = f"port {packet.dport} of {packet.dst}" if packet.dport else packet.dst
        yield FilterRefusal(way, f"{kind} from {packet.src} to {target}", found.rule)
