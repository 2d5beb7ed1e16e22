"""Addresses in the texts of Windows' tools."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from manageout.windows import text


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("10.0.0.1", IPv4Address("10.0.0.1")), ("10.0.0.1/24", IPv4Address("10.0.0.1")),
        ("fe80::1%12", IPv6Address("fe80::1")), ("fe80::5efe:10.0.0.1%12", IPv6Address("fe80::5efe:a00:1")),
        ("", None), ("10.0.0", None), ("host", None),
    ],
)  # fmt: skip
def test_an_address(words: str, address: object) -> None:
    assert text.any_address(words) == address
    assert text.ipv6_address(words) == (address if isinstance(address, IPv6Address) else None)


def test_a_list_of_words_is_bounded() -> None:
    assert list(text.addresses("a; 10.0.0.1,fe80::1%3 10.0.0.0/8")) == [
        IPv4Address("10.0.0.1"),
        IPv6Address("fe80::1"),
    ]
    assert len(list(text.addresses("10.0.0.1 " * 1000))) == text.MAX_ADDRESSES


def test_a_prefix() -> None:
    assert text.ipv6_network("fd12::1/64") == IPv6Network("fd12::/64")
    assert text.ipv6_network("10.0.0.0/8") is None and text.ipv6_network("x") is None


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("NotAfter: 3/28/2021 9:12 PM", (2021, 3, 28)), ("Nicht nach: 28.03.2021 21:12", (2021, 3, 28)),
        ("2021-03-28 21:12", (2021, 3, 28)), ("28. 3. 2021", (2021, 3, 28)), ("3/4/2021", (2021, 4, 3)),
    ],
)  # fmt: skip
def test_the_end_of_a_day_in_every_order(words: str, day: tuple[int, int, int]) -> None:
    end = text.end_of(words)
    assert end is not None and 0 < end - datetime(*day, tzinfo=UTC).timestamp() <= 2 * 86400


@pytest.mark.parametrize(
    "words",
    [
        "maandag 30 november 2026 08:47:12", "Monday, November 30, 2026 8:47:12 AM", "2026年11月30日 8:47:12",
        "lundi 30 novembre 2026 08:47:12", "Am 30.11.2026 um 08:47:12 erstellt",
        "lunes, 30 de noviembre de 2026 8:47:12",
        "poniedziałek, 30 listopada 2026 08:47:12", "понедельник, 30 ноября 2026 г. 8:47:12",
        "martes 30 noviembre 2026 8:47:12",
        "2026-11-30 08:47:12", "The current time is 11/30/2026 8:47:12 AM.", "2026년 11월 30일 8:47:12",
    ],
)  # fmt: skip
def test_the_day_of_a_paste(words: str) -> None:
    assert text.start_of(words) == datetime(2026, 11, 30, 8, 47, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("29-11-2026 10:03:41", datetime(2026, 11, 29, 22, 3, 41, tzinfo=UTC)),
        ("11/29/2026 11:59:59 PM", datetime(2026, 11, 30, 11, 59, 59, tzinfo=UTC)),
        ("11/29/2026 12:00:00 AM", datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)),
        ("29/11/2026", datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)),
        ("05/04/2026 10:00:00", datetime(2026, 5, 4, 22, 0, 0, tzinfo=UTC)),
    ],
)
def test_an_end_with_its_time_has_no_grace_but_the_zone(words: str, end: datetime) -> None:
    assert text.end_of(words) == end.timestamp()


def test_no_date() -> None:
    assert text.end_of("x") is None and text.end_of("10.0.0.1") is None
    assert text.end_of("99/99/9999") == float("inf")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("Büro".encode(), "Büro"), ("Büro".encode("utf-8-sig"), "Büro"), ("Büro".encode("utf-16"), "Büro"),
        ("policy".encode("utf-16-le"), "policy"), ("policy".encode("utf-16-be"), "policy"), (b"B\xfcro", "Büro"),
        (b"", ""), (b"\xff\xfe\x00", "\ufffd"),
    ],
)  # fmt: skip
def test_bytes_in_whatever_windows_wrote_them(data: bytes, words: str) -> None:
    assert text.decoded(data) == words


def test_the_code_page_of_a_console() -> None:
    assert text.decoded(b"B\x81ro", "cp850") == "Büro"
