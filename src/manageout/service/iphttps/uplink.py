"""Watches how a client's packets leave this machine, and says when its connection must move or be doubted.

Netlink tells of links, addresses and routes; each burst of news leads to one look. What a look means is decided in
``protocol.uplink``.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address

from manageout.errors import KernelError
from manageout.linux.netlink.events import AddressMonitor
from manageout.linux.netlink.links import Netlink
from manageout.protocol.iphttps.uplink import LATER, Address, Reaction, Sleep, Uplink, Way
from manageout.service.process.loops import heard

SETTLE = 0.2
"""Seconds from the first news to the look: changes come in groups, and at most so many looks are made."""
PULSE = 1.0
"""Seconds between two looks at the clocks, for a machine that was suspended."""

_GONE = (KernelError, OSError)
"""No route, or a device that has gone between two questions."""

log = logging.getLogger(__name__)


class UplinkWatch:
    """Runs until cancelled."""

    def __init__(
        self,
        netlink: Netlink,
        tunnel: str,
        on_verdict: Callable[[Reaction], None],
        on_change: Callable[[], None],
    ) -> None:
        """``tunnel``: our device. ``on_verdict`` is told what to do with a connection; ``on_change``, while there is
        none, that the network is another.
        """
        self._netlink, self._tunnel = netlink, tunnel
        self._on_verdict, self._on_change = on_verdict, on_change
        self._uplink = Uplink((tunnel, "lo"))
        self._peer: Address | None = None
        self._look: asyncio.TimerHandle | None = None
        self._network: frozenset[object] = frozenset()

    async def run(self) -> None:
        """Watch."""
        sleep = Sleep(*_clocks())
        try:
            with heard(AddressMonitor(routes=True), self._news):
                self._network = self._seen()  # what changes from here on is news
                while True:
                    await asyncio.sleep(PULSE)
                    if sleep.slept(*_clocks()):
                        log.info("this machine was suspended")
                        self._after_sleep()
        finally:
            if self._look is not None:
                self._look.cancel()

    def connected(self, sock: socket.socket) -> None:
        """A connection was made: it is watched until :meth:`lost`."""
        self._peer = ip_address(sock.getpeername()[0].partition("%")[0])
        source = ip_address(sock.getsockname()[0].partition("%")[0])
        way = self._way(self._peer)
        self._uplink.connected(way._replace(source=source) if way else None)

    def lost(self) -> None:
        """There is no connection."""
        if self._peer is not None:
            self._peer, self._network = None, self._seen()

    def device(self, address: str) -> str | None:
        """The device to which a connection to ``address`` is to be bound: the kernel itself would choose a dead one."""
        peer = ip_address(address.partition("%")[0])
        way = self._way(peer)
        return way.device if way is not None and way.device != self._chosen(peer) else None

    # --- Looking ----------------------------------------------------------------------------------------

    def _news(self, monitor: AddressMonitor) -> None:
        if monitor.drain() and self._look is None:
            self._look = asyncio.get_running_loop().call_later(SETTLE, self._changed)

    def _changed(self) -> None:
        self._look = None
        if self._peer is None:
            self._network, before = self._seen(), self._network
            if self._network != before:
                self._on_change()
            return
        try:
            own = {address.ip for address in self._netlink.addresses()}
        except KernelError as error:
            log.debug("addresses: %s", error.message)
            return
        verdict = self._uplink.changed(self._way(self._peer), own, time.monotonic())
        if verdict is Reaction.LATER:
            self._look = asyncio.get_running_loop().call_later(LATER, self._changed)
        elif verdict is not Reaction.STAY:
            self._on_verdict(verdict)

    def _seen(self) -> frozenset[object]:
        """What decides whether a gateway can be reached, but for the tunnel itself: it changes with a connection."""
        netlink, tunnel = self._netlink, self._tunnel
        try:
            alive = {link.name for link in netlink.links() if link.up and link.carrier}
            addresses = set(netlink.addresses()) - set(netlink.addresses(tunnel))
            families = (socket.AF_INET, socket.AF_INET6)
            routes = [route for family in families for route in netlink.routes(family, protocol=None)]
        except _GONE:
            return self._network
        ways = {
            (route.dev, route.via) for route in routes if route.dev != tunnel and not route.prefix.prefixlen
        }
        return frozenset({*alive - {tunnel}, *addresses, *ways})

    def _after_sleep(self) -> None:
        self._changed()
        if self._peer is not None:
            self._on_verdict(Reaction.CHECK)

    # --- The way ----------------------------------------------------------------------------------------

    def _chosen(self, peer: Address) -> str | None:
        try:
            return self._netlink.route_get(peer).dev
        except _GONE:
            return None

    def _way(self, peer: Address) -> Way | None:
        """How packets leave; over another device where the one that the kernel chooses has no carrier."""
        try:
            hop = self._netlink.route_get(peer)
            dead = {link.name for link in self._netlink.links() if not (link.up and link.carrier)}
            if hop.dev not in dead:
                return Way(hop.dev, hop.src, hop.via)
            return self._other(peer, dead | {self._tunnel})
        except _GONE:
            return None

    def _other(self, peer: Address, dead: set[str]) -> Way | None:
        family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
        found = [
            route
            for route in self._netlink.routes(family, protocol=None)
            if peer in route.prefix and route.dev is not None and route.dev not in dead
        ]
        best = max(found, key=lambda route: (route.prefix.prefixlen, -route.metric), default=None)
        return Way(best.dev, None, best.via) if best is not None and best.dev is not None else None


def _clocks() -> tuple[float, float]:
    return time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic()
