"""Linux's own ISATAP (``ip tunnel ... mode isatap``) as a host of our router, and as a router of our host."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.wire import nd
from manageout.wire.nd import Mtu, Preference, PrefixInformation, RouteInformation
from tests.system.service.isatap.test_join import HOST, PREFIX, ROUTER, SERVER, Wire, stream, wires
from tests.tools.this_kernel import require

SOLICITATION = bytes([133, *bytes(7)])
LINK = IPv6Address(f"{PREFIX}:1::").packed
HOPS = socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS
ALL_ROUTERS = IPv6Address("ff02::2").packed
"""Joined as radvd does: Linux's ISATAP device knows no multicast."""
OWN = "fe80::5efe:a00:1"
FAST = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


@pytest.fixture
def wire(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Wire]:
    require("sit")
    yield from wires(namespaces, tmp_path)


def tunnel(wire: Wire, name: str, local: str) -> None:
    wire.run(name, "ip", "tunnel", "add", "is0", "mode", "isatap", "local", local, "ttl", "64")
    wire.run(name, "sysctl", "-q", "net.ipv6.conf.is0.accept_ra_rt_info_max_plen=64")


@contextmanager
def icmpv6(name: str) -> Iterator[socket.socket]:
    """A raw socket on the tunnel there, with the hop limit of neighbour discovery (RFC 4861 6.1)."""
    with netns.inside(name), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"is0")
        for option in HOPS:
            raw.setsockopt(socket.IPPROTO_IPV6, option, 255)
        yield raw


@FAST
def test_its_host_is_served_by_our_router(wire: Wire, fast: bool) -> None:
    wire.router(fast)
    tunnel(wire, HOST, "10.0.0.30")
    wire.run(HOST, "ip", "tunnel", "prl", "dev", "is0", "prl-default", "10.0.0.1")
    wire.run(HOST, "ip", "link", "set", "is0", "up")
    mine = f"{PREFIX}:1:0:5efe:a00:1e"

    def configured() -> bool:
        """Linux solicits by multicast, which its ISATAP cannot send: as isatapd does, ask the router itself."""
        with icmpv6(HOST) as raw, contextlib.suppress(OSError):  # it has no address yet
            raw.sendto(SOLICITATION, (OWN, 0))
        return mine in wire.run(HOST, "ip", "-6", "address", "show", "dev", "is0").stdout

    wait_until("the kernel has taken our prefix", configured, 20)
    routes = wire.run(HOST, "ip", "-6", "route", "show", "dev", "is0").stdout
    assert f"{PREFIX}:1000::/59 via {OWN}" in routes
    wait_until("it reaches the server", wire.reaches, 20)
    assert wire.reaches("-s", "1232", "-M", "do")
    for direction in ((), ("--reverse",)):
        assert stream(wire, direction) >= 1_000_000
    assert [row["ipv4"] for row in wire.ask(ROUTER, "hosts")] == ["10.0.0.30"]
    assert wire.ask(ROUTER, "drops") == []


@FAST
def test_its_router_serves_our_host(wire: Wire, fast: bool) -> None:
    tunnel(wire, ROUTER, "10.0.0.1")
    wire.run(ROUTER, "sysctl", "-q", "net.ipv6.conf.all.forwarding=1")
    wire.run(ROUTER, "ip", "address", "add", f"{PREFIX}:1:0:5efe:a00:1/64", "dev", "is0", "nodad")
    wire.run(ROUTER, "ip", "link", "set", "is0", "up")
    # Linux gives the device no route for multicast, and without one hears no solicitation to all routers.
    wire.run(ROUTER, *["ip", "-6", "route", "add", "multicast", "ff00::/8", "dev", "is0", "table", "local"])
    with advertising():
        wire.join("10.0.0.1", fast)
        wait_until("our host reaches the server", wire.reaches, 20)
        assert wire.host()["fast_path"]["on"] is fast
        for direction in ((), ("--reverse",)):
            assert stream(wire, direction) >= 1_000_000
    assert wire.ask(HOST, "drops") == []


def test_beside_it_our_own_ends_are_not_called_unreachable(wire: Wire) -> None:
    """Once loaded it says "port unreachable" of each packet that a raw socket has taken; a new TCP gives up at that."""
    wire.router()
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    for _ in range(5):
        assert connects(wire), "each begins with a packet to the server, whose taker was called unreachable"


def connects(wire: Wire) -> bool:
    """Whether TCP begins: refused by the server itself, where nobody listens."""
    code = f"import socket; socket.create_connection(({SERVER!r}, 9), timeout=20)"
    told = wire.run(HOST, sys.executable, "-c", code, check=False).stderr
    assert "ConnectionRefusedError" in told or "No route" in told, told
    return "ConnectionRefusedError" in told


@contextmanager
def advertising() -> Iterator[None]:
    """The kernel forwards, and leaves advertising to a program."""
    told = nd.RouterAdvertisement(
        hop_limit=64,
        options=(
            Mtu(1280),
            PrefixInformation(LINK, 64, on_link=True, autonomous=True, valid=600, preferred=600),
            RouteInformation(IPv6Address(f"{PREFIX}:1000::").packed, 59, Preference.MEDIUM, 600),
        ),
    )
    message = nd.build(IPv6Address(OWN).packed, bytes(16), told)[40:]  # the kernel makes the checksum
    wake, end = os.pipe()
    with netns.inside(ROUTER):
        index = socket.if_nametoindex("is0")

    def serve(raw: socket.socket) -> None:
        while wake not in select.select([raw.fileno(), wake], [], [])[0]:
            question, source = raw.recvfrom(1500)
            if question[0] == SOLICITATION[0]:
                raw.sendto(message, (source[0], 0))

    with icmpv6(ROUTER) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, ALL_ROUTERS + struct.pack("=I", index))
        thread = threading.Thread(target=serve, args=(raw,))
        thread.start()
        try:
            yield
        finally:
            os.write(end, b"x")
            thread.join()
            os.close(wake)
            os.close(end)
