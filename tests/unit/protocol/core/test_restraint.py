"""Three times in a minute, then never, until the other gives in."""

from __future__ import annotations

from manageout.protocol.core.restraint import MINUTE, TIMES, Restraint


def test_three_times_then_it_is_left() -> None:
    restraint = Restraint()
    assert [restraint.may("a", float(now)) for now in range(5)] == [True] * TIMES + [False, False]
    assert restraint.left == {"a"}
    assert restraint.may("b", 5.0), "another thing is another matter"


def test_left_means_for_good() -> None:
    restraint = Restraint()
    for now in range(4):
        restraint.may("a", float(now))
    assert not restraint.may("a", 10 * MINUTE), "or two programs would fight for ever, only slowly"


def test_now_and_then_is_no_fight() -> None:
    restraint = Restraint()
    assert all(restraint.may("a", MINUTE / 2 * number) for number in range(100))


def test_the_other_gives_in() -> None:
    restraint = Restraint()
    for now in range(4):
        restraint.may("a", float(now))
    restraint.found_right("a")
    assert not restraint.left
    assert not restraint.may("a", 5.0), "and begins again within the minute"
    restraint.found_right("a")
    assert restraint.may("a", MINUTE + 1)


def test_the_administrator_asks_anew() -> None:
    restraint = Restraint()
    for now in range(4):
        restraint.may("a", float(now))
    restraint.forget()
    assert not restraint.left and restraint.may("a", 5.0)
