"""When the client tries again: after failures, refusals, losses, and changes of its machine's network."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from random import Random
from typing import Any

import pytest

from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.values import (
    TUN,
    Connect,
    ConnectFault,
    Disconnect,
    Failed,
    LinkDown,
    RouteAdded,
)
from manageout.wire import nd
from manageout.wire.iphttps import build_return
from tests.tools.machines.iphttps import CONFIG, GATEWAY_LL
from tests.transcript.iphttps.test_client import FIRST, OK, OWN, OWN_LL, Joined, Tunnel


def waits(tunnel: Tunnel, count: int, *, refused: bool = False) -> list[float]:
    """Between attempts that fail at once."""
    found = []
    for _ in range(count):
        tunnel.events.clear()
        tunnel.client.failed(ConnectFault.TIMED_OUT, "timed out", tunnel.now, refused=refused)
        tunnel.collect()
        assert tunnel.events[0] == Failed("timed out", 0x274C)
        connect = tunnel.events[1]
        assert isinstance(connect, Connect)
        found.append(connect.after)
        tunnel.now += connect.after
    return found


def enabled(**changes: Any) -> Tunnel:
    tunnel = Tunnel(**changes)
    tunnel.client.enable(0)
    tunnel.collect()
    return tunnel


def test_the_stock_schedule_of_attempts_that_fail_at_once() -> None:
    assert waits(enabled(stock_retry=True), 8) == [30, 30, 60, 120, 240, 480, 900, 900]


def test_our_own_schedule_is_quick_for_ten_minutes() -> None:
    tunnel = enabled()  # random() is 0: each wait is as short as it can be
    found = waits(tunnel, 3)
    assert found == pytest.approx([1 / 3, 2 / 3, 1])
    while tunnel.now < 590:
        found = waits(tunnel, 1)
        assert found == pytest.approx([1])
    while tunnel.now < 605:
        waits(tunnel, 1)
    assert waits(tunnel, 2) == [15, 15]


def test_what_is_refused_for_good_is_not_hammered() -> None:
    tunnel = enabled()
    assert waits(tunnel, 5, refused=True) == [15] * 5
    tunnel.now += 600
    assert waits(tunnel, 2, refused=True) == [60, 60]


def test_a_status_that_may_pass_is_tried_again_soon() -> None:
    tunnel = enabled()
    tunnel.client.connected(0)
    tunnel.feed(b"HTTP/1.1 503 Busy\r\n\r\n")
    connect = tunnel.events[-1]
    assert isinstance(connect, Connect) and connect.after < 1


def test_a_server_that_hangs_up_without_a_word_is_taken_for_a_refusal_the_third_time() -> None:
    tunnel = enabled()
    found = []
    for _ in range(4):
        tunnel.client.connected(tunnel.now)
        tunnel.client.closed("the end", tunnel.now)
        tunnel.collect()
        connect = tunnel.events[-1]
        assert isinstance(connect, Connect)
        found.append(connect.after)
        tunnel.now += connect.after
    assert found == pytest.approx([1 / 3, 2 / 3, 15, 15])


@pytest.mark.parametrize(("stock", "first"), [(True, 30.0), (False, FIRST)])
def test_a_lost_link_reconnects_and_success_resets_the_schedule(stock: bool, first: float) -> None:
    tunnel = Tunnel(stock_retry=stock).up()
    patience = (10.0, 20.0) if stock else (2.0, 3.5)
    tunnel.client.closed("reset", 10)
    tunnel.collect()
    assert tunnel.events == [LinkDown("reset"), Connect(first, *patience)]
    tunnel.now = 40
    tunnel.client.failed(ConnectFault.OTHER, "refused", 40)
    tunnel.client.connected(500)
    tunnel.feed(OK)
    tunnel.events.clear()
    tunnel.client.closed("reset", 1000)
    tunnel.collect()
    assert tunnel.events[-1] == Connect(first, *patience)


def test_a_link_that_is_taken_away_again_and_again_is_not_fought_for() -> None:
    """Two machines with one certificate: each connection ends the other's."""
    tunnel = enabled()
    found = []
    for _ in range(12):
        tunnel.client.connected(tunnel.now)
        tunnel.feed(OK)
        tunnel.now += 1
        tunnel.client.closed("another", tunnel.now)
        tunnel.collect()
        connect = tunnel.events[-1]
        assert isinstance(connect, Connect)
        found.append(connect.after)
        tunnel.now += connect.after
    assert found[:4] == pytest.approx([1 / 3, 2 / 3, 1, 2]) and found[-1] == 15


# --- The way of the connection changes -----------------------------------------------------------------


def test_a_machine_that_moves_connects_anew_at_once_and_keeps_its_addresses() -> None:
    tunnel = Tunnel().ready()
    tunnel.client.moved(tunnel.now)
    tunnel.collect()
    reason = "this machine's network has changed"
    assert tunnel.events == [Disconnect(reason), LinkDown(reason), Connect(0.0, 2.0, 3.5)]
    assert tunnel.client.addresses == {OWN, OWN_LL}


