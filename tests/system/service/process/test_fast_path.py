"""eBPF programs that somebody detaches, or that go with their device: attached again, but never in a fight."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.tun import Tun
from manageout.protocol.isatap.link import LinkRole, LinkState
from tests.tools.places.daemon import ROUTE, ROUTER, Place
from tests.tools.this_kernel import TCX

TRANSLATION = '[translation]\npool = "10.0.0.128/26"\n'
BOUND = 20.0
_TCX = 11


@pytest.fixture
def served(place: Place) -> Place:
    place.write(ROUTER, ROUTE, place.gateway, TRANSLATION)
    place.start()
    return place


def links(place: Place) -> set[int]:
    """The numbers of the daemon's tcx links."""
    return links_of(place._started[0].pid)


def links_of(pid: int) -> set[int]:
    """The numbers of a process's tcx links."""
    texts = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            texts.append(info.read_text())
        except OSError:
            continue
    return {
        int(line.split()[1])
        for text in texts
        if "link_type:\ttcx" in text
        for line in text.splitlines()
        if line.startswith("link_id:")
    }


def detach(number: int) -> None:
    """As `bpftool link detach id NUMBER`; of one that the daemon has replaced meanwhile, nothing."""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = libbpf.bpf_link_get_fd_by_id(number)
    if fd >= 0:
        assert libbpf.bpf_link_detach(fd) == 0
        os.close(fd)
    else:
        assert ctypes.get_errno() == errno.ENOENT


def on(place: Place, role: str) -> bool:
    return bool(place.ask("status")["roles"][role]["fast_path"]["on"])


def codes(place: Place) -> set[str]:
    return {row["code"] for row in place.ask("status")["findings"]}


@TCX
def test_a_link_that_somebody_detaches(served: Place) -> None:
    before = links(served)
    assert len(before) >= 4
    detach(min(before))
    wait_until("others are there", lambda: len(links(served) - before) > 0, BOUND)
    wait_until("as many", lambda: len(links(served)) == len(before), BOUND)
    assert on(served, "isatap") and on(served, "translation")
    assert "somebody detached an eBPF program" in served.log()


@TCX
def test_never_in_a_fight(served: Place) -> None:
    """Three times, then it is said and left; a reload wants it again."""
    for _ in range(3):
        before = links(served)
        detach(max(before))
        wait_until("another is there", lambda: before - links(served), BOUND)  # noqa: B023
        wait_until("as many", lambda: len(links(served)) == len(before), BOUND)  # noqa: B023
    before = links(served)
    detach(max(before))
    wait_until("it is told", lambda: "FAST-PATH-DETACHED" in codes(served), BOUND)
    time.sleep(2)  # nothing is to happen
    assert links(served) == before, "left so"
    (daemon,) = served._started
    served.reload(daemon)
    wait_until("the finding goes", lambda: "FAST-PATH-DETACHED" not in codes(served), BOUND)
    wait_until("others are there", lambda: links(served) - before, BOUND)


@TCX
def test_the_card_comes_back_as_another_device(served: Place) -> None:
    before = links(served)
    served.run(["ip", "link", "delete", "e0"])
    for command in (
        "ip link add e0 type veth peer name e1",
        "ip link set e1 up",
        "ip link set e0 up",
        "ip address add 10.0.0.1/24 dev e0",
        "ip address add fd99::1/64 dev e0 nodad",
    ):
        served.run(command.split())
    wait_until("as many", lambda: len(links(served)) == len(before), BOUND)
    wait_until("all of them hold", lambda: held(served), BOUND)
    assert on(served, "isatap") and on(served, "translation")
    assert "FAST-PATH-DETACHED" not in codes(served)


def held(place: Place) -> bool:
    """Whether every tcx link of the daemon is on a device."""
    libbpf = ctypes.CDLL("libbpf.so.1")
    for number in links(place):
        fd = libbpf.bpf_link_get_fd_by_id(number)
        info, size = ctypes.create_string_buffer(64), ctypes.c_uint32(64)
        assert libbpf.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)) == 0
        if info.raw[16:20] == bytes(4):
            return False
    return True


@pytest.mark.parametrize("tcx", [pytest.param(True, marks=TCX), False], ids=["tcx", "clsact"])
@pytest.mark.parametrize("device", ["e0", "mo-test0"])
def test_each_way_of_attaching_knows_what_it_lost(
    namespaces: Callable[[str], str], tcx: bool, device: str
) -> None:
    with netns.inside(namespaces("mo-test-lost")):
        subprocess.run(["ip", "link", "add", "e0", "type", "veth", "peer", "name", "e1"], check=True)
        with Netlink() as netlink, Tun.open("mo-test0", 1280, True) as tun:
            index = netlink.index("e0")
            assert index is not None
            state = LinkState(LinkRole.ROUTER, prefixes=[bytes(8)], locators=[bytes([10, 0, 0, 1])])
            with IsatapFastPath(IsatapSetup(tun=tun.ifindex, underlays=(index,), tcx=tcx), state) as fast:
                assert fast.attached
                if tcx:
                    subprocess.run(["ip", "link", "delete", device], check=True)
                else:
                    subprocess.run(["tc", "qdisc", "del", "dev", device, "clsact"], check=True)
                assert not fast.attached
