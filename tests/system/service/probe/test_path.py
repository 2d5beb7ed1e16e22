"""Probes of paths and packet filters: three namespaces in a row, a narrow link, and rulesets at random."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.errors import KernelError
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.linux.netlink.links import Hop, Netlink
from manageout.linux.nft.evaluate import Packet
from manageout.service.probe import machine as probe_machine
from manageout.service.probe import path as probe_path
from manageout.wire.numbers import UDP
from tests.tools.packet_filter import delete_table, replace_table

NEAR, FAR, FAR6 = IPv4Address("10.1.0.1"), IPv4Address("10.2.0.2"), IPv6Address("fd02::2")
NOBODY, NOBODY_NEAR = IPv4Address("10.2.0.99"), IPv4Address("10.1.0.99")


# --- Paths: near - middle - far, with a narrow link behind the middle -----------------------------------


@pytest.fixture(scope="module")
def path() -> Iterator[None]:
    """``pa`` - ``pm`` - ``pb``; the second link has an MTU of 1400 bytes."""
    names = ("mo-pa", "mo-pm", "mo-pb")
    scripts = {
        "mo-pa": """
            ip link add near0 type veth peer name mid0 netns mo-pm
            ip address add 10.1.0.2/24 dev near0
            ip address add fd01::2/64 dev near0 nodad
            ip link set near0 up
            ip route add default via 10.1.0.1
            ip route add default via fd01::1
        """,
        "mo-pb": """
            ip link add far0 mtu 1400 type veth peer name mid1 netns mo-pm
            ip address add 10.2.0.2/24 dev far0
            ip address add fd02::2/64 dev far0 nodad
            ip link set far0 up
            ip route add default via 10.2.0.1
            ip route add default via fd02::1
        """,
        "mo-pm": """
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
            sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
            ip link set mid1 mtu 1400
            ip address add 10.1.0.1/24 dev mid0
            ip address add fd01::1/64 dev mid0 nodad
            ip address add 10.2.0.1/24 dev mid1
            ip address add fd02::1/64 dev mid1 nodad
            ip link set mid0 up
            ip link set mid1 up
        """,
    }
    for name in names:
        netns.create(name)
    try:
        for name, script in scripts.items():
            netns.run(name, ["sh", "-e", "-c", script])
        ping = ["ping", "-c1", "-W1", str(FAR6)]
        wait_until("the path is up", lambda: netns.run("mo-pa", ping, check=False).returncode == 0, 10)
        yield
    finally:
        for name in names:
            netns.delete(name)


@contextmanager
def rules(name: str, body: str) -> Iterator[None]:
    with netns.inside(name):
        replace_table("inet test", body)
    try:
        yield
    finally:
        with netns.inside(name):
            delete_table("inet test")


@pytest.mark.parametrize(("target", "router"), [(FAR, "10.1.0.1"), (FAR6, "fd01::1")])
def test_the_width_of_a_path_and_who_tells_it(
    path: None, target: IPv4Address | IPv6Address, router: str
) -> None:
    with netns.inside("mo-pa"):
        found = probe_path.path_mtu(target)
        again = probe_path.path_mtu(target)
    assert (found.first, found.mtu, found.told, found.black_hole) == (1500, 1400, ((router, 1400),), False)
    assert again.mtu == 1400


@pytest.mark.parametrize("target", [FAR, FAR6])
def test_a_black_hole(path: None, target: IPv4Address | IPv6Address) -> None:
    hole = "chain o { type filter hook output priority 0; policy accept;\n icmp type destination-unreachable drop\n"
    hole += "icmpv6 type packet-too-big drop\n }"
    with rules("mo-pm", hole), netns.inside("mo-pa"):
        found = probe_path.path_mtu(target)
    assert (found.mtu, found.told, found.black_hole) == (1400, (), True)


def test_nobody_there(path: None) -> None:
    with netns.inside("mo-pa"):
        echo, tcp = probe_path.echo(NOBODY_NEAR, 0.3), probe_path.tcp(NOBODY_NEAR, 22, 0.3)
        mtu, far = probe_path.path_mtu(NOBODY), probe_path.next_hop(FAR)
        near = probe_path.next_hop(NOBODY_NEAR, 0.3)
    assert echo.seconds is None and echo.error
    assert tcp.result == "silent"
    assert mtu.mtu is None and mtu.error and not mtu.black_hole
    assert far.via == str(NEAR) and far.neighbour and far.neighbour.state == "reachable"
    assert near.neighbour and near.neighbour.state in ("incomplete", "failed")


def test_a_neighbour_that_is_only_remembered(path: None) -> None:
    """The kernel would believe in it for long; it is made to ask."""
    entry = [
        "ip",
        "neigh",
        "replace",
        str(NOBODY_NEAR),
        "lladdr",
        "02:00:00:00:00:99",
        "dev",
        "near0",
        "nud",
        "stale",
    ]
    netns.run("mo-pa", entry)
    with netns.inside("mo-pa"):
        found = probe_path.next_hop(NOBODY_NEAR)
    assert found.neighbour and found.neighbour.state == "failed"


def test_no_route(namespaces: Callable[[str], str]) -> None:
    with netns.inside(namespaces("mo-alone")):
        assert probe_path.next_hop(FAR).error and not probe_path.next_hop(FAR).dev
        assert probe_path.tcp(FAR, 22, 0.3).result == "unreachable"
        assert probe_path.echo(FAR, 0.2).by == "this machine"
        with pytest.raises(KernelError):
            probe_path.path_mtu(FAR)


def test_the_device_goes_while_the_path_is_looked_at(
    namespaces: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disturbed(Netlink):
        def route_get(self, destination: IPv4Address | IPv6Address, vrf: int = 0) -> Hop:
            hop = super().route_get(destination, vrf)
            subprocess.run(["ip", "link", "delete", "e0"], check=True)
            return hop

    name = namespaces("mo-alone")
    for command in ("link add e0 type veth peer name e1", "link set e0 up", "address add 10.1.0.2/24 dev e0"):
        netns.run(name, ["ip", *command.split()])
    monkeypatch.setattr(probe_path, "Netlink", Disturbed)
    with netns.inside(name), pytest.raises(KernelError, match=r"e0 has gone while 10\.1\.0\.1 was looked at"):
        probe_path.path_mtu(NEAR)


def test_an_address_that_is_not_ours(path: None) -> None:
    with netns.inside("mo-pa"), pytest.raises(KernelError, match="ping from"):
        probe_path.echo(FAR, 0.2, NOBODY)


@pytest.mark.parametrize("target", [FAR, FAR6])
def test_ports_that_are_open_closed_and_forbidden(path: None, target: IPv4Address | IPv6Address) -> None:
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    with netns.inside("mo-pb"):
        server = socket.create_server((str(target), 7777), family=family)
    forbid = "chain f { type filter hook forward priority 0; policy accept;\n tcp dport %s reject with %s\n }"
    with server, netns.inside("mo-pa"):
        assert probe_path.echo(target).seconds is not None
        assert probe_path.tcp(target, 7777).result == "open"
        assert probe_path.tcp(target, 7778).result == "refused"
    for how in ("icmpx admin-prohibited", "icmpx port-unreachable"):
        with rules("mo-pm", forbid % (7777, how)), netns.inside("mo-pa"):
            found = probe_path.tcp(target, 7777)
        router = "10.1.0.1" if target.version == 4 else "fd01::1"
        assert (found.result, found.by) == ("prohibited", router)


# --- The packet filter: the walk and the kernel agree ---------------------------------------------------

_MATCHES = (
    (
        "udp dport 7001", "udp dport != 7001", "udp dport { 7000-7002, 7009 }", "udp dport 7003-7009", "udp sport 9",
        "tcp dport 7001", "th dport 7002", "udp dport @ports", "meta l4proto udp", "meta l4proto { tcp, icmp }",
        "ip protocol udp",
    ),
    (
        "ip saddr 127.0.0.0/8", "ip saddr { 127.0.0.2, 127.0.0.4-127.0.0.9 }", "ip daddr 127.0.0.1",
        "ip daddr != 127.0.0.1", "ip saddr @hosts", "ip6 saddr ::1", "meta nfproto ipv4",
    ),
    ('iifname "lo"', 'iifname != "lo"', 'iifname "l*"', "ct state new", "ct state established,related"),
)  # fmt: skip
_PAIRS = "ip saddr . udp dport @pairs"
_VMAP = "udp dport vmap @where"
_VERDICTS = ("accept", "drop", "jump side", "goto side", "return", "counter", "reject", _VMAP)
_SETS = """
set pairs { type ipv4_addr . inet_service; elements = { 127.0.0.1 . 7001, 127.0.0.2 . 7003 }; }
set hosts { type ipv4_addr; flags interval; elements = { 127.0.0.0/30 }; }
set ports { type inet_service; flags interval; elements = { 7002-7004 }; }
map where { type inet_service : verdict; elements = { 7001 : drop, 7002 : jump side, 7003 : accept }; }
"""


def _chain(dice: random.Random, verdicts: tuple[str, ...]) -> str:
    lines = []
    for _ in range(dice.randint(1, 6)):
        verdict = dice.choice(verdicts)
        groups = dice.sample(_MATCHES[verdict == _VMAP :], dice.randint(0, 2))  # nft refuses contradictions
        matches = [dice.choice(group) for group in groups] if dice.random() < 0.8 else [_PAIRS]
        lines.append(" ".join((*matches, verdict)))
    return "\n".join(lines)


def _ruleset(dice: random.Random) -> str:
    plain = tuple(verdict for verdict in _VERDICTS if "side" not in verdict and "vmap" not in verdict)
    policies = [dice.choice(("accept", "accept", "drop")) for _ in range(2)]
    base = "type filter hook input priority %d; policy %s;\n"
    return (
        f"{_SETS}\nchain side {{\n{_chain(dice, plain)}\n}}\n"
        f"chain one {{ {base % (0, policies[0])}{_chain(dice, _VERDICTS)}\n}}\n"
        f"chain two {{ {base % (5, policies[1])}{_chain(dice, _VERDICTS)}\n}}"
    )


def _arrives(source: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 6009))
            sender.sendto(b"x", ("127.0.0.1", port))
        try:
            return bool(receiver.recv(10, socket.MSG_DONTWAIT))  # loopback delivers within the call
        except BlockingIOError:
            return False


@pytest.mark.parametrize("seed", range(60))
def test_the_walk_says_what_the_kernel_does(path: None, seed: int) -> None:
    dice = random.Random(seed)
    body = _ruleset(dice)
    with rules("mo-pb", body), netns.inside("mo-pb"):
        ruleset = probe_machine.of_others()
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.7"):
            for port in (7001, 7002, 7003, 7009):
                judged = ruleset.judge("input", Packet(source, "127.0.0.1", UDP, port, 6009, iif="lo"))
                assert judged.result != "maybe", body
                assert (judged.result == "accept") == _arrives(source, port), (judged, source, port, body)


def test_what_cannot_be_seen_from_outside_is_left_open(path: None) -> None:
    body = "chain i { type filter hook input priority 0; policy accept;\n meta mark 5 drop\n }"
    packet = Packet("127.0.0.1", "127.0.0.1", UDP, 7001, iif="lo")
    with rules("mo-pb", body), netns.inside("mo-pb"):
        found = probe_machine.of_others().judge("input", packet)
    assert found.result == "maybe"
    assert found.rule == "nft table inet test, chain i: meta mark 0x00000005 drop"
