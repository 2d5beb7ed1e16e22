"""The router's name, asked of a real server on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

import pytest

from manageout.service.isatap import router_name
from manageout.service.isatap.router_name import MIN_REFRESH, PRL_REFRESH_INTERVAL, RouterName
from tests.tools.dns_server import Server, Zone, serving

NAME = "manageout-isatap.corp.example"
KEY = (NAME + ".", "A")
A1, A2 = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(zone: Zone, test: Callable[[RouterName, Server, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving(zone) as (server, resolver):
            clock = Clock()
            await test(RouterName(NAME, resolver, clock), server, clock)

    asyncio.run(main())


def test_an_address_is_not_looked_up() -> None:
    name = RouterName("10.0.0.1")
    assert asyncio.run(name.resolve()) == [A1]
    assert name.pause(120.0) == PRL_REFRESH_INTERVAL


def test_all_addresses_are_found_and_the_ttl_is_honoured() -> None:
    async def test(name: RouterName, server: Server, _: Clock) -> None:
        assert await name.resolve() == [A1, A2]
        assert name.pause(100.0) == 300.0
        server.zone[KEY] = (100000, [str(A1)])
        assert await name.resolve() == [A1]
        assert name.pause(100.0) == PRL_REFRESH_INTERVAL
        server.zone[KEY] = (1, [str(A1)])
        await name.resolve()
        assert name.pause(100.0) == MIN_REFRESH

    ask({KEY: (300, [str(A2), str(A1)])}, test)


def test_a_ttl_of_0_means_before_each_solicitation() -> None:
    async def test(name: RouterName, _: Server, __: Clock) -> None:
        await name.resolve()
        assert name.pause(120.0) == 119.0

    ask({KEY: (0, [str(A1)])}, test)


def test_an_unknown_name_is_told_once_and_tried_again_ever_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(name: RouterName, server: Server, _: Clock) -> None:
        pauses = []
        for _attempt in range(8):
            assert await name.resolve() is None
            pauses.append(name.pause(120.0))
        assert pauses == sorted(pauses) or max(pauses) <= 75.0
        assert 1.5 <= pauses[0] <= 2.5 and 45.0 <= pauses[-1] <= 75.0
        server.zone[KEY] = (300, [str(A1)])
        assert await name.resolve() == [A1]
        assert name.pause(120.0) == 300.0

    with caplog.at_level(logging.INFO):
        ask({}, test)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert f"the name {NAME} has no IPv4 address" in caplog.text


def test_a_record_that_vanishes_counts_only_after_an_hour() -> None:
    async def test(name: RouterName, server: Server, clock: Clock) -> None:
        assert await name.resolve() == [A1]
        server.zone.clear()
        assert await name.resolve() is None
        clock.now = PRL_REFRESH_INTERVAL - 1
        assert await name.resolve() is None
        clock.now = PRL_REFRESH_INTERVAL
        assert await name.resolve() == []
        server.zone[KEY] = (300, [str(A2)])
        assert await name.resolve() == [A2]

    ask({KEY: (300, [str(A1)])}, test)


def test_a_silent_server_is_told_in_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_name, "LIFETIME", 0.2)

    async def test(name: RouterName, server: Server, _: Clock) -> None:
        server.silent = True
        assert await name.resolve() is None
        assert "no DNS server answers" in name.state

    ask({}, test)
    assert caplog.text.count("\n") == 1
