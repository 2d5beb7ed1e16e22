"""Tables of the packet filter for tests."""

from __future__ import annotations

from manageout.linux.nft.program import apply


def replace_table(table: str, body: str) -> None:
    """Make ``table`` ("FAMILY NAME") hold exactly ``body``, in one transaction."""
    # The first line creates the table when it is missing, because deleting a missing one is an error.
    apply(f"table {table} {{ }}\ndelete table {table}\ntable {table} {{\n{body}\n}}\n")


def delete_table(table: str) -> None:
    """Remove ``table`` if it is there."""
    apply(f"table {table} {{ }}\ndelete table {table}\n")
