"""What one client of the gateway says to the others, on the wire: a hostile one, and one with stock framing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import CLIENT_PREFIX, GATEWAY_NAME, REMOTE
from manageout.protocol.core.drops import Drop
from manageout.wire import nd
from tests.tools.lab import Lab, drops, other_rules
from tests.tools.machines.iphttps import dad, datagram, ll
from tests.transcript.iphttps.test_discovery import LLMNR
from tests.transcript.iphttps.test_values_crossing import router_messages

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)
HOSTILE, VICTIM, FREE = (CLIENT_PREFIX[0x5000 + number].packed for number in range(3))


def rogue(node: str) -> list[str]:
    argv = [
        "-m",
        "tests.tools.programs.rogue_client",
        GATEWAY_NAME,
        str(servers.pki_directory()),
        REMOTE[node],
    ]
    return network.command(node, [sys.executable, *argv])


def lines(packets: list[bytes]) -> str:
    return "".join(f"{packet.hex()}\n" for packet in packets)


@contextmanager
def listening(heard: list[bytes]) -> Iterator[None]:
    """The victim is connected; afterwards ``heard`` has what clients have sent it."""
    with subprocess.Popen(
        rogue("tablet"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdin is not None
        victim.stdin.write(lines([dad(VICTIM), dad(ll(2))]))
        victim.stdin.flush()
        wait_until("the victim has its addresses", held, 20)
        yield
        found, _ = victim.communicate(timeout=30)
    assert victim.returncode == 0
    heard += [packet for packet in map(bytes.fromhex, found.split()) if packet[8:24] != ROUTER]


def held() -> bool:
    rows = site.ask("gateway", "clients")
    return any(row["name"] == REMOTE["tablet"] and len(row["addresses"]) == 2 for row in rows)


ROUTER = bytes.fromhex("fe80000000000000") + CLIENT_PREFIX[1].packed[8:]


@pytest.fixture(autouse=True, scope="module")
def alone(lab: Lab) -> None:
    """The laptop's certificate is the hostile client's."""
    connected = process.find("laptop", "connect")
    assert connected is not None
    process.stop(connected)


def everything() -> list[bytes]:
    forms = [router_messages(ll(1), to) for to in (nd.ALL_NODES, ll(2), VICTIM)]
    return [
        dad(HOSTILE),
        dad(ll(1)),
        *(packet for form in forms for packets in form.values() for packet in packets),
        datagram(ll(1), bytes.fromhex("ff0200000000000000000000000000fb"), b"printer.local is me"),
        datagram(HOSTILE, nd.ALL_NODES),
        datagram(ll(1), ll(2)),
        datagram(HOSTILE, VICTIM),
        dad(FREE),
    ]


def test_without_hairpin_a_client_hears_only_what_finds_duplicates(lab: Lab) -> None:
    heard: list[bytes] = []
    with listening(heard):
        subprocess.run(rogue("laptop"), input=lines(everything()), text=True, check=True, timeout=30)
    assert heard == [dad(HOSTILE), dad(ll(1)), dad(FREE)]
    reasons = {reason for (reason, source) in drops("gateway") if source == REMOTE["laptop"]}
    wanted = (Drop.MULTICAST, Drop.HAIRPIN, Drop.FRAGMENT_ILLEGAL, Drop.FROM_CLIENT_FORBIDDEN)
    assert reasons >= {each.label for each in wanted}


def test_with_hairpin_clients_talk_and_are_no_routers(lab: Lab) -> None:
    with other_rules("gateway", "[daemon]", "[policy]\nhairpin = true\n[daemon]"):
        heard: list[bytes] = []
        said = datagram(ll(1), LLMNR, b"who is printer?")
        with listening(heard):
            packets = lines([*everything(), said])
            subprocess.run(rogue("laptop"), input=packets, text=True, check=True, timeout=30)
        assert said in heard
        firsts = {
            form[0] for to in (nd.ALL_NODES, ll(2), VICTIM) for form in router_messages(ll(1), to).values()
        }
        assert not firsts & set(heard)
