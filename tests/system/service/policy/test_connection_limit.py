"""A client that fills the kernel's table of connections as far as it may, and everybody else."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import IPv6Address

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import (
    APP,
    CLIENT_PREFIX,
    GATEWAY_NAME,
    GATEWAY_PUBLIC,
    HELPDESK,
    LAPTOP_NAME,
    REMOTE,
)
from manageout.linux.netlink.conntrack import COUNT, MAXIMUM
from manageout.service.policy.filter_tracking import BURST, ESTABLISHED, HOST_LIMIT, LIMIT, RATE
from manageout.wire import ipv6, nd, numbers
from manageout.wire.address import rfc6052_embed
from tests.tools.lab import Lab, drops, other_rules, ping, reload
from tests.tools.packets import udp

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)
PORT = 7000
ADDRESSES, PORTS = 14, 2000

ANSWER = """
import selectors, socket
answers = selectors.DefaultSelector()
server = socket.create_server(("0.0.0.0", 7000), backlog=4096)
question = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
question.bind(("0.0.0.0", 7000))
for each in (server, question):
    answers.register(each, selectors.EVENT_READ)
kept = []
print("ready", flush=True)
while True:
    for key, _ in answers.select():
        if key.fileobj is server:
            kept.append(server.accept())
        else:
            question.sendto(*question.recvfrom(100))
"""
OPEN = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000))
kept = []
for _ in range(int(sys.argv[2])):
    kept.append(socket.socket(socket.AF_INET6))
    kept[-1].setblocking(False)
    kept[-1].connect_ex((sys.argv[1], 7000))
    time.sleep(0.0005)
print("opened", flush=True)
sys.stdin.read()
"""


# Until it has failed often enough: how soon the limit is reached depends on the machine.
AGAIN = """
import socket, sys, time
begun, failed = time.monotonic(), 0
while failed < 250 and time.monotonic() < begun + 60:
    with socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(0.02)
        try:
            sock.connect((sys.argv[1], 7000))
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            failed += 1
print(time.monotonic() - begun, flush=True)
"""


SCAN = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000))
kept = []
for port in range(20000, 26000):
    kept.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    kept[-1].bind(("::", port))
    try:
        kept[-1].sendto(b"?", (sys.argv[1], 9))
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def answering(lab: Lab) -> Iterator[IPv6Address]:
    """An intranet host that answers on TCP and UDP; its address for clients."""
    argv = network.command("app", [sys.executable, "-c", ANSWER])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stdout.readline() == "ready\n"
        yield rfc6052_embed(site.gateway_plan().nat64, APP)
        server.kill()


def entries() -> int:
    """Connections that the gateway's kernel follows."""
    return int(network.run("gateway", ["sysctl", "-n", COUNT]).stdout)


def room() -> int:
    return int(network.run("gateway", ["sysctl", "-n", MAXIMUM]).stdout)


def listed(what: str) -> list[str]:
    """Rows of the table that hold ``what``."""
    table = network.run("gateway", ["cat", "/proc/net/nf_conntrack"]).stdout.splitlines()
    return [row for row in table if what in row]


def flood(target: IPv6Address) -> str:
    """Datagrams from many ports of many addresses of one client."""
    lines = []
    for number in range(ADDRESSES):
        source = CLIENT_PREFIX[0xBAD0 + number].packed
        question = nd.NeighbourSolicitation(source)
        lines.append(nd.build(nd.UNSPECIFIED, nd.solicited_node(source), question))
        for port in range(2000, 2000 + PORTS):
            data = udp.build(source, target.packed, port, PORT, b"?")
            lines.append(ipv6.build(source, target.packed, numbers.UDP, data))
    return "\n".join(line.hex() for line in lines)


def send(lines: str, node: str = "tablet") -> None:
    pki = servers.pki_directory()
    argv = ["-m", "tests.tools.programs.rogue_client", GATEWAY_NAME, str(pki), REMOTE[node]]
    command = network.command(node, [sys.executable, *argv])
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr


def connects(node: str, target: IPv6Address) -> bool:
    """A newcomer: TLS from the beginning, then a call into the intranet."""
    started = process.find(node, "connect")
    if started is not None:
        process.stop(started)
    site.connect(node=node)
    script = f"exec 3<>/dev/tcp/{target}/{PORT}"
    return network.run(node, ["timeout", "10", "bash", "-c", script], check=False).returncode == 0


@pytest.fixture(scope="module")
def short_grace(lab: Lab) -> None:
    """What a client has left is forgotten as soon as somebody looks."""
    file = network.directory("gateway") / "site.toml"
    reload("gateway", file.read_text().replace("[translation]", "[translation]\ngrace = 1"))


def leave(node: str) -> None:
    """The client goes without a word."""
    gone = process.find(node, "connect")
    assert gone is not None
    process.stop(gone, signal.SIGKILL)


def refused(source: str) -> int:
    return drops("gateway").get(("connection-limit", source), 0)


def test_strangers_and_protocol_41_take_no_entry(lab: Lab) -> None:
    for _ in range(20):
        script = f"exec 3<>/dev/tcp/{GATEWAY_PUBLIC}/443"
        assert network.run("tablet", ["timeout", "3", "bash", "-c", script]).returncode == 0
    assert ping("helpdesk", site.laptop_address()).returncode == 0
    assert listed("icmpv6 "), "what is inside is followed"
    assert not listed("dport=443 ")
    assert not [row for row in listed("unknown") if re.search(r"\b41\b", row)]


