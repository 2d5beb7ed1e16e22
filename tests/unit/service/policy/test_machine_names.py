"""Managers by name, asked of a real server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from ipaddress import IPv4Address, IPv6Address

from manageout.service.policy.machine_names import LONGEST, MAX_ADDRESSES, RETRY, SHORTEST, ManagerNames
from tests.tools.dns_server import Server, Zone, serving
from tests.tools.waiting import until

NAME = "helpdesk.corp.example"
V4, V6 = (NAME + ".", "A"), (NAME + ".", "AAAA")
ONE, SIX = IPv4Address("10.0.1.30"), IPv6Address("2001:db8::1")
Found = list[tuple[str, set[IPv4Address | IPv6Address]]]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fixture:
    """Names that run, and what they have said; ``later`` lets time pass."""

    def __init__(self, names: ManagerNames, clock: Clock, server: Server, found: Found) -> None:
        self.names, self.clock, self.server, self.found = names, clock, server, found

    def later(self, seconds: float) -> None:
        """Wake it, as its timer would."""
        self.clock.now += seconds
        self.names.wake()


def run(zone: Zone, test: Callable[[Fixture], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(zone) as (server, resolver):
            found: Found = []

            def note(name: str, addresses: Collection[IPv4Address | IPv6Address]) -> None:
                found.append((name, set(addresses)))

            clock = Clock()
            names = ManagerNames(note, resolver, clock)
            names.configure([NAME], resolver)
            task = asyncio.get_running_loop().create_task(names.run())
            await test(Fixture(names, clock, server, found))
            task.cancel()

    asyncio.run(main())


def test_both_families_and_again_when_the_ttl_is_over() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: it.found == [(NAME, {ONE, SIX})])
        asked = it.server.asked
        it.later(29)
        await asyncio.sleep(0.05)
        assert it.server.asked == asked
        it.server.zone[V4] = (30, ["10.0.1.31"])
        it.later(2)
        await until(lambda: it.found[1:] == [(NAME, {IPv4Address("10.0.1.31"), SIX})])

    run({V4: (30, [str(ONE)]), V6: (300, [str(SIX)])}, test)


def test_a_ttl_of_0_is_not_followed_to_the_letter() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: bool(it.found))
        asked = it.server.asked
        it.later(SHORTEST - 1)
        await asyncio.sleep(0.05)
        assert it.server.asked == asked

    run({V4: (0, [str(ONE)])}, test)


def test_a_name_that_is_gone_opens_nothing() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: bool(it.found))
        it.server.zone.clear()
        it.later(31)
        await until(lambda: it.found[1:] == [(NAME, set())])
        assert it.names.states == {NAME: "has no address"}
        it.server.zone[V4] = (30, [str(ONE)])
        it.later(RETRY + 1)
        await until(lambda: it.found[2:] == [(NAME, {ONE})])
        assert it.names.states == {NAME: ""}

    run({V4: (30, [str(ONE)])}, test)


def test_what_was_known_goes_on_while_the_server_refuses() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: bool(it.found))
        it.server.refusing = True
        it.later(31)
        await until(lambda: "cannot be resolved" in it.names.states[NAME])
        assert len(it.found) == 1

    run({V4: (30, [str(ONE)])}, test)


def test_a_flood_of_addresses_is_cut() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: bool(it.found))
        assert len(it.found[0][1]) == MAX_ADDRESSES

    run({V4: (30, [f"10.0.1.{last}" for last in range(1, 3 + MAX_ADDRESSES // 2)]),
         V6: (30, [f"2001:db8::{last}" for last in range(1, 3 + MAX_ADDRESSES // 2)])}, test)  # fmt: skip


def test_other_names_of_another_file() -> None:
    async def test(it: Fixture) -> None:
        await until(lambda: bool(it.found))
        it.names.configure([], it.names.resolver)
        assert it.names.states == {}
        it.later(LONGEST)
        await asyncio.sleep(0.05)
        assert len(it.found) == 1

    run({V4: (30, [str(ONE)])}, test)
