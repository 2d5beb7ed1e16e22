"""What a change of the network means for the outer connection."""

from __future__ import annotations

from ipaddress import IPv4Address

from manageout.protocol.iphttps.uplink import Reaction, Sleep, Uplink, Way

WIFI = Way("wlan0", IPv4Address("192.0.2.7"), IPv4Address("192.0.2.1"))
CABLE = Way("eth0", IPv4Address("198.51.100.7"), IPv4Address("198.51.100.1"))
OWN = (WIFI.source, CABLE.source)


def uplink() -> Uplink:
    found = Uplink(("mo-iphttps0", "lo"))
    found.connected(WIFI)
    return found


def own(*ways: Way) -> list[IPv4Address]:
    return [way.source for way in ways if isinstance(way.source, IPv4Address)]


def test_the_same_way_stays() -> None:
    assert uplink().changed(WIFI, own(WIFI), 0) is Reaction.STAY


def test_another_device_moves_it_though_the_old_one_is_there() -> None:
    assert uplink().changed(CABLE, own(WIFI, CABLE), 0) is Reaction.MOVE


def test_an_address_that_has_gone_moves_it() -> None:
    other = WIFI._replace(source=IPv4Address("192.0.2.8"))
    assert uplink().changed(other, own(other), 0) is Reaction.MOVE


def test_one_more_address_does_not_move_it() -> None:
    other = WIFI._replace(source=IPv4Address("192.0.2.8"))
    assert uplink().changed(other, own(other, WIFI), 0) is Reaction.STAY


def test_without_any_way_there_is_nothing_to_do_until_it_is_back() -> None:
    found = uplink()
    assert found.changed(None, [], 0) is Reaction.STAY
    assert found.changed(WIFI, own(WIFI), 1) is Reaction.CHECK
    assert found.changed(WIFI, own(WIFI), 2) is Reaction.STAY


def test_the_same_address_behind_another_router_is_doubted() -> None:
    found, other = uplink(), WIFI._replace(via=IPv4Address("192.0.2.2"))
    assert found.changed(other, own(WIFI), 0) is Reaction.CHECK
    assert found.changed(other, own(WIFI), 1) is Reaction.STAY


def test_the_tunnel_itself_is_no_way_and_a_proxy_here_hides_it() -> None:
    assert uplink().changed(Way("mo-iphttps0", None, None), own(WIFI), 0) is Reaction.STAY
    found = Uplink(("mo-iphttps0", "lo"))
    found.connected(Way("lo", IPv4Address("127.0.0.1"), None))
    assert found.changed(Way("lo", IPv4Address("127.0.0.1"), None), [], 0) is Reaction.CHECK


def test_flapping_is_bounded() -> None:
    found, moves = uplink(), 0
    for step in range(200):  # 20 s, a change each tenth of a second
        way = (CABLE, WIFI)[step % 2]
        if found.changed(way, own(WIFI, CABLE), step / 10) is Reaction.MOVE:
            found.connected(way)
            moves += 1
    assert 4 < moves <= 15


def test_questions_are_bounded_too() -> None:
    found = Uplink(("mo-iphttps0", "lo"))
    found.connected(Way("lo", IPv4Address("127.0.0.1"), None))
    asked = sum(found.changed(None, [], step / 10) is Reaction.CHECK for step in range(200))
    assert 4 < asked <= 15


def test_a_sleep_is_told_once() -> None:
    sleep = Sleep(1000.0, 900.0)
    assert not sleep.slept(1001.0, 901.0)
    assert sleep.slept(1061.0, 902.0)
    assert not sleep.slept(1062.0, 903.0)
