"""What ISATAP routers answer to a running machine, and how the way to them is."""

from collections.abc import Iterator

from manageout.doctor.rules.rule import Theme
from manageout.service.probe.results import Advertisement, Live, RouterAnswer

rule = Theme()

OVERHEAD = 20
"""Bytes of the outer IPv4 header."""
OWN = "it is this machine"


def asked(live: Live) -> list[RouterAnswer]:
    """The routers that are other machines."""
    return [answer for answer in live.routers if answer.error != OWN]


def _advertised(live: Live) -> list[tuple[RouterAnswer, Advertisement]]:
    return [(answer, answer.advertisement) for answer in asked(live) if answer.advertisement is not None]


def _gone(live: Live, *words: str) -> Iterator[tuple[str, ...]]:
    for word in words:
        found = [a for a in asked(live) if a.advertisement is None and word in a.error]
        yield tuple(f"router {answer.router}, asked by {answer.source}: {answer.error}" for answer in found)


@rule.live("LIVE-ROUTER-SILENT")
def router_silent(live: Live) -> Iterator[tuple[str, ...]]:
    """Three solicitations, no advertisement, and nobody complained."""
    yield from _gone(live, "no answer", "host unreachable")


@rule.live("LIVE-ROUTER-FILTERED")
def router_filtered(live: Live) -> Iterator[tuple[str, ...]]:
    """Prohibited, or port unreachable for a protocol without ports."""
    yield from _gone(live, "packet filter")


@rule.live("LIVE-ROUTER-OFF")
def router_off(live: Live) -> Iterator[tuple[str, ...]]:
    """ICMP protocol unreachable."""
    yield from _gone(live, "it does not speak protocol 41")


@rule.live("LIVE-ROUTER-NO-WAY")
def router_no_way(live: Live) -> Iterator[tuple[str, ...]]:
    """The kernel has none."""
    yield from _gone(live, "there is no route to it")


def _farewell(message: Advertisement) -> bool:
    lifetimes = [message.lifetime, *(route.lifetime for route in message.routes)]
    return bool(message.prefixes) and not any(lifetimes) and not any(p.preferred for p in message.prefixes)


@rule.live("LIVE-ROUTER-FAREWELL")
def router_farewell(live: Live) -> Iterator[tuple[str, ...]]:
    """A prefix with no time left, and no route."""
    for answer, message in _advertised(live):
        if _farewell(message):
            prefixes = ", ".join(f"{p.prefix} preferred 0 s, valid {p.valid} s" for p in message.prefixes)
            yield (f"router {answer.router} advertises {prefixes}",)


@rule.live("LIVE-ROUTER-NO-PREFIX")
def router_no_prefix(live: Live) -> Iterator[tuple[str, ...]]:
    """An advertisement without a prefix for addresses."""
    for answer, message in _advertised(live):
        if not any(prefix.autonomous for prefix in message.prefixes):
            yield (f"router {answer.router} ({message.source}) advertises no prefix for addresses",)


@rule.live("LIVE-ROUTER-NO-ROUTE")
def router_no_route(live: Live) -> Iterator[tuple[str, ...]]:
    """Lifetime 0 and no route information that lives."""
    for answer, message in _advertised(live):
        if message.prefixes and not message.lifetime and not any(r.lifetime for r in message.routes):
            yield (f"router {answer.router}: router lifetime 0 s, {len(message.routes)} routes",)


@rule.live("LIVE-ROUTER-OTHER-PREFIX")
def other_prefix(live: Live) -> Iterator[tuple[str, ...]]:
    """Two routers, or a router and the site file."""
    found = {
        f"router {answer.router}": frozenset(p.prefix for p in message.prefixes if p.preferred)
        for answer, message in _advertised(live)
        if not _farewell(message)
    }
    if live.expected.isatap_prefix and found:
        found["site file"] = frozenset({live.expected.isatap_prefix})
    if len(set(found.values())) > 1:
        yield tuple(f"{who}: {', '.join(sorted(prefixes))}" for who, prefixes in found.items())


@rule.live("LIVE-NEXT-HOP")
def next_hop(live: Live) -> Iterator[tuple[str, ...]]:
    """The neighbour's state is failed."""
    for hop in live.hops:
        beside = hop.neighbour
        if beside is not None and beside.state in ("failed", "incomplete"):
            yield (f"to {hop.target} through {beside.address} on {hop.dev}: neighbour {beside.state}",)


@rule.live("LIVE-MTU-BLACK-HOLE")
def black_hole(live: Live) -> Iterator[tuple[str, ...]]:
    """A size is lost without a word."""
    for path in live.paths:
        if path.black_hole:
            yield (f"to {path.target}: {path.mtu} bytes are answered, {path.first} (the link's MTU) are not",)


@rule.live("LIVE-MTU-SMALL")
def mtu_small(live: Live) -> Iterator[tuple[str, ...]]:
    """The path's MTU is less than the tunnel's and its header."""
    mtus = {a.router: m.mtu or live.expected.isatap_mtu for a, m in _advertised(live)}
    for path in live.paths:
        # A router's paths in IPv4 are those to its hosts.
        mtu = mtus.get(path.target) or (live.expected.isatap_mtu if "." in path.target else 0)
        needed = mtu + OVERHEAD
        if path.mtu is not None and mtu and path.mtu < needed:
            told = "".join(f"; {who} says {mtu}" for who, mtu in path.told)
            yield (f"to {path.target}: {path.mtu} bytes, the tunnel needs {needed}{told}",)
