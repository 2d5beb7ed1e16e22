"""What the rules in force say of connections that are open: each distinct case is judged once.

Rules look at an address only by comparing it: with addresses, networks and sets. So all addresses that lie between the
same two neighbours of everything that rules compare with, and are in the same sets, get the same answer; and so do
ports. A case is what is left of a connection then. 250,000 connections are a few dozen cases, and a look costs
microseconds.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import Any, NamedTuple

from manageout.linux.netlink.conntrack import Ends
from manageout.linux.nft.evaluate import Packet, Ruleset
from manageout.service.policy.filter_managers import fixed_sets
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site
from manageout.wire.address import bounds
from manageout.wire.numbers import ICMPV6

REMEMBERED = 65_536
"""Addresses, and cases, that are remembered; then the memory starts anew."""
_ECHO_REQUEST = 128
_LAST = bytes([255]) * 16

Holds = Callable[[str, bytes], bool]


class _Place(NamedTuple):
    """Where an address lies among everything that rules compare addresses with."""

    cell: int
    sets: tuple[bool, ...]
    device: str


class _Side:
    """Sources, or destinations: which sets they may be in, and where those that were seen are."""

    def __init__(self, sets: tuple[str, ...]) -> None:
        self.sets = sets
        self.places: dict[bytes, _Place] = {}
        self.shared: dict[_Place, _Place] = {}


class Verdicts:
    """``objects``: what ``nft -n -t -j`` lists of our table. ``holds(set, address)``: of a set whose members change."""

    def __init__(self, objects: Sequence[Any], site: Site, plan: Plan, holds: Holds) -> None:
        self._fixed = fixed_sets(site, plan)
        self._holds = holds
        self._rules = Ruleset(objects, holds=self._member)
        self._devices = _devices(site, plan)
        found = list(_operands(objects))
        operands = [right for _, right in found]
        self._sources = _Side(self._changing(found, "saddr"))
        self._destinations = _Side(self._changing(found, "daddr"))
        self._own = frozenset(address.packed for address in _own(plan))
        networks = [network for listed in self._fixed.values() for network in listed]
        networks += [network for network, _ in self._devices]
        points = {point for network in networks for point in _between(*bounds(network))}
        points |= {point for address in self._own for point in _between(address, address)}
        self._points = sorted(points.union(*map(_address_bounds, operands)))
        self._ports = sorted({port for right in operands for port in _port_bounds(right)})
        self._device_of: dict[int, str] = {}
        """Of each cell: the bounds of links, and our own addresses, are bounds of cells."""
        self._cases: dict[tuple[_Place, _Place, int, int], bool] = {}

    def refused(self, ends: Ends) -> bool:
        """Whether this connection could not begin now."""
        source = self._sources.places.get(ends.source) or self._place(ends.source, self._sources)
        known_place = self._destinations.places.get(ends.destination)
        destination = known_place or self._place(ends.destination, self._destinations)
        if not source.device and not destination.device:
            return False
        case = source, destination, ends.protocol, bisect_right(self._ports, ends.port)
        known = self._cases.get(case)
        if known is None:
            if len(self._cases) >= REMEMBERED:
                self._cases.clear()
            known = self._cases[case] = self._judge(ends, source.device, destination.device)
        return known

    def device(self, address: bytes) -> str:
        """The link of ours behind which it is; empty for others, and for this machine itself."""
        return self._device(bisect_right(self._points, address), address)

    def _place(self, address: bytes, side: _Side) -> _Place:
        """All that matters of an address."""
        if len(side.places) >= REMEMBERED:
            side.places.clear()
        cell = bisect_right(self._points, address)
        sets = tuple(self._holds(name, address) for name in side.sets)
        found = _Place(cell, sets, self._device(cell, address))
        # A few that are shared: a hundred thousand of their own would have the collector stop the packets.
        place = side.places[address] = side.shared.setdefault(found, found)
        return place

    def _device(self, cell: int, address: bytes) -> str:
        known = self._device_of.get(cell)
        if known is None:
            found = IPv6Address(address)
            names = (name for network, name in self._devices if found in network)
            known = self._device_of[cell] = "" if address in self._own else next(names, "")
        return known

    def _changing(self, operands: Sequence[tuple[str, Any]], field: str) -> tuple[str, ...]:
        """The sets whose members change that rules compare with this ``field``."""
        compared = (right for each, right in operands if each == field and isinstance(right, str))
        names = {right[1:] for right in compared if right.startswith("@")}
        return tuple(sorted(names - self._fixed.keys()))

    def _judge(self, ends: Ends, iif: str, oif: str) -> bool:
        if ends.source in self._own or ends.destination in self._own:
            return False  # what this machine takes part in is judged at each packet
        return self._rules.judge("forward", packet(ends, iif, oif)).result == "drop"

    def __len__(self) -> int:
        return len(self._cases)

    def _member(self, name: str, value: str) -> bool | None:
        """Of a set, as the walk through the rules asks."""
        try:
            address = IPv6Address(value)
        except ValueError:
            return None
        if name in self._fixed:
            return any(address in network for network in self._fixed[name])
        return self._holds(name, address.packed)


def packet(ends: Ends, iif: str, oif: str) -> Packet:
    """The one that began the connection; an empty device is any other one."""
    return Packet(
        src=str(IPv6Address(ends.source)),
        dst=str(IPv6Address(ends.destination)),
        protocol=ends.protocol,
        dport=ends.port or None,
        iif=iif or "another link",
        oif=oif or "another link",
        icmp_type=_ECHO_REQUEST if ends.protocol == ICMPV6 else None,
    )


def _devices(site: Site, plan: Plan) -> list[tuple[IPv6Network, str]]:
    """Which addresses are behind which link of ours."""
    found = []
    if site.gateway is not None:
        found.append((plan.client_prefix, IPHTTPS_DEVICE))
    if site.isatap is not None:
        found.append((plan.isatap_prefix, ISATAP_DEVICE))
    if site.translation is not None:
        found.append((plan.nat64, XLAT_DEVICE))
    return found


def _own(plan: Plan) -> Iterator[IPv6Address]:
    yield from (plan.gateway_address, plan.dns64, *plan.isatap_addresses)


def _operands(objects: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Everything that rules compare with, each element of a set by itself, and the field of which header."""
    for item in objects:
        rule = item.get("rule") if isinstance(item, dict) else None
        for statement in rule.get("expr", ()) if isinstance(rule, dict) else ():
            match = statement.get("match") if isinstance(statement, dict) else None
            if isinstance(match, dict):
                left, right = match.get("left"), match.get("right")
                payload = left.get("payload") if isinstance(left, dict) else None
                field = str(payload.get("field")) if isinstance(payload, dict) else ""
                listed = right["set"] if isinstance(right, dict) and "set" in right else [right]
                yield from ((field, each) for each in listed)


def _address_bounds(right: Any) -> Iterator[bytes]:
    """Where an operand begins, and what follows it, if it means IPv6 addresses."""
    first = last = right
    if isinstance(right, dict) and "prefix" in right:
        first = last = f"{right['prefix']['addr']}/{right['prefix']['len']}"
    elif isinstance(right, dict) and "range" in right:
        first, last = right["range"]
    try:
        networks = [ip_network(text) for text in (first, last) if isinstance(text, str)]
    except ValueError:
        return
    if len(networks) == 2 and all(isinstance(network, IPv6Network) for network in networks):
        yield from _between(networks[0].network_address.packed, networks[1].broadcast_address.packed)


def _between(first: bytes, last: bytes) -> Iterator[bytes]:
    yield first
    if last != _LAST:
        yield (int.from_bytes(last, "big") + 1).to_bytes(16, "big")


def _port_bounds(right: Any) -> Iterator[int]:
    first, last = right["range"] if isinstance(right, dict) and "range" in right else (right, right)
    if isinstance(first, int) and isinstance(last, int):
        yield from (first, last + 1)
