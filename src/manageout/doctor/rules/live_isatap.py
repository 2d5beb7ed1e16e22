"""What ISATAP routers answer to a running machine, and how the way to them is."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.rules.live import ADVERTISED, live_rule
from manageout.service.probe.results import Advertisement, Live, NextHop, RouterAnswer

OVERHEAD = 20
"""Bytes of the outer IPv4 header."""
OWN = "it is this machine"
_NO_ROUTE = "there is no route to it"
_OFF = "it does not speak protocol 41"
_WAYS = ("no answer", "host unreachable")


def asked(live: Live) -> list[RouterAnswer]:
    """The routers that are other machines."""
    return [answer for answer in live.routers if answer.error != OWN]


def _advertised(live: Live) -> list[tuple[RouterAnswer, Advertisement]]:
    return [(answer, answer.advertisement) for answer in asked(live) if answer.advertisement is not None]


def _gone(live: Live, word: str) -> Iterator[tuple[str, ...]]:
    found = [a for a in asked(live) if a.advertisement is None and word in a.error]
    if found:
        yield tuple(f"router {answer.router}, asked by {answer.source}: {answer.error}" for answer in found)


@live_rule(
    "LIVE-ROUTER-SILENT",
    "error",
    "an ISATAP router does not answer",
    cause="It is off, does not allow this machine (isatap.hosts), or IP protocol 41 is dropped on the way "
    "without a word (Linux says nothing about this protocol even where nftables rejects it).",
    remedy=(
        "manageout status, manageout hosts, manageout drops   (on the router: has it seen and refused us?)",
        "on firewalls in between: IP protocol 41 both ways",
    ),
    hides=("LIVE-DAEMON-WAITING", *ADVERTISED),
)
def router_silent(live: Live) -> Iterator[tuple[str, ...]]:
    """Three solicitations, no advertisement, and nobody complained."""
    for word in _WAYS:
        yield from _gone(live, word)


@live_rule(
    "LIVE-ROUTER-FILTERED",
    "error",
    "a packet filter refuses IP protocol 41 to the ISATAP router",
    cause="An ICMP error came back that only packet filters send.",
    remedy=(
        "on the machine that says so: allow IP protocol 41 between this machine and the router, both ways",
        "nft list ruleset   (if it is a Linux router; on the ISATAP router itself: its input chain)",
    ),
    hides=("LIVE-ROUTER-SILENT", "LIVE-DAEMON-WAITING", *ADVERTISED),
)
def router_filtered(live: Live) -> Iterator[tuple[str, ...]]:
    """Prohibited, or port unreachable for a protocol without ports."""
    yield from _gone(live, "packet filter")


@live_rule(
    "LIVE-ROUTER-OFF",
    "error",
    "no ISATAP router runs on that machine",
    cause="The machine answers that it does not speak IP protocol 41: its daemon is stopped, or the address "
    "is another machine's.",
    remedy=("systemctl status manageout   (on that machine)", "manageout status   (on that machine)"),
    hides=("LIVE-ROUTER-SILENT", "LIVE-DAEMON-WAITING", *ADVERTISED),
)
def router_off(live: Live) -> Iterator[tuple[str, ...]]:
    """ICMP protocol unreachable."""
    yield from _gone(live, _OFF)


@live_rule(
    "LIVE-ROUTER-NO-WAY",
    "error",
    "there is no IPv4 route to the ISATAP router",
    cause="This machine does not know where to send packets for it.",
    remedy=("ip route get ADDRESS", "ip route   (is there a default route, or one to the router's network?)"),
    hides=("LIVE-ROUTER-SILENT", "LIVE-DAEMON-WAITING", *ADVERTISED),
)
def router_no_way(live: Live) -> Iterator[tuple[str, ...]]:
    """The kernel has none."""
    yield from _gone(live, _NO_ROUTE)


def _farewell(message: Advertisement) -> bool:
    lifetimes = [message.lifetime, *(route.lifetime for route in message.routes)]
    return bool(message.prefixes) and not any(lifetimes) and not any(p.preferred for p in message.prefixes)


@live_rule(
    "LIVE-ROUTER-FAREWELL",
    "note",
    "the ISATAP router tells this machine to let go",
    cause="All lifetimes that it advertises are zero: ISATAP is being retired here, or the prefix was.",
    remedy=("manageout retire status   (on the router)",),
    hides=ADVERTISED,
)
def router_farewell(live: Live) -> Iterator[tuple[str, ...]]:
    """A prefix with no time left, and no route."""
    for answer, message in _advertised(live):
        if _farewell(message):
            prefixes = ", ".join(f"{p.prefix} preferred 0 s, valid {p.valid} s" for p in message.prefixes)
            yield (f"router {answer.router} advertises {prefixes}",)


@live_rule(
    "LIVE-ROUTER-NO-PREFIX",
    "error",
    "the ISATAP router advertises no prefix",
    cause="It answers, but hosts get no address from it: on a Windows router the /64 is not published.",
    remedy=(
        "on our router: manageout status   (is the role ready?)",
        "on a Windows router: manageout rollout server-reset   (prints the script that mends it)",
    ),
    hides=("LIVE-ROUTER-NO-ROUTE", "LIVE-ROUTER-OTHER-PREFIX", "LIVE-DAEMON-WAITING"),
)
def router_no_prefix(live: Live) -> Iterator[tuple[str, ...]]:
    """An advertisement without a prefix for addresses."""
    for answer, message in _advertised(live):
        if not any(prefix.autonomous for prefix in message.prefixes):
            yield (f"router {answer.router} ({message.source}) advertises no prefix for addresses",)


@live_rule(
    "LIVE-ROUTER-NO-ROUTE",
    "error",
    "the ISATAP router advertises no way to the clients",
    cause="It is no default router and advertises no routes: hosts get an address and can reach nobody.",
    remedy=(
        "on our router: [[isatap.routes]] for the gateways' client prefixes, or isatap.default_route = true",
        "on a Windows router: Set-NetIPInterface -InterfaceIndex N -AdvertiseDefaultRoute Enabled",
    ),
)
def router_no_route(live: Live) -> Iterator[tuple[str, ...]]:
    """Lifetime 0 and no route information that lives."""
    for answer, message in _advertised(live):
        if message.prefixes and not message.lifetime and not any(r.lifetime for r in message.routes):
            yield (f"router {answer.router}: router lifetime 0 s, {len(message.routes)} routes",)


@live_rule(
    "LIVE-ROUTER-OTHER-PREFIX",
    "error",
    "ISATAP routers advertise different prefixes",
    cause="Routers of one name must serve one link: a host takes addresses of both, and answers to one go to "
    "the other.",
    remedy=(
        "give all of them the same isatap.prefix",
        "or take the stranger's A record out of the router's name",
    ),
)
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


def _lost(hop: NextHop) -> bool:
    return hop.neighbour is not None and hop.neighbour.state in ("failed", "incomplete")


@live_rule(
    "LIVE-NEXT-HOP",
    "error",
    "the next hop does not answer",
    cause="The neighbour through which packets leave does not answer ARP or Neighbour Discovery: it is off, "
    "in another VLAN, or the address is wrong.",
    remedy=("ip neigh", "ip route get ADDRESS   (is this the right next hop?)"),
    hides=("LIVE-ROUTER-SILENT", "LIVE-DAEMON-WAITING", *ADVERTISED),
)
def next_hop(live: Live) -> Iterator[tuple[str, ...]]:
    """The neighbour's state is failed."""
    for hop in live.hops:
        if _lost(hop) and hop.neighbour is not None:
            what = f"to {hop.target} through {hop.neighbour.address} on {hop.dev}"
            yield (f"{what}: neighbour {hop.neighbour.state}",)


@live_rule(
    "LIVE-MTU-BLACK-HOLE",
    "error",
    "large packets vanish on the way",
    cause="Small packets are answered and large ones are not, and no router says that they are too big: a "
    "firewall drops those messages (ICMP type 3 code 4; ICMPv6 type 2). Connections open, and then hang. If nothing "
    "hangs, a machine there only refuses large pings.",
    remedy=(
        "on firewalls in between: let ICMP destination-unreachable and ICMPv6 packet-too-big through",
        "or isatap.mtu = 1280 in the site file   (it always fits into 1300 bytes of IPv4)",
    ),
    hides=("LIVE-MTU-SMALL",),
)
def black_hole(live: Live) -> Iterator[tuple[str, ...]]:
    """A size is lost without a word."""
    for path in live.paths:
        if path.black_hole:
            yield (f"to {path.target}: {path.mtu} bytes are answered, {path.first} (the link's MTU) are not",)


@live_rule(
    "LIVE-MTU-SMALL",
    "warning",
    "the way between ISATAP host and router is too narrow for the tunnel's MTU",
    cause="Packets of full size are fragmented on the way, which is slow, and which some firewalls drop.",
    remedy=("set isatap.mtu in the site file to at most the path's MTU less 20, but not below 1280",),
)
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
