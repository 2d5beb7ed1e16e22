"""The translator's fast path in the kernel: attaching, maps, counters, the direct path, and what it cannot do."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.errors import FastPathUnavailable
from manageout.lab.process import wait_until
from manageout.linux.bpf import xlat as xlat_bpf
from manageout.linux.bpf.fast_path import Direct
from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.linux.bpf.xlat import XlatFastPath, XlatSetup
from manageout.linux.host import netns, sysctl
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drops import Drop
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus
from manageout.wire import icmpv6, ipv4, ipv6, tcp
from tests.system.linux.bpf.test_isatap import (
    CONTEXT,
    DROP,
    ETHERNET,
    FORWARD,
    INGRESS_IFINDEX,
    NAME,
    ONWARD,
    SLOW,
    inside,
    programs,
)
from tests.tools import bpf
from tests.tools.packets import udp
from tests.tools.this_kernel import TCX, track_connections

assert inside  # the namespace around each test
NAT64 = IPv6Network("fd12:3456:789a:64::/96")
SERVER, ROUTER, LEASE, OTHER_LEASE = (
    bytes([10, *rest]) for rest in ((0, 0, 20), (0, 0, 1), (9, 0, 5), (9, 0, 6))
)
CLIENT = bytes.fromhex("fd123456789a10000000000000000005")
OTHER = CLIENT[:15] + b"\x06"
SERVER6 = NAT64.network_address.packed[:12] + SERVER


@pytest.fixture
def tun() -> Iterator[Tun]:
    with Tun.open("mo-xlat0", 1500) as device:
        sysctl.set("net/ipv6/conf/mo-xlat0/disable_ipv6", 1)  # or the kernel sends reports of its own
        netns.run(NAME, ["ip", "link", "set", "mo-xlat0", "up"])
        yield device


def mappings() -> Mappings:
    maps = Mappings(NAT64, own4=ROUTER, own6=OTHER, pool=IPv4Network("10.9.0.0/16"))
    maps.set_lease(CLIENT, LEASE)
    return maps


class Path64(XlatFastPath):
    """The fast path with u0 as its underlay, whose programs can be run with frames of ours."""

    def __init__(self, tun: Tun, maps: Mappings, mtus: Mtus | None = None, **options: object) -> None:
        self.tun, self.underlay = tun.ifindex, socket.if_nametoindex("u0")
        options = {"tun": tun.ifindex, "tun_header": 14, "underlays": (self.underlay,)} | options
        super().__init__(XlatSetup(**options), maps, mtus or Mtus())  # type: ignore[arg-type]

    def run(
        self, program: str, packet: bytes, *, came_in: int = 0, ethernet: bytes = ETHERNET
    ) -> tuple[int, bytes]:
        protocol = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        context = bytearray(CONTEXT)
        struct.pack_into("=II", context, INGRESS_IFINDEX, came_in, self.underlay)
        answer, out, _, _ = bpf.run(self.program(program), ethernet + protocol + packet, bytes(context))
        return answer, out

    def answer(self, packet: bytes) -> int:
        """What the translation itself says."""
        return self.run("tun_out", packet)[0]


def out(*, client: bytes = CLIENT, size: int = 8, hop_limit: int = 64) -> bytes:
    """From a client to the server."""
    segment = udp.build(client, SERVER6, 4000, 53, bytes(size))
    return ipv6.build(client, SERVER6, 17, segment, hop_limit=hop_limit)


def back(*, lease: bytes = LEASE, size: int = 8, ttl: int = 64) -> bytes:
    """From the server to a client."""
    pseudo = (bytes(12) + SERVER, bytes(12) + lease)
    return ipv4.build(SERVER, lease, 17, udp.build(*pseudo, 53, 4000, bytes(size)), ttl=ttl)


def stream() -> bytes:
    segment = tcp.build(CLIENT, SERVER6, tcp.Tcp(4000, 80, 1, 1, tcp.ACK, 1000, 0, b""), b"")
    return ipv6.build(CLIENT, SERVER6, 6, segment)


def test_counters_are_exact_and_survive_a_sync(tun: Tun) -> None:
    maps = mappings()
    with Path64(tun, maps) as path:
        for _ in range(7):
            assert path.answer(out()) == FORWARD
        for _ in range(5):
            assert path.answer(back(size=100)) == FORWARD
        maps.set_lease(OTHER, OTHER_LEASE)
        path.sync(maps)
        rows = {row.v6: row[1:] for row in bpf.lease_counters(path)}
        assert rows[CLIENT][:5] == (LEASE, 7, 7 * 56, 5, 5 * 148)
        assert rows[OTHER][:5] == (OTHER_LEASE, 0, 0, 0, 0)
        assert 0 <= time.monotonic() - rows[CLIENT][5] < 60


def test_every_packet_of_a_lease_has_an_identification_of_its_own(tun: Tun) -> None:
    with Path64(tun, mappings()) as path:
        idents = [path.run("tun_out", out())[1][18:20] for _ in range(1000)]
        assert len(set(idents)) == 1000 and b"\0\0" not in idents


def test_leases_come_and_go(tun: Tun) -> None:
    maps = mappings()
    with Path64(tun, maps, max_leases=2) as path:
        assert path.answer(out(client=OTHER)) == path.answer(back(lease=OTHER_LEASE)) == SLOW
        assert path.set_lease(OTHER, OTHER_LEASE) and path.set_lease(OTHER, OTHER_LEASE)
        assert path.answer(out(client=OTHER)) == path.answer(back(lease=OTHER_LEASE)) == FORWARD
        assert not path.set_lease(CLIENT[:15] + b"\x07", bytes([10, 9, 0, 7])), "the table is full"
        assert path.answer(out(client=CLIENT[:15] + b"\x07")) == SLOW
        path.clear_lease(OTHER)
        path.clear_lease(OTHER)
        assert path.answer(out(client=OTHER)) == path.answer(back(lease=OTHER_LEASE)) == SLOW


def test_setting_a_lease_undoes_what_either_had_as_it_does_in_mappings(tun: Tun) -> None:
    maps = mappings()
    maps.set_lease(OTHER, OTHER_LEASE)
    with Path64(tun, maps) as path:
        for v6, v4 in (
            (CLIENT, OTHER_LEASE),
            (OTHER, LEASE),
            (CLIENT, LEASE),
            (CLIENT, bytes([192, 0, 2, 1])),
        ):
            maps.set_lease(v6, v4)
            assert path.set_lease(v6, v4)
            assert {row.v6: row.v4 for row in bpf.lease_counters(path)} == maps.leases


def test_a_lease_outside_the_pool_is_no_destination_of_the_fast_path(tun: Tun) -> None:
    maps, stray = mappings(), bytes([10, 0, 0, 20])
    with Path64(tun, maps) as path:
        path.set_lease(OTHER, stray)
        assert path.answer(out()) == SLOW, "one client to another turns round"
        path.clear_lease(OTHER)
        assert path.answer(out()) == FORWARD


def test_changed_mappings_bite_at_once(tun: Tun) -> None:
    with Path64(tun, mappings(), Mtus(1500, 1500)) as path:
        assert path.answer(out()) == path.answer(back()) == FORWARD
        explicit = [(IPv4Network("10.0.0.0/24"), IPv6Network("fd12:3456:789a:7::/120"))]
        maps = Mappings(NAT64, own4=ROUTER, own6=OTHER, eam=explicit)
        maps.set_lease(CLIENT, LEASE)
        path.sync(maps)
        assert path.answer(out()) == path.answer(back()) == SLOW
        path.sync(mappings(), Mtus(60, 60))
        assert path.answer(out(size=100)) == path.answer(back(size=100)) == SLOW
        other = Mappings(IPv6Network("fd00:64::/96"), own4=ROUTER, own6=OTHER)
        other.set_lease(CLIENT, LEASE)
        path.sync(other, Mtus())
        assert path.answer(out()) == SLOW
        answer, frame = path.run("tun_out", back())
        header, segment = ipv6.parse(frame[14:])
        assert answer == FORWARD and header.src == other.embed(SERVER)
        udp.parse(header.src, header.dst, segment)
        path.sync(Mappings(IPv6Network("64:ff9b::/96"), own4=ROUTER, own6=OTHER))
        assert path.answer(back()) == SLOW, "RFC 6052 3.1 is the slow path's"


def test_drops_are_counted_by_reason_and_by_source(tun: Tun) -> None:
    spoofed = ipv4.build(OTHER_LEASE, LEASE, 17, bytes(8))
    looping = ipv6.build(SERVER6, SERVER6, 17, bytes(8))
    with Path64(tun, mappings(), max_drop_sources=128) as path:
        for _ in range(3):
            assert path.answer(spoofed) == DROP
        assert path.answer(looping) == DROP
        assert path.totals() == {Drop.LEASE_SPOOFED: 3, Drop.SOURCE_IN_PREF64: 1}
        assert set(path.drops()) == {
            (Drop.LEASE_SPOOFED, OTHER_LEASE, 3),
            (Drop.SOURCE_IN_PREF64, SERVER6, 1),
        }
        for number in range(2000):
            path.answer(ipv4.build(bytes([10, 9]) + number.to_bytes(2, "big"), LEASE, 17, bytes(8)))
        assert path.totals()[Drop.LEASE_SPOOFED] == 2003
        assert len(list(path.drops())) <= 128


class TestDirect:
    """The direct path, with the frames that it would see."""

    def let(self, path: Path64, packet: bytes, came_in: int | None = None, source: bytes = LEASE) -> None:
        """The kernel has sent on what the translator made of a packet from a client."""
        _, frame = path.run("tun_out", packet)
        came_in = path.tun if came_in is None else came_in
        onward = frame[14:26] + source + frame[30:]
        assert path.run("underlay_out", onward, came_in=came_in, ethernet=ONWARD)[0] == SLOW

    def went(self, path: Path64, packet: bytes) -> bytes:
        """Ethernet addresses and TTL of what becomes of a packet from a client."""
        answer, frame = path.run("tun_out", packet)
        header, segment = ipv4.parse(frame[14:])
        assert answer == FORWARD
        if header.protocol == 17:
            udp.parse(bytes(12) + header.src, bytes(12) + header.dst, segment)
        return frame[:12] + frame[22:23]

    def test_a_flow_goes_straight_after_the_kernel_let_it(self, tun: Tun) -> None:
        maps = mappings()
        maps.set_lease(OTHER, OTHER_LEASE)
        with Path64(tun, maps) as path:
            assert path.direct is Direct.UDP
            assert self.went(path, out()) == ETHERNET + b"\x3f"
            self.let(path, out())
            assert self.went(path, out()) == ONWARD + b"\x3e", "the hop of the kernel counts"
            assert self.went(path, out(client=OTHER))[:12] == ETHERNET
            assert {row.v6: row.rx_packets for row in bpf.lease_counters(path)} == {CLIENT: 3, OTHER: 1}

    def test_the_kernel_is_asked_again_after_two_seconds(self, tun: Tun) -> None:
        with Path64(tun, mappings()) as path:
            self.let(path, out())
            assert self.went(path, out())[:12] == ONWARD
            wait_until("the kernel is asked", lambda: self.went(path, out())[:12] != ONWARD)

    def test_no_packet_larger_than_those_that_the_kernel_let(self, tun: Tun) -> None:
        with Path64(tun, mappings()) as path:
            self.let(path, out(size=100))
            self.let(path, out(size=50))
            assert self.went(path, out(size=100))[:12] == ONWARD
            assert self.went(path, out(size=101))[:12] == ETHERNET

    def test_what_the_kernel_must_see_never_goes_straight(self, tun: Tun) -> None:
        echo = ipv6.build(CLIENT, SERVER6, 58, icmpv6.build(CLIENT, SERVER6, 128, 0, bytes(8)))
        with Path64(tun, mappings()) as path:
            for packet in (stream(), echo, out(hop_limit=2)):
                self.let(path, packet)
                assert self.went(path, packet)[:12] == ETHERNET

    @pytest.mark.parametrize("untracked", [False, True])
    def test_tcp_goes_straight_where_conntrack_does_not_mind(self, tun: Tun, untracked: bool) -> None:
        name = "net.netfilter.nf_conntrack_tcp_be_liberal"
        track_connections()
        sysctl.set(name, 0 if untracked else 1)
        with Path64(tun, mappings(), untracked=untracked) as path:
            assert path.direct is Direct.TCP
            self.let(path, stream())
            assert self.went(path, stream())[:12] == ONWARD

    def test_only_a_flow_that_was_translated_counts(self, tun: Tun) -> None:
        with Path64(tun, mappings()) as path:
            self.let(path, out(), came_in=path.underlay)
            assert self.went(path, out())[:12] == ETHERNET

    def test_a_flow_whose_addresses_the_kernel_changes_never_goes_straight(self, tun: Tun) -> None:
        with Path64(tun, mappings(), underlays=[socket.if_nametoindex("u0")]) as path:
            self.let(path, out(), source=ROUTER)
            assert self.went(path, out())[:12] == ETHERNET

    def test_towards_a_client(self, tun: Tun) -> None:
        with Path64(tun, mappings()) as path:
            assert path.run("underlay_in", back())[0] == SLOW
            assert path.run("tun_out", back(), came_in=path.underlay)[0] == FORWARD
            answer, frame = path.run("underlay_in", back())
            header, segment = ipv6.parse(frame[14:])
            assert answer == FORWARD and (header.src, header.dst, header.hop_limit) == (SERVER6, CLIENT, 62)
            udp.parse(header.src, header.dst, segment)
            assert path.run("underlay_in", back(ttl=2))[0] == SLOW
            assert path.run("underlay_in", back(size=100))[0] == FORWARD
            assert next(bpf.lease_counters(path))[4:6] == (3, 2 * 56 + 148)

    def test_off(self, tun: Tun) -> None:
        for direct, devices in ((False, [socket.if_nametoindex("u0")]), (True, [])):
            with Path64(tun, mappings(), direct=direct, underlays=devices) as path:
                assert path.direct is Direct.OFF and programs("u0") == 0
                self.let(path, out())
                assert self.went(path, out())[:12] == ETHERNET


@pytest.mark.parametrize(("tcx", "by"), [pytest.param(True, "tcx", marks=TCX), (False, "clsact")])
def test_attached_and_gone_beside_the_tunnel(tun: Tun, tcx: bool, by: str) -> None:
    link = LinkState(LinkRole.ROUTER, prefixes=[CLIENT[:8]], locators=[ROUTER])
    underlays = (socket.if_nametoindex("u0"),)
    with Path64(tun, mappings(), tcx=tcx) as path, Tun.open("mo-isatap0", 1280) as other:
        assert bpf.ways(path) == {by}
        assert (programs("u0"), programs("mo-xlat0")) == (2, 1)
        with IsatapFastPath(IsatapSetup(tun=other.ifindex, underlays=underlays, tcx=tcx), link):
            assert programs("u0") == 4
        assert programs("u0") == 2
    assert (programs("u0"), programs("mo-xlat0")) == (0, 0)
    assert "clsact" not in subprocess.run(["tc", "qdisc"], capture_output=True, text=True, check=True).stdout


def test_the_first_to_leave_takes_nothing_of_the_other_with_it(tun: Tun) -> None:
    """Before tcx both hang on one queueing discipline, which whoever came first has made."""
    link, underlays = LinkState(LinkRole.ROUTER, locators=[ROUTER]), (socket.if_nametoindex("u0"),)
    first = Path64(tun, mappings(), tcx=False)
    with (
        Tun.open("mo-isatap0", 1280) as other,
        IsatapFastPath(IsatapSetup(tun=other.ifindex, underlays=underlays, tcx=False), link),
    ):
        first.close()
        assert programs("u0") == 2
    assert "clsact" not in subprocess.run(["tc", "qdisc"], capture_output=True, text=True, check=True).stdout


KILLED = """
import sys, time
from manageout.linux.packets.tun import Tun
from tests.system.linux.bpf.test_xlat import Path64, mappings
tun = Tun.open("mo-xlat1", 1500)
path = Path64(tun, mappings(), tcx=sys.argv[1] == "tcx")
print("attached", flush=True)
time.sleep(20)
"""


@pytest.mark.parametrize(("tcx", "left"), [pytest.param("tcx", 0, marks=TCX), ("clsact", 2)])
def test_after_a_kill_nothing_of_ours_stays_for_long(tun: Tun, tcx: str, left: int) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, tcx], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "attached\n"
        assert programs("u0") > 0
        child.send_signal(signal.SIGKILL)
    wait_until("the kernel let go", lambda: programs("u0") == left)
    XlatFastPath.remove_leftovers([socket.if_nametoindex("u0")])
    assert programs("u0") == 0


def test_a_device_that_is_not_ethernet_has_no_direct_path(tun: Tun) -> None:
    both = [socket.if_nametoindex("lo"), socket.if_nametoindex("u0")]
    with Path64(tun, mappings(), underlays=both) as path:
        assert path.skipped == ["lo"] and path.direct is Direct.UDP


@pytest.mark.parametrize("prefix", ["64:ff9b::/96", "fd12:3456:789a::/48"])
def test_a_prefix_that_is_not_the_fast_paths(tun: Tun, prefix: str) -> None:
    with pytest.raises(FastPathUnavailable, match=f"cannot serve {prefix}"):
        Path64(tun, Mappings(IPv6Network(prefix), own4=ROUTER, own6=OTHER))


def test_too_many_explicit_mappings_are_said(tun: Tun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlat_bpf, "MAX_MAPPED", 1)
    eam = [
        (IPv4Network(f"198.51.{number}.0/24"), IPv6Network(f"fd12:3456:789a:{number}::/120"))
        for number in (1, 2)
    ]
    with pytest.raises(FastPathUnavailable, match="more than 1 explicit mappings"):
        Path64(tun, Mappings(NAT64, own4=ROUTER, own6=OTHER, eam=eam))
    assert programs("mo-xlat0") == 0
