"""Bytes that Windows wrote -> text; addresses and dates in it -> values. Pure, and bounded: anybody may write them."""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from math import inf

from manageout.wire.special import is_global
from manageout.words import toml_of

Address = IPv4Address | IPv6Address
MAX_ADDRESSES = 64
"""Of one list."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes, otherwise: str = "latin-1") -> str:
    """Text in whatever Windows wrote it: UTF-8, UTF-16 (a redirected PowerShell), else the code page ``otherwise``.

    Never fails: what is no text becomes text that nobody knows.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    odd, even = data[1:4096:2].count(0), data[0:4096:2].count(0)
    if max(odd, even) > max(len(data[:4096]) // 4, 1):
        return data.decode("utf-16-le" if odd > even else "utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(otherwise, "replace")


def any_address(text: str) -> Address | None:
    """An address, with or without a zone, and with or without the length of its prefix."""
    try:
        return ip_address(text.partition("%")[0].partition("/")[0])
    except ValueError:
        return None


def ipv6_address(text: str) -> IPv6Address | None:
    """The same, of IPv6 alone."""
    found = any_address(text)
    return found if isinstance(found, IPv6Address) else None


def public(address: Address) -> bool:
    """Whether an IPv4 address is one of the Internet; those of documentation too, for people put them in place of their
    own (RFC 5737)."""
    return isinstance(address, IPv4Address) and (
        is_global(address.packed) or any(address in one for one in _DOCUMENTATION)
    )


_DOCUMENTATION = tuple(map(IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))


def addresses(text: str) -> Iterator[Address]:
    """Those in a list of words, without their zones."""
    found = 0
    for word in re.split(r"[;,\s]+", text):
        one = any_address(word) if "/" not in word else None
        if one is not None:
            yield one
            if (found := found + 1) == MAX_ADDRESSES:
                return


def ipv6_network(text: str) -> IPv6Network | None:
    """An IPv6 prefix; bits below it are taken away."""
    try:
        return IPv6Network(text, strict=False)
    except ValueError:
        return None


def end_of(text: str) -> float | None:
    """Unix time at which the first date in ``text`` is past in any time zone, in the latest of its readings: cultures
    write day, month and year in three orders. Without a time of day the whole day counts. None without a date; for ever
    where it is none of any calendar."""
    read = _readings(text)
    return None if read is None else max(read[0]).timestamp() + read[1] + ZONE if read[0] else inf


def start_of(text: str) -> float | None:
    """The earliest reading of the first date in ``text``, as if its time zone were UTC; months may be words."""
    read = _readings(text) or _worded(text)
    return min(read[0]).timestamp() if read and read[0] else None


ZONE = 12 * 3600.0
"""By which the westernmost time zone is behind."""


def _readings(text: str) -> tuple[list[datetime], float] | None:
    """The moments that a date of numbers may be, and the seconds by which its time of day may be later."""
    if not text.isascii():
        text = re.sub(r"[年月년월]\s?", "-", text).replace("日", " ").replace("일", " ")
    match = _DATE.search(text)
    if match is None:
        return None
    first, second, third = (int(part) for part in match.groups())
    orders = ((first, second, third),) if first > 31 else ((third, second, first), (third, first, second))
    orders = orders[:1] if "." in match[0] else orders  # with points the day is the first
    time, later = _time(text[match.end() : match.end() + 40])
    found = []
    for order in orders:
        with suppress(ValueError):
            found.append(datetime(*order, tzinfo=UTC) + time)
    if day := _WEEKDAY.search(text[: match.start()]):
        found = [one for one in found if f"{one:%a}" == day[1].title()] or found
    return found, later


_WEEKDAY = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},? $", re.I)


def _worded(text: str) -> tuple[list[datetime], float] | None:
    """``maandag 30 november 2026``, ``Monday, November 30, 2026``."""
    year = re.search(r"(?<!\d)20\d\d(?!\d)", text)
    day = _DAY_MONTH.search(text) or _MONTH_DAY.search(text)
    word = day["month"].lower() if day is not None else ""
    known = _months()
    month = known.get(word, known.get(word[:4], known.get(word[:3])))
    if year is None or day is None or month is None:
        return None
    time, later = _time(text[max(year.end(), day.end()) :])
    with suppress(ValueError):
        return [datetime(int(year[0]), month, int(day["day"]), tzinfo=UTC) + time], later
    return None


@cache
def _months() -> dict[str, int]:
    """By their first letters."""
    names = toml_of("manageout.windows", "months.toml")["months"]
    return {short: number for number, words in enumerate(names, 1) for short in words.split()}


def _time(text: str) -> tuple[timedelta, float]:
    match = _TIME.search(text)
    if match is None:
        return timedelta(), 86400.0
    hour, word = int(match[1]), (match[4] or "").lower()
    noon = word.startswith("p") and hour < 12
    hour = hour % 12 if word.startswith("a") and hour == 12 else hour
    unsure = bool(word) and word[0] not in "ap" and hour < 12  # a half of the day in another language
    time = timedelta(hours=hour + 12 * noon, minutes=int(match[2]), seconds=int(match[3] or 0))
    return time, 43200.0 * unsure


_DAY_MONTH = re.compile(r"(?<![\d:])(?P<day>\d{1,2})\.?\s+(?:de\s|d')?(?P<month>[^\W\d]{3,20})")
_MONTH_DAY = re.compile(r"(?P<month>[^\W\d]{3,20})\s+(?P<day>\d{1,2})(?![\d:])")
_TIME = re.compile(r"(?<!\d)(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?:\s?([^\W\d][\w.]{0,3}))?", re.A)
_DATE = re.compile(r"(?<![\d.])(\d{1,4})[-/. ]{1,2}(\d{1,2})[-/. ]{1,2}(\d{1,4})(?![\d.])", re.A)
