"""What clients reach of the gateway itself, and ICMP errors that belong to no connection."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.lab import network, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, LAPTOP_NAME
from manageout.wire.address import rfc6052_embed
from tests.tools.lab import Lab, drops, other_rules, ping

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)
GATEWAY = IPv4Address("10.0.0.1")
PORT = 2222

SERVE = """
import socket
server = socket.create_server(("::", 2222), family=socket.AF_INET6, dualstack_ipv6=True)
questions = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
questions.bind(("::", 2222))
print("ready", flush=True)
while True:
    data, place = questions.recvfrom(100)
    questions.sendto(data, place)
"""
ASK = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
target, port, source = sys.argv[2], int(sys.argv[3]), sys.argv[4]
with socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, kind) as sock:
    sock.settimeout(3)
    sock.bind((source, 0))
    try:
        sock.connect((target, port))
        if kind == socket.SOCK_DGRAM:
            sock.send(b"?")
            sock.recv(100)
    except TimeoutError:
        print("silence")
    except OSError as error:
        print(error.strerror)
    else:
        print("answer")
"""
FORGE = """
import ipaddress, socket, struct, sys
from manageout.wire import icmpv4
from manageout.wire.checksum import checksum
target, source = map(ipaddress.ip_address, sys.argv[1:3])
segment = struct.pack("!HHHH", 4444, 5555, 8, 0)  # of UDP
if target.version == 4:
    quote = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, target.packed, source.packed)
    quote = quote[:10] + struct.pack("!H", checksum(quote)) + quote[12:] + segment
    error = struct.pack("!BBHI", 3, 3, 0, 0) + quote
    error = error[:2] + struct.pack("!H", checksum(error)) + error[4:]
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
else:
    quote = struct.pack("!IHBB", 6 << 28, 8, 17, 64) + target.packed + source.packed + segment
    error = struct.pack("!BBHI", 1, 4, 0, 0) + quote
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.sendto(error, (str(target), 0))
"""


def ask(node: str, protocol: str, target: object, port: int = PORT, source: str = "") -> str:
    """What becomes of a question from ``node``."""
    source = source or ("::" if ":" in str(target) else "0.0.0.0")
    argv = [sys.executable, "-c", ASK, protocol, str(target), str(port), source]
    return network.run(node, argv).stdout.strip()


def forge(node: str, target: object, source: object) -> None:
    """An error to ``target``, about a packet of its own to ``source`` that there never was."""
    network.run(node, [sys.executable, "-c", FORGE, str(target), str(source)])


def refused(reason: str, source: object) -> int:
    return drops("gateway").get((reason, str(source)), 0)


def ways() -> list[IPv6Address]:
    """Addresses by which the laptop reaches the gateway: on its link, on the ISATAP link, through the translator."""
    plan = site.gateway_plan()
    return [plan.gateway_address, plan.isatap_addresses[0], plan.dns64, rfc6052_embed(plan.nat64, GATEWAY)]


@pytest.fixture(scope="module")
def services(lab: Lab) -> Iterator[None]:
    """The gateway serves on all its addresses."""
    argv = network.command("gateway", [sys.executable, "-c", SERVE])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stdout.readline() == "ready\n"
        yield
        server.kill()


# The kernel limits the rate of refusals that it tells, so that some are silent.


def test_clients_reach_no_service_of_the_gateway_that_the_file_does_not_name(
    lab: Lab, services: None
) -> None:
    assert ask("app", "tcp", GATEWAY) == "answer", "machines of the intranet are not our business"
    for target in ways():
        for protocol in ("tcp", "udp"):
            before = refused("gateway-service", LAPTOP_NAME)
            assert ask("laptop", protocol, target) != "answer", (protocol, target)
            assert refused("gateway-service", LAPTOP_NAME) > before, (protocol, target)


def test_clients_reach_what_the_file_names_and_no_longer(lab: Lab, services: None) -> None:
    with other_rules("gateway", "[daemon]", f'[policy]\ngateway_services = ["tcp/{PORT}"]\n[daemon]'):
        for target in ways():
            assert ask("laptop", "tcp", target) == "answer", target
            assert ask("laptop", "udp", target) != "answer", target
    assert ask("laptop", "tcp", ways()[0]) != "answer"


def test_clients_reach_the_dns64_and_can_ping(lab: Lab) -> None:
    plan = site.gateway_plan()
    for protocol in ("+tcp", "+notcp"):
        argv = ["dig", protocol, "+short", "+time=3", f"@{plan.dns64}", "ipv4only.arpa", "A"]
        assert "192.0.0.170" in network.run("laptop", argv).stdout
    for target in ways():
        assert ping("laptop", target).returncode == 0, target


def test_the_gateway_itself_calls_clients_and_hears_their_answers(lab: Lab) -> None:
    laptop, lease = site.laptop_address(), site.lease("laptop")
    assert ask("gateway", "tcp", laptop, 80) == "answer"
    with other_rules("gateway", f'from = ["{APP}"]', f'from = ["{GATEWAY}"]'):
        assert ask("gateway", "tcp", lease, 80, str(GATEWAY)) == "answer"


def test_errors_pass_with_their_connection(lab: Lab) -> None:
    app = rfc6052_embed(site.gateway_plan().nat64, APP)
    assert ask("laptop", "udp", app, 9) == "Connection refused"
    with other_rules("gateway", '["icmp", "tcp/80"]', '["udp/9"]'):
        assert ask("app", "udp", site.lease("laptop"), 9) == "Connection refused"


def test_errors_about_nothing_are_judged_as_any_packet(lab: Lab) -> None:
    plan, laptop, lease = site.gateway_plan(), site.laptop_address(), site.lease("laptop")
    outside = rfc6052_embed(plan.nat64, IPv4Address("198.51.100.20"))
    before = refused("outside", LAPTOP_NAME)
    forge("laptop", outside, laptop)
    wait_until("the client's is refused", lambda: refused("outside", LAPTOP_NAME) > before, 5)
    with other_rules("gateway", '["icmp", "tcp/80"]', '["tcp/80"]'):
        before = refused("policy", APP)
        forge("app", lease, APP)
        wait_until("the manager's is refused", lambda: refused("policy", APP) > before, 5)
