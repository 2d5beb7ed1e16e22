"""What a host keeps from Router Advertisements: addresses (RFC 4862 5.5.3) and routes (RFC 4191 3).

Both tables hold lifetimes as monotonic deadlines and work for any link: the caller supplies the interface
identifier, and ``router`` is whatever it names its routers by. Nothing here sends or decides; the machines
do.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from manageout.wire import nd

TWO_HOURS = 7200.0
LINK_LOCAL = b"\xfe\x80"
MULTICAST = b"\xff"
MAX_PREFIXES = 16
"""Prefixes of one link that we follow; a flood of them must not fill memory (RFC 8504 5.3 in spirit)."""
MAX_ROUTES = 256

Router = TypeVar("Router")
Prefix = tuple[bytes, int]
"""Network (16 bytes, host bits zero) and length in bits."""
DEFAULT: Prefix = (bytes(16), 0)

_RANK = {nd.Preference.HIGH: 0, nd.Preference.MEDIUM: 1, nd.Preference.LOW: 2}


def deadline(lifetime: int, now: float) -> float:
    """When a lifetime (seconds, 0xffffffff for ever) ends."""
    return math.inf if lifetime >= nd.INFINITE else now + lifetime


def remaining(until: float, now: float) -> int:
    """Whole seconds until a deadline, as a lifetime for a packet or the kernel."""
    return nd.INFINITE if math.isinf(until) else max(0, min(nd.INFINITE - 1, round(until - now)))


@dataclass(slots=True)
class Autoconfigured:
    """One autoconfigured /64: when it stops being valid and preferred."""

    prefix: bytes
    valid_until: float
    preferred_until: float


class SlaacPrefixes:
    """The /64 prefixes of one link, with the lifetimes of the address in each."""

    def __init__(self) -> None:
        self._prefixes: dict[bytes, Autoconfigured] = {}

    def __iter__(self) -> Iterator[Autoconfigured]:
        return iter(self._prefixes.values())

    def update(self, option: nd.PrefixInformation, now: float) -> bool:
        """Take one Prefix Information option. True when a lifetime changed, or a prefix is new.

        RFC 4862 5.5.3 (a)-(e): not autonomous, link-local, preferred > valid or another length than 64 are
        ignored, and so is multicast, of which no address can be made; a valid lifetime never falls below what
        is left of two hours by an unauthenticated message.
        """
        usable = option.autonomous and option.length == 64 and option.preferred <= option.valid
        if not usable or option.prefix.startswith((LINK_LOCAL, MULTICAST)):
            return False
        prefix = nd.masked(option.prefix, 64)
        valid, preferred = deadline(option.valid, now), deadline(option.preferred, now)
        known = self._prefixes.get(prefix)
        if known is None:
            if option.valid == 0 or len(self._prefixes) >= MAX_PREFIXES:
                return False
            self._prefixes[prefix] = Autoconfigured(prefix, valid, preferred)
            return True
        if option.valid > TWO_HOURS or valid > known.valid_until:
            known.valid_until = valid
        elif known.valid_until > now + TWO_HOURS:
            known.valid_until = now + TWO_HOURS
        # The preferred lifetime follows the option in every case (5.5.3 e), so a router can always deprecate.
        known.preferred_until = min(preferred, known.valid_until)
        return True

    def expire(self, now: float) -> list[bytes]:
        """Remove the prefixes whose valid lifetime is over, and return them."""
        gone = [prefix for prefix, entry in self._prefixes.items() if entry.valid_until <= now]
        for prefix in gone:
            del self._prefixes[prefix]
        return gone

    def next_expiry(self) -> float:
        """The earliest end of a valid lifetime (infinity when there is none)."""
        return min((entry.valid_until for entry in self._prefixes.values()), default=math.inf)


class AddressRemoved(NamedTuple):
    """Take the address (16 bytes) from the device."""

    address: bytes


class RouteRemoved(NamedTuple):
    """No longer send this prefix into the device."""

    prefix: bytes
    length: int


class Route(NamedTuple):
    """One router's offer of a prefix."""

    preference: nd.Preference
    until: float


class RouteTable(Generic[Router]):
    """Routes by prefix and router, the default route among them."""

    def __init__(self) -> None:
        self._routes: dict[Prefix, dict[Router, Route]] = {}

    def update(self, router: Router, message: nd.RouterAdvertisement, now: float) -> None:
        """Take the default route and every Route Information option of a Router Advertisement.

        RFC 4191 3.1: an option for ::/0 overrides the header; lifetime 0 removes the route.
        """
        self._set(router, DEFAULT, message.preference, message.router_lifetime, now)
        for option in message.options:
            if isinstance(option, nd.RouteInformation):
                prefix = (nd.masked(option.prefix, option.length), option.length)
                self._set(router, prefix, option.preference, option.lifetime, now)

    def _set(self, router: Router, prefix: Prefix, preference: nd.Preference, life: int, now: float) -> None:
        if life == 0:
            offers = self._routes.get(prefix)
            if offers is not None and offers.pop(router, None) is not None and not offers:
                del self._routes[prefix]
        elif prefix in self._routes or len(self._routes) < MAX_ROUTES:
            self._routes.setdefault(prefix, {})[router] = Route(preference, deadline(life, now))

    def forget(self, router: Router) -> None:
        """Remove everything that ``router`` offered."""
        self._filter(lambda by, _: by != router)

    def expire(self, now: float) -> None:
        """Remove the routes whose lifetime is over."""
        self._filter(lambda _, route: route.until > now)

    def _filter(self, keep: Callable[[Router, Route], bool]) -> None:
        for prefix, offers in list(self._routes.items()):
            left = {router: route for router, route in offers.items() if keep(router, route)}
            if left:
                self._routes[prefix] = left
            else:
                del self._routes[prefix]

    def choose(self, reachable: Callable[[Router], bool]) -> dict[Prefix, tuple[Router, Route]]:
        """The route to use for every prefix.

        RFC 4191 3.2: reachable routers first, then by preference; among equals the one learnt first, so that
        a choice is stable. A prefix with no reachable router is left out when one behind a shorter prefix is.
        """
        chosen = {
            prefix: min(offers.items(), key=lambda item: (not reachable(item[0]), _RANK[item[1].preference]))
            for prefix, offers in self._routes.items()
        }
        alive = [prefix for prefix, (router, _) in chosen.items() if reachable(router)]
        return {
            (prefix, length): choice
            for (prefix, length), choice in chosen.items()
            if (prefix, length) in alive
            or not any(length > other and nd.masked(prefix, other) == shorter for shorter, other in alive)
        }

    def next_expiry(self) -> float:
        """The earliest end of a route's lifetime (infinity when there is none)."""
        return min((r.until for offers in self._routes.values() for r in offers.values()), default=math.inf)
