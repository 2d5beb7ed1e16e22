"""What outlives the daemon: ISATAP flows of the fast path go on, for a while, and for the next one of its own only."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.bpf import pins
from manageout.linux.host import netns
from manageout.linux.netlink.conntrack_walk import mark, walk
from manageout.service.policy.revision import REFUSED_MARK
from manageout.site.plan import isatap_address
from manageout.wire import icmpv6, ipv6, numbers
from tests.tools.flows import STRAY, PacedFlow
from tests.tools.packets import udp
from tests.tools.places.daemon import PREFIX, Place

HOST, ROUTER = IPv4Address("10.0.0.30"), IPv4Address("10.0.0.1")
INSIDE = isatap_address(IPv6Network(f"{PREFIX}:1::/64"), HOST)
LINK_LOCAL = isatap_address(IPv6Network("fe80::/64"), HOST)
NATIVE = f"{PREFIX}:2000::5"
NODE = "mo-test-host"
TABLES = f"""
[isatap]
name = "manageout-isatap.corp.example"
locators = ["{ROUTER}"]
hosts = ["{HOST}/32"]
"""


class Path41:
    """The UDP socket of an ISATAP host, as far as a flow needs one."""

    def __init__(self, port: int) -> None:
        with netns.inside(NODE):
            self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 41)
        self._raw.bind((str(HOST), 0))
        self._port = port

    def settimeout(self, seconds: float | None) -> None:
        self._raw.settimeout(seconds)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self._raw.setsockopt(level, option, value)

    def close(self) -> None:
        self._raw.close()

    def send(self, packet: bytes) -> None:
        """Inside protocol 41, to the router."""
        self._raw.sendto(packet, (str(ROUTER), 0))

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        target = IPv6Address(to[0]).packed
        segment = udp.build(INSIDE.packed, target, self._port, to[1], data)
        self.send(ipv6.build(INSIDE.packed, target, numbers.UDP, segment))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        for _ in range(100):  # others of this host get packets, too
            packet = self._raw.recv(2000)[20:]
            if packet[6] == numbers.UDP and int.from_bytes(packet[42:44], "big") == self._port:
                source = str(IPv6Address(packet[8:24])), int.from_bytes(packet[40:42], "big")
                return packet[48 : 48 + size], source
        raise TimeoutError


@pytest.fixture
def isatap(place: Place, namespaces: Callable[[str], str]) -> Place:
    """The router's other end is a namespace with an ISATAP host and a native IPv6 node in it."""
    namespaces(NODE)
    place.run(["ip", "link", "set", "e1", "netns", NODE])
    for command in (
        f"ip address add {HOST}/24 dev e1",
        "ip address add fd99::2/64 dev e1 nodad",
        f"ip address add {NATIVE}/128 dev lo nodad",
        "ip link set lo up",
        "ip link set e1 up",
        f"ip route add {PREFIX}::/48 via fd99::1",
    ):
        netns.run(NODE, command.split())
    # A router asks for neighbours by its link-local address.
    place.run(["ip", "address", "add", "fe80::1/64", "dev", "e0", "nodad"])
    place.run(["ip", "route", "add", f"{NATIVE}/128", "via", "fd99::2"])
    place.write(TABLES)
    wait_until(
        "the path is up", lambda: not place.run(["ping", "-c1", "-W1", str(HOST)], False).returncode, 20
    )
    return place


def register(place: Place) -> None:
    """A router solicitation: the fast path takes the host's packets, and so does that of the next start."""
    every = IPv6Address("ff02::2").packed
    solicitation = icmpv6.build(LINK_LOCAL.packed, every, 133, 0, bytes(4))
    packet = ipv6.build(LINK_LOCAL.packed, every, numbers.ICMPV6, solicitation, hop_limit=255)
    host = Path41(0)

    def known() -> bool:
        host.send(packet)
        return bool(place.ask("hosts"))

    def stored() -> bool:
        with contextlib.closing(sqlite3.connect(place.directory / "state" / "isatap-hosts.db")) as file:
            return bool(file.execute("SELECT count(*) FROM hosts").fetchone()[0])

    wait_until("the host is registered", known, 10)
    wait_until("a kill does not forget it", stored, 10)
    host.close()


