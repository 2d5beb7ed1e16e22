"""What the monitor of the kernel's state tells, in a namespace of our own."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.linux.host import netns, sysctl
from manageout.linux.netlink.events import KernelMonitor
from manageout.linux.netlink.links import Netlink

NAME = "mo-test-events"
OURS = IPv6Network("fd01::/64")
OURS4 = IPv4Network("10.9.0.0/24")


@pytest.fixture
def monitor(namespaces: Callable[[str], str]) -> Iterator[KernelMonitor]:
    namespaces(NAME)
    with netns.inside(NAME):
        sh("ip link add v0 type veth peer name v1")
        for device in ("v0", "v1"):  # no link-local address, which would be told of in its own time
            sysctl.set(f"net.ipv6.conf.{device}.addr_gen_mode", 1)
        sh("ip link set v1 up")
        sh("ip link set v0 up")
        sh("ip address add fd00::1/64 dev v0 nodad")
        sh("ip address add 10.0.0.1/24 dev v0")
        made = KernelMonitor()
        while told(made):
            pass
        yield made
        made.close()


def sh(command: str, stdin: str = "") -> None:
    subprocess.run(command.split(), input=stdin, check=True, text=True)


def told(monitor: KernelMonitor) -> bool:
    """Whether the socket becomes readable, and what is read concerns us."""
    readable, _, _ = select.select([monitor], [], [], 0.5)
    return bool(readable) and monitor.drain([OURS, OURS4])


@pytest.mark.parametrize(
    "command",
    [
        "ip link set v0 down",
        "ip link set v0 mtu 1400",
        "ip address add fd00::2/64 dev v0",
        "ip address del 10.0.0.1/24 dev v0",
        "ip link add v9 type bridge",
    ],
)
def test_links_and_addresses(monitor: KernelMonitor, command: str) -> None:
    sh(command)
    assert told(monitor)


@pytest.mark.parametrize("name", ["net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.forwarding"])
def test_forwarding(monitor: KernelMonitor, name: str) -> None:
    sysctl.set(name, 1 - int(sysctl.get(name)))
    assert told(monitor)


@pytest.mark.parametrize("prefix", [OURS, OURS4])
def test_our_routes(monitor: KernelMonitor, prefix: IPv4Network | IPv6Network) -> None:
    with Netlink() as netlink:
        netlink.replace_route(prefix, dev="v0")
    assert told(monitor)
    sh(f"ip {'-6' if prefix.version == 6 else '-4'} route del {prefix} dev v0")
    assert told(monitor)


@pytest.mark.parametrize("prefix", [OURS, OURS4])
def test_a_route_in_place_of_ours(monitor: KernelMonitor, prefix: IPv4Network | IPv6Network) -> None:
    with Netlink() as netlink:
        netlink.replace_route(prefix, dev="v0")
    assert told(monitor)
    via = "fd00::9" if prefix.version == 6 else "10.0.0.9"
    sh(f"ip route replace {prefix} via {via} dev v0 metric 1024")
    assert told(monitor)


def test_routes_of_others_wake_nobody(monitor: KernelMonitor) -> None:
    lines = [f"route add 10.20.{n}.0/24 dev v0\nroute add fd05:{n}::/64 dev v0\n" for n in range(200)]
    sh("ip -batch -", "".join(lines))
    sh("ip -batch -", "".join(line.replace(" add ", " del ") for line in lines))
    assert select.select([monitor], [], [], 0.3)[0] == []


def test_replaced_routes_of_others_do_not_concern_us(monitor: KernelMonitor) -> None:
    sh("ip route add 10.20.0.0/24 dev v0")
    sh("ip route replace 10.20.0.0/24 via 10.0.0.9")
    assert not told(monitor)


def test_what_was_lost_must_be_looked_at(monitor: KernelMonitor) -> None:
    lines = [f"address add 10.{n // 200}.{n % 200}.1/32 dev v0\n" for n in range(1, 4000)]
    sh("ip -batch -", "".join(lines))
    sh("ip -batch -", "".join(line.replace(" add ", " del ") for line in lines))
    assert told(monitor)
    assert not told(monitor), "and it is empty then"
