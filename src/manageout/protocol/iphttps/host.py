"""The client's side of Neighbour Discovery on an IP-HTTPS link: addresses, routes, and whether the server lives.

Plain RFC 4861 and 4862 with no link-layer addresses, for there is one neighbour. Its order: when the link comes
up, Duplicate Address Detection of the link-local address and a Router Solicitation leave together; the
advertisement's prefixes give addresses, each after its own detection.

Addresses and routes outlive a lost connection, so that TCP connections through the tunnel do; they are
detected as duplicates anew when it is back, and used meanwhile.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from manageout.errors import WireError
from manageout.protocol.core.drops import Drop
from manageout.protocol.host import slaac
from manageout.protocol.host.link_names import LinkNames, NamesSeen
from manageout.protocol.iphttps import values
from manageout.protocol.iphttps.owners import LINK_LOCAL
from manageout.wire import nd

RETRANS_TIMER = 1.0
"""DAD sends one solicitation and waits so long (RFC 4862 5.1: DupAddrDetectTransmits is 1)."""
GENERATION_RETRIES = 3
"""Other interface identifiers tried after a duplicate (RFC 7217 6)."""
SOLICIT_FIRST, SOLICIT_LAST, SOLICIT_TRIES = 4.0, 3600.0, 3
"""Router Solicitations: RTR_SOLICITATION_INTERVAL, then doubled (RFC 7559); a report after so many."""

InterfaceId = Callable[[bytes, int], bytes]
"""(first 8 bytes of the prefix, how many duplicates there were) -> 8 bytes, always the same (RFC 7217)."""


@dataclass(slots=True)
class Address:
    """One of our addresses."""

    address: bytes
    duplicates: int
    detecting: float | None = None
    """When Duplicate Address Detection ends."""
    assigned: bool = False
    """The device has it."""


class Host:
    """Addresses and routes of the client. Packets to send are appended to ``out``, news to ``events``."""

    def __init__(
        self,
        interface_id: InterfaceId,
        random: Callable[[], float],
        out: list[bytes],
        events: list[values.ClientEvent],
    ) -> None:
        self.assigned: set[bytes] = set()
        """The addresses that may be used now; read on the packet path."""
        self.router: bytes | None = None
        """Link-local address of the server, once it has advertised."""
        self._interface_id = interface_id
        self._random = random
        self._out = out
        self._events = events
        self._fixed: bytes | None = None
        self._addresses: dict[bytes, Address] = {}
        """By the first 8 bytes of their prefix."""
        self._prefixes = slaac.SlaacPrefixes()
        self._routes: slaac.RouteTable[bytes] = slaac.RouteTable()
        self._told: dict[slaac.Prefix, nd.Preference] = {}
        self._names = LinkNames()
        self._told_names = NamesSeen()
        self._up = self._whole = False
        self._solicit_at = math.inf
        self._solicited = 0

    # --- The link ---------------------------------------------------------------------------------------

    def link_up(self, fixed: bytes | None, now: float, whole: bool = False) -> None:
        """The connection carries packets. ``fixed``: the one address that the server keeps for us; ``whole``: each of
        its advertisements says all that it has, as our gateways' do.
        """
        self._up, self._whole = True, whole
        self._fixed = fixed
        if LINK_LOCAL not in self._addresses:
            self._choose(LINK_LOCAL, 0)
        known = self._addresses.get(fixed[:8]) if fixed else None
        if known is not None and known.address != fixed:
            self._withdraw(known)
            self._choose(known.address[:8], 0)
        for address in self._addresses.values():
            self._detect(address, now)
        self._solicited = 0
        self._solicit(now)

    def link_down(self) -> None:
        """The connection was lost: nothing can be asked until it is back."""
        self._up = False
        self._solicit_at = math.inf
        for address in self._addresses.values():
            address.detecting = None

    def stop(self) -> None:
        """Take everything back."""
        self.link_down()
        for subnet in list(self._addresses):
            self._remove(subnet)
        self._prefixes = slaac.SlaacPrefixes()
        self._routes = slaac.RouteTable()
        self._names = LinkNames()
        self._tell_routes()
        self._tell_names()
        self.router = None

    def probe(self) -> None:
        """Ask the server for a sign of life."""
        own = self._addresses[LINK_LOCAL].address
        if self.router is not None and own in self.assigned:
            self._out.append(nd.build(own, self.router, nd.NeighbourSolicitation(self.router)))
        else:
            self._send_solicitation()

    # --- Time -------------------------------------------------------------------------------------------

    def timer(self) -> float:
        """When :meth:`on_timer` wants to be called; infinity for never."""
        detecting = (a.detecting for a in self._addresses.values() if a.detecting is not None)
        return min(self._solicit_at, self._next_expiry(), min(detecting, default=math.inf))

    def on_timer(self, now: float) -> None:
        """Do what is due at ``now``."""
        for address in self._addresses.values():
            if address.detecting is not None and now >= address.detecting:
                address.detecting = None
                if not address.assigned:
                    address.assigned = True
                    self.assigned.add(address.address)
                    self._tell_address(address, now)
        for prefix in self._prefixes.expire(now):
            self._remove(prefix[:8])
        if self._routes.next_expiry() <= now:
            self._routes.expire(now)
            self._tell_routes()
        if self._names.next_expiry() <= now:
            self._names.expire(now)
            self._tell_names()
        if now >= self._solicit_at:
            self._solicit(now)

    def _solicit(self, now: float) -> None:
        # RFC 4861 6.3.7 delays the first one by up to 1 s, against many hosts on one link; here is one.
        self._send_solicitation()
        self._solicited += 1
        if self._solicited == SOLICIT_TRIES + 1:
            reason = "no router advertisement: does the server publish a prefix?"
            self._events.append(values.Failed(reason, values.ConnectFault.NO_PREFIX))
        doubled = SOLICIT_FIRST * 2.0 ** max(0, self._solicited - SOLICIT_TRIES)
        self._solicit_at = now + min(doubled, SOLICIT_LAST) * (0.9 + 0.2 * self._random())  # RFC 7559 2

    def _send_solicitation(self) -> None:
        own = self._addresses[LINK_LOCAL]
        source = own.address if own.assigned else nd.UNSPECIFIED
        self._out.append(nd.build(source, nd.ALL_ROUTERS, nd.RouterSolicitation()))

    # --- Neighbour Discovery from the server ------------------------------------------------------------

    def receive(self, packet: bytes, now: float) -> Drop | None:
        """One ND packet; why it was dropped, or None."""
        try:
            header, message = nd.parse(packet)
        except WireError:
            return Drop.ND_INVALID
        match message:
            case nd.RouterAdvertisement():
                self._learn(header.src, message, now)
            case nd.NeighbourSolicitation():
                self._asked(header.src, message.target, now)
            case nd.NeighbourAdvertisement():
                address = self._of(message.target)
                if address is not None and address.detecting is not None:
                    self._duplicate(address, now)
            case nd.RouterSolicitation():
                return Drop.ND_INVALID  # hosts discard them (RFC 4861 6.2.6)
        return None

    def _of(self, target: bytes) -> Address | None:
        address = self._addresses.get(target[:8])
        return address if address is not None and address.address == target else None

    def _asked(self, source: bytes, target: bytes, now: float) -> None:
        address = self._of(target)
        if address is None:
            return
        detection = source == nd.UNSPECIFIED
        if not address.assigned:
            if detection:  # RFC 4862 5.4.3: both of us are at it
                self._duplicate(address, now)
            return
        answer = nd.NeighbourAdvertisement(target, solicited=not detection, override=True)
        self._out.append(nd.build(target, nd.ALL_NODES if detection else source, answer))

    def _learn(self, router: bytes, message: nd.RouterAdvertisement, now: float) -> None:
        self.router = router
        if self._whole:
            self._whole = False
            self._forget_the_rest(message)
        for option in message.options:
            if isinstance(option, nd.PrefixInformation) and self._prefixes.update(option, now):
                subnet = option.prefix[:8]
                if subnet not in self._addresses:
                    self._detect(self._choose(subnet, 0), now)
                elif self._addresses[subnet].assigned:
                    self._tell_address(self._addresses[subnet], now)
        for prefix in self._prefixes.expire(now):
            self._remove(prefix[:8])
        self._routes.update(router, message, now)
        self._tell_routes()
        self._names.update(message.options, now)
        self._tell_names()
        # The server advertises by itself; ask when half of the shortest lifetime went by without.
        self._solicited = 0
        self._solicit_at = now + max((self._next_expiry() - now) / 2, SOLICIT_FIRST)

    def _forget_the_rest(self, message: nd.RouterAdvertisement) -> None:
        """The first advertisement of a connection: the gateway may have another site file than before."""
        options = (option for option in message.options if isinstance(option, nd.PrefixInformation))
        here = {option.prefix[:8] for option in options if option.valid}
        for subnet in [subnet for subnet in self._addresses if subnet != LINK_LOCAL and subnet not in here]:
            self._remove(subnet)
        self._prefixes, self._routes, self._names = slaac.SlaacPrefixes(), slaac.RouteTable(), LinkNames()

    def _next_expiry(self) -> float:
        return min(self._prefixes.next_expiry(), self._routes.next_expiry(), self._names.next_expiry())

    # --- Addresses (RFC 4862) and routes (RFC 4191) -----------------------------------------------------

    def _choose(self, subnet: bytes, duplicates: int) -> Address:
        fixed = self._fixed
        if fixed is not None and fixed[:8] == subnet and not duplicates:
            chosen = fixed
        else:
            chosen = subnet + self._interface_id(subnet, duplicates)
        address = self._addresses[subnet] = Address(chosen, duplicates)
        return address

    def _detect(self, address: Address, now: float) -> None:
        if self._up:
            question = nd.NeighbourSolicitation(address.address)
            self._out.append(nd.build(nd.UNSPECIFIED, nd.solicited_node(address.address), question))
            address.detecting = now + RETRANS_TIMER

    def _duplicate(self, address: Address, now: float) -> None:
        subnet = address.address[:8]
        self._withdraw(address)
        if address.duplicates < GENERATION_RETRIES:
            self._detect(self._choose(subnet, address.duplicates + 1), now)
        else:
            address.detecting = None
            self._events.append(values.Failed("every address tried is in use by another client", 0))

    def _withdraw(self, address: Address) -> None:
        if address.assigned:
            address.assigned = False
            self.assigned.discard(address.address)
            self._events.append(slaac.AddressRemoved(address.address))

    def _remove(self, subnet: bytes) -> None:
        address = self._addresses.pop(subnet, None)
        if address is not None:
            self._withdraw(address)

    def _tell_address(self, address: Address, now: float) -> None:
        subnet = address.address[:8]
        valid = preferred = nd.INFINITE
        for entry in self._prefixes:
            if entry.prefix[:8] == subnet:
                valid, preferred = (
                    slaac.remaining(entry.valid_until, now),
                    slaac.remaining(entry.preferred_until, now),
                )
        self._events.append(values.AddressAdded(address.address, valid, preferred))

    def _tell_routes(self) -> None:
        chosen = self._routes.choose(lambda _: True).items()
        routes = {prefix: route.preference for prefix, (_, route) in chosen}
        self._events += [slaac.RouteRemoved(*prefix) for prefix in self._told if prefix not in routes]
        new = {prefix: how for prefix, how in routes.items() if self._told.get(prefix) != how}
        self._events += [values.RouteAdded(*prefix, how) for prefix, how in new.items()]
        self._told = routes

    def _tell_names(self) -> None:
        seen = self._names.seen()
        if seen != self._told_names:
            self._told_names = seen
            self._events.append(values.NamesChanged(seen))
