"""Neighbour Discovery and multicast on the server's IP-HTTPS link ([MS-IPHTTPS] 3.2.5.2).

The server is a node of the link and its only router. It is also what a switch is elsewhere, with rules that
depend on the authentication mode (3.2.5.2.2):

* none: clients never hear each other. No multicast is forwarded; for Duplicate Address Detection the server
  answers as the client that holds the address.
* certificates: Duplicate Address Detection for an address goes to every other client, or if somebody holds it to the
  holder alone, and the holder's answer to the claimant alone. Other multicast goes to every other client where
  ``hairpin`` lets clients talk, else to nobody.

Redirects and Router Advertisements of clients are dropped in both (RFC 4861 allows them of routers alone). What passes
of Duplicate Address Detection is written anew, without options: nothing else can ride on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from manageout.errors import WireError
from manageout.protocol.core.bucket import TokenBucket
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.owners import Neighbours
from manageout.protocol.iphttps.session import Outbox, Session
from manageout.protocol.iphttps.values import STRICT_LIMIT, ServerConfig
from manageout.protocol.offload.cut import MTU
from manageout.wire import nd
from manageout.wire.icmpv6 import REDIRECT, ROUTER_ADVERTISEMENT

RA_INTERVAL = 600.0
"""MaxRtrAdvInterval (RFC 4861 6.2.1), seconds; the minimum is a third of it."""
ROUTE_LIFETIME = 1800
"""Also that of names and NAT64 prefixes: three intervals (RFC 8106 5.1, RFC 8781 4.1)."""
PREFIX_VALID, PREFIX_PREFERRED = 86400, 14400
CURRENT_HOP_LIMIT = 64
RECENTLY = 5.0
"""A client heard within so many seconds is not probed before the server answers for it."""
COPIES_PER_SECOND = 4_000.0
"""Multicast copies that may be made on the whole link: a flood must not cost quadratically, nor may hundreds of
clients that arrive together wait for each other's Duplicate Address Detection. Each costs the gateway 10 to 25 us
of TLS and TCP."""


def is_link_local(address: bytes) -> bool:
    """fe80::/10 (RFC 4291 2.4)."""
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def _site_options(config: ServerConfig, lifetime: int) -> list[nd.Option]:
    """Routes and names of the site, in an advertisement."""
    options: list[nd.Option] = [
        nd.RouteInformation(r.network_address.packed, r.prefixlen, nd.Preference.MEDIUM, lifetime)
        for r in dict.fromkeys(config.routes)
    ]
    if config.dns:
        options.append(nd.Rdnss(lifetime, tuple(server.packed for server in config.dns)))
    if config.search:
        options.append(nd.Dnssl(lifetime, config.search))
    options += [nd.Pref64(p.network_address.packed, p.prefixlen, lifetime) for p in config.nat64]
    return options


def _question(target: bytes) -> bytes:
    """Duplicate Address Detection for ``target`` (RFC 4862 5.4.2)."""
    return nd.build(nd.UNSPECIFIED, nd.solicited_node(target), nd.NeighbourSolicitation(target))


class Discovery:
    """What the server does with Neighbour Discovery and multicast, and says by itself."""

    def __init__(
        self,
        neighbours: Neighbours,
        outbox: Outbox,
        sessions: Mapping[int, Session],
        random: Callable[[], float],
    ) -> None:
        """``sessions``: those that carry packets. To be configured before it is used."""
        self._neighbours = neighbours
        self._outbox = outbox
        self._sessions = sessions
        self._random = random
        self._copies = TokenBucket(COPIES_PER_SECOND, COPIES_PER_SECOND)

    def configure(self, config: ServerConfig) -> None:
        """Speak by this configuration from now on."""
        self._config = config
        self._flooding = config.mode == "certificates"
        self._hairpin = config.hairpin
        self._crossing = self._flooding and config.hairpin
        self.source = config.link_local.packed
        self.own = frozenset({self.source, config.address.packed})
        prefix = nd.PrefixInformation(
            config.prefix.network_address.packed, 64, True, True, PREFIX_VALID, PREFIX_PREFERRED
        )
        # Router lifetime 0: the tunnel must not capture the client's Internet traffic (RFC 4191 covers routes).
        self._advertisement, self._farewell = (
            nd.RouterAdvertisement(
                CURRENT_HOP_LIMIT, options=(nd.Mtu(MTU), prefix, *_site_options(config, lifetime))
            )
            for lifetime in (ROUTE_LIFETIME, 0)
        )

    # --- From a client ----------------------------------------------------------------------------------

    def receive(self, session: Session, packet: bytes, kind: int, now: float) -> None:
        """One packet of ICMPv6 type 133 to 137, valid or not."""
        if kind in (ROUTER_ADVERTISEMENT, REDIRECT):
            self._outbox.drop(Drop.FROM_CLIENT_FORBIDDEN, session.name)
            return
        if not session.allowance.take(now):
            self._outbox.drop(Drop.RATE_LIMITED, session.name)
            return
        try:
            header, message = nd.parse(packet)
        except WireError:
            self._outbox.drop(Drop.ND_INVALID, session.name)
            return
        reason = self._claim(session, header.src, message, now)
        if reason is None:
            reason = self._serve(session, packet, header.src, header.dst, message, now)
        if reason is None:
            session.packets_in += 1
            session.bytes_in += len(packet)
        else:
            self._outbox.drop(reason, session.name)

    def _claim(self, session: Session, source: bytes, message: nd.Message, now: float) -> Drop | None:
        if source == nd.UNSPECIFIED:
            return None  # nd.parse has seen to it that this is an RS or DAD
        reason = self._neighbours.claim(source, session, now)
        if reason is None and isinstance(message, nd.NeighbourAdvertisement):
            reason = self._neighbours.claim(message.target, session, now)
        return reason

    def _serve(
        self,
        session: Session,
        packet: bytes,
        source: bytes,
        destination: bytes,
        message: nd.Message,
        now: float,
    ) -> Drop | None:
        multicast = destination[0] == 0xFF
        match message:
            case nd.RouterSolicitation():
                # A reply to one host alone needs no random delay (RFC 4861 6.2.6 spreads replies of many).
                self.advertise(session, nd.ALL_NODES if source == nd.UNSPECIFIED else source)
                return self.flood(session, packet, now) if multicast and self._crossing else None
            case nd.NeighbourSolicitation() if source == nd.UNSPECIFIED:
                return self._detect_duplicate(session, message.target, now)
            case nd.NeighbourSolicitation() if message.target in self.own and (
                self._flooding or not multicast
            ):
                self._answer(session, source, message.target)
                return self.flood(session, packet, now) if multicast and self._crossing else None
            case nd.NeighbourAdvertisement() if multicast and self._flooding:
                self._announce(source, message)
                return None
        if multicast:
            return self.flood(session, packet, now)
        return None if destination in self.own else self._relay(packet, destination)

    def _answer(self, session: Session, destination: bytes, target: bytes) -> None:
        solicited = destination != nd.ALL_NODES
        answer = nd.NeighbourAdvertisement(target, router=True, solicited=solicited, override=True)
        self._outbox.packet(session, nd.build(target, destination, answer))

    def _relay(self, packet: bytes, destination: bytes) -> Drop | None:
        """Reachability probes between clients cross unchanged, where the clients may speak at all."""
        if is_link_local(destination) and not self._flooding:
            return Drop.LINK_LOCAL
        if not self._hairpin:
            return Drop.HAIRPIN
        holder = self._neighbours.owners.get(destination)
        if holder is None:
            return Drop.UNKNOWN_CLIENT
        self._outbox.packet(holder.session, packet)
        return None

    def flood(self, session: Session, packet: bytes, now: float) -> Drop | None:
        """Multicast of a client: to all others, or to nobody."""
        if not self._crossing:
            return Drop.MULTICAST
        if len(packet) > STRICT_LIMIT:
            return Drop.TOO_BIG
        return self._copy(session, packet, now)

    def _copy(self, session: Session, packet: bytes, now: float) -> Drop | None:
        """One client may not use up what all have together."""
        cost = len(self._sessions)
        if not session.copies.take(now, cost) or not self._copies.take(now, cost):
            return Drop.RATE_LIMITED
        for other in self._sessions.values():
            if other is not session:
                self._outbox.packet(other, packet)
        return None

    def _announce(self, source: bytes, message: nd.NeighbourAdvertisement) -> None:
        # 3.2.5.2.2: an NA for a known target goes to those alone that have an entry for it: the sender, who
        # holds it (``_claim``), and whoever claims it at this moment.
        contest = self._neighbours.contests.pop(message.target, None)
        if contest is not None:
            defence = nd.NeighbourAdvertisement(message.target, override=message.override)
            self._outbox.packet(contest.claimant, nd.build(source, nd.ALL_NODES, defence))

    # --- Duplicate Address Detection --------------------------------------------------------------------

    def _detect_duplicate(self, session: Session, target: bytes, now: float) -> Drop | None:
        if target in self.own:
            self._answer(session, nd.ALL_NODES, target)
            return None
        before = self._neighbours.owners.get(target)
        reason = self._neighbours.claim(target, session, now)
        if reason is None:
            if before is None and self._flooding:
                self._copy(session, _question(target), now)
            return None
        if reason is Drop.ADDRESS_TAKEN and before is not None:
            self._contest(session, before.session, target, now)
            return None
        if reason is not Drop.NOT_OWNER:
            # Reserved for another, or one too many: as a duplicate, the client will not use it.
            self._defend(session, target)
        return reason

    def _contest(self, session: Session, holder: Session, target: bytes, now: float) -> None:
        if self._flooding:
            if self._neighbours.contest(target, session, now):
                self._outbox.packet(holder, _question(target))
        elif now - holder.last_seen < RECENTLY:
            self._defend(session, target)
        elif self._neighbours.contest(target, session, now):
            self.probe(holder, target)

    def _defend(self, session: Session, target: bytes) -> None:
        """The proxy NA (3.2.5.2.2): as the holder; R must be 0, no link-layer option, so O is 0 as well."""
        self._outbox.packet(session, nd.build(target, nd.ALL_NODES, nd.NeighbourAdvertisement(target)))

    def settle(self, now: float) -> None:
        """Close the contests that are over at ``now``."""
        for contest, kept in self._neighbours.ended(now, early=not self._flooding):
            if kept:
                self._defend(contest.claimant, contest.address)

    # --- By itself --------------------------------------------------------------------------------------

    def advertise(self, session: Session, destination: bytes = nd.ALL_NODES, farewell: bool = False) -> None:
        """Send a Router Advertisement; ``farewell`` withdraws the routes (RFC 4861 6.2.5)."""
        message = self._farewell if farewell else self._advertisement
        self._outbox.packet(session, nd.build(self.source, destination, message))

    def tell_changes(self, before: ServerConfig) -> None:
        """What is new since ``before`` to every client, and that what is no longer there has ended (RFC 4191 2.3)."""
        config = self._config
        if _site_options(before, 0) == _site_options(config, 0):
            return
        gone = replace(
            before,
            routes=tuple(each for each in before.routes if each not in config.routes),
            dns=tuple(each for each in before.dns if each not in config.dns),
            search=tuple(each for each in before.search if each not in config.search),
            nat64=tuple(each for each in before.nat64 if each not in config.nat64),
        )
        ended = tuple(_site_options(gone, 0))
        for session in self._sessions.values():
            self.advertise(session)
            if ended:
                message = nd.RouterAdvertisement(CURRENT_HOP_LIMIT, options=ended)
                self._outbox.packet(session, nd.build(self.source, nd.ALL_NODES, message))

    def next_advertisement(self, now: float) -> float:
        """When the next unsolicited one is due (RFC 4861 6.2.4)."""
        return now + RA_INTERVAL * (1 + 2 * self._random()) / 3

    def probe(self, session: Session, target: bytes) -> None:
        """Ask a client, unicast, whether it still has ``target`` (RFC 4861 7.3.3)."""
        self._outbox.packet(session, nd.build(self.source, target, nd.NeighbourSolicitation(target)))
