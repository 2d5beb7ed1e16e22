"""When advertisements are due, how many at once, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.advertising import (
    CATCH_UP,
    INTERVAL,
    MAX_RA_DELAY,
    PER_SECOND,
    SLOT,
    TIMES,
    Advertiser,
)
from manageout.wire import ipv4, nd
from manageout.wire.address import isatap_identifier

ROUTER, HOST, OTHER = (IPv4Address(text).packed for text in ("10.0.0.1", "10.0.1.30", "10.0.2.30"))
KEY = isatap_identifier(HOST, False) + ROUTER
NORMAL, FAREWELL = nd.RouterAdvertisement(64), nd.RouterAdvertisement(0)


def made(random: float = 0.0) -> Advertiser:
    advertiser = Advertiser(lambda: random)
    advertiser.configure([ROUTER], NORMAL, FAREWELL)
    return advertiser


def hop_limit(packet: bytes | None) -> int:
    assert packet is not None
    _, message = nd.parse(ipv4.parse(packet)[1])
    assert isinstance(message, nd.RouterAdvertisement)
    return message.hop_limit


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_rfc4861_6_2_6_an_answer_is_due_within_half_a_second_and_not_at_once(random: float) -> None:
    advertiser = made(random)
    advertiser.answer(KEY, 100.0)
    due = advertiser.timer()
    assert due is not None and 100.0 < due <= 100.0 + MAX_RA_DELAY
    assert list(advertiser.due(due - SLOT / 2)) == []
    assert list(advertiser.due(due)) == [KEY]
    assert advertiser.timer() is None


def test_a_host_that_asks_again_while_it_waits_is_answered_once_and_then_anew() -> None:
    advertiser = made()
    for _ in range(5):
        advertiser.answer(KEY, 100.0)
    assert list(advertiser.due(101.0)) == [KEY]
    advertiser.answer(KEY, 101.0)
    assert list(advertiser.due(102.0)) == [KEY]


def test_it_is_answered_anew_while_others_still_wait() -> None:
    advertiser = made()
    advertiser.answer(KEY, 100.0)
    advertiser.answer(b"other", 100.3)
    assert list(advertiser.due(100.1)) == [KEY]
    advertiser.answer(KEY, 100.1)
    assert list(advertiser.due(101.0)) == [KEY, b"other"]


def test_told_unasked_each_hears_it_three_times_some_seconds_apart() -> None:
    advertiser = made()
    advertiser.tell([KEY], 100.0)
    heard = []
    while (due := advertiser.timer()) is not None:
        heard += [(due, key) for key in advertiser.due(due)]
    assert [key for _, key in heard] == [KEY] * TIMES
    assert [round(due - heard[0][0], 1) for due, _ in heard] == [n * INTERVAL for n in range(TIMES)]


def test_many_are_told_over_as_long_as_the_pace_allows() -> None:
    advertiser = made(0.999)
    advertiser.tell([KEY] * PER_SECOND * 3, 100.0)
    due = advertiser.timer()
    assert due is not None and due > 102.9


def test_everybody_is_told_at_a_bounded_pace_even_after_a_pause() -> None:
    asked = []

    def everybody() -> Iterator[bytes]:
        asked.append(True)
        return iter([KEY] * PER_SECOND)

    advertiser = made()
    advertiser.announce(everybody, 100.0)
    assert advertiser.timer() == 100.0
    assert asked == [], "nobody is asked for before the round begins"
    assert len(list(advertiser.due(100.0))) == round(SLOT * PER_SECOND)
    assert len(list(advertiser.due(105.0))) == round(CATCH_UP * SLOT * PER_SECOND)
    now = 105.0
    while len(asked) < TIMES or (advertiser.timer() or 0) < now + 1:
        now += SLOT
        list(advertiser.due(now))
        if advertiser.timer() is None:
            break
    assert len(asked) == TIMES
    assert advertiser.timer() is None, "and then it is over"


def test_an_announcement_begins_again_with_the_new_message() -> None:
    advertiser = made()
    advertiser.announce(lambda: iter([KEY] * 1000), 100.0)
    list(advertiser.due(100.0))
    advertiser.announce(lambda: iter([b"new"]), 100.5)
    assert list(advertiser.due(100.5)) == [b"new"]


def test_who_retires_gets_the_farewell_and_nobody_else() -> None:
    advertiser = made()
    advertiser.retire([Prefix(IPv4Address("10.0.1.0").packed, 24)])
    assert (advertiser.retires(HOST), advertiser.retires(OTHER)) == (True, False)
    assert hop_limit(advertiser.build(KEY, 1)) == 0
    assert hop_limit(advertiser.build(isatap_identifier(OTHER, True) + ROUTER, 1)) == 64
    assert hop_limit(advertiser.build(isatap_identifier(OTHER, True) + ROUTER, 1, farewell=True)) == 0
    advertiser.retire([])
    assert hop_limit(advertiser.build(KEY, 1)) == 64


def test_a_locator_that_was_removed_meanwhile_sends_nothing() -> None:
    advertiser = made()
    advertiser.configure([OTHER], NORMAL, FAREWELL)
    assert advertiser.build(KEY, 1) is None
