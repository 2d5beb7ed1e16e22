"""The router's name changes in DNS: helpdesk follows and keeps its tunnel."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import topology
from tests.tools.lab import Lab, set_router

SECOND = IPv4Address("10.0.0.3")


@pytest.fixture(params=[True, False], ids=["ebpf", "python"])
def two_locators(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab whose router has two intranet addresses; the name has the first."""
    wanted = topology("single")
    try:
        network.up(wanted)
        network.run("gateway", ["ip", "address", "add", f"{SECOND}/24", "dev", "intranet"])
        servers.start_all(wanted)
        site.start_daemons(wanted, fast_path=request.param, locators=[wanted.router_locator, SECOND])
        site.connect()
        site.join("helpdesk", fast_path=request.param)
        yield Lab(wanted, request.param)
    finally:
        network.down()


def routers() -> list[str]:
    """The routers that helpdesk uses now, best first."""
    rows: dict[str, Any] = site.ask("helpdesk", "status")["roles"]["isatap-host"]["routers"]
    return list(rows)


def test_join_follows_the_record(two_locators: Lab) -> None:
    address, laptop = site.host_address("helpdesk"), site.laptop_address()
    pinging = process.start("helpdesk", "ping", ["ping", "-n", "-i", "0.1", "-w", "60", str(laptop)])
    set_router(SECOND)
    wait_until("helpdesk follows", lambda: routers() == [str(SECOND)], 40, [pinging])
    process.stop(pinging, signal.SIGINT)
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+)", pinging.log.read_text())}
    assert answered == set(range(1, len(answered) + 1)), pinging.log.read_text()
    assert len(answered) > 10
    assert site.host_address("helpdesk") == address


def test_a_name_that_vanishes_changes_nothing(two_locators: Lab) -> None:
    set_router()
    laptop = site.laptop_address()
    assert network.run("helpdesk", ["ping", "-n", "-c", "40", "-i", "0.1", str(laptop)]).returncode == 0
