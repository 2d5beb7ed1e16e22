"""``manageout drops``."""

from __future__ import annotations

from typing import Any

import click

from manageout.cli.fitted import fitted, reading_table
from manageout.cli.output import ago


def render(drops: list[dict[str, Any]], wide: bool = False) -> str:
    """Packets that were refused: the reason, what it means, from whom, how many, when last."""
    if not drops:
        return "Nothing has been dropped."
    rows = [
        (
            str(row["count"]),
            row["reason"],
            row.get("source") or "-",
            ago(row.get("last")),
            row.get("meaning", ""),
        )
        for row in drops
    ]
    return fitted(
        ("COUNT", "REASON", "FROM", "LAST", "MEANING"), rows, right=(0, 3), fold="MEANING", wide=wide
    )


drops = click.command("drops")(reading_table(render, "drops"))
