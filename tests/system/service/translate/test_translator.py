"""Through the gateway's translator, both ways, on both paths: TCP, UDP, ICMP, sizes, traces, restarts."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.wire import ipv4
from tests.tools.lab import machine_state
from tests.tools.places.translation import (
    CLIENT,
    FAR,
    FREE_LEASE,
    GATEWAY,
    LEASE,
    MAPPED,
    OTHER,
    OTHER_LEASE,
    SERVER,
    TranslationPlace,
    namespace,
    nat64,
)

IP_MTU_DISCOVER, IP_MTU = 10, 14
NEVER, ALWAYS = 0, 2
LARGEST = 1280 - 48
"""UDP payload of an IPv6 packet of 1280 bytes."""


@pytest.fixture(autouse=True)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Shows the translator's log where a test fails."""
    yield
    with contextlib.suppress(FileNotFoundError):
        sys.stderr.write((tmp_path / "log").read_text())


def carried(sender: socket.socket, receiver: socket.socket, size: int, to: tuple[str, int]) -> bool:
    """Whether a datagram of ``size`` bytes arrives unharmed."""
    data = bytes(number * 7 & 255 for number in range(size))
    sender.sendto(data, to)
    with contextlib.suppress(TimeoutError):
        return receiver.recv(65535) == data
    return False


def ping(translated: TranslationPlace, node: str, to: str, *options: str) -> str:
    """What ping says."""
    return translated.run(node, "ping", "-n", "-c", "1", "-W", "2", *options, to, check=False)


def fetched(translated: TranslationPlace, ends: tuple[str, str, str, str], size: int) -> bool:
    """Whether ``size`` bytes come unharmed by TCP from a server; (client's node, address, server's node, address)."""
    node, to, serving, listening = ends
    data = hashlib.sha256(str(size).encode()).digest() * (size // 32)
    with translated.socket(serving, socket.SOCK_STREAM, listening, 8000) as server:
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10.0)
                connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        with translated.socket(node, socket.SOCK_STREAM, "::" if ":" in to else "0.0.0.0") as asking:
            asking.connect((to, 8000))
            got = b""
            while piece := asking.recv(1 << 18):
                got += piece
        thread.join()
    return got == data


def test_tcp_both_ways(translated: TranslationPlace) -> None:
    assert fetched(translated, ("client", nat64(SERVER), "server", "0.0.0.0"), 5_000_000)
    assert fetched(translated, ("server", LEASE, "client", "::"), 5_000_000)
    assert fetched(translated, ("client", nat64(FAR), "far", "0.0.0.0"), 500_000)
    assert fetched(translated, ("far", LEASE, "client", "::"), 500_000)


def test_the_server_sees_the_lease_and_the_client_the_server(translated: TranslationPlace) -> None:
    with (
        translated.socket("client", socket.SOCK_DGRAM, CLIENT) as inside,
        translated.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server,
    ):
        inside.sendto(b"question", (nat64(SERVER), 7000))
        data, source = server.recvfrom(100)
        assert (data, source) == (b"question", (LEASE, inside.getsockname()[1]))
        server.sendto(b"answer", source)
        assert inside.recvfrom(100)[1][0] == f"fd12:3456:789a:7777::{0x0A00:x}:{20:x}"


def test_ping_both_ways_of_every_size(translated: TranslationPlace) -> None:
    for size in ("0", "56", "1232", "1233", "3000", "20000", "65507"):
        assert "1 received" in ping(translated, "client", nat64(SERVER), "-M", "dont", "-s", size), size
        assert "1 received" in ping(translated, "server", LEASE, "-M", "dont", "-s", size), size
        assert "1 received" in ping(translated, "client", nat64(FAR), "-M", "dont", "-s", size), size
        assert "1 received" in ping(translated, "far", LEASE, "-M", "dont", "-s", size), size


