"""Scripts for Windows that take ISATAP's records and policy settings away, and bring the same ones back."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from manageout.windows.powershell import quoted
from manageout.windows.template import filled
from manageout.words import printable


class ScriptRecord(NamedTuple):
    """A record in the DNS. ``kind``: A or AAAA."""

    name: str
    kind: str
    address: str


class ScriptValue(NamedTuple):
    """A value of ISATAP in a group policy."""

    guid: str
    policy: str
    name: str


def remove(
    records: Iterable[ScriptRecord], values: Iterable[ScriptValue], by_hand: Sequence[str], *, block: bool
) -> str:
    """``remove.ps1``; ``by_hand``: what it leaves alone, a line each; ``block``: the bare name is to be blocked."""
    about = ["Takes away what is left of ISATAP in DNS and group policies."]
    if by_hand:
        about += ["", "Not touched by it, look at this yourself:", *(f"  {line}" for line in by_hand)]
    return filled(
        "scripts/retire-remove.ps1",
        ABOUT="\n".join(f"# {printable(line, ' ')}".rstrip() for line in about),
        RECORDS=_table(map(tuple, records)),
        VALUES=_table(map(tuple, values)),
        BLOCK="$true" if block else "$false",
    )


def restore() -> str:
    """``restore.ps1``, the inverse."""
    return filled("scripts/retire-restore.ps1")


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"    ,@({', '.join(map(quoted, row))})" for row in rows]
    return "@(\n" + "\n".join(lines) + "\n)" if lines else "@()"
