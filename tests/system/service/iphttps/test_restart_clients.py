"""Clients come back by themselves: to a gateway that was away, and from another network of their own."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from manageout.lab.process import wait_until
from manageout.protocol.iphttps.reconnect import MOST_TALK_PATIENCE
from tests.tools.places.iphttps import GATEWAY_V4, Pair, Running, in_namespace, sh
from tests.tools.places.iphttps_flow import CABLE, Flow, lay_cable

BACK = 4.0
"""Seconds after the gateway is ready, or after another network is there, as promised."""
SLACK = 2.0
"""More for a busy machine that runs several tests."""
GAP = 3.0
"""Seconds that a flow inside may stand still when the client's own address changes."""


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


def end(gateway: Running, sign: signal.Signals) -> None:
    gateway.process.send_signal(sign)
    gateway.process.wait(15)


@pytest.mark.parametrize("away", [0.0, 7.0])
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_client_is_back_soon_after_the_gateway_is_ready(
    pair: Pair, sign: signal.Signals, away: float
) -> None:
    gateway = pair.start_gateway()
    client = pair.start_client()
    address = pair.address()
    end(gateway, sign)
    wait_until("the client knows at once", lambda: "not connected" in client.text(), 2 + SLACK)
    assert ("the gateway is restarting" in client.text()) == (sign == signal.SIGTERM)
    assert "mo-iphttps0" in sh("ip -n cl -6 route"), "calls that wait inside would end"
    time.sleep(away)  # the gateway is away: that is the case
    pair.start_gateway()
    ready = time.monotonic()
    wait_until("the client is back", lambda: pair.ask("clients"), BACK + SLACK)
    assert time.monotonic() - ready < BACK + SLACK
    assert pair.address() == address


def test_a_silent_machine_in_the_gateways_place_does_not_hold_the_client_up(pair: Pair) -> None:
    """TCP is answered and TLS is not, as by a balancer without its gateway or by a queue that nobody serves."""
    pair.write_site()
    listener = in_namespace("gw", lambda: socket.create_server((GATEWAY_V4, 443)))
    held: list[socket.socket] = []

    def hold() -> None:
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])

    holder = threading.Thread(target=hold)
    holder.start()
    pair.start_client()
    wait_until("three attempts were made", lambda: len(held) >= 3, 20)
    # The silent ones stay open: their machine has died, and the gateway starts elsewhere with the same address.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    holder.join()
    pair.start_gateway()
    wait_until("the client is there", lambda: pair.ask("clients"), MOST_TALK_PATIENCE + SLACK)
    for sock in held:
        sock.close()


# --- The client's own network ---------------------------------------------------------------------------


@pytest.fixture
def moving(pair: Pair) -> Iterator[Pair]:
    """A client with Wi-Fi (eth0), on which it is connected, and a cable through which the gateway is reached."""
    lay_cable(pair)
    pair.start_gateway()
    pair.start_client()
    pair.address()
    assert pair.ask("clients")[0]["peer"].startswith("198.51.100.")
    yield pair


def connected_from(pair: Pair, prefix: str) -> bool:
    """Whether the newest connection of the client at the gateway comes from there."""
    rows = pair.ask("clients") or []
    return bool(rows) and str(rows[-1]["peer"]).startswith(prefix)


CHANGES = {
    "the address is taken away": "ip -n cl addr flush dev eth0",
    "the device is set down": "ip -n cl link set eth0 down",
    "the cable is pulled": "ip -n gw link set cl0 down",  # the address stays, and so does the route
    "a better way appears": f"ip -n cl route add {GATEWAY_V4}/32 via {CABLE}.1 dev eth1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_flow_inside_survives_the_change_of_the_clients_network(moving: Pair, change: str) -> None:
    before = moving.address()
    flow = Flow(moving)
    sh(CHANGES[change])
    begun = time.monotonic()
    wait_until("it is connected over the cable", lambda: connected_from(moving, CABLE), GAP + SLACK)
    wait_until("the flow goes on", lambda: flow.heard > begun + GAP + SLACK, 20)
    flow.close()
    assert flow.gap < GAP + SLACK
    assert moving.address() == before
    wait_until("the old connection is forgotten", lambda: addresses_of(moving) == 1)


def addresses_of(pair: Pair) -> int:
    """At how many connections the gateway has an address of the client's."""
    return sum(bool(row["addresses"]) for row in pair.ask("clients"))


def test_a_cable_that_is_pulled_and_put_back_carries_at_once(pair: Pair) -> None:
    """The same address, and no other way: TCP alone would wait twice as long as the cable was out."""
    pair.start_gateway()
    pair.start_client()
    pair.address()
    flow = Flow(pair)
    sh("ip -n gw link set cl0 down")
    time.sleep(6)  # the cable is out
    sh("ip -n gw link set cl0 up")
    back = time.monotonic()
    wait_until("the flow goes on", lambda: flow.heard > back, GAP + SLACK)
    flow.close()


def test_a_network_that_flaps_does_not_make_a_storm_of_connections(moving: Pair) -> None:
    before = len(moving.gateway.text().split(" connected"))
    for _ in range(20):
        sh(f"ip -n cl route add {GATEWAY_V4}/32 via {CABLE}.1 dev eth1")
        time.sleep(0.25)  # the flapping itself
        sh(f"ip -n cl route delete {GATEWAY_V4}/32 via {CABLE}.1 dev eth1")
        time.sleep(0.25)
    wait_until("it is connected in the end", lambda: connected_from(moving, "198.51.100."), 15)
    assert len(moving.gateway.text().split(" connected")) - before < 16
