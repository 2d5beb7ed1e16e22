"""The direct path in the lab: it takes the packets of an accepted flow, and obeys a new rule within seconds."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from manageout.lab import network
from manageout.lab.process import wait_until
from manageout.lab.topology import CLIENT_PREFIX
from manageout.linux.host import netns
from tests.tools.lab import Lab

pytestmark = pytest.mark.parametrize("lab", [("external-router", True)], indirect=True)
GATEWAY, PORT = str(CLIENT_PREFIX[1]), 4242
SENDER = """
import socket, sys, time
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], int(sys.argv[2])))
while True:
    sock.send(bytes(64))
    time.sleep(0.0005)
"""
REFUSE = """
add table inet refuse
add chain inet refuse forward { type filter hook forward priority 0; }
add rule inet refuse forward udp dport 4242 drop
"""


@pytest.fixture
def listener(lab: Lab) -> Iterator[socket.socket]:
    """At the gateway, while the helpdesk sends to it."""
    with netns.inside(network.namespace("gateway")):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with sock:
        sock.bind((GATEWAY, PORT))
        sock.settimeout(0.5)
        argv = network.command("helpdesk", [sys.executable, "-c", SENDER, GATEWAY, str(PORT)])
        with subprocess.Popen(argv) as sender:
            yield sock
            sender.terminate()


def receive(sock: socket.socket, wanted: int) -> int:
    """How many datagrams come until there are as many as wanted, or none for half a second."""
    count = 0
    while count < wanted:
        try:
            sock.recv(100)
        except TimeoutError:
            break
        count += 1
    return count


def forwarded(lab: Lab) -> int:
    """Packets that the router's kernel has forwarded."""
    text = network.run(lab.router, ["cat", "/proc/net/snmp6"]).stdout
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Ip6OutForwDatagrams"))


def test_the_kernel_sees_one_packet_in_a_while(lab: Lab, listener: socket.socket) -> None:
    assert receive(listener, 100) == 100
    before = forwarded(lab)
    assert receive(listener, 2000) == 2000
    assert forwarded(lab) - before < 200


def test_a_new_rule_bites(lab: Lab, listener: socket.socket) -> None:
    assert receive(listener, 100) == 100
    network.run(lab.router, ["sh", "-c", f"nft -f - <<'END'\n{REFUSE}END"])
    try:
        wait_until("nothing passes", lambda: receive(listener, 10_000) == 0, 20)
    finally:
        network.run(lab.router, ["nft", "delete", "table", "inet", "refuse"])
    wait_until("it passes again", lambda: receive(listener, 10) == 10, 20)
