"""Counts as people write them."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """``1 client``, ``2 clients``; ``many`` where an s does not do it."""
    return f"{count} {one if count == 1 else many or one + 's'}"
