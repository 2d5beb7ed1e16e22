"""When the client tries again: after failures, refusals, losses, and changes of its machine's network."""

from __future__ import annotations

from typing import Any

import pytest

from manageout.protocol.iphttps import Connect, ConnectFault, Disconnect, Failed, LinkDown
from manageout.wire import nd
from tests.transcript.iphttps_tools import GATEWAY_LL
from tests.transcript.test_iphttps_client import FIRST, OK, OWN, OWN_LL, Tunnel


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
    patience = 10.0 if stock else 2.0
    tunnel.client.closed("reset", 10)
    tunnel.collect()
    assert tunnel.events == [LinkDown("reset"), Connect(first, patience)]
    tunnel.now = 40
    tunnel.client.failed(ConnectFault.OTHER, "refused", 40)
    tunnel.client.connected(500)
    tunnel.feed(OK)
    tunnel.events.clear()
    tunnel.client.closed("reset", 1000)
    tunnel.collect()
    assert tunnel.events[-1] == Connect(first, patience)


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
    assert tunnel.events == [Disconnect(reason), LinkDown(reason), Connect(0.0, 2.0)]
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
    assert isinstance(tunnel.events[1], LinkDown) and tunnel.events[-1] == Connect(0.0, 2.0)
