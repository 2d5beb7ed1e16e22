"""A value as PowerShell prints it: text, or a list in braces; whole or cut."""

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_FRAGMENTS = 200
"""Lines of a value."""
MAX_LISTED = 64
"""Items of a list that are read."""
MAX_ITEMS = 256
"""Of a list; :data:`PrintedValue.cut` is set beyond."""
ELLIPSES = ("...", "\u2026")
"""Of Windows PowerShell and of PowerShell 7."""


class PrintedValue(NamedTuple):
    """``items``: of a list, else None. ``cut``: there was more, that PowerShell or the console did not print."""

    text: str
    items: tuple[str, ...] | None = None
    cut: bool = False

    @property
    def texts(self) -> list[str]:
        """The list, or the text as the only one; empty for nothing."""
        if self.items is not None:
            return list(self.items)
        return [self.text] if self.text else []


def value_of(fragments: Sequence[str], filled: int = 0, *, cell: bool = False) -> PrintedValue:
    """The value on one line or on several. ``filled``: characters of a full line; ``cell``: of a table.

    ``$FormatEnumerationLimit`` cuts a list behind its fourth item, which is whole: ``{a, b, c, d...}``. A narrow column
    cuts anywhere, so what stands last there is not taken.
    """
    text = _joined(fragments, filled)
    if text.startswith("{"):
        return _list(text)
    return PrintedValue(text, None, cell and (text.endswith(ELLIPSES) or text.startswith(ELLIPSES)))


def _joined(fragments: Sequence[str], filled: int) -> str:
    """PowerShell breaks between words where it can: within a word only one that is longer than a line."""
    text = before = ""
    for fragment in fragments:
        broken = " " not in before and len(before) >= filled > 0 and not before.endswith(",")
        text += ("" if not text or broken else " ") + fragment
        before = fragment
    return text


def _list(text: str) -> PrintedValue:
    inside, whole = text[1:], text.endswith("}")
    inside = inside[:-1] if whole else inside
    ellipsis = next((one for one in ELLIPSES if inside.endswith(one)), "")
    inside = inside.removesuffix(ellipsis) if ellipsis else inside
    items = [item.strip() for item in re.split(r",(?:\s+|$)", inside, maxsplit=MAX_ITEMS) if item.strip()]
    if not whole and not inside.rstrip().endswith(","):
        items = items[:-1]
    return PrintedValue(text, tuple(items[:MAX_ITEMS]), bool(ellipsis) or not whole or len(items) > MAX_ITEMS)


def listed(value: object) -> list[str]:
    """A list, or what PowerShell prints of one on several lines."""
    if isinstance(value, list):
        return [str(item) for item in value[:MAX_LISTED]]
    return [word.strip(",") for word in str(value or "").split()[:MAX_LISTED]]
