"""Fixtures of the tests that need root: labs, namespaces of one's own, a record of what the machine has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab import network, site
from manageout.lab.topology import topology
from manageout.linux import netns
from tests.system.support import Lab


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
