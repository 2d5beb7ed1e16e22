"""The ISATAP fast path in the kernel: attaching, maps, counters, the direct path, and what it says when it cannot."""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manageout.errors import FastPathUnavailable
from manageout.lab.process import wait_until
from manageout.linux.bpf import isatap as isatap_bpf
from manageout.linux.bpf.fast_path import Direct
from manageout.linux.bpf.isatap import Added, HostTraffic, IsatapFastPath, IsatapSetup
from manageout.linux.bpf.libbpf import BPF_TCX_EGRESS, BPF_TCX_INGRESS
from manageout.linux.host import netns, sysctl
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drops import Drop
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.wire import ipv4, ipv6, tcp
from tests.tools import bpf
from tests.tools.lab import AS_NOBODY
from tests.tools.packets import udp
from tests.tools.this_kernel import TCX, track_connections

LINK = bytes.fromhex("fd123456789a0001")
CLIENT = bytes.fromhex("fd123456789a10000000000000000005")
ROUTER, HOST, OTHER, STRANGER = (bytes([10, 0, *rest]) for rest in ((0, 1), (1, 30), (1, 31), (9, 9)))
HOST6 = LINK + b"\x00\x00\x5e\xfe" + HOST
CONTEXT, INGRESS_IFINDEX = 192, 36  # struct __sk_buff: its size; ingress_ifindex and ifindex
FORWARD, DROP, SLOW = 7, 2, -1
NAME = "mo-test-bpf"
ETHERNET = b"\x02\0\0\0\0\x01" + bytes(6)
"""As a frame comes in at u0."""
ONWARD = bytes(range(12))
"""As the kernel sends it on."""


@pytest.fixture(autouse=True)
def inside(namespaces: Callable[[str], str]) -> Iterator[None]:
    namespaces(NAME)
    for line in (
        "link add u0 address 02:00:00:00:00:01 type veth peer name u1",
        "link set u0 up",
        "link set u1 up",
        "addr add 10.0.0.1/24 dev u0",
        "route add default via 10.0.0.254",
    ):
        netns.run(NAME, ["ip", *line.split()])
    with netns.inside(NAME):
        yield


@pytest.fixture
def tun() -> Iterator[Tun]:
    with Tun.open("mo-isatap0", 1280) as device:
        netns.run(NAME, ["ip", "link", "set", "mo-isatap0", "up"])
        yield device


def state(*hosts: bytes) -> LinkState:
    link = LinkState(
        LinkRole.ROUTER, prefixes=[LINK], locators=[ROUTER], allowed=[Prefix(bytes([10, 0, 1, 0]), 24)]
    )
    for host in hosts:
        link.register(host)
    return link


class Path41(IsatapFastPath):
    """A router's fast path on u0, whose programs can be run with frames of ours."""

    def __init__(self, tun: Tun, link: LinkState, **options: object) -> None:
        underlay = socket.if_nametoindex("u0")
        self.tun, self.underlay = tun.ifindex, underlay
        options = {"tun": tun.ifindex, "underlays": (underlay,), "tun_header": 14} | options
        super().__init__(IsatapSetup(**options), link)  # type: ignore[arg-type]

    def run(
        self, program: str, packet: bytes, *, came_in: int = 0, ethernet: bytes = ETHERNET
    ) -> tuple[int, bytes]:
        protocol = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        context = bytearray(CONTEXT)
        struct.pack_into("=II", context, INGRESS_IFINDEX, came_in, self.underlay)
        frame = ethernet + protocol + packet
        answer, out, _, _ = bpf.run(self.program(program), frame, bytes(context))
        return answer, out


def datagram(source: bytes, destination: bytes, *, hop_limit: int = 64, size: int = 8) -> bytes:
    segment = udp.build(source, destination, 4000, 3389, bytes(size))
    return ipv6.build(source, destination, 17, segment, hop_limit=hop_limit)


def wrapped(packet: bytes, source: bytes = HOST) -> bytes:
    return ipv4.build(source, ROUTER, 41, packet)


def mine(path: IsatapFastPath, v4: bytes) -> tuple[int, int, int, int]:
    return traffic(path, v4)[1:5]