@pytest.mark.parametrize("mode", [NEVER, ALWAYS])
def test_the_largest_datagram_from_ipv4_and_one_byte_more(translated: TranslationPlace, mode: int) -> None:
    with (
        translated.socket("server", socket.SOCK_DGRAM, SERVER) as server,
        translated.socket("client", socket.SOCK_DGRAM, CLIENT, 7000) as inside,
    ):
        server.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)
        assert carried(server, inside, LARGEST, (LEASE, 7000))
        if mode == NEVER:
            for size in (LARGEST + 1, 1473, 8000, 65507):
                assert carried(server, inside, size, (LEASE, 7000)), size
            return
        server.connect((LEASE, 7000))
        server.send(bytes(LARGEST + 1))
        wait_until("the path's MTU is learnt", lambda: path_mtu(server) == 1260, 5)
        with pytest.raises(OSError) as caught:
            server.send(bytes(LARGEST + 1))
        assert caught.value.errno == errno.EMSGSIZE
        assert carried_again(server, inside)


def path_mtu(connected: socket.socket) -> int:
    """What the kernel believes; the error that taught it is taken away."""
    connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return connected.getsockopt(socket.IPPROTO_IP, IP_MTU)


def carried_again(server: socket.socket, inside: socket.socket) -> bool:
    """Whether the largest datagram arrives still."""
    server.send(b"x" * LARGEST)
    return len(inside.recv(65535)) == LARGEST


def test_the_largest_datagram_from_a_client_and_more(translated: TranslationPlace) -> None:
    with translated.socket("client", socket.SOCK_DGRAM, CLIENT) as inside:
        for node, address in (("server", SERVER), ("far", FAR)):
            with translated.socket(node, socket.SOCK_DGRAM, address, 7000) as server:
                # Behind the router's 1,000 bytes the packets are cut up by IPv4: they carry no DF.
                for size in (952, 953, LARGEST, LARGEST + 1, 1473, 8000, 65507):
                    assert carried(inside, server, size, (nat64(address), 7000)), (node, size)


def test_udp_without_a_checksum(translated: TranslationPlace) -> None:
    so_no_check = 11
    with (
        translated.socket("server", socket.SOCK_DGRAM, SERVER) as server,
        translated.socket("client", socket.SOCK_DGRAM, CLIENT, 7000) as inside,
    ):
        server.setsockopt(socket.SOL_SOCKET, so_no_check, 1)
        server.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, NEVER)
        for size in (1, 100, LARGEST, 5000):
            assert carried(server, inside, size, (LEASE, 7000)), size


@pytest.mark.parametrize("method", ["-I", "-T", "-U"])
def test_traceroute_both_ways(translated: TranslationPlace, method: str) -> None:
    options = ("-n", "-q", "1", "-w", "2", "-m", "8", method)
    there = translated.run("client", "traceroute", "-6", *options, nat64(FAR))
    hops = re.findall(r"^ *\d+ +(\S+)", there, re.MULTILINE)
    # Kernel, translator, kernel of the gateway; the router; the end.
    assert hops[-2:] == ["fd12:3456:789a:7777::a00:fe", "fd12:3456:789a:7777::a00:914"], there
    assert set(hops[:-2]) <= {"fd12:3456:789a:1000::1", "fd12:3456:789a:7777::a00:1"}, there
    back = translated.run("far", "traceroute", "-4", *options, LEASE)
    hops = re.findall(r"^ *\d+ +(\S+)", back, re.MULTILINE)
    assert hops[0] == "10.0.9.254" and hops[-1] == LEASE, back
    assert set(hops[1:-1]) == {GATEWAY}, back


def test_tracepath_finds_the_mtu_both_ways(translated: TranslationPlace) -> None:
    assert "pmtu 1260" in translated.run("server", "tracepath", "-4", "-n", "-m", "8", LEASE)
    assert "pmtu 1280" in translated.run("client", "tracepath", "-6", "-n", "-m", "8", nat64(SERVER))


def test_a_closed_port_is_told_both_ways(translated: TranslationPlace) -> None:
    for node, own, to in (("client", CLIENT, nat64(SERVER)), ("server", SERVER, LEASE)):
        with translated.socket(node, socket.SOCK_DGRAM, own) as asking:
            asking.connect((to, 9))
            asking.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                asking.recv(10)
        with (
            translated.socket(node, socket.SOCK_STREAM, own) as asking,
            pytest.raises(ConnectionRefusedError),
        ):
            asking.connect((to, 9))


