"""The fast path alone: nanoseconds a packet (BPF_PROG_TEST_RUN), and whether many hosts make it slower.

For the second the router of a whole lab is given thousands of registered hosts more, straight into its table;
helpdesk - core - isatap - gateway then carries the same packets as in ``isatap_forwarding``.
"""

from __future__ import annotations

import ctypes
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address

from manageout.lab.topology import CLIENT_PREFIX, HELPDESK, ISATAP_PREFIX
from manageout.linux.bpf.isatap import IsatapFastPath, IsatapSetup
from manageout.linux.bpf.libbpf import Map
from manageout.linux.host import netns
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.wire import ipv4, ipv6
from tests.bench.isatap_forwarding import PAYLOAD, RUNS, TUNNELLED, lab, packets
from tests.bench.report import Result, alternate
from tests.tools import bpf
from tests.tools.packets import udp

HOSTS = (10, 1_000, 100_000)
NAMES = ("isatap_decapsulate_ns", "isatap_encapsulate_ns", *(f"isatap_pps_{count}_hosts" for count in HOSTS))
PEER_SIZE = 64
FORWARD = 7
_LOCATOR = bytes([10, 0, 0, 1])
_NAMESPACE = "mo-bench-bpf"


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Nanoseconds a packet, then packets a second at each number of hosts."""
    if wanted & {"isatap_decapsulate_ns", "isatap_encapsulate_ns"}:
        yield from (result for result in programs() if result.name in wanted)
    if wanted & {f"isatap_pps_{count}_hosts" for count in HOSTS}:
        yield from (result for result in by_hosts() if result.name in wanted)


def by_hosts() -> Iterator[Result]:
    with lab(fast_path=True):
        table = table_of("peers", HELPDESK.packed, PEER_SIZE)
        median = alternate(RUNS, **{str(count): partial(with_hosts, table, count) for count in HOSTS})
    few = median[str(HOSTS[0])]
    for count in HOSTS:
        value = median[str(count)]
        yield Result(f"isatap_pps_{count}_hosts", value, "packets/s", f"{HOSTS[0]} hosts", value / few)


def with_hosts(table: Map, count: int) -> float:
    """Packets a second while the router knows ``count`` hosts."""
    others = [(11 << 24 | number).to_bytes(4, "big") for number in range(count - 1)]
    for v4 in others:
        table.update(v4, bytes(PEER_SIZE))
    try:
        return packets(TUNNELLED)
    finally:
        for v4 in others:
            table.delete(v4)


def table_of(name: str, member: bytes, value_size: int) -> Map:
    """The map called ``name`` with a ``member`` as key, found among all maps of the machine."""
    library = ctypes.CDLL("libbpf.so.1")
    number = ctypes.c_uint32(0)
    while library.bpf_map_get_next_id(number, ctypes.byref(number)) == 0:
        descriptor = library.bpf_map_get_fd_by_id(number)
        info = (ctypes.c_uint32 * 32)()
        library.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(ctypes.c_uint32(ctypes.sizeof(info))))
        if bytes(info)[24:40].rstrip(b"\0") == name.encode():
            table = Map(descriptor, name, len(member), value_size)
            if table.lookup(member):
                return table
    raise LookupError(f"no fast path with a map {name} in this lab")


def programs() -> Iterator[Result]:
    """One packet of a registered host, again and again, without what the kernel does before and after."""
    netns.create(_NAMESPACE)
    try:
        for line in (
            "link add u0 address 02:00:00:00:00:01 type veth peer name u1",
            "link set u0 up",
            "link set u1 up",
            "addr add 10.0.0.1/24 dev u0",
            "route add default via 10.0.0.254",
        ):
            subprocess.run(["ip", "-n", _NAMESPACE, *line.split()], check=True)
        with netns.inside(_NAMESPACE), Tun.open("mo-isatap0", 1280) as tun:
            netns.run(_NAMESPACE, ["ip", "link", "set", "mo-isatap0", "up"])
            yield from run_programs(tun)
    finally:
        netns.delete(_NAMESPACE)


def run_programs(tun: Tun) -> Iterator[Result]:
    host, client = HELPDESK.packed, CLIENT_PREFIX[5].packed
    host6 = IPv6Address(int(ISATAP_PREFIX[0]) | 0x5EFE << 32 | int(HELPDESK)).packed
    link = LinkState(
        LinkRole.ROUTER,
        prefixes=[ISATAP_PREFIX.network_address.packed],
        locators=[_LOCATOR],
        allowed=[Prefix(host, 32)],
    )
    link.register(host)
    there, back = datagram(host6, client), datagram(client, host6)
    setup = IsatapSetup(tun=tun.ifindex, underlays=(socket.if_nametoindex("u0"),), tun_header=14)
    with IsatapFastPath(setup, link) as path:
        for name, program, packet in (
            ("isatap_decapsulate_ns", "underlay_in", ipv4.build(host, _LOCATOR, 41, there)),
            ("isatap_encapsulate_ns", "tun_out", back),
        ):
            kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
            frame = bytes(12) + kind + packet
            if bpf.run(path.program(program), frame)[0] != FORWARD:
                raise AssertionError(f"{program} does not forward the packet")
            yield Result(name, steady(path, program, frame), "ns")


def steady(path: IsatapFastPath, program: str, frame: bytes) -> float:
    """A test run changes the packet in place, so that only its first run forwards: single runs, many of them."""
    taken = sorted(bpf.run(path.program(program), frame)[3] for _ in range(20_000))
    return float(taken[len(taken) // 2])


def datagram(source: bytes, destination: bytes) -> bytes:
    return ipv6.build(source, destination, 17, udp.build(source, destination, 4000, 3389, bytes(PAYLOAD)))
