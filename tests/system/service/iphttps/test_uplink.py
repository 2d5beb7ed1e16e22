"""What a client hears of this machine's network."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Callable

from manageout.linux.host import netns
from manageout.linux.netlink.links import PROTO, KernelRoute, Netlink
from manageout.service.iphttps.uplink import UplinkWatch


class Moving(Netlink):
    """The network changes just after it was looked at for the first time."""

    moved = False

    def routes(self, family: int = socket.AF_INET6, protocol: int | None = PROTO) -> list[KernelRoute]:
        found = super().routes(family, protocol=protocol)
        if family == socket.AF_INET6 and not self.moved:
            self.moved = True
            subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "mo-test0"], check=True)
        return found


def test_what_changes_after_the_first_look_is_heard(namespaces: Callable[[str], str]) -> None:
    async def hear(netlink: Netlink) -> None:
        changed = asyncio.Event()
        watch = UplinkWatch(netlink, "lo", lambda reaction: None, changed.set)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(watch.run())
            await asyncio.wait_for(changed.wait(), 10)
            task.cancel()

    with netns.inside(namespaces("mo-test-uplink")), Moving() as netlink:
        subprocess.run(["ip", "link", "add", "mo-test0", "type", "veth"], check=True)
        asyncio.run(hear(netlink))
