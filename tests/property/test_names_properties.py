"""The registrar under any order of events: nobody has a name whose exact owner is known, and nothing is lost."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from manageout.protocol.names.registrar import LOOK_AGAIN, NOTHING, Names, Outcome, Problem

OWNER = "laptop.corp.example"
IDENTITIES = (OWNER, "laptop.a.example", "laptop.b.example", "tablet.corp.example", "tablet")
OUTCOMES = st.sampled_from([each for each in Outcome if each is not Outcome.OWNED])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("present"), st.sampled_from(IDENTITIES), st.integers(1, 3)),
        st.tuples(st.sampled_from(("absent", "released")), st.sampled_from(IDENTITIES), st.just(0)),
        st.tuples(st.just("restart"), st.just(""), st.just(0)),
        st.tuples(OUTCOMES, st.just(""), st.integers(0, 2)),
        st.tuples(st.just("time"), st.just(""), st.sampled_from((1, 70, 400, int(LOOK_AGAIN)))),
    ),
    max_size=40,
)

RELEASED: list[tuple[object, str, int]] = [
    ("present", "laptop.a.example", 1), ("restart", "", 0), ("present", OWNER, 1),
]  # fmt: skip
"""Then the owner is released while it waits for its name."""
OWNED: list[tuple[object, str, int]] = [
    ("present", "laptop.b.example", 1), ("restart", "", 0), ("present", OWNER, 1),
    ("restart", "", 0), ("present", "laptop.b.example", 1),
]  # fmt: skip
"""The owner has been seen while the name was still another one's."""


class Place:
    """The machine, and a server that does what tasks say when they are done."""

    def __init__(self, grace: bool) -> None:
        self.names = Names("corp.example", keep_in_grace=grace)
        self.stored: dict[str, object] = {}
        self.server: dict[str, frozenset[tuple[str, str]]] = {}
        self.owners: set[str] = set()
        self.now = 0.0

    def keep(self) -> None:
        for name, entry in self.names.changes():
            if entry is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = entry

    def restart(self) -> None:
        self.keep()
        before = self.names
        self.names = Names(before.zone, keep_in_grace=before.keep_in_grace)
        self.names.restore(self.stored.values(), self.now)  # type: ignore[arg-type]

    def do(self, outcome: Outcome, limit: int) -> None:
        self.keep()
        for task in self.names.tasks(self.now, limit or 100):
            if outcome in (Outcome.DONE, Outcome.RESTORED):
                self.server[task.name] = task.wanted
            bad = outcome not in (Outcome.DONE, Outcome.NO_ZONE, Outcome.RESTORED)
            if outcome in (Outcome.TAKEN, Outcome.NO_ZONE):
                self.server.pop(task.name, None)  # none of ours is there
            self.names.finished(task, outcome, Problem("X", "x") if bad else None, self.now)

    def check(self) -> None:
        waiting = [entry.due for entry in self.names.entries.values() if not entry.settled and not entry.busy]
        assert self.names._dues.first() == min(waiting, default=None)
        assert len(self.names._dues) == len(waiting)
        for name, entry in self.names.entries.items():
            if name in self.owners and entry.wanted and not name.endswith(".arpa"):
                assert entry.identity == name
        for name, records in self.server.items():
            if records:  # what stands there is known, now and after a crash
                entry = self.names.entries[name]
                assert records <= entry.known | entry.doubtful | entry.wanted


@given(EVENTS, st.booleans())
@example(RELEASED, False)
@example(OWNED, False)
def test_any_order_of_events(events: list[tuple[object, str, int]], grace: bool) -> None:
    place = Place(grace)
    for what, identity, number in events:
        if what == "present":
            if identity in (OWNER, "tablet.corp.example"):
                place.owners.add(identity)
            v6, v4 = bytes(15) + bytes([number]), bytes((10, 0, 0, number))
            place.names.present(identity, v6, v4, place.now)
        elif what == "restart":
            place.restart()
        elif what == "time":
            place.now += number
        elif isinstance(what, Outcome):
            place.do(what, number)
        else:
            getattr(place.names, str(what))(identity, place.now)
        place.check()
    for identity in IDENTITIES:
        place.names.released(identity, place.now)
    for _ in range(9):
        place.now += 4000.0
        place.do(Outcome.DONE, 0)
        for identity in IDENTITIES:
            place.names.released(identity, place.now)
    assert all(records == NOTHING for records in place.server.values())