@pytest.mark.parametrize(
    ("node", "protocol", "to", "told"),
    [("client", 2, nat64(SERVER), (1, 1)), ("server", 58, LEASE, (3, 13))],
    ids=["to IPv4", "to IPv6"],
)
def test_what_is_not_translated_is_told(
    translated: TranslationPlace, node: str, protocol: int, to: str, told: tuple[int, int]
) -> None:
    """IGMP from IPv6, ICMPv6 from IPv4: RFC 7915 4.4, 5.4."""
    is_ipv6 = ":" in to
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    with netns.inside(namespace(node)):
        listening = socket.socket(family, socket.SOCK_RAW, 58 if is_ipv6 else 1)
        sending = socket.socket(family, socket.SOCK_RAW, protocol)
    with listening, sending:
        listening.settimeout(5.0)
        sending.sendto(bytes(8), (to, 0))
        while True:
            data = listening.recv(2000)
            message = data if is_ipv6 else data[20:]
            if (message[0], message[1]) == told:
                assert message[8 + (6 if is_ipv6 else 9)] == protocol, "about our packet"
                return


def test_from_client_to_client_by_lease(translated: TranslationPlace) -> None:
    assert "1 received" in ping(translated, "client", nat64(OTHER_LEASE))
    with (
        translated.socket("client", socket.SOCK_DGRAM, CLIENT) as one,
        translated.socket("other", socket.SOCK_DGRAM, OTHER, 7000) as other,
    ):
        one.sendto(b"x", (nat64(OTHER_LEASE), 7000))
        source = other.recvfrom(10)[1][0]
        assert source == "fd12:3456:789a:7777::a00:82"


def test_arp_is_answered_for_held_leases_only(translated: TranslationPlace) -> None:
    assert "1 received" in ping(translated, "server", LEASE)
    assert "Unreachable" in ping(translated, "server", FREE_LEASE, "-W", "5")
    assert translated.run("gateway", "ip", "neigh", "show", "proxy").count(" proxy") == 2
    # Gone for a while: the address stays ours, and callers are told.
    translated.lease(f"-{OTHER}={OTHER_LEASE}")
    assert f"From {GATEWAY} icmp_seq=1 Destination Host Unreachable" in ping(
        translated, "server", OTHER_LEASE
    )
    assert translated.drops()["unknown-lease", SERVER] == 1
    translated.lease(f"+{OTHER}={OTHER_LEASE}")
    assert "1 received" in ping(translated, "server", OTHER_LEASE)


def test_an_address_without_a_lease_stays_inside(translated: TranslationPlace) -> None:
    stranger = "fd12:3456:789a:1000::66"
    translated.run("client", "ip", "address", "add", f"{stranger}/64", "dev", "t0", "nodad")
    assert "0 received" in ping(translated, "client", nat64(SERVER), "-I", stranger)
    assert translated.drops()["unknown-client", stranger] == 1
    # Nor does one that pretends to be an IPv4 host.
    pretended = "fd12:3456:789a:7777::a00:63"
    translated.run("client", "ip", "address", "add", f"{pretended}/128", "dev", "t0", "nodad")
    assert "0 received" in ping(translated, "client", nat64(SERVER), "-I", pretended)
    assert translated.dropped("wrong-way") == 1


def test_a_flood_of_fragments_harms_nobody(translated: TranslationPlace) -> None:
    with netns.inside(namespace("server")):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        for number in range(2000):
            body = b"\x11\x11\x11\x11\x06\x00\x00\x00" + bytes(1000)
            whole = ipv4.build(bytes((10, 0, 0, 20)), bytes((10, 0, 0, 130)), 17, body, ident=number)
            first = (
                whole[:6] + b"\x20\x00" + whole[8:10] + b"\0\0" + whole[12:]
            )  # the kernel fills in the sum
            with contextlib.suppress(OSError):
                raw.sendto(first, (LEASE, 0))
    assert "1 received" in ping(translated, "server", LEASE)
    assert fetched(translated, ("server", LEASE, "client", "::"), 100_000)


