"""A short slice of ``make fuzz``, and the engine's own promises."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from tests.fuzz.engine import Finding, Target, mutations, run
from tests.fuzz.targets import TARGETS

INPUTS = 2000


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_our_own_error(name: str) -> None:
    tally = run(TARGETS[name], INPUTS, "ci")
    assert tally.accepted, "every input was refused: the driver never gets past the first check"


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_accepted(name: str) -> None:
    """A driver whose seeds are refused tests little; a few are of the refused kind on purpose."""
    accepted = 0
    for seed in TARGETS[name].seeds:
        try:
            TARGETS[name].run(seed)
            accepted += 1
        except TARGETS[name].refuses:
            continue
    assert accepted * 2 >= len(TARGETS[name].seeds)


def test_inputs_depend_on_the_seed_alone() -> None:
    target = TARGETS["nd"]
    assert list(mutations(target, 300, "a")) == list(mutations(target, 300, "a"))
    assert list(mutations(target, 300, "a")) != list(mutations(target, 300, "b"))


def test_a_finding_carries_its_input() -> None:
    def decode(data: bytes) -> None:
        if len(data) == 3:
            raise WireError("three")
        assert len(data) != 2

    with pytest.raises(Finding, match="AssertionError") as caught:
        run(Target("two", decode, [b"abc", b"a"]), 10000)
    assert len(caught.value.data) == 2 and "assert" in caught.value.trace
