"""Links, addresses and routes in a namespace of our own, compared with what iproute2 says."""

from __future__ import annotations

import asyncio
import json
import resource
import select
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address
from typing import Any

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.events import AddressMonitor
from manageout.linux.netlink.links import PROTO, Hop, Netlink

NAME = "mo-test-netlink"
ULA = IPv6Interface("fd00::1/64")
ROUTE = IPv6Network("fd01::/64")


@pytest.fixture
def netlink(namespaces: Callable[[str], str]) -> Iterator[Netlink]:
    namespaces(NAME)
    netns.run(NAME, ["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"])
    netns.run(NAME, ["ip", "link", "set", "v1", "up"])
    with netns.inside(NAME), Netlink() as opened:
        yield opened


def ip(*arguments: str) -> list[dict[str, Any]]:
    text = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True).stdout
    return json.loads(text or "[]")  # type: ignore[no-any-return]


def test_a_link_comes_up_with_its_mtu(netlink: Netlink) -> None:
    netlink.set_up("v0", 1400)
    link = {link.name: link for link in netlink.links()}["v0"]
    assert (link.up, link.carrier, link.mtu) == (True, True, 1400)
    assert netlink.index("v0") == link.ifindex
    assert netlink.index("absent") is None
    with pytest.raises(KernelError) as caught:
        netlink.set_up("absent")
    assert "absent" in caught.value.message


def test_a_list_that_changes_while_it_is_read_is_read_again(netlink: Netlink) -> None:
    """More addresses than one message to us holds, and another one before the second is asked for."""
    many = "".join(f"address add 10.{n // 250}.{n % 250}.1/32 dev v0\n" for n in range(1500))
    subprocess.run(["ip", "-batch", "-"], input=many, text=True, check=True)
    more = iter(range(100))

    class Disturbed(Netlink):
        times = 1

        def each(self, kind: int, body: bytes, what: str) -> Iterator[rtnetlink.Message]:
            for number, message in enumerate(super().each(kind, body, what)):
                if number == 0 and self.times:
                    self.times -= 1
                    netlink.add_address("v0", IPv4Interface(f"10.99.0.{next(more)}/32"))
                yield message

    body, disturbed = struct.pack("=BBBBi", socket.AF_INET, 0, 0, 0, 0), Disturbed()
    with pytest.raises(rtnetlink.Interrupted):
        list(disturbed.each(rtnetlink.GETADDR, body, "list addresses"))
    disturbed.times = 2
    found = disturbed.dump(rtnetlink.GETADDR, body, "list addresses")
    assert len(found) == len({message.body for message in found}) == 1504
    disturbed.times = 99
    assert len(disturbed.dump(rtnetlink.GETADDR, body, "list addresses")) >= 1504, "at last as it came"
    assert disturbed.times == 99 - rtnetlink.TRIES
    disturbed.close()


def test_addresses(netlink: Netlink) -> None:
    netlink.set_up("v0")
    netlink.add_address("v0", ULA, valid=100, preferred=50)
    netlink.add_address("v0", IPv4Interface("10.0.0.1/24"))
    (shown,) = [a for a in ip("-6", "address", "show", "v0")[0]["addr_info"] if a["local"] == "fd00::1"]
    assert shown["nodad"] is True
    assert 95 <= shown["valid_life_time"] <= 100
    assert 45 <= shown["preferred_life_time"] <= 50
    netlink.add_address("v0", ULA)  # refreshed: for ever
    (shown,) = [a for a in ip("-6", "address", "show", "v0")[0]["addr_info"] if a["local"] == "fd00::1"]
    assert shown["valid_life_time"] == 0xFFFFFFFF
    assert {ULA, IPv4Interface("10.0.0.1/24")} <= set(netlink.addresses("v0"))
    assert set(netlink.addresses("v0")) <= set(netlink.addresses())
    for _ in range(2):
        netlink.delete_address("v0", ULA)
    assert ULA not in netlink.addresses("v0")
    netlink.delete_address("absent", ULA)


def test_an_address_without_its_prefix_route(netlink: Netlink) -> None:
    netlink.set_up("v0")
    netlink.add_address("v0", ULA, prefix_route=False)
    assert not [route for route in netlink.routes(protocol=None) if route.prefix == ULA.network]


def test_routes_are_ours_and_replaced_in_place(netlink: Netlink) -> None:
    netlink.set_up("v0")
    netlink.add_address("v0", ULA)
    netlink.replace_route(ROUTE, via=ip_address("fd00::2"))
    netlink.replace_route(ROUTE, via=ip_address("fd00::3"))
    netlink.replace_route(IPv6Network("fd02::/64"), dev="v0", preference="low", metric=50)
    shown = {route["dst"]: route for route in ip("-6", "route", "show", "proto", str(PROTO))}
    assert shown["fd01::/64"]["gateway"] == "fd00::3"
    assert (shown["fd02::/64"]["pref"], shown["fd02::/64"]["metric"]) == ("low", 50)
    assert {(route.prefix, route.via) for route in netlink.routes()} == {
        (ROUTE, ip_address("fd00::3")),
        (IPv6Network("fd02::/64"), None),
    }
    assert netlink.route_get(ip_address("fd01::9")) == Hop("v0", ip_address("fd00::1"), ip_address("fd00::3"))
    for _ in range(2):
        netlink.delete_route(ROUTE, via=ip_address("fd00::3"))
    netlink.delete_route(ROUTE, dev="absent")
    assert [route.prefix for route in netlink.routes()] == [IPv6Network("fd02::/64")]


