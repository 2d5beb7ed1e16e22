"""Who holds which intranet IPv4 address. Pure; every operation costs the same at ten leases and at 60,000.

A lease's way::

    HELD --let_go--> GRACE --time--> QUARANTINE --time--> PAST --hold by another--> HELD
      ^                |                 |                  |
      +---------- hold by the same identity ----------------+

In ``GRACE`` and ``QUARANTINE`` nobody else gets the address; with the end of ``GRACE`` it is no longer its holder's
(names and routes to it go), with the end of ``QUARANTINE`` what others remember about it is assumed forgotten.
``PAST`` is only memory: whoever returns gets its former address while nobody needed it. New identities get
addresses that never were anybody's, then those that are ``PAST`` for the longest time.

``now`` is Unix time, because leases outlive the process.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Network
from itertools import chain, islice
from typing import NotRequired, TypedDict, Unpack


class State(StrEnum):
    """Of an address."""

    HELD = "held"
    GRACE = "grace"
    QUARANTINE = "quarantine"
    PAST = "past"


@dataclass(slots=True)
class Lease:
    """One address and whose it is, or last was."""

    v4: bytes
    identity: str
    state: State
    since: float
    """When it came into ``state``."""
    v6: bytes = b""
    """The stable IPv6 address that the holder had; empty: none yet."""


class LeaseRules(TypedDict):
    """What may be given, and for how long. Times in seconds."""

    grace: float
    quarantine: float
    fixed: NotRequired[Mapping[str, bytes]]
    """Identity -> the one address for it."""
    excluded: NotRequired[Collection[bytes]]
    """Addresses of the block that nobody gets."""
    from_end: NotRequired[bool]
    """Give those first that would come last, because it is not known who had the others."""


class Leases:
    """The table. What is to be stored is in :meth:`take_changes`."""

    def __init__(self, block: IPv4Network, **rules: Unpack[LeaseRules]) -> None:
        self._by_v4: dict[bytes, Lease] = {}
        self._by_identity: dict[str, Lease] = {}
        self._by_v6: dict[bytes, Lease] = {}
        # One queue a state, oldest first: all leases stay equally long in it.
        self._queues: dict[State, dict[bytes, Lease]] = {state: {} for state in State}
        self._changed: dict[bytes, Lease | None] = {}
        self._set(block, rules)

    def _set(self, block: IPv4Network, rules: LeaseRules) -> None:
        self._from_end = rules.get("from_end", False)
        self._first, self._last = machines_of(block)
        self._grace, self._quarantine = rules["grace"], rules["quarantine"]
        self._excluded = frozenset(rules.get("excluded", ()))
        fixed = rules.get("fixed", {})
        self._fixed = {identity: v4 for identity, v4 in fixed.items() if v4 not in self._excluded}
        self._reserved = frozenset(self._fixed.values())
        self._fresh = self._never_given()

    def _never_given(self) -> Iterator[bytes]:
        numbers = range(self._first, self._last + 1)
        for number in reversed(numbers) if self._from_end else numbers:
            v4 = number.to_bytes(4, "big")
            if v4 not in self._by_v4 and v4 not in self._reserved and v4 not in self._excluded:
                yield v4

    # --- Reading ----------------------------------------------------------------------------------------

    def get(self, identity: str) -> Lease | None:
        """The lease of ``identity`` in whatever state."""
        return self._by_identity.get(identity)

    def keeper(self, v6: bytes) -> str | None:
        """Who has, or had until a moment ago, ``v6`` as its stable address: nobody else should get it."""
        lease = self._by_v6.get(v6)
        return lease.identity if lease and lease.state in (State.HELD, State.GRACE) else None

    def __iter__(self) -> Iterator[Lease]:
        return iter(self._by_v4.values())

    def count(self, state: State) -> int:
        """How many there are in ``state``."""
        return len(self._queues[state])

    @property
    def size(self) -> int:
        """How many addresses the block has for clients."""
        inside = sum(self._first <= int.from_bytes(v4, "big") <= self._last for v4 in self._excluded)
        return self._last - self._first + 1 - inside

    @property
    def free(self) -> int:
        """How many of them anybody could get now."""
        promised = (self._by_v4.get(v4) for v4 in self._reserved)
        kept = sum(lease is None or lease.state is State.PAST for lease in promised)
        return self.size - kept - sum(self.count(state) for state in State if state is not State.PAST)

    def upcoming(self, count: int) -> list[bytes]:
        """The addresses that new identities would get next."""
        past = (v4 for v4 in self._queues[State.PAST] if v4 not in self._reserved)
        return list(islice(chain(self._never_given(), past), count))

    def is_fixed(self, v4: bytes) -> bool:
        """Whether the address is reserved for one identity."""
        return v4 in self._reserved

    def ends(self, lease: Lease) -> float | None:
        """When ``lease`` leaves its state by itself."""
        wait = {State.GRACE: self._grace, State.QUARANTINE: self._quarantine}.get(lease.state)
        return None if wait is None else lease.since + wait

    # --- Changing ---------------------------------------------------------------------------------------

    def hold(self, identity: str, now: float) -> Lease | None:
        """Give ``identity`` its address, or one; None when all are somebody's."""
        lease = self._by_identity.get(identity)
        if lease is None:
            v4 = self._fixed.get(identity) or self._free()
            return self._take(v4, identity, now) if v4 is not None else None
        if lease.state is not State.HELD:
            self._enter(lease, State.HELD, now)
        return lease

    def let_go(self, identity: str, now: float, v6: bytes = b"") -> None:
        """The holder has disconnected; ``v6`` is remembered as its address."""
        lease = self._by_identity.get(identity)
        if lease is not None and lease.state is State.HELD:
            self._note(lease, v6 or lease.v6)
            self._enter(lease, State.GRACE, now)

    def remember(self, identity: str, v6: bytes) -> None:
        """Note the stable address of a holder that had none."""
        lease = self._by_identity.get(identity)
        if lease is not None and lease.v6 != v6:
            self._note(lease, v6)
            self._changed[lease.v4] = lease

    def _note(self, lease: Lease, v6: bytes) -> None:
        self._unnote(lease)
        lease.v6 = v6
        if v6:
            self._by_v6[v6] = lease

    def _unnote(self, lease: Lease) -> None:
        if self._by_v6.get(lease.v6) is lease:
            del self._by_v6[lease.v6]

    def _free(self) -> bytes | None:
        v4 = next(self._fresh, None)
        if v4 is not None:
            return v4
        return next((v4 for v4 in self._queues[State.PAST] if v4 not in self._reserved), None)

    def _take(self, v4: bytes, identity: str, now: float) -> Lease:
        """``v4`` is for ``identity`` now, whoever had it."""
        before = self._by_v4.get(v4)
        if before is not None:
            del self._queues[before.state][v4]
            self._unnote(before)
            if self._by_identity.get(before.identity) is before:
                del self._by_identity[before.identity]
        lease = Lease(v4, identity, State.HELD, now)
        self._by_v4[v4] = self._by_identity[identity] = self._queues[State.HELD][v4] = lease
        self._changed[v4] = lease
        return lease

    def _forget(self, lease: Lease) -> None:
        del self._by_v4[lease.v4]
        del self._queues[lease.state][lease.v4]
        self._unnote(lease)
        if self._by_identity.get(lease.identity) is lease:
            del self._by_identity[lease.identity]
        self._changed[lease.v4] = None

    def _enter(self, lease: Lease, state: State, now: float) -> None:
        del self._queues[lease.state][lease.v4]
        lease.state, lease.since = state, now
        self._queues[state][lease.v4] = lease
        self._changed[lease.v4] = lease

    def _inside(self, v4: bytes) -> bool:
        return self._first <= int.from_bytes(v4, "big") <= self._last and v4 not in self._excluded

    # --- Time -------------------------------------------------------------------------------------------

    def timer(self) -> float | None:
        """When :meth:`on_timer` has something to do, or None."""
        heads = (next(iter(self._queues[state].values()), None) for state in (State.GRACE, State.QUARANTINE))
        return min((end for lease in heads if lease and (end := self.ends(lease)) is not None), default=None)

    def on_timer(self, now: float, limit: int = 1 << 32) -> list[Lease]:
        """Move on what is due, ``limit`` of each kind at most; the leases whose time of grace is over."""
        released = self._due(State.GRACE, now, limit)
        for lease in released:
            self._enter(lease, State.QUARANTINE, now)
        for lease in self._due(State.QUARANTINE, now, limit):
            if self._by_identity.get(lease.identity) is lease:
                self._enter(lease, State.PAST, now)
            else:
                self._forget(lease)
                self._fresh = self._never_given()
        return released

    def _due(self, state: State, now: float, limit: int) -> list[Lease]:
        due: list[Lease] = []
        for lease in islice(self._queues[state].values(), limit):
            end = self.ends(lease)
            if end is None or end > now:
                break
            due.append(lease)
        return due

    def shift(self, by: float) -> None:
        """The clock was set by so many seconds: what has begun lasts neither longer nor shorter for that."""
        for state in (State.GRACE, State.QUARANTINE):
            for lease in self._queues[state].values():
                lease.since += by
                self._changed[lease.v4] = lease

    # --- Beginnings -------------------------------------------------------------------------------------

    def restore(self, stored: Iterable[Lease], now: float) -> list[Lease]:
        """Take over what was stored. Nobody is connected yet: what was held is in grace from now.

        Returns copies of the leases that their holders have lost, because the rules are others.
        """
        leases = list(stored)
        for lease in leases:
            lease.since = min(lease.since, now)  # a clock set back: never wait longer than a whole period
            if lease.state is State.HELD:
                lease.state, lease.since = State.GRACE, now
                self._changed[lease.v4] = lease
        # An address that its holder left for another one came into quarantine when it got that other one.
        for lease in sorted(leases, key=lambda each: (each.since, each.state is State.GRACE)):
            self._by_v4[lease.v4] = self._queues[lease.state][lease.v4] = lease
            self._by_identity[lease.identity] = lease
            self._note(lease, lease.v6)
        lost = self._drop_misfits(now)
        self._fresh = self._never_given()
        return lost

    def configure(self, now: float, block: IPv4Network, **rules: Unpack[LeaseRules]) -> list[Lease]:
        """Go on with other rules; returns copies of the leases that their holders have lost by that."""
        self._set(block, rules)
        return self._drop_misfits(now)

    def _drop_misfits(self, now: float) -> list[Lease]:
        misfits = [lease for lease in self._by_v4.values() if not self._fits(lease)]
        lost = [replace(lease) for lease in misfits if lease.state in (State.HELD, State.GRACE)]
        for lease in misfits:
            if self._inside(lease.v4) and lease.state is not State.PAST:
                self._leave_behind(lease, now)
            else:
                self._forget(lease)
        return lost

    def _fits(self, lease: Lease) -> bool:
        """Whether its identity may hold the address, or nobody does and it is one of the block."""
        current = self._by_identity.get(lease.identity) is lease
        if current and (wanted := self._fixed.get(lease.identity)) is not None:
            return lease.v4 == wanted
        return self._inside(lease.v4) and not (current and lease.v4 in self._reserved)

    def _leave_behind(self, lease: Lease, now: float) -> None:
        """Its holder has, or will have, another one: the address is nobody's, and is not given away at once."""
        del self._by_identity[lease.identity]
        if lease.state is not State.QUARANTINE:
            self._enter(lease, State.QUARANTINE, now)

    # --- Storing ----------------------------------------------------------------------------------------

    def take_changes(self) -> dict[bytes, Lease | None]:
        """What differs from the last time, by address; None: nothing is known of it any more."""
        taken, self._changed = self._changed, {}
        return taken


def machines_of(block: IPv4Network) -> tuple[int, int]:
    """First and last address for a machine: not the network's own and not broadcast, where there are such."""
    edge = 1 if block.prefixlen <= 30 else 0
    return int(block.network_address) + edge, int(block.broadcast_address) - edge
