"""``manageout drops``."""

from __future__ import annotations

import click

from manageout.cli.show.fitted import fitted, reading_table
from manageout.cli.show.output import ago
from manageout.service.process.rows import DropRow


def render(drops: list[DropRow], wide: bool = False) -> str:
    """Packets that were refused: the reason, what it means, from whom, how many, when last.

    A refused certificate is shown by its name and serial number, as it calls itself. Where the policy refuses,
    TO says which client, and which service of it.
    """
    if not drops:
        return "Nothing has been dropped."
    rows = [
        (
            str(row["count"]),
            row["reason"],
            " ".join(filter(None, (row.get("source"), row.get("certificate")))) or "-",
            " ".join(filter(None, (row.get("to"), row.get("service")))) or "-",
            ago(row.get("last")),
            row.get("meaning", ""),
        )
        for row in drops
    ]
    return fitted(
        ("COUNT", "REASON", "FROM", "TO", "LAST", "MEANING"), rows, right=(0, 4), fold="MEANING", wide=wide
    )


drops = click.command("drops")(reading_table(render, "drops"))