def traffic(path: IsatapFastPath, v4: bytes) -> HostTraffic:
    return next(row for row in path.counters() if row.v4 == v4)


def programs(device: str) -> int:
    """How many programs hang on a device, by tcx or clsact."""
    count, library = 0, ctypes.CDLL("libbpf.so.1")
    for attached in (BPF_TCX_INGRESS, BPF_TCX_EGRESS):
        ids, number = (ctypes.c_uint32 * 16)(), ctypes.c_uint32(16)
        ifindex = socket.if_nametoindex(device)
        library.bpf_prog_query(ifindex, attached, 0, None, ctypes.byref(ids), ctypes.byref(number))
        count += sum(map(bool, ids))
    for way in ("ingress", "egress"):
        shown = subprocess.run(["tc", "filter", "show", "dev", device, way], capture_output=True, text=True)
        count += shown.stdout.count("direct-action")
    return count


def test_counters_are_exact_and_survive_a_sync(tun: Tun) -> None:
    link = state(HOST)
    with Path41(tun, link) as path:
        there, back = datagram(HOST6, CLIENT), datagram(CLIENT, HOST6, size=100)
        for _ in range(7):
            assert path.run("underlay_in", wrapped(there))[0] == FORWARD
        for _ in range(5):
            assert path.run("tun_out", back)[0] == FORWARD
        link.register(OTHER)
        path.sync(link)
        assert mine(path, HOST) == (7, 7 * len(there), 5, 5 * len(back))
        assert mine(path, OTHER) == (0, 0, 0, 0)
        assert 0 <= time.monotonic() - traffic(path, HOST).last < 60


HOST_NAME = "mo-test-bpf-host"


@pytest.mark.parametrize(
    ("card", "old"), [("on", False), ("off", False), ("on", True)], ids=["card", "no card", "old kernel"]
)
def test_tcp_between_a_host_and_a_router(
    tun: Tun, namespaces: Callable[[str], str], card: str, old: bool
) -> None:
    """Nobody serves the TUN devices or a raw socket here: every packet takes the fast path.

    With the card's help ``off`` the kernel cuts super-packets and sums them behind our programs.
    """
    namespaces(HOST_NAME)
    netns.run(NAME, ["ethtool", "-K", "u0", "tx", card, "tso", card, "gso", card])
    netns.run(NAME, ["ethtool", "-K", "u1", "tx", card, "tso", card, "gso", card])
    netns.run(NAME, ["ip", "link", "set", "u1", "netns", HOST_NAME])
    for line in ("link set u1 up", "addr add 10.0.0.254/24 dev u1", "addr add 10.0.1.30/32 dev u1"):
        netns.run(HOST_NAME, ["ip", *line.split()])
    with Path41(tun, state(HOST), tun_header=0, tcx=not old, old_kernel=old or None) as router:
        netns.run(NAME, ["ip", "addr", "add", text(ROUTER) + "/64", "dev", "mo-isatap0", "nodad"])
        listener = socket.create_server((text(ROUTER), 0), family=socket.AF_INET6)
        with netns.inside(HOST_NAME), Tun.open("mo-isatap0", 1280) as host_tun:
            netns.run(HOST_NAME, ["ip", "link", "set", "mo-isatap0", "up"])
            netns.run(HOST_NAME, ["ip", "addr", "add", text(HOST) + "/64", "dev", "mo-isatap0", "nodad"])
            link = LinkState(LinkRole.HOST, prefixes=[LINK], locators=[HOST], routers=[ROUTER])
            u1 = socket.if_nametoindex("u1")
            setup = IsatapSetup(tun=host_tun.ifindex, underlays=(u1,), tcx=not old, old_kernel=old or None)
            with IsatapFastPath(setup, link) as host:
                octets = transfer(listener, 10_000_000)
                sent, received = mine(host, ROUTER), mine(router, HOST)
    assert sent[2:] == received[:2]
    # The last acknowledgements may be on their way, or be lost on a busy machine.
    assert 0 < sent[0] <= received[2] and 0 < sent[1] <= received[3]
    if card == "off":
        shown = json.loads(netns.run(NAME, ["ip", "-stats", "-json", "link", "show", "dev", "u0"]).stdout)
        assert shown[0]["stats64"]["rx"]["packets"] >= received[0]
    # A super-packet counts as the packets that it becomes: each has its own 40 + 32 octets of headers. The SYN
    # has 8 more; a segment that was sent again (this machine may be busy) counts again.
    payload = received[1] - 72 * received[0] - 8
    assert octets <= payload <= octets + 200 * 1208
    assert received[0] >= octets // 1208


