"""``manageout retire watch``: how the hosts fare that retire."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manageout.cli.retire.retire import listed, opened, short, site_options
from manageout.cli.retire.seen import look, runtime_dir_option, usage_option
from manageout.cli.show.fitted import fitted, wide_option
from manageout.cli.show.output import ago, watching_options
from manageout.words import counted

if TYPE_CHECKING:
    from manageout.retire.watch import Watched
    from manageout.service.state.retire import RetireStore

SHOWN, FLOWS = 30, 3
FINDING, UNREACHABLE = 1, 3
_NOBODY = "Nobody retires. `manageout retire status` says what comes next."


@click.command()
@site_options
@usage_option
@runtime_dir_option
@click.option(
    "--all", "everybody", is_flag=True, help=f"Every host, not only {SHOWN} and those with a fault."
)
@watching_options
@wide_option
def watch(
    file: Path,
    state_dir: Path | None,
    usage: tuple[Path, ...],
    runtime_dir: Path | None,
    everybody: bool,
    as_json: bool,
    watch: float | None,
    wide: bool,
) -> None:
    """Who has let go, who still sends, what fails, and what serves them now.

    Exit status 1 when a host still sends by ISATAP, or something fails that worked before; else 3 when the router
    cannot be asked, so that nobody knows. A host that was switched off
    since it was told is "not heard": it lets go when it comes.
    """
    site, _, store = opened(file, state_dir)
    while True:
        found, fault = _observed(store, runtime_dir or site.daemon.runtime_dir, usage)
        if as_json:
            click.echo(json.dumps(_answer(found, fault)))
        else:
            clear = "\x1b[H\x1b[2J" if watch is not None and sys.stdout.isatty() else ""
            click.echo(clear + render(found, fault, time.time(), everybody, wide))
        if watch is None:
            break
        time.sleep(watch)
    if any(each.state == "still sends" or each.fails for each in found):
        raise click.exceptions.Exit(FINDING)
    if fault:
        raise click.exceptions.Exit(UNREACHABLE)


def _observed(store: RetireStore, runtime_dir: Path, usage: tuple[Path, ...]) -> tuple[list[Watched], str]:
    from manageout.retire.watch import observe

    seen, fault = look(store, runtime_dir, usage)
    return observe(seen, time.time()), fault


def _answer(found: list[Watched], fault: str) -> dict[str, Any]:
    from manageout.retire.watch import figures

    rows = [
        each._asdict() | {kind: [flow._asdict() for flow in getattr(each, kind)] for kind in _KINDS}
        for each in found
    ]
    return {"router": fault, "figures": figures(found), "hosts": rows}


_KINDS = ("still", "served", "fails")


def render(found: list[Watched], fault: str, now: float, everybody: bool = False, wide: bool = False) -> str:
    """Figures, the hosts, and what fails."""
    from manageout.retire.watch import figures

    head = [f"The router cannot be asked, so packets are not seen: {fault}"] if fault else []
    if not found:
        return "\n".join([*head, _NOBODY])
    sums = figures(found)
    head.append(
        f"{counted(sums['hosts'], 'host')}: {sums['let_go']} let go, {sums['being_told']} being told, "
        f"{'not seen who still sends' if fault else str(sums['still_sends']) + ' still send'}, "
        f"{sums['not_heard']} not heard;\n"
        f"{sums['served']} served another way, {sums['failing']} with something that fails"
    )
    faulty = [each for each in found if each.fails or each.refused or each.state == "still sends"]
    rest = [each for each in found if each not in faulty]
    shown = [*faulty, *(rest if everybody else rest[: max(0, SHOWN - len(faulty))])]
    headings = ("HOST", "NAME", "WAVE", "STATE", "LAST PACKET", "PACKETS", "SERVED", "FAILS", "UNTRIED")
    parts = [
        "\n".join(head),
        fitted(
            headings,
            [_row(each, now) for each in shown],
            right=(4, 5, 6, 7, 8),
            spare=("UNTRIED", "PACKETS", "WAVE"),
            wide=wide,
        ),
    ]
    if len(shown) < len(found):
        parts.append(f"and {len(found) - len(shown)} more: --all")
    details = [line for each in shown for line in _details(each, now)]
    return "\n\n".join([*parts, *([listed("To be looked at:", details)] if details else [])])


def _row(each: Watched, now: float) -> tuple[str, ...]:
    return (
        each.ipv4,
        each.name or "-",
        short(each.wave, 16),
        each.state,
        ago(each.last_packet, now),
        str(each.packets),
        str(len(each.served)),
        str(len(each.fails)),
        str(each.untried),
    )


def _details(each: Watched, now: float) -> list[str]:
    lines = [f"{each.ipv4} still opens {flow}, {ago(flow.last, now)} ago" for flow in each.still[:FLOWS]]
    lines += [
        f"{each.ipv4} FAILS: {flow}, {flow.unanswered} of {flow.calls} without an answer, "
        f"{ago(flow.last, now)} ago"
        for flow in each.fails[:FLOWS]
    ]
    if each.refused:
        lines.append(f"{each.ipv4} is refused: {', '.join(each.refused)}; `manageout drops` says why")
    return lines
