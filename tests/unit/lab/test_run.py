"""What the demo's steps share: a proof that fails says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import LabError
from manageout.lab import network
from manageout.lab.run import Run, Skipped, disconnect, expect
from manageout.lab.topology import topology


def test_what_holds_is_passed_over() -> None:
    for holds in (True, 1, "text", [0]):
        expect(holds, "it does not")


@pytest.mark.parametrize("holds", [False, 0, "", [], None])
def test_what_does_not_hold_ends_the_step(holds: object) -> None:
    with pytest.raises(LabError) as failure:
        expect(holds, "it does not", "and that is why")
    assert (failure.value.message, failure.value.hint) == ("it does not", "and that is why")
    assert not isinstance(failure.value, Skipped)


@pytest.mark.parametrize(
    ("fast_path", "ad", "name"),
    [
        (True, False, "single, eBPF"),
        (False, False, "single, no eBPF"),
        (True, True, "single, AD, eBPF"),
        (False, True, "single, AD, no eBPF"),
    ],
)
def test_a_run_says_what_it_is(fast_path: bool, ad: bool, name: str) -> None:
    assert Run(topology("single"), fast_path, ad).name == name


def test_nobody_is_disconnected_who_is_not_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STATE", tmp_path)
    with pytest.raises(LabError, match="the tablet is not connected"):
        disconnect("tablet")