def text(v4: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6, LINK + b"\x00\x00\x5e\xfe" + v4)


def transfer(listener: socket.socket, octets: int) -> int:
    """Send to a listener, and count what arrives."""
    with listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(20)
        with socket.create_connection(listener.getsockname()[:2], timeout=20) as client:
            accepted = listener.accept()[0]
            sending = pool.submit(client.sendall, bytes(octets))
            got = 0
            with accepted:
                while got < octets and (data := accepted.recv(1 << 20)):
                    got += len(data)
            sending.result()
    return got


def test_drops_are_counted_by_reason_and_by_source(tun: Tun) -> None:
    with Path41(tun, state(HOST), max_drop_sources=128) as path:
        for _ in range(3):
            assert path.run("underlay_in", wrapped(datagram(HOST6, CLIENT), STRANGER))[0] == DROP
        assert path.run("underlay_in", wrapped(datagram(CLIENT, HOST6)))[0] == DROP
        assert path.totals() == {Drop.HOST_NOT_ALLOWED: 3, Drop.SOURCE_MISMATCH: 1}
        assert set(path.drops()) == {(Drop.HOST_NOT_ALLOWED, STRANGER, 3), (Drop.SOURCE_MISMATCH, HOST, 1)}
        for number in range(2000):
            path.run(
                "underlay_in", wrapped(datagram(HOST6, CLIENT), bytes([11, 0]) + number.to_bytes(2, "big"))
            )
        assert path.totals()[Drop.HOST_NOT_ALLOWED] == 2003
        assert len(list(path.drops())) <= 128


def test_hosts_come_and_go(tun: Tun) -> None:
    with Path41(tun, state(), max_hosts=1) as path:
        packet = wrapped(datagram(HOST6, CLIENT))
        assert path.run("underlay_in", packet)[0] == SLOW
        assert [path.add_host(HOST), path.add_host(HOST)] == [Added.ADDED, Added.KNOWN]
        assert path.run("underlay_in", packet)[0] == FORWARD
        assert path.add_host(OTHER) is Added.FULL
        path.remove_host(HOST)
        path.remove_host(HOST)
        assert path.run("underlay_in", packet)[0] == SLOW


def test_a_changed_state_bites_at_once(tun: Tun) -> None:
    link = state(HOST)
    with Path41(tun, link) as path:
        packet = wrapped(datagram(HOST6, CLIENT))
        assert path.run("underlay_in", packet)[0] == FORWARD
        link.configure(prefixes=[LINK], locators=[ROUTER], allowed=[], routers=[OTHER], routes=[])
        path.sync(link)
        assert path.run("underlay_in", packet)[0] == DROP
        assert path.totals() == {Drop.HOST_NOT_ALLOWED: 1}
        assert list(path.counters()) == [], "a sibling is no host"


def test_forwarding_on_the_tun_is_turned_on_again(tun: Tun) -> None:
    with Path41(tun, state(HOST)) as path:
        sysctl.set("net.ipv4.conf.all.forwarding", 1)
        sysctl.set("net.ipv4.conf.all.forwarding", 0)  # sets every device's, so that routes are not told
        assert path.run("tun_out", datagram(CLIENT, HOST6))[0] == SLOW
        list(path.counters())
        assert path.run("tun_out", datagram(CLIENT, HOST6))[0] == FORWARD


def test_without_a_route_the_kernel_decides(tun: Tun) -> None:
    netns.run(NAME, ["ip", "route", "delete", "default"])
    with Path41(tun, state(HOST)) as path:
        assert path.run("tun_out", datagram(CLIENT, HOST6))[0] == SLOW


