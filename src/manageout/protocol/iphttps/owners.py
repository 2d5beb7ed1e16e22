"""Who holds which IPv6 address on a link whose "link-layer addresses" are connections (RFC 4861 5.1).

An address is bound by Duplicate Address Detection or by first use, and only inside the link's /64 or as a
link-local address. It goes to another connection in three ways alone: its holder lets go of it, a newer
connection with the same certificate identity uses it, or a :class:`Contest` ends with the holder silent. The
last is for clients without certificates, who cannot be told from a stranger otherwise; silence does not give
the address of one certificate to another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.session import Neighbour, Session
from manageout.protocol.iphttps.values import AddressBound, AddressReleased, ServerEvent

LINK_LOCAL = b"\xfe\x80" + bytes(6)
CONTEST = 0.9
"""Seconds that a silent holder has to defend its address: the claimant's DAD lasts 1 s (RFC 4862 5.1)."""


@dataclass(slots=True)
class Contest:
    """A second connection claims an address whose holder has been silent."""

    address: bytes
    claimant: Session
    started: float


class Neighbours:
    """The table. ``owners`` is read on the packet path; everything that changes it is here."""

    def __init__(
        self,
        prefix: bytes,
        own: frozenset[bytes],
        events: list[ServerEvent],
        keeper: Callable[[bytes], str | None] = lambda address: None,
    ) -> None:
        """``prefix``: 8 bytes; ``own``: the gateway's addresses; ``events``: where changes are told; ``keeper``: for
        which identity an address is kept though it may be away.
        """
        self.owners: dict[bytes, Neighbour] = {}
        self.contests: dict[bytes, Contest] = {}
        self._prefix = prefix
        self._own = own
        self._events = events
        self._keeper = keeper
        self.configure({}, 0)

    def configure(self, reserved: Mapping[bytes, str], limit: int) -> None:
        """``reserved``: address -> identity; ``limit``: addresses a client. What others hold of the reserved is
        released, everything else stays.
        """
        self._reserved, self._limit = reserved, limit
        for address, name in reserved.items():
            holder = self.owners.get(address)
            if holder is not None and holder.session.identity != name:
                self.release(address)

    def claim(self, address: bytes, session: Session, now: float) -> Drop | None:
        """Bind ``address`` to ``session``. None: the session holds it now; otherwise why it does not."""
        holder = self.owners.get(address)
        if holder is not None and holder.session is session:
            holder.used, holder.probes = now, 0
            return None
        reason = self._refusal(address, session)
        if reason is not None:
            return reason
        if holder is not None:
            # The same machine came back before its old connection was known to be dead. A later packet on the
            # old one cannot take the address back.
            same = session.identity is not None and session.identity == holder.session.identity
            if not same or session.serial < holder.session.serial:
                return Drop.ADDRESS_TAKEN
        self._bind(address, session, now)
        return None

    def _refusal(self, address: bytes, session: Session) -> Drop | None:
        subnet = address[:8]
        if (subnet != self._prefix and subnet != LINK_LOCAL) or not any(address[8:]):
            # Anywhere else, or the subnet-router anycast address (RFC 4291 2.6.1).
            return Drop.NOT_OWNER
        if address in self._own:
            return Drop.ADDRESS_TAKEN
        reserved = self._reserved.get(address)
        if reserved is not None:
            return None if reserved == session.identity else Drop.ADDRESS_TAKEN
        if self._keeper(address) not in (None, session.identity):
            # What managers have open to its holder, and its name in the DNS, must not come to a newcomer.
            return Drop.ADDRESS_TAKEN
        return Drop.ADDRESS_LIMIT if len(session.addresses) >= self._limit else None

    def _bind(self, address: bytes, session: Session, now: float) -> None:
        self.release(address)
        self.owners[address] = session.addresses[address] = Neighbour(address, session, now)
        self._events.append(AddressBound(session.number, address))

    def release(self, address: bytes) -> None:
        """Nobody holds the address any more."""
        holder = self.owners.pop(address, None)
        if holder is not None:
            del holder.session.addresses[address]
            self._events.append(AddressReleased(holder.session.number, address))

    def forget(self, session: Session) -> None:
        """The connection has gone: so has all it held and claimed."""
        for address in list(session.addresses):
            self.release(address)
        for contest in [c for c in self.contests.values() if c.claimant is session]:
            del self.contests[contest.address]

    def contest(self, address: bytes, session: Session, now: float) -> bool:
        """Begin a contest for an address that another holds. False: one is going on already."""
        if address in self.contests:
            return False
        self.contests[address] = Contest(address, session, now)
        return True

    def ended(self, now: float, early: bool) -> list[tuple[Contest, bool]]:
        """The contests that are over, removed, each with whether the holder keeps the address.

        A contest that the holder lost has bound the address to the claimant. ``early``: a sign of life ends a
        contest at once; otherwise it lasts until its time, so that the holder's own answer finds the claimant.
        """
        over: list[tuple[Contest, bool]] = []
        for contest in list(self.contests.values()):
            holder = self.owners.get(contest.address)
            alive = holder is not None and holder.session.last_seen >= contest.started
            if now < contest.started + CONTEST and holder is not None and not (alive and early):
                continue
            del self.contests[contest.address]
            kept = holder is not None and (alive or holder.session.identity is not None)
            if not kept and self._refusal(contest.address, contest.claimant) is None:
                self._bind(contest.address, contest.claimant, now)
            over.append((contest, kept))
        return over

    def next_end(self) -> float | None:
        """When the first contest ends by silence."""
        first = next(iter(self.contests.values()), None)  # the others have begun later
        return None if first is None else first.started + CONTEST