@contextmanager
def flows() -> Iterator[tuple[PacedFlow, PacedFlow]]:
    """From the ISATAP host, and to it."""

    def native(port: int) -> socket.socket:
        with netns.inside(NODE):
            made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.bind((NATIVE, port))
        return made

    with (
        PacedFlow(Path41(8000), (NATIVE, 7000), native(7000)) as there,
        PacedFlow(native(0), (str(INSIDE), 9000), Path41(9000)) as back,
    ):
        for flow in (there, back):
            flow.goes_on()
        yield there, back


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGUSR1])
def test_no_packet_of_isatap_is_lost(isatap: Place, sign: signal.Signals) -> None:
    daemon = isatap.start()
    register(isatap)
    with flows() as both:
        for _ in range(2):
            isatap.stop(daemon, sign)
            for flow in both:
                flow.goes_on(300)
            daemon = isatap.start()
            for flow in both:
                flow.goes_on()

        assert all(len(flow.lost()) <= STRAY for flow in both)
    assert isatap.stop(daemon) == 0


def test_what_nobody_guards_passes_nothing_and_a_new_guard_opens_it(isatap: Place) -> None:
    isatap.write(TABLES, daemon="orphan = 2\n")
    daemon = isatap.start()
    register(isatap)
    with flows() as both:
        isatap.stop(daemon, signal.SIGKILL)
        for flow in both:
            flow.stands()
        daemon = isatap.start()
        for flow in both:
            flow.goes_on()
    assert isatap.stop(daemon) == 0


def test_a_daemon_that_hangs_is_no_guard(isatap: Place) -> None:
    isatap.write(TABLES, daemon="orphan = 2\n")
    daemon = isatap.start()
    register(isatap)
    with flows() as both:
        daemon.send_signal(signal.SIGSTOP)
        for flow in both:
            flow.stands()
        daemon.send_signal(signal.SIGCONT)
        for flow in both:
            flow.goes_on()
        drops = {row["reason"]: row["count"] for row in isatap.ask("drops")}
        assert drops["unguarded"] > 0
    assert isatap.stop(daemon) == 0


def reaches(source: int, port: int = 9100) -> bool:
    """Whether a new flow to the host gets through."""
    with netns.inside(NODE):
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    host = Path41(port)
    host.settimeout(0.5)
    try:
        with sender:
            sender.bind((NATIVE, source))
            for _ in range(3):
                sender.sendto(b"x", (str(INSIDE), port))
            return bool(host.recvfrom(10)[0])
    except TimeoutError:
        return False
    finally:
        host.close()


def test_nothing_begins_while_nobody_judges(isatap: Place) -> None:
    daemon = isatap.start()
    register(isatap)
    wait_until("a flow begins", lambda: reaches(5000), 10)
    isatap.stop(daemon, signal.SIGKILL)
    assert reaches(5000), "it has begun before"
    assert not reaches(5001)
    daemon = isatap.start()
    wait_until("another begins", lambda: reaches(5001), 10)
    assert isatap.stop(daemon) == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_plain_stop_leaves_nothing(isatap: Place, sign: signal.Signals) -> None:
    before, own = isatap.state(), own_pins(isatap.runtime)
    daemon = isatap.start()
    assert own.is_dir()
    isatap.stop(daemon, signal.SIGUSR1)
    assert isatap.state() != before
    daemon = isatap.start()
    assert isatap.stop(daemon, sign) == 0
    assert isatap.state() == before and not own.exists()


def own_pins(runtime: Path) -> Path:
    """The directory of the instance in the place."""
    with netns.inside("mo-test-daemon"):
        return pins.directory(runtime)


def test_another_instance_takes_nothing_over_and_a_dead_one_is_removed(isatap: Place) -> None:
    daemon = isatap.start()
    register(isatap)
    first, second = isatap.runtime, isatap.directory / "other"
    status, said = isatap.fails(runtime=second)  # the first one lives
    assert status == 1 and "is taken" in said[0]
    isatap.stop(daemon, signal.SIGKILL)
    with netns.inside("mo-test-daemon"):
        index = socket.if_nametoindex("mo-isatap0")
    isatap.runtime = second
    daemon = isatap.start()
    with netns.inside("mo-test-daemon"):
        assert socket.if_nametoindex("mo-isatap0") != index
    assert not own_pins(first).exists() and own_pins(second).is_dir()
    assert isatap.stop(daemon) == 0