def test_an_underlay_with_too_small_an_mtu_is_left_to_the_kernel(tun: Tun) -> None:
    netns.run(NAME, ["ip", "link", "set", "u0", "mtu", "1299"])
    with Path41(tun, state(HOST)) as path:
        assert path.run("tun_out", datagram(CLIENT, HOST6))[0] == SLOW


class TestDirect:
    """The direct path, with the frames that it would see."""

    def out(self, path: Path41, packet: bytes, came_in: int | None = None) -> None:
        """The kernel has let a packet from the tunnel through."""
        came_in = path.tun if came_in is None else came_in
        assert path.run("underlay_out", packet, came_in=came_in, ethernet=ONWARD)[0] == SLOW

    def went(self, path: Path41, packet: bytes) -> bytes:
        """Ethernet addresses and hop limit of what becomes of an arriving packet."""
        answer, frame = path.run("underlay_in", wrapped(packet))
        assert answer == FORWARD and frame[15:21] == packet[1:7] and frame[22:] == packet[8:]
        return frame[:12] + frame[21:22]

    def test_a_flow_goes_straight_after_the_kernel_let_it(self, tun: Tun) -> None:
        packet = datagram(HOST6, CLIENT)
        with Path41(tun, state(HOST)) as path:
            assert path.direct is Direct.UDP
            assert self.went(path, packet) == ETHERNET + b"\x40"
            self.out(path, packet)
            assert self.went(path, packet) == ONWARD + b"\x3f"
            assert self.went(path, datagram(HOST6, CLIENT[:15] + b"\x06"))[:12] == ETHERNET
            assert mine(path, HOST)[:2] == (3, 3 * len(packet))

    def test_the_kernel_is_asked_again_after_two_seconds(self, tun: Tun) -> None:
        packet = datagram(HOST6, CLIENT)
        with Path41(tun, state(HOST)) as path:
            self.out(path, packet)
            assert self.went(path, packet)[:12] == ONWARD
            wait_until("the kernel is asked", lambda: self.went(path, packet)[:12] != ONWARD)

    def test_what_the_kernel_must_see_never_goes_straight(self, tun: Tun) -> None:
        segment = tcp.build(HOST6, CLIENT, tcp.Tcp(4000, 22, 1, 1, tcp.ACK, 1000, 0, b""), b"")
        with Path41(tun, state(HOST)) as path:
            for packet in (
                ipv6.build(HOST6, CLIENT, 6, segment),
                ipv6.build(HOST6, CLIENT, 58, b"\x80" + bytes(7)),
                datagram(HOST6, CLIENT, hop_limit=1),
                datagram(HOST6, CLIENT, size=1280 - 47),
            ):
                self.out(path, packet)
                assert self.went(path, packet)[:12] == ETHERNET

    def test_tcp_goes_straight_where_conntrack_is_liberal(self, tun: Tun) -> None:
        name = "net.netfilter.nf_conntrack_tcp_be_liberal"
        track_connections()
        sysctl.set(name, 1)
        segment = tcp.build(HOST6, CLIENT, tcp.Tcp(4000, 22, 1, 1, tcp.ACK, 1000, 0, b""), b"")
        packet = ipv6.build(HOST6, CLIENT, 6, segment)
        with Path41(tun, state(HOST)) as path:
            self.out(path, packet)
            assert self.went(path, packet)[:12] == ONWARD

    def test_only_a_flow_that_came_out_of_the_tunnel_counts(self, tun: Tun) -> None:
        packet = datagram(HOST6, CLIENT)
        with Path41(tun, state(HOST)) as path:
            self.out(path, packet, came_in=path.underlay)
            assert self.went(path, packet)[:12] == ETHERNET

    def test_into_the_tunnel(self, tun: Tun) -> None:
        packet = datagram(CLIENT, HOST6)
        with Path41(tun, state(HOST)) as path:
            assert path.run("underlay_in", packet)[0] == SLOW
            assert path.run("tun_out", packet, came_in=path.underlay)[0] == FORWARD
            answer, frame = path.run("underlay_in", packet)
            outer, inner = ipv4.parse(frame[14:])
            assert answer == FORWARD and (outer.src, outer.dst, outer.protocol) == (ROUTER, HOST, 41)
            assert inner == packet[:7] + b"\x3f" + packet[8:]
            assert mine(path, HOST)[2:] == (2, 2 * len(packet))

    def test_a_host_has_none(self, tun: Tun) -> None:
        link = LinkState(LinkRole.HOST, prefixes=[LINK], locators=[ROUTER], routers=[OTHER])
        with Path41(tun, link) as path:
            assert path.direct is Direct.OFF