def test_a_reload_changes_nothing_for_open_connections(lab: Lab, answering: IPv6Address) -> None:
    argv = network.command("laptop", [sys.executable, "-c", OPEN, str(answering), "20"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as opened:
        assert opened.stdout and opened.stdout.readline() == "opened\n"
        before = len(listed(f"dport={PORT}"))
        assert before >= 20
        reload("gateway", (network.directory("gateway") / "site.toml").read_text())
        assert len(listed(f"dport={PORT}")) >= before
        opened.kill()
    assert connects("laptop", answering)


def test_connections_are_limited_and_go_with_their_client(
    lab: Lab, answering: IPv6Address, short_grace: None
) -> None:
    address = site.laptop_address()
    assert address is not None
    argv = network.command("laptop", [sys.executable, "-c", OPEN, str(answering), "3000"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hostile:
        assert hostile.stdout and hostile.stdout.readline() == "opened\n"
        mine = [row for row in listed("tcp ") if address.exploded in row]
        assert LIMIT / 2 < len(mine) <= LIMIT + 100, "a reload counts anew"
        lives = [int(row.split()[4]) for row in mine if "ESTABLISHED" in row]
        assert lives and max(lives) <= ESTABLISHED, "shorter than the kernel's five days"
        assert refused(LAPTOP_NAME) > 1000
        assert entries() < room() / 100
        assert connects("tablet", answering)
        leave("laptop")
        hostile.kill()
    wait_until("its entries go", lambda: not listed(address.exploded), 60)
    assert connects("laptop", answering)


def test_datagrams_from_many_addresses_leave_room_for_everybody(
    lab: Lab, answering: IPv6Address, short_grace: None
) -> None:
    leave("tablet")
    seen = [before := entries()]
    with ThreadPoolExecutor(1) as hostile:
        sent = hostile.submit(send, flood(answering))
        while not sent.done():
            seen.append(entries())
        sent.result()
    assert BURST / 2 < max(seen) - before < room() / 100
    assert (
        sum(count for (reason, _), count in drops("gateway").items() if reason == "connection-limit") > 5_000
    )
    assert connects("laptop", answering)
    wait_until("pings pass", lambda: ping("laptop", answering).returncode == 0, 10)
    wait_until("its entries go", lambda: not listed(f"{CLIENT_PREFIX[0xBAD0].exploded[:-4]}bad"), 60)


def test_connections_that_end_at_once_are_limited_too(lab: Lab, answering: IPv6Address) -> None:
    site.connect(node="tablet")
    before = entries()
    again = network.command("tablet", [sys.executable, "-c", AGAIN, str(answering)])
    seconds = float(subprocess.run(again, capture_output=True, text=True, check=True, timeout=90).stdout)
    assert BURST / 2 < entries() - before < LIMIT + BURST + (seconds + 5) * RATE
    assert refused(REMOTE["tablet"]) > 100


def open4(lease: object) -> list[str]:
    """IPv4 halves that have not ended."""
    return [row for row in listed("ipv4") if f"src={lease} " in row and "_WAIT" not in row]


@contextmanager
def opening(target: IPv6Address) -> Iterator[None]:
    """The laptop has opened as many connections as it could, and more, and keeps them."""
    argv = network.command("laptop", [sys.executable, "-c", OPEN, str(target), "3000"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hostile:
        assert hostile.stdout and hostile.stdout.readline() == "opened\n"
        yield
        hostile.kill()


def test_reloads_are_no_way_round_a_limit(lab: Lab, answering: IPv6Address) -> None:
    address = site.laptop_address()
    assert address is not None
    text = (network.directory("gateway") / "site.toml").read_text()
    with ExitStack() as opened:
        for _ in range(4):
            reload("gateway", text)
            opened.enter_context(opening(answering))
        # What was open before a reload is not counted after it, but bounded.
        wait_until("the rest goes", lambda: len(listed(f"src={address.exploded}")) <= 2 * LIMIT + 50, 40)


def test_the_ipv4_half_that_is_masqueraded_is_limited_as_well(lab: Lab, answering: IPv6Address) -> None:
    with (
        other_rules("gateway", "[translation]", "[translation]\nmasquerade = true"),
        opening(answering),
    ):
        lease = site.lease("laptop")
        # The rules are loaded once more when the gateway has seen what else that changes.
        wait_until(
            "both halves have as many as they may",
            lambda: LIMIT / 2 < len(open4(lease)) <= 2 * LIMIT + 50,
            40,
        )


def test_a_machine_inside_that_calls_without_end_is_limited_as_well(lab: Lab) -> None:
    address = site.laptop_address()
    assert address is not None
    with other_rules("gateway", 'services = ["icmp", "tcp/22", "tcp/80"]', 'services = ["any"]'):
        network.run("helpdesk", [sys.executable, "-c", SCAN, str(address)])
        wait_until("it is refused", lambda: refused(str(HELPDESK)) > 1000, 10)
        assert len(listed("dport=9 ")) <= HOST_LIMIT + 50
        assert (
            network.run("app", ["curl", "-sf", "-m", "10", f"http://{site.lease('laptop')}/"]).returncode == 0
        )
