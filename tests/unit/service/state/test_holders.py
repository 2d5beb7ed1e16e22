"""Who held an address last: bounded, nobody is pushed out by another, kept over a restart."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from manageout.service.state import holders as module
from manageout.service.state.holders import EACH, Holders

NUMBERS = count(1)


def fresh(many: int) -> Iterator[bytes]:
    """Addresses that nobody has had."""
    return (next(NUMBERS).to_bytes(16, "big") for _ in range(many))


def test_the_last_one_counts() -> None:
    (address,) = fresh(1)
    holders = Holders()
    assert holders.of(address) is None
    for identity in ("a", "b", "b"):
        holders.note(address, identity)
    assert holders.of(address) == "b"
    assert len(holders) == 1


def test_who_goes_through_addresses_pushes_out_its_own() -> None:
    holders = Holders()
    (victim,) = fresh(1)
    holders.note(victim, "victim")
    mine = list(fresh(EACH + 10))
    for address in mine:
        holders.note(address, "attacker")
    assert holders.of(victim) == "victim"
    assert holders.pushed_out() == set(mine[:10])
    assert holders.pushed_out() == set()
    assert len(holders) == EACH + 1


def test_one_that_comes_again_is_the_latest() -> None:
    holders = Holders()
    first, second, *others = fresh(EACH + 1)
    for address in (first, second, *others[:-1], first, others[-1]):
        holders.note(address, "client")
    assert holders.pushed_out() == {second}


def test_without_any_room_those_with_the_most_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORMER", 100)
    holders = Holders()
    (victim,) = fresh(1)
    holders.note(victim, "victim")
    for number in range(30):
        for address in fresh(10):
            holders.note(address, f"attacker {number}")
    assert len(holders) == 100
    assert holders.of(victim) == "victim"


def test_they_outlive_a_killed_process(tmp_path: Path) -> None:
    file = tmp_path / "holders"
    one, two = fresh(2)
    holders = Holders(file)
    for address, identity in ((one, "a"), (two, "b\n\u2028"), (one, "c")):
        holders.note(address, identity)
    with open(file, "ab") as damaged:
        damaged.write(b'\xff\n[1]\n["00", "x"]\n["' + one.hex().encode())
    again = Holders(file)
    assert [again.of(address) for address in (one, two)] == ["c", "b\n\u2028"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_file_is_written_anew_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLACK", 5)
    file = tmp_path / "holders"
    (address,) = fresh(1)
    holders = Holders(file)
    for number in range(100):
        holders.note(address, f"client {number}")
    assert file.read_text().count("\n") < 10
    assert Holders(file).of(address) == "client 99"


def test_what_cannot_be_written_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "holders"
    one, two = fresh(2)
    holders = Holders(file)
    holders.note(one, "a")
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    holders.note(two, "b")
    file.rmdir()
    assert holders.of(two) == "b", "in memory all goes on"
    assert Holders(file).of(one) is None


def test_what_is_no_longer_true_on_a_full_disk_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "holders"
    one, two = fresh(2)
    holders = Holders(file)
    holders.note(one, "a")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        holders.note(one, "b")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    holders.note(two, "b")
    assert holders.of(one) == "b"
    assert Holders(file).of(one) is None
