"""``manageout retire watch``: how the hosts fare that retire."""

import json
import time
from typing import Any

import click

from manageout.cli.options import options
from manageout.cli.retire.options import said, with_retirement
from manageout.cli.show.output import ago, repeated
from manageout.cli.show.table import Column, listed, short, table
from manageout.retire.retirement import Retirement
from manageout.retire.watch import HostState, Watched, figures, observe
from manageout.words import counted

SHOWN, FLOWS = 30, 3
FINDING, UNREACHABLE = 1, 3
_NOBODY = "Nobody retires. `manageout retire status` says what comes next."


@click.command()
@options("retire.watch")
@with_retirement
def watch(retirement: Retirement, everybody: bool, as_json: bool, watch: float | None, wide: bool) -> None:
    """Who has let go, who still sends, what fails, and what serves them now.

    Exit status 1 when a host still sends by ISATAP, or something fails that worked before; else 3 when the router
    cannot be asked, so that nobody knows. A host that was switched off
    since it was told is "not heard": it lets go when it comes.
    """
    found: list[Watched] = []
    fault = ""

    def text() -> str:
        nonlocal found, fault
        seen, fault = retirement.look()
        now = time.time()
        found = observe(seen, now)
        return json.dumps(_answer(found, fault)) if as_json else render(found, fault, now, everybody, wide)

    repeated(text, as_json, watch)
    if any(each.state is HostState.SENDS or each.fails for each in found):
        raise click.exceptions.Exit(FINDING)
    if fault:
        raise click.exceptions.Exit(UNREACHABLE)


def _answer(found: list[Watched], fault: str) -> dict[str, Any]:
    rows = [each._asdict() for each in found]
    for row in rows:
        row |= {kind: [flow._asdict() for flow in row[kind]] for kind in ("still", "served", "fails")}
    return {"router": fault, "figures": figures(found), "hosts": rows}


def render(found: list[Watched], fault: str, now: float, everybody: bool = False, wide: bool = False) -> str:
    """Figures, the hosts, and what fails."""
    head = [f"The router cannot be asked, so packets are not seen: {fault}"] if fault else []
    if not found:
        return "\n".join([*head, _NOBODY])
    sums = figures(found)
    sending = "not seen who still sends" if fault else f"{sums['still_sends']} still send"
    head.append(said("watch", sending=sending, **sums | {"hosts": counted(sums["hosts"], "host")}))
    faulty = [each for each in found if each.fails or each.refused or each.state is HostState.SENDS]
    rest = [each for each in found if each not in faulty]
    shown = [*faulty, *(rest if everybody else rest[: max(0, SHOWN - len(faulty))])]
    parts = ["\n".join(head), table(_columns(now), shown, wide=wide)]
    if len(shown) < len(found):
        parts.append(f"and {len(found) - len(shown)} more: --all")
    details = [line for each in shown for line in _details(each, now)]
    return "\n\n".join([*parts, *([listed("To be looked at:", details)] if details else [])])


def _columns(now: float) -> tuple[Column[Watched], ...]:
    return (
        Column("HOST", lambda each: each.ipv4),
        Column("NAME", lambda each: each.name),
        Column("WAVE", lambda each: short(each.wave, 16), spare=3),
        Column("STATE", lambda each: each.state),
        Column("LAST PACKET", lambda each: ago(each.last_packet, now), right=True),
        Column("PACKETS", lambda each: str(each.packets), right=True, spare=2),
        Column("SERVED", lambda each: str(len(each.served)), right=True),
        Column("FAILS", lambda each: str(len(each.fails)), right=True),
        Column("UNTRIED", lambda each: str(each.untried), right=True, spare=1),
    )


def _details(each: Watched, now: float) -> list[str]:
    lines = [f"still opens {flow}, {ago(flow.last, now)} ago" for flow in each.still[:FLOWS]]
    for flow in each.fails[:FLOWS]:
        unanswered = f"{flow.unanswered} of {flow.calls} without an answer"
        lines.append(f"FAILS: {flow}, {unanswered}, {ago(flow.last, now)} ago")
    if each.refused:
        lines.append(f"is refused: {', '.join(each.refused)}; `manageout drops` says why")
    return [f"{each.ipv4} {line}" for line in lines]
