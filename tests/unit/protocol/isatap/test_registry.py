"""The table of hosts, against a plain dictionary too."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from manageout.protocol.isatap.registry import U_BIT, HostRecord, Registry

A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"
WALL = 1_700_000_000


def registry(**fields: float) -> Registry:
    made = Registry(int(fields.get("capacity", 10)), fields.get("forget_after", 3600.0))
    made.wall_offset = WALL
    return made


def record(made: Registry, v4: bytes) -> HostRecord:
    found = made.record(v4)
    assert found is not None
    return found


def test_signs_of_life_are_noted() -> None:
    made = registry()
    made.solicited(A, True, 1.0)
    made.received(A, 100, 2.0)
    made.sent(A, 40)
    assert record(made, A) == (A, U_BIT, WALL + 1, WALL + 1, WALL + 2, 1, 100, 1, 40, "", 0)
    assert record(made, A).interface_id() == bytes.fromhex("02005efe0a000001")
    made.solicited(A, False, 3.0)
    assert record(made, A).interface_id() == bytes.fromhex("00005efe0a000001")


def test_an_unknown_receiver_is_not_registered() -> None:
    made = registry()
    made.sent(A, 40)
    made.named(A, "a.example", 1.0)
    made.fast_path(A, (1, 2, 3, 4), 1.0)
    assert len(made) == 0 and A not in made and made.record(A) is None


def test_a_full_table_lets_the_longest_silent_make_way() -> None:
    made = registry(capacity=2)
    made.received(A, 1, 0.0)
    made.solicited(B, False, 1.0)
    made.named(A, "a.example", 1.0)
    assert made.changes(9)[0]
    made.solicited(C, False, 2.0)
    assert made.evicted() == [A] and made.evicted() == []
    assert sorted(made.hosts) == [B, C]
    assert ([host.v4 for host in made.changes(9)[0]], made.changes(9)) == ([C], ([], []))
    made.received(A, 1, 3.0)
    assert record(made, A).name == ""
    assert made.changes(9) == ([record(made, A)], [B])


def test_a_smaller_table_keeps_those_that_are_proven() -> None:
    made = registry(capacity=3)
    for now, v4 in enumerate((A, B, C)):
        made.received(v4, 1, float(now))
    made.sent(A, 1)
    made.resize(1)
    assert list(made.hosts) == [A] and sorted(made.evicted()) == [B, C]
    made.settle(B)  # nothing is known of it


def test_traffic_both_ways_by_the_fast_path_proves_a_host_too() -> None:
    made = registry(capacity=2)
    made.solicited(A, False, 0.0)
    made.solicited(B, False, 11.0)
    made.fast_path(A, (1, 100, 1, 100), 10.0)
    assert made.is_proven(A) and not made.is_proven(B)
    made.solicited(C, False, 12.0)
    assert made.evicted() == [B]


def test_what_is_to_be_removed_from_a_file_that_refuses_is_bounded() -> None:
    made = registry(capacity=10)
    for number in range(1000):
        made.solicited(number.to_bytes(4, "big"), False, float(number))
        changed, removed = made.changes(100)
        made.unsaved(changed, removed)
    changed, removed = made.changes(100)
    assert len(changed) == 10 and 10 <= len(removed) <= 20
    assert removed[-1] == (989).to_bytes(4, "big")


def test_of_a_file_that_has_too_many_the_latest_are_taken() -> None:
    large, small = registry(capacity=10), registry(capacity=2)
    for number, v4 in enumerate((A, B, C)):
        large.received(v4, 1, 10.0 - number)
    assert small.load(iter(large)) == 2 and sorted(small.hosts) == [A, B]


def test_readings_of_the_fast_path_add_to_what_is_known() -> None:
    made = registry()
    made.received(A, 100, 0.0)
    made.fast_path(A, (10, 1000, 20, 2000), 5.0)
    made.fast_path(A, (11, 1100, 20, 2000), 6.0)
    assert record(made, A)[4:9] == (WALL + 6, 12, 1200, 20, 2000)
    made.settle()
    made.fast_path(A, (1, 100, 0, 0), 7.0)
    assert record(made, A)[5:9] == (13, 1300, 20, 2000)
    made.settle(A)
    made.fast_path(A, (1, 100, 0, 0), 7.0)
    assert record(made, A)[5:9] == (14, 1400, 20, 2000)


def test_a_fast_path_that_started_from_zero_unasked_takes_nothing_away() -> None:
    made = registry()
    made.received(A, 100, 0.0)
    made.fast_path(A, (10, 1000, 20, 2000), 5.0)
    made.fast_path(A, (2, 200, 1, 100), 6.0)
    made.fast_path(A, (3, 300, 1, 100), 7.0)
    assert record(made, A)[5:9] == (14, 1400, 21, 2100)


def test_changes_are_given_once_and_again_when_they_were_not_stored() -> None:
    made = registry()
    for v4 in (A, B, C):
        made.received(v4, 1, 0.0)
    first, _ = made.changes(2)
    second, _ = made.changes(2)
    assert [host.v4 for host in first + second] == [A, B, C]
    assert made.changes(2) == ([], [])
    made.unsaved(second, [])
    assert [host.v4 for host in made.changes(2)[0]] == [C]


def test_what_was_stored_is_taken_back() -> None:
    made = registry()
    made.solicited(A, True, 1.0)
    made.received(A, 100, 2.0)
    made.named(A, "a.example", 3.0)
    again = registry()
    assert again.load(iter(made)) == 1
    assert list(again) == list(made)
    assert again.changes(9) == ([], [])
    again.received(A, 1, 4.0)
    assert record(again, A)[5:7] == (2, 101)


def test_silent_hosts_are_forgotten_at_most_once_a_minute() -> None:
    made = registry(forget_after=100.0)
    made.solicited(A, False, 0.0)
    made.solicited(B, False, 50.0)
    made.solicited(C, False, 0.0)
    made.named(A, "a.example", 0.0)
    made.changes(9)
    assert made.clear_old(120.0) == [A, C]
    assert list(made.hosts) == [B]
    assert made.changes(9) == ([], [A, C])
    made.unsaved([], [A, C])
    assert made.changes(9) == ([], [A, C])
    assert made.clear_old(170.0) == []
    assert made.clear_old(181.0) == [B]


def test_names_and_when_they_were_looked_up() -> None:
    made = registry()
    for v4 in (A, B, C):
        made.received(v4, 1, 0.0)
    made.named(B, "b.example", 10.0)
    made.named(C, "", 10.0)
    assert made.unnamed(0, 2, 100.0, 20.0) == [A]
    assert made.unnamed(1, 9, 100.0, 200.0) == [B, C]
    assert record(made, B).name == "b.example"
    made.named(B, "", 30.0)
    assert record(made, B).name == ""


def test_active_hosts() -> None:
    made = registry()
    made.received(A, 1, 0.0)
    made.received(B, 1, 500.0)
    assert [host.v4 for host in made.active(100, 550.0)] == [B]


class Plain:
    """The obvious twin: one dictionary of lists."""

    def __init__(self) -> None:
        self.hosts: dict[bytes, list[int]] = {}

    def records(self) -> dict[bytes, tuple[int, ...]]:
        return {v4: tuple(values) for v4, values in self.hosts.items()}


steps = st.lists(st.tuples(st.sampled_from("rsp"), st.integers(0, 7), st.integers(0, 90)), max_size=60)


@settings(max_examples=200)
@given(steps)
def test_it_says_the_same_as_a_plain_dictionary(taken: list[tuple[str, int, int]]) -> None:
    made, plain, now = registry(capacity=100, forget_after=100.0), Plain(), 0.0
    for kind, number, pause in taken:
        now += pause
        v4 = bytes([10, 0, 0, number])
        for gone in made.clear_old(now):
            first, rs, packet, _, _ = plain.hosts.pop(gone)
            assert max(first, rs, packet) < now - 100 + WALL
        if kind == "p":
            made.sent(v4, 10)
            if v4 in plain.hosts:
                plain.hosts[v4][4] += 1
            continue
        entry = plain.hosts.setdefault(v4, [int(now) + WALL, 0, 0, 0, 0])
        if kind == "s":
            made.solicited(v4, False, now)
            entry[1] = int(now) + WALL
        else:
            made.received(v4, 10, now)
            entry[2] = int(now) + WALL
            entry[3] += 1
    assert {host.v4: (*host[2:6], host.packets_out) for host in made} == plain.records()
    assert {host.v4 for host in _all_changes(made)} == set(plain.hosts)


def _all_changes(made: Registry) -> Iterator[HostRecord]:
    while changed := made.changes(3)[0]:
        yield from changed
