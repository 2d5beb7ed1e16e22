"""``manageout drops``."""

from __future__ import annotations

from typing import Any

import click

from manageout.cli.output import ago, reading, table


def render(drops: list[dict[str, Any]]) -> str:
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
    return table(("COUNT", "REASON", "FROM", "LAST", "MEANING"), rows, right=(0, 3))


drops = click.command("drops")(reading(render, "drops"))
