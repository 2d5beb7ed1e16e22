"""The registrar's life as transcripts: clients come and go, servers refuse, processes die."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.protocol.names.registrar import (
    LONGEST_DELAY,
    LOOK_SOON,
    NOTHING,
    SWEEP_AFTER,
    TAKEN_DELAY,
    Names,
    Outcome,
    Problem,
    StoredEntry,
    Task,
)

SIX = IPv6Address("fd12:3456:789a:1000::10").packed
OTHER = IPv6Address("fd12:3456:789a:1000::11").packed
FOUR = IPv4Address("10.0.0.130").packed
NAME = "laptop.corp.example"
FORWARD = frozenset({("A", "10.0.0.130"), ("AAAA", "fd12:3456:789a:1000::10")})
POINTER = frozenset({("PTR", f"{NAME}.")})
REVERSE4, REVERSE6 = "130.0.0.10.in-addr.arpa", IPv6Address(SIX).reverse_pointer
REFUSED = Problem("DNS-REFUSED", "refused")


def do(
    names: Names, now: float, outcome: Outcome = Outcome.DONE, problem: Problem | None = None
) -> list[Task]:
    tasks = names.tasks(now, 100)
    for task in tasks:
        names.finished(task, outcome, problem, now)
    return tasks


def looks(
    names: Names, now: float, count: int, outcome: Outcome = Outcome.DONE, problem: Problem | None = None
) -> list[Task]:
    """So many looks, and nothing else, a few at a time."""
    tasks: list[Task] = []
    while found := do(names, now, outcome, problem):
        tasks += found
    assert len(tasks) == count and all(task.look for task in tasks)
    return tasks


def wanted(tasks: list[Task]) -> dict[str, object]:
    return {task.name: task.wanted for task in tasks}


def test_a_client_gets_its_name_and_both_pointers() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    assert wanted(do(names, 0.0)) == {NAME: FORWARD, REVERSE4: POINTER, REVERSE6: POINTER}
    assert names.registered == 3 and names.waiting == 0
    assert names.timer() == LOOK_SOON


def test_without_a_lease_there_is_no_ipv4() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, None, 0.0)
    assert wanted(do(names, 0.0)) == {NAME: frozenset({("AAAA", "fd12:3456:789a:1000::10")})}


def test_everything_goes_when_it_disconnects() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.absent(NAME, 5.0)
    assert set(wanted(do(names, 5.0)).values()) == {NOTHING}
    assert names.entries == {}


def test_or_when_its_grace_is_over() -> None:
    names = Names("corp.example", keep_in_grace=True)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.absent(NAME, 5.0)
    assert do(names, 5.0) == []
    names.released(NAME, 99.0)
    assert len(do(names, 99.0)) == 3


def test_a_new_address_moves_the_pointer() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.present(NAME, OTHER, FOUR, 1.0)
    changed = wanted(do(names, 1.0))
    assert changed[REVERSE6] == NOTHING and changed[IPv6Address(OTHER).reverse_pointer] == POINTER
    assert REVERSE4 not in changed


def test_the_same_again_is_no_work() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.present(NAME, SIX, FOUR, 1.0)
    assert do(names, 1.0) == []


def test_failures_are_tried_again_ever_more_slowly() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    now, waits = 0.0, []
    for _ in range(12):
        assert len(do(names, now, Outcome.FAILED, REFUSED)) == 1
        due = names.timer()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0] and waits[-1] == LONGEST_DELAY
    assert dict(names.problems()) == {NAME: REFUSED}
    do(names, now)
    assert dict(names.problems()) == {}


def test_a_change_is_tried_at_once_whatever_the_delay() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0, Outcome.FAILED, REFUSED)
    names.present(NAME, OTHER, FOUR, 0.1)
    assert len(do(names, 0.1)) == 1


def test_a_name_of_somebody_else_is_left_alone_and_looked_at_again() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0, Outcome.TAKEN, Problem("NAME-TAKEN", "x"))
    assert do(names, TAKEN_DELAY - 1) == []
    assert len(do(names, TAKEN_DELAY)) == 1


def test_what_was_never_ours_needs_no_removal() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0, Outcome.TAKEN, Problem("NAME-TAKEN", "x"))
    names.absent(NAME, 1.0)
    assert do(names, 1.0) == [] and names.entries == {}


def test_a_client_that_leaves_while_its_task_is_under_way() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    (task,) = names.tasks(0.0, 1)
    names.absent(NAME, 0.1)
    assert names.tasks(0.1, 1) == []  # one at a time for a name
    names.finished(task, Outcome.DONE, None, 0.2)
    assert wanted(do(names, 0.2)) == {NAME: NOTHING}
    assert names.entries == {}


def test_a_reverse_zone_that_is_not_there_is_no_trouble() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0, Outcome.NO_ZONE)
    assert names.waiting == 0


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("laptop.corp.example", "laptop.corp.example"),
        ("Laptop.Corp.Example.", "laptop.corp.example"),
        ("laptop", "laptop.corp.example"),
        ("laptop.other.example", "laptop.corp.example"),
        ("a.b.corp.example", "a.b.corp.example"),
        ("corp.example", "corp.corp.example"),
        ("John's PC", None),
        ("-x", None),
        ("", None),
        ("ü", None),
        ("x" * 64, None),
        ("WPAD", None),
        ("isatap.corp.example", None),
        ("isatap.other.example", None),
        ("localhost", None),
        ("autodiscover.corp.example", None),
        ("directaccess-webprobehost.corp.example", None),
        ("NLS.branch.example", None),
        ("_mssms_mp_abc._tcp.corp.example", None),
    ],
)
def test_the_name_of_a_certificate(identity: str, name: str | None) -> None:
    assert Names("corp.example").name_of(identity) == name


def test_what_cannot_be_a_name_is_told() -> None:
    names = Names("corp.example")
    names.present("John's PC", SIX, FOUR, 0.0)
    assert names.entries == {}
    assert [problem.code for _, problem in names.problems()] == ["NAME-UNFIT"]
    names.absent("John's PC", 1.0)
    assert list(names.problems()) == []


def test_two_clients_of_one_name() -> None:
    names = Names("corp.example", reverse=False)
    names.present("laptop.a.example", SIX, None, 0.0)
    names.present("laptop.b.example", OTHER, None, 0.0)
    assert [problem.code for _, problem in names.problems()] == ["NAME-TWICE"]
    assert wanted(do(names, 0.0)) == {NAME: frozenset({("AAAA", "fd12:3456:789a:1000::10")})}


def test_a_name_that_becomes_free_is_the_next_ones() -> None:
    names = Names("corp.example", reverse=False)
    for number in range(4):
        names.present(f"laptop.{number}.example", SIX[:-1] + bytes([number]), None, 0.0)
    do(names, 0.0)
    names.absent("laptop.1.example", 1.0)
    names.present("laptop.3.example", OTHER, None, 1.0)  # with another address
    names.absent("laptop.0.example", 1.0)
    assert wanted(do(names, 1.0)) == {NAME: NOTHING}  # first nothing of the former is left
    assert wanted(do(names, 1.0)) == {NAME: frozenset({("AAAA", "fd12:3456:789a:1000::2")})}
    words = [problem.words for _, problem in names.problems()]
    assert words == [f"laptop.3.example would be {NAME}, which laptop.2.example is already"]
    names.absent("laptop.2.example", 2.0)
    do(names, 2.0)
    assert wanted(do(names, 2.0)) == {NAME: frozenset({("AAAA", "fd12:3456:789a:1000::11")})}
    names.absent("laptop.3.example", 3.0)
    do(names, 3.0)
    assert not (names.entries or names.unfit or list(names.problems()) or names._here or names._of)


def test_a_name_stays_its_holders_in_grace() -> None:
    names = Names("corp.example", reverse=False, keep_in_grace=True)
    names.present("laptop.a.example", SIX, FOUR, 0.0)
    names.present("laptop.b.example", OTHER, None, 0.0)
    names.absent("laptop.a.example", 1.0)
    assert wanted(do(names, 1.0)) == {NAME: FORWARD}
    names.released("laptop.a.example", 2.0)
    do(names, 2.0)
    assert wanted(do(names, 2.0)) == {NAME: frozenset({("AAAA", "fd12:3456:789a:1000::11")})}


def test_in_another_zone_names_are_given_anew() -> None:
    names = Names("corp.example", reverse=False)
    names.present("laptop.a.example", SIX, None, 0.0)
    names.present("laptop.b.example", OTHER, None, 0.0)
    do(names, 0.0)
    names.zone = "b.example"
    names.present("laptop.a.example", SIX, None, 1.0)
    names.present("laptop.b.example", OTHER, None, 1.0)
    assert wanted(do(names, 1.0)) == {
        NAME: NOTHING,
        "laptop.b.example": frozenset(
            {("AAAA", "fd12:3456:789a:1000::11")}
        ),  # its own, though it came second
    }
    assert [identity for identity, _ in names.problems()] == ["laptop.a.example"]


MAPPED = "laptop.branch.example"
THEIRS = frozenset({("AAAA", "fd12:3456:789a:1000::11")})
OURS = frozenset({("AAAA", "fd12:3456:789a:1000::10")})


def problems(names: Names) -> list[tuple[str, str]]:
    return [(identity, problem.code) for identity, problem in names.problems()]


def test_who_is_only_mapped_to_a_name_never_inherits_its_owners() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, None, 0.0)
    names.present(MAPPED, OTHER, None, 0.0)
    assert [task.owner for task in do(names, 0.0)] == [NAME]
    names.absent(NAME, 1.0)
    assert wanted(do(names, 1.0)) == {NAME: NOTHING}
    assert do(names, 1.0) == [] and problems(names) == [(MAPPED, "NAME-TWICE")]
    words = [problem.words for _, problem in names.problems()]
    assert words == [f"{MAPPED} would be {NAME}, which belongs to the client of exactly that name"]
    names.present(NAME, SIX, None, 2.0)
    assert wanted(do(names, 2.0)) == {NAME: OURS}


def test_an_owner_at_another_gateway_is_remembered_too() -> None:
    names = Names("corp.example", reverse=False)
    names.present(MAPPED, OTHER, None, 0.0)
    do(names, 0.0, Outcome.OWNED, Problem("NAME-TWICE", "x"))
    assert names.entries == {} and names.timer() is None  # also when the owner leaves there
    assert problems(names) == [(MAPPED, "NAME-TWICE")]
    assert names.changes() == [(NAME, StoredEntry(NAME, NAME, NOTHING, NOTHING, owned=True))]
    names.present(MAPPED, OTHER, None, 1.0)
    assert do(names, 1.0) == []


def test_nor_after_a_restart() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, None, 0.0)
    do(names, 0.0)
    names.absent(NAME, 1.0)
    do(names, 1.0)
    after = restarted(names)
    assert after.entries == {}
    after.present(MAPPED, OTHER, None, 0.0)
    assert do(after, SWEEP_AFTER) == [] and problems(after) == [(MAPPED, "NAME-TWICE")]


def test_the_owner_takes_its_name_back() -> None:
    names = Names("corp.example")
    names.present(MAPPED, OTHER, None, 0.0)
    assert wanted(do(names, 0.0))[NAME] == THEIRS
    names.present(NAME, SIX, None, 1.0)
    pointer = IPv6Address(OTHER).reverse_pointer
    assert wanted(do(names, 1.0)) == {NAME: NOTHING, pointer: NOTHING}  # with the mark of whose it was
    again = do(names, 1.0)
    assert wanted(again) == {NAME: OURS, REVERSE6: POINTER}
    assert {task.name: task.owner for task in again} == {NAME: NAME, REVERSE6: ""}
    assert problems(names) == [(MAPPED, "NAME-TWICE")]
    names.absent(MAPPED, 2.0)
    assert problems(names) == [] and do(names, 2.0) == []


def test_the_owner_takes_its_name_back_from_who_is_away() -> None:
    names = Names("corp.example", reverse=False, keep_in_grace=True)
    names.present(MAPPED, OTHER, FOUR, 0.0)
    do(names, 0.0)
    names.absent(MAPPED, 1.0)
    names.present(NAME, SIX, None, 2.0)
    assert wanted(do(names, 2.0)) == {NAME: NOTHING} and wanted(do(names, 2.0)) == {NAME: OURS}
    names.released(MAPPED, 3.0)
    assert do(names, 3.0) == [] and problems(names) == []


def test_the_owner_waits_until_a_refusing_server_has_let_go_of_the_other() -> None:
    names = Names("corp.example", reverse=False)
    names.present(MAPPED, OTHER, None, 0.0)
    do(names, 0.0)
    names.present(NAME, SIX, None, 1.0)
    assert wanted(do(names, 1.0, Outcome.FAILED, REFUSED)) == {NAME: NOTHING}
    after = restarted(names)  # a crash here forgets nothing of what stands there
    assert [(task.wanted, task.known, task.owner) for task in after.tasks(SWEEP_AFTER, 9)] == [
        (NOTHING, THEIRS, MAPPED)
    ]


def restarted(names: Names) -> Names:
    stored = [entry for _, entry in names.changes() if entry is not None]
    after = Names(names.zone, names.reverse, names.keep_in_grace)
    after.restore(stored, 0.0)
    return after


def test_a_crash_leaves_nothing_behind() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    after = restarted(names)
    assert do(after, SWEEP_AFTER - 1) == []
    assert set(wanted(do(after, SWEEP_AFTER)).values()) == {NOTHING}
    assert after.entries == {}


def test_a_client_that_returns_after_a_crash_keeps_its_records_without_work() -> None:
    names = Names("corp.example")
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    after = restarted(names)
    after.present(NAME, SIX, FOUR, 10.0)
    assert after.registered == 3
    assert all(task.look for task in looks(after, 10.0, 3)) and do(after, SWEEP_AFTER) == []


def test_what_was_queued_at_a_crash_is_done_or_undone() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    names.tasks(0.0, 1)  # under way: nobody knows whether it was done
    after = restarted(names)
    assert wanted(do(after, SWEEP_AFTER)) == {NAME: NOTHING}


def test_a_client_that_was_queued_at_a_crash_and_returns_is_registered() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    names.tasks(0.0, 1)  # under way: nobody knows whether it was done
    after = restarted(names)
    after.present(NAME, SIX, FOUR, 1.0)
    assert after.registered == 0
    assert wanted(do(after, 1.0)) == {NAME: FORWARD}
    assert after.registered == 1


@pytest.mark.parametrize("keep_in_grace", [False, True])
def test_a_doubt_outlives_a_crash(keep_in_grace: bool) -> None:
    names = Names("corp.example", reverse=False, keep_in_grace=keep_in_grace)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.released(NAME, 1.0)
    (task,) = names.tasks(1.0, 1)
    names.finished(task, Outcome.DOUBTFUL, None, 1.0)  # it may be gone
    names.present(NAME, SIX, FOUR, 2.0)
    after = restarted(names)
    after.present(NAME, SIX, FOUR, 3.0)
    assert wanted(do(after, 3.0)) == {NAME: FORWARD}


def test_what_may_have_been_done_is_undone() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    (task,) = names.tasks(0.0, 1)
    names.finished(task, Outcome.DOUBTFUL, Problem("DNS-UNREACHABLE", "timed out"), 0.0)
    names.absent(NAME, 1.0)
    (task,) = do(names, 1.0)
    assert (task.wanted, task.known) == (NOTHING, FORWARD)
    assert names.entries == {}


def test_the_sweep_waits_for_the_grace_where_records_are_kept_in_it() -> None:
    names = Names("corp.example", keep_in_grace=True)
    names.present(NAME, SIX, FOUR, 0.0)
    do(names, 0.0)
    after = restarted(names)
    assert len(looks(after, 0.0, 3)) == 3 and do(after, SWEEP_AFTER) == []
    after.released(NAME, 500.0)
    assert len(do(after, 500.0)) == 3


def test_changes_are_told_once() -> None:
    names = Names("corp.example", reverse=False)
    names.present(NAME, SIX, FOUR, 0.0)
    ((name, stored),) = names.changes()
    assert name == NAME and stored is not None and stored.wanted == FORWARD and stored.known == NOTHING
    assert names.changes() == []
    do(names, 0.0)
    names.absent(NAME, 1.0)
    do(names, 1.0)
    assert names.changes() == [(NAME, StoredEntry(NAME, NAME, NOTHING, NOTHING, owned=True))]  # whose it is


def test_of_who_is_only_mapped_nothing_is_kept() -> None:
    names = Names("corp.example", reverse=False)
    names.present(MAPPED, SIX, FOUR, 0.0)
    do(names, 0.0)
    names.absent(MAPPED, 1.0)
    do(names, 1.0)
    assert names.changes() == [(NAME, None)]


def test_the_sites_own_names_are_no_clients() -> None:
    names = Names("corp.example", reserved=frozenset({"helpdesk", "router.sub.corp.example"}))
    for identity in ("helpdesk", "Helpdesk.corp.example", "helpdesk.b.example", "router.sub.corp.example"):
        assert names.name_of(identity) is None
    assert names.name_of("router.corp.example") == "router.corp.example"