def test_ipv4_routes_and_which_are_ours(netlink: Netlink) -> None:
    netlink.set_up("v0")
    netlink.add_address("v0", IPv4Interface("10.0.0.1/24"))
    netlink.replace_route(IPv4Network("10.1.0.0/16"), via=ip_address("10.0.0.2"))
    netlink.replace_route(IPv4Network("10.2.0.0/16"), dev="v0")
    subprocess.run(["ip", "route", "add", "10.3.0.0/16", "via", "10.0.0.3"], check=True)
    ours = netlink.routes(socket.AF_INET)
    assert {str(route.prefix) for route in ours} == {"10.1.0.0/16", "10.2.0.0/16"}
    for route in ours:
        netlink.delete_route(route.prefix, route.dev, route.via, route.metric)
    left = {str(route.prefix) for route in netlink.routes(socket.AF_INET, protocol=None)}
    assert "10.3.0.0/16" in left
    assert not {"10.1.0.0/16", "10.2.0.0/16"} & left


def test_nowhere_to_go(netlink: Netlink) -> None:
    with pytest.raises(KernelError) as caught:
        netlink.route_get(ip_address("2001:db8::1"))
    assert caught.value.hint
    with pytest.raises(KernelError):
        netlink.replace_route(ROUTE, via=ip_address("fd00::2"))


@pytest.mark.parametrize("kind", ["prohibit", "blackhole", "unreachable"])
def test_a_route_that_leads_nowhere(netlink: Netlink, kind: str) -> None:
    netns.run(NAME, ["ip", "route", "add", kind, "10.9.0.0/16"])
    netns.run(NAME, ["ip", "-6", "route", "add", kind, "2001:db8::/32"])
    for address in ("10.9.0.1", "2001:db8::1"):
        with pytest.raises(KernelError, match=address):
            netlink.route_get(ip_address(address))


@pytest.mark.parametrize("told", [True, False])
def test_the_device_goes_while_its_route_is_asked_for(netlink: Netlink, told: bool) -> None:
    """After the answer, or before its device was written into it."""

    class Disturbed(Netlink):
        def get(self, kind: int, body: bytes, what: str) -> rtnetlink.Message:
            message = super().get(kind, body, what)
            subprocess.run(["ip", "link", "delete", "v0"], check=True)
            if told:
                return message
            kept = [each for each in rtnetlink.attribute_list(message.body[12:]) if each[0] != 4]  # RTA_OIF
            return message._replace(
                body=message.body[:12] + b"".join(rtnetlink.attribute(*each) for each in kept)
            )

    netlink.set_up("v0")
    netlink.add_address("v0", IPv4Interface("10.8.0.1/24"))
    with Disturbed() as disturbed, pytest.raises(KernelError, match=r"10\.8\.0\.9: its device has just gone"):
        disturbed.route_get(ip_address("10.8.0.9"))


def test_many_routes_are_all_listed(netlink: Netlink) -> None:
    netlink.set_up("v0")
    for number in range(2000):  # more than one answer of the kernel holds
        netlink.replace_route(IPv6Network((0xFD01 << 112 | number << 64, 64)), dev="v0")
    assert len(netlink.routes()) == 2000


def test_without_descriptors_it_is_the_kernel_that_refuses() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(rtnetlink.Refused, match="open a netlink socket: Too many open files") as refused:
            Netlink()
        with pytest.raises(rtnetlink.Refused, match="listen to the kernel: Too many open files"):
            AddressMonitor()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "LimitNOFILE" in refused.value.hint


def test_what_the_socket_itself_says_is_no_oserror(netlink: Netlink) -> None:
    with pytest.raises(rtnetlink.Refused, match="list links: Bad file descriptor"), Netlink() as closed:
        closed.close()
        closed.links()


def test_it_works_inside_a_running_event_loop(netlink: Netlink) -> None:
    async def run() -> int:
        with Netlink() as another:
            return len(another.links())

    assert asyncio.run(run()) == len(netlink.links())


def test_the_monitor_tells_of_changes(netlink: Netlink) -> None:
    monitor = AddressMonitor()
    assert monitor.drain() is False and select.select([monitor], [], [], 0)[0] == []
    netlink.set_up("v0")
    netlink.add_address("v0", IPv4Interface("10.0.0.1/24"))
    assert select.select([monitor], [], [], 10)[0] == [monitor]
    assert monitor.drain() is True and select.select([monitor], [], [], 0)[0] == []
    monitor.close()
