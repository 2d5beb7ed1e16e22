"""What the keeper of leases sees of this machine's own addresses while it runs."""

from __future__ import annotations

import asyncio
import errno
from ipaddress import ip_interface

import pytest

from manageout.linux.netlink.links import Interface, Netlink
from manageout.linux.netlink.messages import refused
from manageout.service.leases import keeper as lease_keeper
from tests.unit.service.leases.test_keeper import LAPTOP, A, Scene, play, scene

__all__ = ["scene"]


def test_a_look_at_our_addresses_that_the_kernel_refuses_is_left_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease_keeper, "LOOK", 0.01)
    refusing = [refused(errno.ENOMEM, "list addresses"), OSError(errno.ENOBUFS, "No buffer space available")]

    class Moody(Netlink):
        def addresses(self, dev: str | None = None) -> list[Interface]:
            if running and refusing:
                raise refusing.pop()
            own = [ip_interface("10.0.8.1/24")] if running else []
            return [*super().addresses(dev), *own]

    running = False

    async def story(scene: Scene) -> None:
        nonlocal running
        scene.arrive(1, LAPTOP, A)
        await scene.hears(lambda: ("present", LAPTOP, "10.0.8.1") in scene.told.heard)
        running = True
        await scene.hears(lambda: ("present", LAPTOP, "10.0.8.2") in scene.told.heard)

    scene.make(netlink=Moody())
    play(scene, story)
    assert not refusing
    assert sum("own addresses cannot be read" in message for message in caplog.messages) == 2


def test_without_leases_our_addresses_are_nobodys_concern(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease_keeper, "LOOK", 0.01)
    running = False

    class Refusing(Netlink):
        def addresses(self, dev: str | None = None) -> list[Interface]:
            if running:
                raise refused(errno.ENOMEM, "list addresses")
            return super().addresses(dev)

    async def story(scene: Scene) -> None:
        nonlocal running
        running = True
        scene.arrive(1, LAPTOP, A)
        await scene.hears(lambda: scene.told.heard == [("present", LAPTOP, None)])
        await asyncio.sleep(0.1)

    scene.make(None, netlink=Refusing())
    play(scene, story)
    assert caplog.messages == []
