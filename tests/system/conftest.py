"""Fixtures of the tests that need root: labs, namespaces of one's own, a record of what the machine has."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.lab import network, site
from manageout.lab.topology import topology
from manageout.linux.host import netns
from manageout.service.tls.pki import Authority
from tests.tools.lab import Lab
from tests.tools.places import daemon as daemon_place
from tests.tools.places.daemon import Place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here carries the marker ``system``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the hint of our own errors: it has the end of the logs."""
    report = yield
    if call.excinfo and isinstance(call.excinfo.value, ManageoutError):
        report.sections.append(("hint", call.excinfo.value.hint))
    return report


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


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority with a certificate for a gateway."""
    directory = tmp_path_factory.mktemp("pki")
    Authority.create(directory, "Test CA").issue("gateway.corp.example", server=True)
    return directory


@pytest.fixture
def place(namespaces: Callable[[str], str], tmp_path: Path, pki: Path) -> Iterator[Place]:
    """Where a daemon can run."""
    namespaces(daemon_place.NAME)
    made = Place(tmp_path, pki)
    yield made
    made.end_all()
