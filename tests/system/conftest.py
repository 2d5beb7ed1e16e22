"""Fixtures of the tests that need root: labs, namespaces of one's own, a record of what the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from manageout.lab import network, site
from manageout.lab.topology import Topology, topology
from manageout.linux import netns


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here carries the marker ``system``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session", autouse=True)
def root() -> None:
    """Skip without root, by name; where tests must run (CI) that is a failure."""
    if os.geteuid() != 0:
        reason = "needs root: network namespaces, raw sockets, eBPF"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture
def namespaces() -> Iterator[Callable[[str], str]]:
    """Makes namespaces by name; all of them, and what runs inside, are gone after the test."""
    made: list[str] = []

    def make(name: str) -> str:
        netns.create(name)
        made.append(name)
        return name

    yield make
    network.end_processes(made)
    for name in made:
        netns.delete(name)


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    topology: Topology
    fast_path: bool | None
    """None in a bare lab."""

    @property
    def router(self) -> str:
        """The node that is the ISATAP router."""
        return self.topology.router


@pytest.fixture(scope="module")
def bare_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Only the networks; ``single`` unless parametrised with another topology."""
    wanted = topology(getattr(request, "param", "single"))
    try:
        network.up(wanted)
        yield Lab(wanted, None)
    finally:
        network.down()


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Everything running; ("single", True) unless parametrised with another (topology, fast path)."""
    name, fast_path = getattr(request, "param", ("single", True))
    wanted = topology(name)
    try:
        site.up(wanted, fast_path=fast_path)
        yield Lab(wanted, fast_path)
    finally:
        network.down()


def manageout(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run ``manageout ARGUMENTS`` to its end."""
    argv = [sys.executable, "-m", "manageout", *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=110)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def machine_state(prefix: Sequence[str] = ()) -> dict[str, str]:
    """Links, addresses, routes, rules and namespaces, as text; ``prefix`` enters a namespace."""
    commands = {
        "links": ["ip", "-o", "link"],
        "addresses": ["ip", "-o", "address"],
        "routes": ["ip", "route", "show", "table", "all"],
        "routes6": ["ip", "-6", "route", "show", "table", "all"],
        "rules": ["ip", "rule"],
        "nft": ["nft", "list", "ruleset"],
    }
    state = {name: _output([*prefix, *argv]) for name, argv in commands.items()}
    state["namespaces"] = "\n".join(netns.names())
    return state


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