def test_without_what_kept_connections_from_beginning_it_begins_anew(isatap: Place) -> None:
    daemon = isatap.start()
    isatap.stop(daemon, signal.SIGKILL)
    isatap.run(["nft", "flush", "table", "inet", "manageout_guard"])
    daemon = isatap.start()
    assert "outlived" not in isatap.log()
    assert (isatap.runtime / "torn").exists(), "what began meanwhile is judged with more care"
    assert isatap.stop(daemon) == 0


@pytest.mark.parametrize("off", ["fast_path = false", "orphan = 0"])
def test_what_the_next_one_does_not_want_is_removed(isatap: Place, off: str) -> None:
    """Else it would pass nothing any more, with a daemon that serves behind it."""
    isatap.stop(isatap.start(), signal.SIGUSR1)
    isatap.write(TABLES, daemon=f"{off}\n")
    daemon = isatap.start()
    assert "outlived" not in isatap.log() and not own_pins(isatap.runtime).exists()
    assert isatap.stop(daemon) == 0


def test_what_cannot_be_replaced_is_removed(isatap: Place) -> None:
    """The slow path of a start that has no fast path begins where the programs of before would close."""
    isatap.stop(isatap.start(), signal.SIGUSR1)
    isatap.run(["ip", "address", "delete", f"{ROUTER}/24", "dev", "e0"])
    daemon = isatap.start()
    assert "outlived" in isatap.log() and "going on without" in isatap.log()
    kept = [pin.name for pin in own_pins(isatap.runtime).iterdir()]
    assert all(name.startswith("qdisc-") for name in kept), "only who has made clsact is remembered"
    isatap.run(["ip", "address", "add", f"{ROUTER}/24", "dev", "e0"])
    fast_path = "the fast path is on", lambda: isatap.ask("status")["roles"]["isatap"]["fast_path"]["on"]
    wait_until(*fast_path, 20)
    assert isatap.stop(daemon) == 0


def test_a_device_whose_names_are_lost_is_taken_all_the_same(isatap: Place) -> None:
    isatap.stop(isatap.start(), signal.SIGKILL)
    for pin in own_pins(isatap.runtime).iterdir():
        pin.unlink()
    daemon = isatap.start()
    assert "which nobody held" in isatap.log()
    assert isatap.stop(daemon) == 0


def test_programs_of_one_that_lives_are_left_to_it(isatap: Place) -> None:
    """Two may believe to be the same instance: containers on the machine's network, each with a /run of its own."""
    daemon = isatap.start()
    elsewhere = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs tmpfs {isatap.runtime}; exec "$@"', "sh"]
    before = {each.name for each in own_pins(isatap.runtime).iterdir()}
    status, said = isatap.fails(*elsewhere)
    assert status == 1 and "is taken" in said[0]
    assert {each.name for each in own_pins(isatap.runtime).iterdir()} == before
    isatap.stop(daemon, signal.SIGUSR1)
    daemon = isatap.start()
    assert isatap.stop(daemon) == 0


def test_an_unanswered_flow_that_was_refused_does_not_go_on(isatap: Place) -> None:
    daemon = isatap.start()
    register(isatap)
    wait_until("two flows begin", lambda: reaches(5000) and reaches(5000, 9101), 10)
    with netns.inside("mo-test-daemon"):
        assert sum(walk(lambda ends: ends.port == 9101, mark(REFUSED_MARK))) == 1
    isatap.stop(daemon, signal.SIGKILL)
    # The direct path needs no word of the kernel for two seconds.
    wait_until("what was refused stands", lambda: not reaches(5000, 9101), 10)
    assert reaches(5000)
    daemon = isatap.start()
    assert isatap.stop(daemon) == 0


def test_without_a_bpf_file_system_it_ends_with_the_daemon(isatap: Place) -> None:
    bare = ["unshare", "--mount", "sh", "-c", 'umount /sys/fs/bpf; exec "$@"', "sh"]
    daemon = isatap.start(*bare)
    assert isatap.ask("status")["roles"]["isatap"]["fast_path"]["on"]
    assert "flows pause at a restart" in isatap.log()
    isatap.stop(daemon, signal.SIGKILL)
    wait_until("the device has gone", lambda: "mo-isatap0" not in isatap.run(["ip", "link"]).stdout, 10)
    daemon = isatap.start()
    assert isatap.stop(daemon) == 0
