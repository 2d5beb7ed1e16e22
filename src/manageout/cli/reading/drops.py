"""``manageout drops``."""

from __future__ import annotations

import click

from manageout.cli.show.options import wide_option
from manageout.cli.show.output import ago, reading
from manageout.cli.show.table import Column, table
from manageout.service.process.rows import DropRow

COLUMNS: tuple[Column[DropRow], ...] = (
    Column("COUNT", lambda row: str(row["count"]), right=True),
    Column("REASON", lambda row: row["reason"]),
    Column("FROM", lambda row: " ".join(filter(None, (row["source"], row.get("certificate"))))),
    Column("TO", lambda row: " ".join(filter(None, (row.get("to"), row.get("service"))))),
    Column("LAST", lambda row: ago(row.get("last")), right=True),
    Column("MEANING", lambda row: row.get("meaning"), fold=True),
)


def render(drops: list[DropRow], wide: bool = False) -> str:
    """Packets that were refused: the reason, what it means, from whom, how many, when last.

    A refused certificate is shown by its name and serial number, as it calls itself. Where the policy refuses,
    TO says which client, and which service of it.
    """
    return table(COLUMNS, drops, wide=wide) if drops else "Nothing has been dropped."


drops = click.command("drops")(reading(render, "drops", wide_option))
