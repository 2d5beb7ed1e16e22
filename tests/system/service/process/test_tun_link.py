"""What ends a link on the loop."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns
from manageout.linux.packets.tun import Tun
from manageout.service.process.tun_link import TunLink


@pytest.fixture
def tun(namespaces: Callable[[str], str]) -> Iterator[Tun]:
    with netns.inside(namespaces("mo-test-link")), Tun.open("mo-test0", 1280) as device:
        subprocess.run(["ip", "link", "set", "mo-test0", "up"], check=True)
        yield device


def remove() -> None:
    subprocess.run(["ip", "link", "delete", "mo-test0"], check=True)


def test_a_device_that_is_removed_ends_it_and_nothing_is_read_any_more(tun: Tun) -> None:
    calls = []

    def take() -> None:
        calls.append(1)
        tun.read_batch()

    async def serve() -> None:
        with TunLink(tun, lambda: None) as link:
            link.read(tun.fd, take)
            remove()
            with pytest.raises(KernelError):
                await asyncio.wait_for(link.failure(), 20)
            before = len(calls)
            await asyncio.sleep(0.1)
            assert len(calls) == before

    asyncio.run(serve())


def test_an_error_of_the_timer_ends_it_too(tun: Tun) -> None:
    def fails() -> None:
        raise KernelError("no route", "")

    async def serve() -> None:
        with TunLink(tun, fails) as link:
            link.timer.at(0.0)
            with pytest.raises(KernelError, match="no route"):
                await asyncio.wait_for(link.failure(), 20)

    asyncio.run(serve())
