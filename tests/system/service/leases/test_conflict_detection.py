"""Leases against ARP: another machine on the segment has an address of the pool, before it is given and after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.service.leases import conflict_detection
from manageout.service.leases.keeper import LeaseKeeper
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.places.daemon import NAME, Place
from tests.tools.waiting import until

pytestmark = pytest.mark.system
OTHER = "mo-test-other"
LAPTOP = "laptop.corp.example"
SIX = bytes.fromhex("fd123456789a1000000000000000000a")
SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "/c"
key = "/k"
client_ca = "/ca"
[translation]
pool = "10.0.0.128/26"
"""


class Machine:
    """Another one on the link."""

    def give(self, *addresses: str) -> None:
        for address in addresses:
            netns.run(OTHER, ["ip", "address", "add", f"{address}/24", "dev", "e1"])

    def take(self, address: str) -> None:
        netns.run(OTHER, ["ip", "address", "del", f"{address}/24", "dev", "e1"])

    @property
    def hardware(self) -> str:
        (link,) = json.loads(netns.run(OTHER, ["ip", "-j", "link", "show", "e1"]).stdout)
        return str(link["address"])


@pytest.fixture
def machine(
    place: Place, namespaces: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    monkeypatch.setattr(conflict_detection, "ROUND", 0.3)
    namespaces(OTHER)
    place.run(["ip", "link", "set", "e1", "netns", OTHER])
    netns.run(OTHER, ["ip", "link", "set", "e1", "up"])
    wait_until("the link is up", lambda: "LOWER_UP" in place.run(["ip", "link", "show", "e0"]).stdout, 10)
    with netns.inside(NAME):
        other = Machine()
        other.give("10.0.0.20")  # outside of the pool
        yield other


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[LeaseKeeper]:
    site = parse(SITE)
    with Netlink() as netlink:
        keeper = LeaseKeeper(site, plan(site), netlink, directory)
        task = asyncio.create_task(keeper.run())  # noqa: TID251 - ended below
        await asyncio.wait_for(keeper.ready.wait(), 5)
        try:
            yield keeper
        finally:
            task.cancel()
            await asyncio.wait([task])


def lease(keeper: LeaseKeeper) -> str | None:
    client = keeper.connected.get(LAPTOP)
    return str(IPv4Address(client.lease)) if client and client.lease else None


def codes(keeper: LeaseKeeper) -> list[str]:
    return [finding.code for finding in keeper.findings()]


def test_an_address_in_use_is_skipped_before_anybody_gets_it(machine: Machine, tmp_path: Path) -> None:
    machine.give("10.0.0.129", "10.0.0.130")

    async def main() -> None:
        async with running(tmp_path) as keeper:
            await until(lambda: codes(keeper) == ["POOL-ADDRESS-TAKEN"])
            keeper.opened(1, LAPTOP, "192.0.2.1:5")
            keeper.bound(1, SIX)
            await until(lambda: lease(keeper))
            assert lease(keeper) == "10.0.0.131"
            (finding,) = keeper.findings()
            assert f"10.0.0.129 by {machine.hardware}" in finding.what and "e0" in finding.what
            machine.take("10.0.0.129")
            machine.take("10.0.0.130")
            await until(lambda: codes(keeper) == [])  # free again
            assert lease(keeper) == "10.0.0.131"

    asyncio.run(main())


def test_a_returning_client_whose_address_another_machine_has_taken_gets_another(
    machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running(tmp_path) as keeper:
            keeper.opened(1, LAPTOP, "192.0.2.1:5")
            keeper.bound(1, SIX)
            await until(lambda: lease(keeper) == "10.0.0.129")
            keeper.closed(1)
            await until(lambda: keeper.connected.get(LAPTOP) is None)
            begun = keeper.conflicts.rounds
            # Or it would be answered for while it is new.
            await until(lambda: keeper.conflicts.rounds > begun + 1)
            machine.give("10.0.0.129")
            await until(lambda: codes(keeper) == ["LEASE-CONTESTED"])
            keeper.opened(2, LAPTOP, "192.0.2.1:6")
            keeper.bound(2, SIX)
            await until(lambda: lease(keeper) == "10.0.0.130")
            assert codes(keeper) == ["POOL-ADDRESS-TAKEN"]

    asyncio.run(main())
    assert "loses its lease 10.0.0.129: another machine has the address" in caplog.text


def test_for_a_connected_client_it_is_told_and_nothing_is_taken_from_it(
    machine: Machine, tmp_path: Path
) -> None:
    async def main() -> None:
        async with running(tmp_path) as keeper:
            keeper.opened(1, LAPTOP, "192.0.2.1:5")
            keeper.bound(1, SIX)
            await until(lambda: lease(keeper) == "10.0.0.129" and keeper.conflicts.rounds > 1)
            machine.give("10.0.0.129")
            await until(lambda: codes(keeper) == ["LEASE-CONTESTED"])
            (finding,) = keeper.findings()
            assert finding.severity == "error" and machine.hardware in finding.what
            rounds = keeper.conflicts.rounds
            await until(lambda: keeper.conflicts.rounds > rounds + 1)
            assert lease(keeper) == "10.0.0.129"
            machine.take("10.0.0.129")
            await until(lambda: codes(keeper) == [])

    asyncio.run(main())


def test_one_machine_that_answers_for_everything_takes_no_address_away(
    machine: Machine, tmp_path: Path
) -> None:
    machine.give(*(f"10.0.0.{number}" for number in range(129, 160)))

    async def main() -> None:
        async with running(tmp_path) as keeper:
            await until(lambda: codes(keeper) == ["POOL-PROXIED"])
            keeper.opened(1, LAPTOP, "192.0.2.1:5")
            keeper.bound(1, SIX)
            await until(lambda: lease(keeper) == "10.0.0.129")
            rounds = keeper.conflicts.rounds
            await until(lambda: keeper.conflicts.rounds > rounds + 1)
            assert lease(keeper) == "10.0.0.129" and codes(keeper) == ["POOL-PROXIED"]

    asyncio.run(main())
