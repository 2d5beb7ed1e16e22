"""Packets that are sent as they are, and read as they come in, at the two ends of a link."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns, sysctl
from manageout.linux.packets import raw
from manageout.wire import ipv6

SOURCE, TARGET = bytes.fromhex("fd99" + "0" * 27 + "7"), bytes.fromhex("fd00" + "0" * 27 + "2")


@pytest.fixture(autouse=True)
def link(namespaces: Callable[[str], str]) -> Iterator[None]:
    """``r0`` - ``r1``; what is sent to fd00::2 goes out by ``r0``."""
    name = namespaces("mo-test-raw")
    with netns.inside(name):
        subprocess.run(["ip", "link", "add", "r0", "type", "veth", "peer", "name", "r1"], check=True)
        for device in ("r0", "r1"):  # nothing of the kernel's own
            sysctl.set(f"net.ipv6.conf.{device}.addr_gen_mode", 1)
            subprocess.run(["ip", "link", "set", device, "up"], check=True)
        subprocess.run(["ip", "route", "add", "fd00::/64", "dev", "r0"], check=True)
        neighbour = ["fd00::2", "lladdr", "02:00:00:00:00:02", "dev", "r0", "nud", "permanent"]
        subprocess.run(["ip", "neigh", "add", *neighbour], check=True)
        yield


def test_a_packet_of_somebody_else_arrives_as_it_was_sent() -> None:
    packet = ipv6.build(SOURCE, TARGET, 59, b"hello")
    with contextlib.closing(raw.Incoming("r1")) as there, contextlib.closing(raw.Incoming("r0")) as here:
        raw.send_marked(packet, "fd00::2", "r0", 0x20000000)
        assert select.select([there], [], [], 5)[0]
        assert there.read() == packet
        assert select.select([here], [], [], 0.2)[0] == [], "what goes out does not come in"


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(KernelError, match="nothing: No such device"):
        raw.Incoming("nothing")
    raw.send_marked(ipv6.build(SOURCE, TARGET, 59, b""), "fd00::2", "nothing", 1)  # nobody gets it


def test_without_the_right() -> None:
    code = "from manageout.linux.packets import raw; raw.Incoming('r1')"
    argv = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", code]
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
    assert "NotPermitted: not permitted to listen" in told
