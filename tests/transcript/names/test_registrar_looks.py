"""What stands in the DNS as wanted is looked at again, as transcripts."""

from __future__ import annotations

from manageout.protocol.names.registrar import (
    LONGEST_DELAY,
    LOOK_AGAIN,
    LOOK_SOON,
    LOOKS,
    NOTHING,
    TAKEN_DELAY,
    Names,
    Outcome,
    Problem,
)
from tests.transcript.names.test_registrar import FOUR, NAME, REFUSED, SIX, do, looks, problems, wanted


def test_what_stands_is_looked_at_soon_and_then_hourly() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    assert do(names, LOOK_SOON - 1) == []
    first = names.tasks(LOOK_SOON, 100)
    assert len(first) == LOOKS and names.tasks(LOOK_SOON, 100) == []
    for task in first:
        names.finished(task, Outcome.DONE, None, LOOK_SOON)
    looks(names, LOOK_SOON, 3 - LOOKS)
    now = LOOK_SOON
    for _ in range(5):
        due = names.timer()
        assert due is not None and due > now + LOOK_AGAIN / 2
        now += LOOK_AGAIN
        looks(names, now, 3)
    names.absent(NAME, now)
    assert set(wanted(do(names, now)).values()) == {NOTHING}
    assert do(names, now + LOOK_AGAIN) == [] and names.timer() is None


def test_a_record_that_was_gone_is_counted_and_a_server_that_forgets_is_told() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    now = LOOK_SOON
    looks(names, now, 1, Outcome.RESTORED)
    assert problems(names) == [] and names.registered == 1
    due = names.timer()
    assert due is not None and now < due <= now + LONGEST_DELAY
    looks(names, due, 1, Outcome.RESTORED)
    assert problems(names) == [(NAME, "DNS-FORGETS")] and names.registered == 0
    waits = []
    for _ in range(9):
        now, due = due, names.timer()
        assert due is not None
        waits.append(due - now)
        looks(names, due, 1, Outcome.RESTORED)
    assert waits[-1] == LONGEST_DELAY and waits == sorted(waits)
    due = names.timer()
    assert due is not None
    looks(names, due, 1)
    assert problems(names) == [] and names.registered == 1


def test_a_look_that_nobody_answers_changes_nothing_and_comes_again() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    looks(names, LOOK_SOON, 1, Outcome.FAILED, REFUSED)
    assert problems(names) == [(NAME, "DNS-REFUSED")] and names.waiting == 0
    looks(names, LOOK_SOON + 1, 1)
    assert problems(names) == []


def test_a_look_that_finds_somebody_elses_records_gives_the_name_up() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    looks(names, LOOK_SOON, 1, Outcome.TAKEN, Problem("NAME-TAKEN", "x"))
    names.absent(NAME, LOOK_SOON)
    assert do(names, LOOK_SOON) == [] and names.entries == {}


def test_a_client_that_another_gateway_has_registered_since_is_left_to_that() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    looks(names, LOOK_SOON, 1, Outcome.ELSEWHERE, Problem("NAME-TWICE", "x"))
    assert do(names, LOOK_SOON + TAKEN_DELAY - 1) == [] and problems(names) == [(NAME, "NAME-TWICE")]
    looks(names, LOOK_SOON + TAKEN_DELAY, 1)
    assert problems(names) == []


def test_a_client_that_leaves_during_a_look() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    (task,) = names.tasks(LOOK_SOON, 9)
    names.absent(NAME, LOOK_SOON)
    assert names.tasks(LOOK_SOON, 9) == []
    names.finished(task, Outcome.RESTORED, None, LOOK_SOON)
    assert wanted(do(names, LOOK_SOON)) == {NAME: NOTHING} and names.entries == {}


def test_everything_is_looked_at_when_asked_for() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    looks(names, LOOK_SOON, 3)
    names.look_again(20.0)
    looks(names, 20.0, 3)


def test_looks_of_clients_that_come_and_go_do_not_pile_up() -> None:
    names = Names("corp.example", reverse=False)
    now = 0.0
    for _ in range(3000):
        names.present(NAME, SIX, FOUR, now)
        do(names, now)
        names.absent(NAME, now)
        do(names, now)
    assert len(names._looks._heap) < 1100
