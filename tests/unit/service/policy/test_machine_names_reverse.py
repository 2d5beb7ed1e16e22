"""Names of intranet machines, asked of a real server on loopback."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from manageout.service.policy import machine_names
from manageout.service.policy.machine_names import RECHECK, PeerNames
from tests.tools.dns_server import Zone, serving
from tests.tools.waiting import until

APP, NAMELESS = IPv4Address("10.0.0.20"), IPv4Address("10.0.0.21")
ZONE: Zone = {("20.0.0.10.in-addr.arpa.", "PTR"): (300, ["app.corp.example."])}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_name_is_there_the_next_time_and_is_asked_for_once_an_hour() -> None:
    async def main() -> None:
        clock = Clock()
        async with serving(ZONE) as (server, resolver):
            names = PeerNames(resolver, clock)
            task = asyncio.get_running_loop().create_task(names.run())
            assert [names.name(APP), names.name(NAMELESS)] == ["", ""]
            await until(lambda: names.name(APP) == "app.corp.example")
            await until(lambda: names.name(NAMELESS) == "" and server.asked == 2)
            await asyncio.sleep(0.05)
            assert server.asked == 2
            clock.now += RECHECK + 1
            assert names.name(APP) == "app.corp.example"  # the old one, while the new one is asked for
            await until(lambda: server.asked == 3)
            task.cancel()

    asyncio.run(main())


def test_a_dead_server_only_means_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with serving(ZONE) as (server, resolver):
            server.refusing = True
            names = PeerNames(resolver)
            task = asyncio.get_running_loop().create_task(names.run())
            names.name(APP)
            await until(lambda: server.asked > 0)
            assert names.name(APP) == ""
            assert not task.done()
            task.cancel()

    asyncio.run(main())


def test_it_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_names, "MAX_NAMES", 2)

    async def main() -> None:
        async with serving({}) as (server, resolver):
            names = PeerNames(resolver)
            task = asyncio.get_running_loop().create_task(names.run())
            for last in range(5):
                names.name(IPv4Address(f"10.0.0.{last}"))
            await until(lambda: server.asked >= 2)
            await asyncio.sleep(0.05)
            assert server.asked == 2, "no more were queued than can be kept"
            names.name(IPv4Address("10.0.0.9"))
            await until(lambda: server.asked == 3)
            task.cancel()

    asyncio.run(main())