def test_a_doubted_connection_lives_by_any_sign_of_life() -> None:
    tunnel = Tunnel().ready()
    tunnel.client.check(tunnel.now)
    tunnel.collect()
    _, message = nd.parse(tunnel.packets()[0])
    assert message == nd.NeighbourSolicitation(GATEWAY_LL)
    tunnel.pass_time(1.5)
    answer = nd.NeighbourAdvertisement(GATEWAY_LL, router=True, solicited=True)
    tunnel.feed(nd.build(GATEWAY_LL, OWN_LL, answer))
    tunnel.pass_time(10)
    assert tunnel.events == []


def test_a_doubted_connection_that_stays_silent_is_replaced_at_once() -> None:
    tunnel = Tunnel().ready()
    tunnel.client.check(tunnel.now)
    tunnel.pass_time(1)
    tunnel.client.check(tunnel.now)  # doubts do not give it more time
    tunnel.pass_time(1)
    assert isinstance(tunnel.events[1], LinkDown) and tunnel.events[-1] == Connect(0.0, 2.0, 3.5)


# --- A gateway that stops cleanly ----------------------------------------------------------------------


def connected(count: int = 1) -> tuple[IpHttpsServer, list[Joined]]:
    """A gateway with clients of our own framing."""
    server = IpHttpsServer(replace(CONFIG, vnet_hdr=True), lambda: "now", lambda: 0.5)
    clients = []
    for number in range(count):
        client = Joined(f"client{number}", server)
        client.number = number
        client.client._random = Random(number).random
        client.client.enable(0)
        client.connect()
        client.events.clear()
        clients.append(client)
    return server, clients


def stopped(server: IpHttpsServer, clients: list[Joined]) -> list[float]:
    """When each client comes back, after the gateway has stopped to be there again."""
    server.shutdown(0, returning=True)
    streams = {number: b"".join(chunks) for number, chunks in server.transmit() if number != TUN}
    found = []
    for client in clients:
        client.feed(streams[client.number])
        client.client.closed("the gateway ended the connection", client.now)
        client.collect()
        connect = client.events[-1]
        assert isinstance(connect, Connect)
        found.append(connect.after)
    return found


def test_a_gateway_that_restarts_says_when_to_come_back_and_the_routes_stay() -> None:
    server, (client,) = connected()
    client.wait(1)
    client.events.clear()
    (after,) = stopped(server, [client])
    assert 1.0 <= after < 1.1
    assert LinkDown("the gateway is restarting") in client.events
    assert not [event for event in client.events if isinstance(event, RouteRemoved)]


def test_what_a_gateway_no_longer_has_after_a_restart_is_dropped_at_once() -> None:
    """It kept its routes meanwhile, and nothing has withdrawn them."""
    server, (client,) = connected()
    client.wait(1)
    stopped(server, [client])
    client.events.clear()
    other, new = IPv6Network("2001:db8:2::/48"), IPv6Network("2001:db8:fe::/64")
    changed = replace(CONFIG, vnet_hdr=True, routes=(other,), prefix=new, address=new[1])
    client.server = IpHttpsServer(changed, lambda: "now", lambda: 0.5)
    client.connect()
    client.wait(2)
    assert RouteRemoved(IPv6Address("2001:db8:1::").packed, 48) in client.events
    assert RouteAdded(other.network_address.packed, 48, nd.Preference.MEDIUM) in client.events
    assert AddressRemoved(OWN) in client.events
    assert client.client.addresses == {OWN_LL, new.network_address.packed[:8] + OWN[8:]}


def test_five_hundred_clients_come_back_over_a_while_and_all_within_four_seconds() -> None:
    found = sorted(stopped(*connected(500)))
    assert found[0] >= 1.0 and found[-1] < 3.0
    for start in range(10, 24):  # in no tenth of a second a quarter of them
        assert sum(start / 10 <= after < (start + 1) / 10 for after in found) < 125


def test_a_client_that_does_not_know_the_message_is_not_sent_it() -> None:
    server, _ = connected()
    stock = Joined("stock", server, own_framing=False)
    stock.number = 7
    stock.client.enable(0)
    stock.connect()
    stock.wait(1)
    server.shutdown(stock.now, returning=True)
    streams = {number: b"".join(chunks) for number, chunks in server.transmit() if number != TUN}
    stock.events.clear()
    stock.feed(streams[8])
    assert [event for event in stock.events if isinstance(event, RouteRemoved)]


def test_a_gateway_may_not_send_us_away_for_long() -> None:
    _, (client,) = connected()
    client.feed(build_return(1000, 1000))
    client.client.closed("the end", client.now)
    client.collect()
    assert client.events[-1] == Connect(10.0, 2.0, 3.5)