@pytest.mark.parametrize("fast_path", [True, False])
def test_masquerade(bare: TranslationPlace, fast_path: bool) -> None:
    bare.start(fast_path, "masquerade = true")
    bare.run("server", "ip", "route", "add", "unreachable", "10.0.0.128/26")
    with (
        bare.socket("client", socket.SOCK_DGRAM, CLIENT) as inside,
        bare.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server,
    ):
        inside.sendto(b"x", (nat64(SERVER), 7000))
        source = server.recvfrom(10)[1]
        assert source[0] == GATEWAY
        server.sendto(b"y" * 5000, source)
        assert inside.recv(9000) == b"y" * 5000
    assert fetched(bare, ("client", nat64(SERVER), "server", "0.0.0.0"), 2_000_000)
    assert "1 received" in ping(bare, "client", nat64(FAR), "-s", "3000")
    trace = bare.run("client", "traceroute", "-6", "-n", "-q", "1", "-w", "2", "-m", "8", "-I", nat64(FAR))
    assert "fd12:3456:789a:7777::a00:914" in trace
    assert bare.run("gateway", "ip", "neigh", "show", "proxy") == ""


def test_an_end_takes_everything_back_even_after_a_kill(bare: TranslationPlace) -> None:
    before = machine_state(netns.command(namespace("gateway"), []))
    settings = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.neigh.e0.proxy_delay"
    values = bare.run("gateway", "sysctl", *settings)
    for sign in (signal.SIGKILL, signal.SIGTERM):
        bare.start()
        assert "1 received" in ping(bare, "server", LEASE)
        assert bare.run("gateway", "ip", "neigh", "show", "proxy").count("proto 61") == 2
        bare.stop(sign)
    assert machine_state(netns.command(namespace("gateway"), [])) == before
    assert bare.run("gateway", "sysctl", *settings) == values
    assert bare.run("gateway", "ip", "neigh", "show", "proxy") == ""


def test_a_session_outlives_a_restart(bare: TranslationPlace) -> None:
    bare.start()
    with bare.socket("client", socket.SOCK_STREAM, CLIENT, 8000) as listening:
        listening.listen()
        with bare.socket("server", socket.SOCK_STREAM, SERVER) as calling:
            calling.connect((LEASE, 8000))
            called, _ = listening.accept()
            with called:
                called.settimeout(10.0)
                calling.sendall(b"before")
                assert called.recv(10) == b"before"
                bare.stop(signal.SIGKILL)
                bare.start()
                calling.sendall(b"after")
                assert called.recv(10) == b"after"


def test_a_lease_is_announced_to_those_who_remember_another(bare: TranslationPlace) -> None:
    bare.start(leases=[f"{CLIENT}={LEASE}"])
    # Somebody else had this address a moment ago.
    bare.run(
        "server",
        "ip",
        "neigh",
        "add",
        OTHER_LEASE,
        "lladdr",
        "02:00:00:00:00:01",
        "nud",
        "reachable",
        "dev",
        "e0",
    )
    bare.lease(f"+{OTHER}={OTHER_LEASE}")
    own = bare.run("gateway", "ip", "-br", "link", "show", "e0").split()[2]
    wait_until(
        "the server has learnt", lambda: own in bare.run("server", "ip", "neigh", "show", OTHER_LEASE), 5
    )
    assert "1 received" in ping(bare, "server", OTHER_LEASE)


def test_a_gateway_becomes_no_router_for_others(bare: TranslationPlace) -> None:
    bare.start()
    bare.run("router", "ip", "route", "add", "10.99.0.0/24", "via", GATEWAY)
    bare.run("server", "ip", "address", "add", "10.99.0.1/24", "dev", "e0")
    bare.run("gateway", "ip", "route", "add", "10.99.0.0/24", "dev", "e0")
    assert "0 received" in ping(bare, "far", "10.99.0.1")
    assert "1 received" in ping(bare, "far", LEASE)


