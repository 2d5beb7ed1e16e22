"""Bytes that Windows wrote -> text; addresses and dates in it -> values. Pure, and bounded: anybody may write them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from math import inf

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
    """Unix time of the end of the latest day that the first date in ``text`` may mean, in any time zone: cultures write
    day, month and year in three orders. None without a date; for ever where it is none of any calendar."""
    match = _DATE.search(text)
    if match is None:
        return None
    first, second, third = (int(part) for part in match.groups())
    orders = ((first, second, third),) if first > 31 else ((third, first, second), (third, second, first))
    ends = []
    for order in orders:
        with suppress(ValueError):
            ends.append(datetime(*order, tzinfo=UTC) + timedelta(days=2))
    return max(ends).timestamp() if ends else inf


_DATE = re.compile(r"(?<![\d.])(\d{1,4})[-/. ]{1,2}(\d{1,2})[-/. ]{1,2}(\d{1,4})(?![\d.])", re.A)
