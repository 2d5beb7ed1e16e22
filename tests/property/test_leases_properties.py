"""Leases under any order of events: no address has two holders, and no promise about time is broken."""

from __future__ import annotations

import copy
from ipaddress import IPv4Network

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from manageout.protocol.leases.leases import Lease, Leases, State, machines_of

GRACE, QUARANTINE = 100.0, 50.0
BLOCKS = [IPv4Network("10.0.8.0/29"), IPv4Network("10.0.8.0/30"), IPv4Network("10.0.8.4/30")]
NAMES = st.sampled_from("abcdefghij")
ADDRESSES = st.integers(0, 7).map(lambda last: bytes((10, 0, 8, last)))


class LeasesMachine(RuleBasedStateMachine):
    """The table beside the simplest book about it: who had an address last, and until when it is promised."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.block, self.fixed, self.excluded = BLOCKS[0], dict[str, bytes](), frozenset[bytes]()
        self.table = Leases(self.block, grace=GRACE, quarantine=QUARANTINE)
        self.stored: dict[bytes, Lease] = {}
        self.here: dict[str, bytes] = {}
        self.left: dict[bytes, tuple[str, float]] = {}

    @rule(name=NAMES)
    def hold(self, name: str) -> None:
        lease = self.table.hold(name, self.now)
        if lease is None:
            assert name not in self.here
            return
        v4 = lease.v4
        assert self.here.get(name, v4) == v4, "it had another one a moment ago"
        who, when = self.left.get(v4, (name, 0.0))
        if who != name and self.fixed.get(name) != v4:
            assert self.now >= when + QUARANTINE, "somebody else's, lately"
        self.here[name] = v4
        self.left.pop(v4, None)

    @rule(name=NAMES)
    def let_go(self, name: str) -> None:
        self.table.let_go(name, self.now)
        if name in self.here:
            self.left[self.here.pop(name)] = (name, self.now)

    @rule(seconds=st.sampled_from([1.0, 49.0, 100.0, 151.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for lease in self.table.on_timer(self.now):
            assert lease.identity not in self.here
            assert self.left[lease.v4][1] + GRACE <= self.now
        due = self.table.timer()
        assert due is None or due > self.now - QUARANTINE

    @rule(block=st.sampled_from(BLOCKS), names=st.lists(NAMES, max_size=3, unique=True), data=st.data())
    def configure(self, block: IPv4Network, names: list[str], data: st.DataObject) -> None:
        addresses = data.draw(st.permutations([bytes((10, 0, 8, last)) for last in range(8)]))
        first, last = machines_of(block)
        self.block = block
        inside = [v4 for v4 in addresses if first <= int.from_bytes(v4, "big") <= last]
        self.fixed = dict(zip(names, inside, strict=False))
        self.excluded = frozenset(data.draw(st.lists(ADDRESSES, max_size=2))) - set(self.fixed.values())
        lost = self.table.configure(
            self.now,
            block,
            grace=GRACE,
            quarantine=QUARANTINE,
            fixed=self.fixed,
            excluded=self.excluded,
        )
        for lease in lost:
            if self.here.get(lease.identity) == lease.v4:
                self.left[self.here.pop(lease.identity)] = (lease.identity, self.now)
        self.forget_what_lies_outside()

    def forget_what_lies_outside(self) -> None:
        """An address that was not in the pool for a while is nobody's promise any more."""
        for v4 in list(self.left):
            if not self.inside(v4):
                del self.left[v4]

    @rule()
    def restart(self) -> None:
        self.store()
        self.table = Leases(
            self.block, grace=GRACE, quarantine=QUARANTINE, fixed=self.fixed, excluded=self.excluded
        )
        assert self.table.restore([copy.copy(lease) for lease in self.stored.values()], self.now) == []
        for name, v4 in self.here.items():
            self.left[v4] = (name, self.now)
        self.here.clear()

    def store(self) -> None:
        for v4, lease in self.table.take_changes().items():
            if lease is None:
                del self.stored[v4]
            else:
                self.stored[v4] = copy.copy(lease)

    def inside(self, v4: bytes) -> bool:
        first, last = machines_of(self.block)
        return first <= int.from_bytes(v4, "big") <= last and v4 not in self.excluded

    @invariant()
    def every_holder_has_its_own(self) -> None:
        held = {lease.identity: lease.v4 for lease in self.table if lease.state is State.HELD}
        assert held == self.here
        assert len(set(held.values())) == len(held)

    @invariant()
    def nothing_forbidden_is_held(self) -> None:
        for name, v4 in self.here.items():
            assert self.inside(v4)
            assert self.fixed.get(name, v4) == v4
            assert all(v4 != fixed or name == owner for owner, fixed in self.fixed.items())

    @invariant()
    def counts_agree(self) -> None:
        leases = list(self.table)
        assert len({lease.v4 for lease in leases}) == len(leases)
        for state in State:
            assert self.table.count(state) == sum(lease.state is state for lease in leases)
        assert 0 <= self.table.free <= self.table.size

    @invariant()
    def what_is_stored_is_what_is(self) -> None:
        self.store()
        assert self.stored == {lease.v4: lease for lease in self.table}


TestLeases = LeasesMachine.TestCase
TestLeases.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
