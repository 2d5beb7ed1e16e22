"""PTR names, asked of a real server on loopback."""

from __future__ import annotations

import asyncio

import pytest

from manageout.protocol.isatap.registry import Registry
from manageout.service.isatap import host_names
from manageout.service.isatap.host_names import HostNames
from tests.tools.dns_server import Zone, serving

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"
ZONE: Zone = {("1.0.0.10.in-addr.arpa.", "PTR"): (300, ["helpdesk.corp.example."])}


def test_names_are_looked_up_once_and_their_absence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_names, "_PAUSE", 0.01)
    registry = Registry()
    registry.wall_offset = 1e9
    for v4 in (A, B):
        registry.received(v4, 1, 0.0)

    async def main() -> int:
        async with serving(ZONE) as (server, resolver):
            names = HostNames(registry, resolver)
            names.seen(A)
            task = asyncio.get_running_loop().create_task(names.run())
            for _ in range(500):
                await asyncio.sleep(0.01)
                if all(record.name_checked for record in registry):
                    break
            asked = server.asked
            await asyncio.sleep(0.1)
            task.cancel()
            assert server.asked == asked, "a fresh answer was asked for again"
            return asked

    assert asyncio.run(main()) == 2
    assert [record.name for record in registry] == ["helpdesk.corp.example", ""]


def test_forged_hosts_cost_few_questions() -> None:
    registry = Registry()
    registry.wall_offset = 1e9
    names = HostNames(registry)
    for number in range(1000):
        registry.received(number.to_bytes(4, "big"), 1, 0.0)
        names.seen(number.to_bytes(4, "big"))
    registry.sent((77).to_bytes(4, "big"), 1)
    assert names._new() == [(number).to_bytes(4, "big") for number in (77, 0, 1, 2, 3)]
    assert all(len(names._new()) <= host_names.UNPROVEN for _ in range(3))
    assert names._new() == []
    assert len(names._stale()) <= host_names.UNPROVEN + 1
