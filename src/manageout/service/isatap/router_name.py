"""The router's name: all its IPv4 addresses, and when to ask again (RFC 5214 8.3.2)."""

import logging
import math
import random
import time
from collections.abc import Callable
from ipaddress import IPv4Address

import dns.asyncresolver
from dns.rdatatype import RdataType

from manageout.service.process.lookups import MakeResolver, addresses_of

PRL_REFRESH_INTERVAL = 3600.0
MIN_REFRESH = 5.0
"""A shorter TTL is not followed more often than this."""
FIRST_RETRY, LAST_RETRY = 2.0, 60.0
LIFETIME = 6.0

log = logging.getLogger(__name__)


class RouterName:
    """A DNS name, or an IPv4 address in its place. ``state`` is one line for people."""

    def __init__(
        self,
        name: str,
        resolver: MakeResolver = dns.asyncresolver.Resolver,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.state = "not yet resolved"
        self._resolver, self._clock = resolver, clock
        self._gone_since: float | None = None
        self._ttl = 0.0
        self._retry = 0.0
        self._known: list[IPv4Address] | None = None
        try:
            self._literal: IPv4Address | None = IPv4Address(name)
        except ValueError:
            self._literal = None

    async def resolve(self) -> list[IPv4Address] | None:
        """The addresses; None when nobody could say; empty when the name has had none for long.

        A record that vanishes may be an administrator's slip: what works goes on for a refresh interval.
        """
        if self._literal is not None:
            self.state, self._ttl = "an address", math.inf
            return [self._literal]
        answer = await addresses_of(self._resolver, self.name, [RdataType.A], search=True, lifetime=LIFETIME)
        if answer.addresses is None:
            self._failed(f"the name {self.name} cannot be resolved: {answer.fault}", "check /etc/resolv.conf")
            return None
        if not answer.addresses:
            self._failed(
                f"the name {self.name} has no IPv4 address", "check the name, or publish its A record"
            )
            self._gone_since = self._clock() if self._gone_since is None else self._gone_since
            return [] if self._clock() - self._gone_since >= PRL_REFRESH_INTERVAL else None
        found = sorted({each for each in answer.addresses if isinstance(each, IPv4Address)})
        self._ttl, self._retry, self._gone_since = answer.ttl, 0.0, None
        self.state = f"resolved, TTL {answer.ttl:.0f} s"
        if found != self._known:
            log.info("%s is %s", self.name, ", ".join(map(str, found)))
        self._known = found
        return found

    def pause(self, until_solicitation: float) -> float:
        """Seconds until the name is to be resolved again; a TTL of 0 means before each solicitation."""
        if self._retry:
            return self._retry * (0.75 + 0.5 * random.random())  # noqa: S311 - spreads load, hides nothing
        wanted = self._ttl or until_solicitation - 1.0
        return max(MIN_REFRESH, min(wanted, PRL_REFRESH_INTERVAL))

    def _failed(self, message: str, hint: str) -> None:
        if self.state != message:
            log.warning("%s: %s; trying on", message, hint)
        self.state = message
        self._known = None
        self._retry = min(self._retry * 2 or FIRST_RETRY, LAST_RETRY)
