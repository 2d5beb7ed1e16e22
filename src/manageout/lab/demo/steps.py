"""The demo: what the product is for, step by step, each with its proof.

A run builds the lab, goes through the steps of steps.toml in order and removes it. A step is a function from the run to
one line of detail; it fails by raising :class:`LabError`. The steps after a failed one are still tried, unless it
was vital.
"""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from manageout.errors import ManageoutError
from manageout.lab import draw, network, servers, site
from manageout.lab.demo.isatap import join
from manageout.lab.run import Run, Skipped
from manageout.lab.topology import Topology
from manageout.words import toml_of


class DemoStep(NamedTuple):
    """``act`` returns one line of detail, or raises :class:`LabError`."""

    name: str
    act: Callable[[Run], str]
    vital: bool
    """When it fails, there is nothing to try the others with."""


class StepOutcome(NamedTuple):
    """What became of a step. ``verdict``: ok, failed or skipped."""

    run: str
    name: str
    verdict: str
    seconds: float
    detail: str


def demonstrate(
    wanted: Topology, fast_paths: Sequence[bool], say: Callable[[str], object], *, ad: bool = False
) -> list[StepOutcome]:
    """Go through every step once for each of ``fast_paths``; the lab is gone at the end, whatever happens.

    Raises :class:`LabError` when a lab is up already.
    """
    outcomes: list[StepOutcome] = []
    for fast_path in fast_paths:
        run = Run(wanted, fast_path, ad)
        say(f"\n{run.name}")
        network.up(wanted)
        try:
            outcomes += perform(run, say)
        finally:
            network.down()
    good = sum(outcome.verdict == "ok" for outcome in outcomes)
    say(f"\n{good} of {len(outcomes)} steps ok, {sum(outcome.seconds for outcome in outcomes):.0f} s")
    return outcomes


def perform(run: Run, say: Callable[[str], object]) -> list[StepOutcome]:
    """Go through the steps in a lab whose bare networks are up."""
    outcomes = []
    broken = ""
    say(f"\n{draw.picture(run.topology, ad=run.ad)}\n")
    for name, act, vital in steps_of(ad=run.ad):
        started = time.monotonic()
        try:
            if broken:
                raise Skipped(f"not tried after: {broken}")
            verdict, detail = "ok", act(run)
        except Skipped as error:
            verdict, detail = "skipped", error.message
        except ManageoutError as error:
            verdict, detail = "failed", "\n".join(filter(None, (error.message, error.hint)))
            broken = name if vital else broken
        outcomes.append(StepOutcome(run.name, name, verdict, round(time.monotonic() - started, 3), detail))
        say(_line(outcomes[-1]))
        if act is join and verdict == "ok":
            say(f"\n{site.links(run.topology)}\n")
    return outcomes


def _line(outcome: StepOutcome) -> str:
    mark = {"ok": "✓", "failed": "✗", "skipped": "-"}[outcome.verdict]
    detail = outcome.detail.replace("\n", "\n      ")
    return f"  {mark} {outcome.name:<38} {outcome.verdict:<7} {outcome.seconds:6.2f} s  {detail}"


def start(run: Run) -> str:
    servers.start_all(run.topology, ad=run.ad)
    dns = "Active Directory, BIND" if run.ad else "BIND"
    daemons = site.start_daemons(run.topology, fast_path=run.fast_path)
    return f"manageout run on {' and '.join(daemon.node for daemon in daemons)}; {dns}, sshd, web servers"


def connect(run: Run) -> str:
    site.connect()
    return f"{run.laptop} through the NAT, by IP-HTTPS only"


def steps_of(*, ad: bool) -> list[DemoStep]:
    """The steps of a run, in order."""
    rows = toml_of("manageout.lab.demo", "steps.toml")["steps"]
    return [_step(*row) for row in rows if ad or "ad" not in row]


def _step(name: str, place: str, *marks: str) -> DemoStep:
    module, _, function = place.partition(".")
    return DemoStep(name, getattr(import_module(f"{__package__}.{module}"), function), "vital" in marks)
