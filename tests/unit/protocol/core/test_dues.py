"""Due times against a plain look at all of them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from manageout.protocol.core.dues import SPARE, Dues

NAMES = st.sampled_from("abcd")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), NAMES, st.integers(0, 9)),
        st.tuples(st.just("discard"), NAMES, st.just(0)),
        st.tuples(st.sampled_from(("take", "hasten")), st.just(""), st.integers(0, 9)),
    ),
    max_size=60,
)


@given(STEPS)
@example([("set", "c", 1), ("set", "a", 0), ("set", "c", 0), ("hasten", "", 1), ("take", "", 1)])
def test_the_same_as_a_look_at_all(steps: list[tuple[str, str, int]]) -> None:
    dues = Dues()
    plain: dict[str, int] = {}  # in the order in which they were set
    for what, name, when in steps:
        if what == "set":
            dues.set(name, when)
            if plain.get(name) != when:
                plain.pop(name, None)
                plain[name] = when
        elif what == "discard":
            dues.discard(name)
            plain.pop(name, None)
        elif what == "hasten":
            dues.hasten(when)
            others = [each for each in plain if plain[each] != when]
            plain = {each: when for each in plain if each not in others} | dict.fromkeys(others, when)
        else:
            due = [each for each in plain if plain[each] <= when]
            first = min(due, key=plain.__getitem__, default=None)
            assert dues.take(when) == first
            plain.pop(first or "", None)
        assert dues.first() == min(plain.values(), default=None)
        assert len(dues) == len(plain) and all(each in dues for each in plain)


def test_times_that_no_longer_count_are_bounded() -> None:
    dues = Dues()
    for number in range(10 * SPARE):
        dues.set("laptop", -number)
    assert len(dues._heap) <= SPARE + 3
    assert (dues.take(0.0), dues.take(0.0)) == ("laptop", None)
