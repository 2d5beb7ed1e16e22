"""Programs that outlive a process: what the next one takes over, replaces and removes."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.errors import KernelError
from manageout.lab.process import wait_until
from manageout.linux.bpf import libbpf, pins
from manageout.linux.host import netns
from manageout.linux.packets.tun import Tun
from tests.system.linux.bpf.test_isatap import HOST, NAME, Path41, programs, state
from tests.tools.this_kernel import TCX

WAYS = pytest.mark.parametrize(
    "tcx", [pytest.param(True, marks=TCX, id="tcx"), pytest.param(False, id="clsact")]
)


@pytest.fixture(autouse=True)
def place() -> Iterator[None]:
    """A device beside the TUN."""
    netns.create(NAME)
    netns.run(NAME, ["ip", "link", "add", "u0", "type", "veth", "peer", "name", "u1"])
    netns.run(NAME, ["ip", "link", "set", "u0", "up"])
    with netns.inside(NAME):
        yield
    netns.delete(NAME)


@pytest.fixture
def tun() -> Iterator[Tun]:
    with Tun.open("mo-isatap0", 1280) as device:
        netns.run(NAME, ["ip", "link", "set", "mo-isatap0", "up"])
        yield device


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """The directory of an instance, in a namespace of its own."""
    found = pins.opened(tmp_path)
    if found is None:
        pytest.skip("no BPF file system: mount -t bpf bpf /sys/fs/bpf")
    yield found
    pins.remove(found)


def kept(tun: Tun, own: Path, tcx: bool, orphan: float = 60.0) -> Path41:
    return Path41(tun, state(HOST), tcx=tcx, pins=own, orphan=orphan)


@WAYS
def test_programs_are_taken_over_in_their_place(tun: Tun, own: Path, tcx: bool) -> None:
    first = kept(tun, own, tcx)
    assert first.kept and pins.tuns(own) == [tun.ifindex]
    first.leave()
    assert (programs("u0"), programs("mo-isatap0")) == (2, 1)
    with kept(tun, own, tcx) as second:
        assert second.attached and (programs("u0"), programs("mo-isatap0")) == (2, 1)
    assert (programs("u0"), programs("mo-isatap0")) == (0, 0)
    assert not list(own.iterdir())
    assert "clsact" not in subprocess.run(["tc", "qdisc"], capture_output=True, text=True, check=True).stdout


@WAYS
def test_of_an_instance_nothing_stays(tun: Tun, own: Path, tcx: bool) -> None:
    kept(tun, own, tcx).leave()
    pins.remove(own)
    wait_until("the kernel let go", lambda: (programs("u0"), programs("mo-isatap0")) == (0, 0))
    assert not own.exists()


@TCX
def test_what_is_damaged_is_replaced(tun: Tun, own: Path) -> None:
    """Names that lead to other objects, to links elsewhere, and to nothing."""
    u0 = socket.if_nametoindex("u0")
    first = kept(tun, own, True)
    there = pins.name("isatap", "tun_out", tun.ifindex)
    beside = pins.name("isatap", "underlay_in", u0)
    first.leave()
    (own / beside).unlink()
    (own / there).rename(own / beside)  # a link, but on another device
    a_map = libbpf.load("stock", bytes(8), {})
    for name in (
        there,
        pins.name("isatap", "underlay_out", 4242),
        "isatap-",
        "isatap-x-y",
        "isatap-tun_out-99999999999",
    ):
        assert libbpf.put_pin(a_map.map("stock").fd, own / name)
    a_map.close()
    (own / "isatap-tun_out-7").mkdir()
    assert pins.tuns(own) == []
    with kept(tun, own, True) as second:
        assert second.attached and second.kept
        assert {each.name for each in own.iterdir()} == {
            there, beside, pins.name("isatap", "underlay_out", u0)
        }  # fmt: skip
        wait_until("what was elsewhere has gone", lambda: (programs("u0"), programs("mo-isatap0")) == (2, 1))


def test_a_place_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system was mounted by hand: who makes our directory first could lead us to files of others."""
    if pins.opened(tmp_path) is None:
        pytest.skip("no BPF file system: mount -t bpf bpf /sys/fs/bpf")
    own = pins.directory(tmp_path)
    pins.remove(own)
    root = pins.ROOT.with_name(f"manageout-test-{os.getpid()}")
    monkeypatch.setattr(pins, "ROOT", root)
    root.symlink_to(tmp_path.parent)
    assert pins.opened(tmp_path) is None and pins.neighbours(own) == []
    root.unlink()
    root.mkdir()
    (tmp_path / "file").touch()
    led = root / f"{own.name.partition('-')[0]}-x"
    led.symlink_to(tmp_path)
    try:
        assert pins.neighbours(own) == [led]
        os.chown(root, 65534, 65534)
        assert pins.opened(tmp_path) is None and pins.neighbours(own) == []
        pins.remove(led)
        assert (tmp_path / "file").exists()
    finally:
        led.unlink()
        root.rmdir()


@TCX  # a program does not tell on which device it was
def test_names_of_devices_that_have_gone_are_swept(tun: Tun, own: Path, tmp_path: Path) -> None:
    kept(tun, own, True).leave()
    pins.sweep()
    assert pins.tuns(own) == [tun.ifindex]
    tun.close()
    netns.run(NAME, ["ip", "link", "delete", "u0"])
    pins.sweep()
    assert not own.exists()
    assert pins.opened(tmp_path) == own
    pins.sweep()
    assert own.exists(), "another one begins just now"


def test_a_tun_that_persists_is_taken_by_one(tun: Tun) -> None:
    tun.persist(True)
    with pytest.raises(KernelError, match="is taken"):
        Tun.remove("mo-isatap0")
    Tun.close(Tun(-1, "x", 0, False, 1280))
    held, tun.fd = tun.fd, -1
    with pytest.raises(KernelError, match="is taken"):
        Tun.open("mo-isatap0", 1280, adopt=True)
    tun.fd = held


def test_instances_are_told_apart(tmp_path: Path) -> None:
    first = pins.directory(tmp_path)
    assert pins.directory(tmp_path / "x") != first == pins.directory(tmp_path)
    netns.create("mo-test-pins")
    try:
        with netns.inside("mo-test-pins"):
            assert pins.directory(tmp_path) != first
    finally:
        netns.delete("mo-test-pins")
