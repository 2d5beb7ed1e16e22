"""The underlay in a VRF: IPv4 by routes of its own, everything else by the main table's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.system.service.isatap.test_join import HOST, ROUTER, Wire, stream, wires
from tests.tools.this_kernel import require

FAST = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


@pytest.fixture
def wire(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Wire]:
    require("vrf")
    yield from wires(namespaces, tmp_path)


def enslave(wire: Wire, name: str) -> None:
    """``e0`` there goes into a VRF; its routes leave the main table."""
    for line in ("link add inner type vrf table 7", "link set inner up", "link set e0 master inner"):
        wire.run(name, "ip", *line.split())


@FAST
def test_a_router_reaches_its_hosts_by_the_routes_of_the_vrf(wire: Wire, fast: bool) -> None:
    enslave(wire, ROUTER)
    wire.router(fast)
    wire.join("10.0.0.1", fast)
    wait_until("the host reaches the server", wire.reaches, 20)
    assert wire.reaches("-s", "1232", "-M", "do")
    for direction in ((), ("--reverse",)):
        assert stream(wire, direction) >= 1_000_000
    assert wire.ask(ROUTER, "drops") == [] == wire.ask(HOST, "drops")


def test_it_follows_its_card_into_a_vrf_and_out_again(wire: Wire) -> None:
    wire.router()
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    enslave(wire, ROUTER)
    wait_until("the host reaches the server again", wire.reaches, 20)
    wire.run(ROUTER, "ip", "link", "set", "e0", "nomaster")
    wait_until("the host reaches the server once more", wire.reaches, 20)


def test_a_host_says_that_it_finds_no_way_from_a_vrf(wire: Wire) -> None:
    enslave(wire, HOST)
    wire.router()
    wire.join("10.0.0.1")
    told = "no route to any router: waiting for one (those of a VRF do not count)"
    wait_until("it says so", lambda: wire.log(HOST).count(told) == 1, 20)
    wire.run(HOST, "ip", "link", "set", "e0", "nomaster")
    wait_until("the host reaches the server", wire.reaches, 20)
    assert wire.log(HOST).count(told) == 1
