"""Kernel parameters of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns, sysctl

FORWARDING = "net.ipv6.conf.all.forwarding"


@pytest.fixture(autouse=True)
def inside(namespaces: Callable[[str], str]) -> Iterator[None]:
    name = namespaces("mo-test-sysctl")
    netns.run(name, ["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"])
    with netns.inside(name):
        yield


def test_setting_returns_what_was_there() -> None:
    assert sysctl.get(FORWARDING) == "0"
    assert sysctl.set(FORWARDING, 1) == "0"
    assert sysctl.set(FORWARDING, "1") is None
    assert sysctl.get("net/ipv6/conf/v0/forwarding") == "1"


def test_what_writing_all_would_overwrite() -> None:
    sysctl.set("net.ipv6.conf.v0.forwarding", 1)
    assert sysctl.affected(FORWARDING) == {FORWARDING: "0", "net/ipv6/conf/v0/forwarding": "1"}
    before = sysctl.affected(FORWARDING)
    sysctl.set(FORWARDING, 1)
    for name, value in before.items():
        sysctl.set(name, value)
    assert sysctl.affected(FORWARDING) == before


def test_what_is_not_there_or_not_a_value() -> None:
    assert sysctl.find("net.ipv6.conf.absent.forwarding") is None
    with pytest.raises(KernelError) as caught:
        sysctl.get("net.ipv6.conf.absent.forwarding")
    assert "absent" in caught.value.message
    with pytest.raises(KernelError):
        sysctl.set("net.ipv6.conf.v0.forwarding", "much")
