"""One router of the potential router list (RFC 5214 8.3): when to solicit it, and whether it is reachable.

Reachability is the state machine of RFC 4861 7.3.2 for a neighbour whose address needs no resolution::

    NEW --advertisement--> PROBE --solicited NA--> REACHABLE --30 s--> STALE --packet sent--> DELAY --5 s--> PROBE
                             \\--3 probes unanswered--> UNREACHABLE --advertisement--> PROBE
"""

import math
from dataclasses import dataclass
from enum import Enum

from manageout.wire.nd import PrefixInformation, RouteInformation, RouterAdvertisement

MAX_SOLICITATION_DELAY = 1.0
SOLICITATION_INTERVAL = 4.0
MAX_SOLICITATIONS = 3
MIN_SOLICIT_INTERVAL = 120.0
"""MinRouterSolicitInterval (RFC 5214 8.3.1): the conservative default of 8.3.4."""
REFRESH = 0.8
"""Part of the shortest lifetime after which it is asked for again."""

REACHABLE_TIME = 30.0
RETRANS_TIMER = 1.0
DELAY_FIRST_PROBE = 5.0
MAX_PROBES = 3


class Reach(Enum):
    """Neighbour Unreachability Detection. The states of RFC 4861, and NEW before the first advertisement."""

    NEW = "new"
    REACHABLE = "reachable"
    STALE = "stale"
    DELAY = "delay"
    PROBE = "probe"
    UNREACHABLE = "unreachable"


@dataclass(slots=True)
class PotentialRouter:
    """``next_rs`` and ``due`` are monotonic times of the next solicitation and the next change of ``reach``."""

    v4: bytes
    next_rs: float
    address: bytes = b""
    """Its link-local address, from its advertisement."""
    reach: Reach = Reach.NEW
    due: float = math.inf
    failed: bool = False
    """Not confirmed since it last was unreachable."""
    tries: int = 0
    probes: int = 0
    reachable_time: float = REACHABLE_TIME
    retrans: float = RETRANS_TIMER

    def restart(self, next_rs: float) -> None:
        """Solicit from the beginning: 3 tries, 4 s apart."""
        self.tries, self.next_rs = 0, next_rs

    def wants_solicitation(self, now: float) -> bool:
        """Whether one is due; if so, the next is scheduled (RFC 4861 6.3.7, RFC 5214 8.3.4)."""
        if now < self.next_rs:
            return False
        self.tries += 1
        pause = SOLICITATION_INTERVAL if self.tries < MAX_SOLICITATIONS else MIN_SOLICIT_INTERVAL
        self.next_rs = now + pause
        return True

    def silent(self, now: float) -> bool:
        """Whether it was solicited as often as RFC 4861 6.3.7 says, and never answered."""
        answer_by = self.next_rs - MIN_SOLICIT_INTERVAL + SOLICITATION_INTERVAL
        return self.reach is Reach.NEW and self.tries >= MAX_SOLICITATIONS and now >= answer_by

    def advertised(self, source: bytes, message: RouterAdvertisement, now: float) -> None:
        """An advertisement came: schedule its refreshment, and confirm the router if that is open."""
        self.address = source
        if message.reachable_ms:
            self.reachable_time = message.reachable_ms / 1000
        if message.retrans_ms:
            self.retrans = message.retrans_ms / 1000
        # One that offers nothing (any more) is asked again: it may once more.
        refresh = REFRESH * shortest_lifetime(message) if offers(message) else 0.0
        self.restart(now + max(MIN_SOLICIT_INTERVAL, refresh))
        # RFC 5214 8.4: an initial confirmation. An advertisement proves only one direction.
        if self.reach in (Reach.NEW, Reach.UNREACHABLE):
            self.probe(now)

    def probe(self, now: float) -> None:
        """Ask now whether it is there."""
        self.reach, self.due, self.probes = Reach.PROBE, now, 0

    def hint_failure(self, now: float) -> None:
        """An ICMP error says that packets do not arrive (RFC 5214 7.2): verify."""
        if self.reach in (Reach.REACHABLE, Reach.STALE, Reach.DELAY):
            self.probe(now)

    def traffic(self, now: float) -> None:
        """A packet was sent through it."""
        if self.reach is Reach.STALE:
            self.reach, self.due = Reach.DELAY, now + DELAY_FIRST_PROBE

    def confirmed(self, now: float, spread: float) -> None:
        """It answered a probe. ``spread`` is 0.5 to 1.5 (RFC 4861 6.3.2)."""
        if self.address:
            self.reach, self.due, self.failed = Reach.REACHABLE, now + self.reachable_time * spread, False

    def wants_probe(self, now: float) -> bool:
        """Let time pass; whether a neighbour solicitation is to be sent."""
        if now < self.due:
            return False
        if self.reach is Reach.REACHABLE:
            self.reach, self.due = Reach.STALE, math.inf
            return False
        if self.reach is Reach.DELAY:
            self.probe(now)
        if self.probes < MAX_PROBES:
            self.probes += 1
            self.due = now + self.retrans
            return True
        self.reach, self.due, self.failed = Reach.UNREACHABLE, math.inf, True
        self.restart(now)
        return False


def shortest_lifetime(message: RouterAdvertisement) -> float:
    """The first lifetime to end, in seconds: router, prefixes (valid and preferred), routes; infinity if none."""
    return min((float(life) for life in _lifetimes(message) if 0 < life < 0xFFFFFFFF), default=math.inf)


def offers(message: RouterAdvertisement) -> bool:
    """Whether any lifetime is above 0."""
    return any(_lifetimes(message))


def _lifetimes(message: RouterAdvertisement) -> list[int]:
    lifetimes = [message.router_lifetime]
    for option in message.options:
        if isinstance(option, PrefixInformation):
            lifetimes += [option.valid, option.preferred]
        elif isinstance(option, RouteInformation):
            lifetimes.append(option.lifetime)
    return lifetimes
