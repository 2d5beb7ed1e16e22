"""The table of the demo's steps, and how a run goes through them, without a lab."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import pytest

from manageout.errors import LabError, NotPermitted
from manageout.lab import demo
from manageout.lab.demo import steps
from manageout.lab.demo.steps import DemoStep, perform, steps_of
from manageout.lab.run import Run, Skipped
from manageout.lab.topology import topology


def test_every_step_is_a_function_of_the_run_and_has_a_name_of_its_own() -> None:
    found = steps_of(ad=True)
    for step in found:
        assert list(inspect.signature(step.act).parameters) == ["run"], step.name
    assert len({step.name for step in found}) == len({step.act for step in found}) == len(found)
    assert max(len(step.name) for step in found) <= 38, "the column of names"


def test_no_step_is_forgotten() -> None:
    acts = {step.act for step in steps_of(ad=True)}
    for module in iter_modules(demo.__path__):
        for name, value in vars(import_module(f"{demo.__name__}.{module.name}")).items():
            takes_a_run = inspect.isfunction(value) and list(inspect.signature(value).parameters) == ["run"]
            if takes_a_run and value.__module__.endswith(module.name) and not name.startswith("_"):
                assert value in acts, f"{module.name}.{name}"


def test_only_a_domain_has_the_steps_of_a_domain() -> None:
    more = [step.name for step in steps_of(ad=True) if step not in steps_of(ad=False)]
    assert more == [
        "the domain is in place",
        "policies for Windows are published",
        "a change by hand shows; all is undone",
    ]


def test_without_the_vital_ones_nothing_is_tried() -> None:
    assert [step.name for step in steps_of(ad=True) if step.vital] == [
        "servers and daemons start",
        "laptop connects",
    ]


def went(monkeypatch: pytest.MonkeyPatch, *acts: tuple[str, Callable[[Run], str], bool]) -> list[str]:
    """What a run through these says, a line a step, without the time."""
    monkeypatch.setattr(steps, "steps_of", lambda *, ad: [DemoStep(*act) for act in acts])
    said: list[str] = []
    outcomes = perform(Run(topology("single"), True), said.append)
    assert [outcome.run for outcome in outcomes] == ["single, eBPF"] * len(acts)
    assert all(outcome.seconds >= 0 for outcome in outcomes)
    return [f"{outcome.name}: {outcome.verdict}: {outcome.detail}" for outcome in outcomes]


def raises(error: Exception) -> Callable[[Run], str]:
    def act(run: Run) -> str:
        raise error

    return act


def test_a_step_that_fails_says_why_and_the_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found = went(
        monkeypatch,
        ("one", raises(LabError("broken", "line 1\nline 2")), False),
        ("two", raises(Skipped("not here: no eBPF")), False),
        ("three", raises(NotPermitted("forbidden")), False),
        ("four", lambda run: run.topology.name, False),
    )
    assert found == [
        "one: failed: broken\nline 1\nline 2",
        "two: skipped: not here: no eBPF",
        "three: failed: forbidden",
        "four: ok: single",
    ]


def test_after_a_vital_one_that_fails_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found = went(
        monkeypatch,
        ("one", raises(Skipped("not here")), True),
        ("two", raises(LabError("broken")), True),
        ("three", raises(AssertionError("tried all the same")), False),
    )
    assert found == [
        "one: skipped: not here",
        "two: failed: broken",
        "three: skipped: not tried after: two",
    ]


def test_what_is_no_fault_of_the_lab_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        went(monkeypatch, ("one", raises(ZeroDivisionError()), False))