@pytest.mark.parametrize(("tcx", "by"), [pytest.param(True, "tcx", marks=TCX), (False, "clsact")])
def test_attached_and_gone(tun: Tun, tcx: bool, by: str) -> None:
    with Path41(tun, state(HOST), tcx=tcx) as path:
        assert bpf.ways(path) == {by}
        assert (programs("u0"), programs("mo-isatap0")) == (2, 1)
    assert (programs("u0"), programs("mo-isatap0")) == (0, 0)
    assert "clsact" not in subprocess.run(["tc", "qdisc"], capture_output=True, text=True, check=True).stdout


def test_a_clsact_of_somebody_else_stays(tun: Tun) -> None:
    netns.run(NAME, ["tc", "qdisc", "add", "dev", "u0", "clsact"])
    Path41(tun, state(HOST), tcx=False).close()
    assert "clsact" in netns.run(NAME, ["tc", "qdisc", "show", "dev", "u0"]).stdout


KILLED = """
import socket, sys, time
from manageout.linux.packets.tun import Tun
from tests.system.linux.bpf.test_isatap import HOST, Path41, state
tun = Tun.open("mo-isatap1", 1280)
path = Path41(tun, state(HOST), tcx=sys.argv[1] == "tcx")
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
    IsatapFastPath.remove_leftovers([socket.if_nametoindex("u0")])
    assert programs("u0") == 0


def test_the_next_start_takes_the_place_of_what_was_left(tun: Tun) -> None:
    left = Path41(tun, state(HOST), tcx=False)
    with Path41(tun, state(HOST), tcx=True):
        assert programs("u0") == 2
    left.close()
    assert programs("u0") == 0


def test_a_device_that_is_not_ethernet_stays_with_the_slow_path(tun: Tun) -> None:
    link, lo, u0 = state(HOST), socket.if_nametoindex("lo"), socket.if_nametoindex("u0")
    with Path41(tun, link, underlays=(lo, u0)) as path:
        assert path.skipped == ["lo"]
    with pytest.raises(FastPathUnavailable, match="no Ethernet device among lo"):
        Path41(tun, link, underlays=(lo,))


def test_a_full_list_of_prefixes_says_so(tun: Tun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isatap_bpf, "MAX_LISTED", 1)
    link = LinkState(
        LinkRole.ROUTER, prefixes=[LINK], locators=[ROUTER], allowed=[Prefix(HOST, 32), Prefix(OTHER, 32)]
    )
    with pytest.raises(FastPathUnavailable, match="map allowed is full"):
        Path41(tun, link)
    assert programs("u0") == 0


def unavailable(*prefix: str) -> str:
    """What the command line would show, run behind ``prefix``."""
    script = (
        "from manageout.linux.bpf.libbpf import Object\nfrom manageout.errors import FastPathUnavailable\n"
        "from importlib import resources\n"
        "data = resources.files('manageout.bpf').joinpath('isatap.bpf.o').read_bytes()\n"
        "try: Object(data, 'isatap').load()\n"
        "except FastPathUnavailable as error: print(error.message, '|', error.hint)\n"
    )
    argv = [*prefix, sys.executable, "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_without_privilege() -> None:
    said = unavailable(*AS_NOBODY)
    missing = "CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF"
    assert (
        said
        == f"object isatap: eBPF is not permitted without {missing} | run as root, or with these capabilities"
    )


def test_without_libbpf() -> None:
    library = next(Path("/usr/lib").glob("*/libbpf.so.1")).resolve()
    hide = ["unshare", "--mount", "sh", "-c", f'mount --bind /dev/null {library} && exec "$@"', "hide"]
    assert unavailable(*hide) == "libbpf.so.1 is not there | apt install libbpf1"
