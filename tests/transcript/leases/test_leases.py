"""Leases as a transcript: who comes, who goes, time passes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType

import pytest

from manageout.protocol.leases.leases import Lease, Leases, State

NOW = 1_700_000_000.0
GRACE, QUARANTINE = 600.0, 60.0
BLOCK = IPv4Network("10.0.8.0/29")  # .1 to .6 are for machines


def v4(last: int) -> bytes:
    return bytes((10, 0, 8, last))


def leases(
    block: IPv4Network = BLOCK,
    fixed: Mapping[str, bytes] = MappingProxyType({}),
    excluded: tuple[bytes, ...] = (),
) -> Leases:
    return Leases(block, grace=GRACE, quarantine=QUARANTINE, fixed=fixed, excluded=excluded)


def held(table: Leases, identity: str, now: float = NOW) -> int | None:
    """Ask for a lease; the last byte of its address."""
    lease = table.hold(identity, now)
    return lease.v4[3] if lease else None


def ended(table: Leases, identity: str = "a") -> float:
    """Let ``identity`` come and go, and its grace and quarantine pass; the time after it."""
    table.hold(identity, NOW)
    table.let_go(identity, NOW)
    table.on_timer(NOW + GRACE)
    table.on_timer(NOW + GRACE + QUARANTINE)
    return NOW + GRACE + QUARANTINE


def restored(table: Leases, now: float, fixed: Mapping[str, bytes] = MappingProxyType({})) -> Leases:
    """A table that was made from what ``table`` has stored."""
    stored: dict[bytes, Lease] = {}
    for address, lease in table.take_changes().items():
        if lease is None:
            stored.pop(address, None)
        else:
            stored[address] = copy.copy(lease)
    fresh = leases(fixed=fixed)
    fresh.restore(stored.values(), now)
    return fresh


def test_each_identity_gets_an_address_of_its_own_and_keeps_it() -> None:
    table = leases()
    assert [held(table, name) for name in "abc"] == [1, 2, 3]
    assert held(table, "b", NOW + 1e6) == 2


def test_neither_the_network_nor_the_broadcast_address_is_given() -> None:
    table = leases()
    assert [held(table, name) for name in "abcdefg"] == [1, 2, 3, 4, 5, 6, None]


@pytest.mark.parametrize(("length", "addresses"), [(32, [1]), (31, [0, 1])])
def test_a_block_too_small_to_have_such_addresses_is_given_whole(length: int, addresses: list[int]) -> None:
    table = leases(IPv4Network((v4(addresses[0]), length)))
    assert [held(table, str(n)) for n in range(len(addresses) + 1)] == [*addresses, None]


def test_addresses_of_this_machine_are_not_given() -> None:
    table = leases(excluded=(v4(1), v4(3), bytes((192, 0, 2, 1))))
    assert [held(table, name) for name in "abcde"] == [2, 4, 5, 6, None]
    assert table.size == 4


def test_a_returning_client_finds_its_address_in_grace_and_in_quarantine() -> None:
    table = leases()
    assert [held(table, "a"), held(table, "b")] == [1, 2]
    table.let_go("b", NOW)
    table.let_go("a", NOW)
    assert held(table, "a", NOW + GRACE - 1) == 1
    assert [lease.identity for lease in table.on_timer(NOW + GRACE)] == ["b"]
    assert held(table, "b", NOW + GRACE + 1) == 2


def test_nobody_else_gets_an_address_in_grace_or_quarantine() -> None:
    table = leases(IPv4Network("10.0.8.0/30"))
    for name in "ab":
        held(table, name)
        table.let_go(name, NOW)
    assert held(table, "c", NOW + GRACE - 1) is None
    assert len(table.on_timer(NOW + GRACE)) == 2
    assert held(table, "c", NOW + GRACE + QUARANTINE - 1) is None
    assert table.on_timer(NOW + GRACE + QUARANTINE) == []
    assert held(table, "c", NOW + GRACE + QUARANTINE) == 1


def test_what_is_past_is_remembered_until_somebody_needs_it() -> None:
    table = leases()
    now = ended(table)
    assert held(table, "a", now) == 1
    table = leases()
    now = ended(table)
    assert [held(table, name, now) for name in "bcdef"] == [2, 3, 4, 5, 6]
    assert held(table, "g", now) == 1
    assert held(table, "a", now) is None


def test_the_longest_past_address_is_given_first() -> None:
    table = leases(IPv4Network("10.0.8.0/30"))
    for name in "ab":
        held(table, name)
    table.let_go("b", NOW)
    table.let_go("a", NOW + 1)
    table.on_timer(NOW + 1 + GRACE)
    table.on_timer(NOW + 1 + GRACE + QUARANTINE)
    assert held(table, "c", NOW + 5000) == 2


def test_the_timer_is_the_next_end() -> None:
    table = leases()
    assert table.timer() is None
    table.hold("a", NOW)
    assert table.timer() is None
    table.let_go("a", NOW + 5)
    assert table.timer() == NOW + 5 + GRACE
    table.on_timer(NOW + 5 + GRACE)
    assert table.timer() == NOW + 5 + GRACE + QUARANTINE
    table.on_timer(NOW + 5 + GRACE + QUARANTINE)
    assert table.timer() is None


def test_letting_go_twice_or_of_nothing_does_nothing() -> None:
    table = leases()
    table.let_go("a", NOW)
    table.hold("a", NOW)
    table.let_go("a", NOW)
    table.let_go("a", NOW + 10)
    assert table.timer() == NOW + GRACE


def test_the_stable_address_is_remembered() -> None:
    table = leases()
    table.hold("a", NOW)
    table.remember("a", b"6" * 16)
    table.let_go("a", NOW)
    lease = table.hold("a", NOW)
    assert lease and lease.v6 == b"6" * 16
    table.let_go("a", NOW, b"7" * 16)
    assert lease.v6 == b"7" * 16


# --- Fixed ----------------------------------------------------------------------------------------------------


def test_a_fixed_address_waits_for_its_client() -> None:
    table = leases(fixed={"f": v4(1)})
    assert [held(table, name) for name in "abcdeg"] == [2, 3, 4, 5, 6, None]
    assert (table.size, table.free) == (6, 0)
    assert held(table, "f") == 1
    assert table.free == 0
    assert table.is_fixed(v4(1)) and not table.is_fixed(v4(2))


def test_a_fixed_address_stays_reserved_when_its_client_is_long_gone() -> None:
    table = leases(IPv4Network("10.0.8.0/30"), fixed={"f": v4(1)})
    assert ended(table, "f") and held(table, "a") == 2
    assert held(table, "b", NOW + 1e6) is None


def test_a_fixed_address_that_is_this_machines_own_is_no_clients() -> None:
    table = leases(fixed={"f": v4(1)}, excluded=(v4(1),))
    assert held(table, "f") == 2


def reconfigured(table: Leases, **changes: object) -> list[tuple[str, int, State]]:
    rules: dict[str, object] = {"grace": GRACE, "quarantine": QUARANTINE, **changes}
    block = rules.pop("block", BLOCK)
    gone = table.configure(NOW, block, **rules)  # type: ignore[arg-type]
    return [(lease.identity, lease.v4[3], lease.state) for lease in gone]


def test_an_address_that_becomes_fixed_leaves_its_holder() -> None:
    table = leases()
    assert [held(table, "a"), held(table, "b")] == [1, 2]
    gone = reconfigured(table, fixed={"b": v4(1)})
    assert gone == [("a", 1, State.HELD), ("b", 2, State.HELD)]
    assert [held(table, "b"), held(table, "a")] == [1, 3]


def test_the_address_that_a_client_leaves_for_a_fixed_one_is_nobodys_for_a_while() -> None:
    small = IPv4Network("10.0.8.0/30")
    table = leases(small)
    assert held(table, "a") == 1
    assert reconfigured(table, block=small, fixed={"a": v4(2)}) == [("a", 1, State.HELD)]
    assert held(table, "a") == 2
    assert held(table, "b", NOW + QUARANTINE - 1) is None
    assert table.on_timer(NOW + QUARANTINE) == []
    assert held(table, "b", NOW + QUARANTINE) == 1


def test_what_was_left_behind_may_become_fixed() -> None:
    table = leases()
    held(table, "a")
    reconfigured(table, fixed={"a": v4(5)})
    assert reconfigured(table, fixed={"a": v4(5), "b": v4(1)}) == []
    assert held(table, "b") == 1


def test_leases_outside_a_changed_block_are_gone() -> None:
    table = leases()
    assert [held(table, name) for name in "abcd"] == [1, 2, 3, 4]
    table.let_go("d", NOW)
    gone = reconfigured(table, block=IPv4Network("10.0.8.0/30"))
    assert gone == [("c", 3, State.HELD), ("d", 4, State.GRACE)]
    assert held(table, "c") is None
    assert {address: lease for address, lease in table.take_changes().items() if lease is None} == {
        v4(3): None,
        v4(4): None,
    }


def test_leases_that_still_fit_survive_a_change() -> None:
    table = leases()
    held(table, "a")
    assert reconfigured(table, block=IPv4Network("10.0.8.0/24")) == []
    assert held(table, "a") == 1
    assert held(table, "b") == 2


def test_another_time_of_grace_holds_for_those_already_in_it() -> None:
    table = leases()
    held(table, "a")
    table.let_go("a", NOW)
    reconfigured(table, grace=10.0)
    assert [lease.identity for lease in table.on_timer(NOW + 10)] == ["a"]


# --- Restart --------------------------------------------------------------------------------------------------


def test_after_a_restart_everybody_finds_its_address() -> None:
    table = leases()
    assert [held(table, name) for name in "abc"] == [1, 2, 3]
    table.let_go("b", NOW)
    table.on_timer(NOW + GRACE)
    fresh = restored(table, NOW + GRACE + 10)
    assert held(fresh, "d", NOW + GRACE + 10) == 4
    assert [held(fresh, name, NOW + GRACE + 10) for name in "cab"] == [3, 1, 2]


def test_what_was_held_at_a_kill_is_in_grace_from_the_restart() -> None:
    table = leases()
    table.hold("a", NOW)
    fresh = restored(table, NOW + 5000)
    assert fresh.timer() == NOW + 5000 + GRACE
    lease = fresh.get("a")
    assert lease and lease.state is State.GRACE
    assert list(fresh.take_changes()) == [v4(1)]


def test_grace_goes_on_while_the_gateway_is_down() -> None:
    table = leases()
    table.hold("a", NOW)
    table.hold("b", NOW)
    table.let_go("b", NOW + 1)
    fresh = restored(table, NOW + 100)
    assert [lease.identity for lease in fresh.on_timer(NOW + 1 + GRACE)] == ["b"]
    assert [lease.identity for lease in fresh.on_timer(NOW + 100 + GRACE)] == ["a"]


def test_a_clock_that_was_set_back_prolongs_nothing_beyond_one_period() -> None:
    table = leases()
    table.hold("a", NOW)
    table.let_go("a", NOW)
    fresh = restored(table, NOW - 1e6)
    assert fresh.timer() == NOW - 1e6 + GRACE


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_a_clock_that_is_set_meanwhile_neither_prolongs_nor_ends_anything(jump: float) -> None:
    table = leases()
    table.hold("a", NOW)
    table.let_go("a", NOW)
    table.shift(jump)
    assert table.on_timer(NOW + jump + GRACE - 1) == []
    assert [lease.identity for lease in table.on_timer(NOW + jump + GRACE)] == ["a"]
    table.shift(-jump)
    assert table.timer() == NOW + GRACE + QUARANTINE
    stored = table.take_changes()[v4(1)]
    assert stored is not None and stored.since == NOW + GRACE


def test_a_restart_with_another_pool_forgets_what_lies_outside() -> None:
    table = leases()
    held(table, "a")
    fresh = leases(IPv4Network("10.0.9.0/29"))
    stored = table.take_changes()[v4(1)]
    assert stored
    assert [(lease.identity, lease.v4) for lease in fresh.restore([stored], NOW)] == [("a", v4(1))]
    lease = fresh.hold("a", NOW)
    assert lease and lease.v4 == bytes((10, 0, 9, 1))


def test_what_a_client_left_behind_survives_the_restart_and_no_longer() -> None:
    table = leases()
    assert held(table, "a") == 1
    assert reconfigured(table, fixed={"a": v4(5)}) == [("a", 1, State.HELD)]
    assert held(table, "a") == 5
    fresh = restored(table, NOW, fixed={"a": v4(5)})
    assert held(fresh, "a") == 5
    assert fresh.count(State.HELD) == 1


# --- Size -----------------------------------------------------------------------------------------------------


def test_sixty_thousand_leases_come_and_go() -> None:
    table = Leases(IPv4Network("10.64.0.0/16"), grace=GRACE, quarantine=QUARANTINE)
    names = [f"client-{number}" for number in range(60_000)]
    given = {table.hold(name, NOW).v4 for name in names}  # type: ignore[union-attr]
    assert len(given) == 60_000
    for name in names:
        table.let_go(name, NOW)
    assert len(table.on_timer(NOW + GRACE)) == 60_000
    table.on_timer(NOW + GRACE + QUARANTINE)
    assert table.count(State.PAST) == 60_000
    others = [table.hold(f"other-{number}", NOW + 1e6) for number in range(65_534)]
    assert None not in others
    assert table.hold("one more", NOW + 1e6) is None
    assert IPv4Address(others[0].v4) == IPv4Address("10.64.234.97")  # type: ignore[union-attr]


def test_an_ipv6_address_is_kept_until_the_grace_is_over() -> None:
    table, v6 = leases(), bytes(15) + b"\x07"
    table.hold("a", NOW)
    assert table.keeper(v6) is None
    table.remember("a", v6)
    assert table.keeper(v6) == "a"
    table.let_go("a", NOW, v6)
    assert table.keeper(v6) == "a", "it may return"
    assert restored(table, NOW).keeper(v6) == "a", "also after a restart"
    table.on_timer(NOW + GRACE)
    assert table.keeper(v6) is None
    table.hold("a", NOW + GRACE)
    assert table.keeper(v6) == "a"
    table.let_go("a", NOW + GRACE, bytes(15) + b"\x08")
    assert table.keeper(v6) is None, "it has another one"
