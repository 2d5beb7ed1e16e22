"""What cannot be forgotten now is forgotten later, and ends nobody's service."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manageout.service.policy.charges import KEEP, Charges
from manageout.service.policy.departed import Departed
from manageout.service.process.presence import Presence
from manageout.site.plan import plan
from manageout.site.tables.site import parse

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "c"
key = "k"
client_ca = "ca"
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@contextmanager
def without_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_process_out_of_descriptors() -> None:
    async def run() -> None:
        site = parse(SITE)
        service = Departed(site, plan(site), Charges(Presence()))
        service.recount = True
        with without_descriptors():
            await service.look(time.monotonic())
        assert service.recount
        await service.look(time.monotonic())
        assert not service.recount

    asyncio.run(run())


def test_strangers_stay_to_be_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        site = parse(SITE)
        service = Departed(site, plan(site), Charges(Presence()))
        late = time.monotonic() + KEEP
        for _ in range(2):
            with without_descriptors():
                await service.look(late)
        assert len(caplog.records) == 2
        await service.look(late)
        with without_descriptors():  # nothing is left to do
            await service.look(late)
        assert len(caplog.records) == 2

    asyncio.run(run())