def test_another_side_of_the_gateway_cannot_speak_for_managers(bare: TranslationPlace) -> None:
    """Managers are known by their IPv4 source: it must come from where it lives."""
    bare.run(
        "gateway", "ip", "link", "add", "n1", "type", "veth", "peer", "name", "n1", "netns", namespace("far")
    )
    for node, address in (("gateway", "198.51.100.1"), ("far", "198.51.100.2")):
        bare.run(node, "ip", "address", "add", f"{address}/24", "dev", "n1")
        bare.run(node, "ip", "link", "set", "n1", "up")
    bare.run("far", "ip", "address", "add", f"{SERVER}/32", "dev", "lo")
    for target in (LEASE, MAPPED):
        bare.run("far", "ip", "route", "add", f"{target}/32", "via", "198.51.100.1", "src", SERVER)
    bare.start(translation=f'[[translation.eam]]\nipv4 = "{MAPPED}"\nipv6 = "2001:db8::66"\n')
    assert "1 received" in ping(bare, "server", LEASE)
    assert "0 received" in ping(bare, "far", LEASE)
    assert bare.drops()["wrong-way", SERVER] == 1
    assert "0 received" in ping(bare, "far", MAPPED)
    assert bare.drops()["wrong-way", SERVER] == 2, "nor to machines with a mapping of their own"


def test_a_pool_beyond_the_subnet_is_routed(bare: TranslationPlace) -> None:
    bare.start(leases=[f"{CLIENT}=10.77.0.9"], pool="10.77.0.0/24")
    assert bare.run("gateway", "ip", "neigh", "show", "proxy") == ""
    bare.run("router", "ip", "route", "add", "10.77.0.0/24", "via", GATEWAY)
    assert "1 received" in ping(bare, "far", "10.77.0.9")
    assert fetched(bare, ("client", nat64(FAR), "far", "0.0.0.0"), 100_000)
    assert "Destination Host Unreachable" in ping(bare, "far", "10.77.0.10")
    assert bare.drops()["unknown-lease", FAR] == 1


def test_an_intranet_device_that_comes_later(bare: TranslationPlace) -> None:
    bare.run("gateway", "ip", "address", "del", f"{GATEWAY}/24", "dev", "e0")
    bare.start()
    assert "arp" not in bare.status()
    bare.run("gateway", "ip", "address", "add", f"{GATEWAY}/24", "dev", "e0")
    wait_until("ARP is answered", lambda: bare.status().get("arp", "").startswith("e0"), 10)
    assert "1 received" in ping(bare, "server", LEASE)


def test_an_explicit_mapping(bare: TranslationPlace) -> None:
    """RFC 7757: a machine that is no client has an IPv4 address too."""
    host = "fd12:3456:789a:20::66"
    link = ["ip", "link", "add", "n0", "type", "veth", "peer", "name", "n0", "netns", namespace("other")]
    bare.run("gateway", *link)
    for node, address in (("gateway", "fd12:3456:789a:20::1"), ("gateway", "fe80::1"), ("other", host)):
        bare.run(node, "ip", "address", "add", f"{address}/64", "dev", "n0", "nodad")
        bare.run(node, "ip", "link", "set", "n0", "up")
    bare.run("other", "ip", "-6", "route", "replace", "default", "via", "fd12:3456:789a:20::1")
    eam = f'[[translation.eam]]\nipv4 = "10.0.0.66/32"\nipv6 = "{host}/128"\n'
    bare.start(translation=eam, leases=[f"{CLIENT}={LEASE}"])
    assert "1 received" in ping(bare, "server", "10.0.0.66", "-M", "dont", "-s", "3000")
    assert "1 received" in ping(bare, "far", "10.0.0.66")
    assert fetched(bare, ("server", "10.0.0.66", "other", "::"), 100_000)
    assert fetched(bare, ("other", nat64(SERVER), "server", "0.0.0.0"), 100_000)
