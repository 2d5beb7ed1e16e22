"""Counts and faults as people write them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any


def counted(count: int, one: str, many: str = "") -> str:
    """``1 client``, ``2 clients``; ``many`` where an s does not do it."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def listed(items: Sequence[str], most: int) -> str:
    """``a, b, c and 2 more``."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def duration(seconds: float) -> str:
    """In the largest unit that fits: ``3 days``, ``5 hours``."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return counted(round(seconds / size), unit)
    return counted(round(seconds), "second")


def said(error: BaseException) -> str:
    """What an exception of others says, in one line: the kernel's words without their number, never nothing."""
    words = (isinstance(error, OSError) and error.strerror) or str(error)
    return " ".join(words.split()) or type(error).__name__


def plain(text: str, longest: int = 80) -> str:
    """What a stranger calls himself, for a log line: printable ASCII, no longer than ``longest``."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:longest])


def printable(text: str, instead: str = "?") -> str:
    """``text`` without control characters, for a terminal or a log: names come from certificates and DNS."""
    return text if text.isprintable() else "".join(c if c.isprintable() else instead for c in text)


def day(moment: float) -> str:
    """Unix seconds -> a date and time, UTC; whatever number somebody wrote."""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{moment:g}"


def texts(package: str, name: str, /, **words: object) -> list[str]:
    """Those of that name in a package's ``texts.toml``, such as an error's message and hint, with their words."""
    found = toml_of(package, "texts.toml")[name]
    return [text.format(**words) for text in ([found] if isinstance(found, str) else found)]


@cache
def toml_of(package: str, file: str) -> dict[str, Any]:
    """A file of texts beside the code of a package; read when it is first wanted."""
    import tomllib
    from importlib.resources import files

    return tomllib.loads(files(package).joinpath(file).read_text("utf-8"))
