"""How reading commands print: a table for people, ``--json`` for machines, ``--watch`` for both.

The table is drawn here in a few lines rather than by rich, which would double the time of a command.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from manageout.service.process import client
from manageout.words import printable as printable

Rows = Sequence[Sequence[str]]


def reading(command: Callable[[Any], str], ask_for: str) -> Callable[..., None]:
    """The body of a reading command: ask, then print ``command(answer)`` or JSON, once or repeatedly."""

    def body(runtime_dir: Path, as_json: bool, watch: float | None) -> None:
        repeated(lambda: client.ask(runtime_dir / "control.sock", ask_for), command, as_json, watch)

    body.__doc__ = command.__doc__
    return runtime_dir_option(watching_options(body))


def repeated(
    read: Callable[[], Any], command: Callable[[Any], str], as_json: bool, watch: float | None
) -> None:
    """Print what ``read`` returns, as JSON or by ``command``; every ``watch`` seconds, if that is not None."""

    def show(clear: bool) -> None:
        answer = read()
        text = json.dumps(answer) if as_json else command(answer)
        click.echo("\x1b[H\x1b[2J" + text if clear else text)

    if watch is None:
        show(clear=False)
        return
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            show(clear=not as_json and sys.stdout.isatty())
            sys.stdout.flush()
            time.sleep(watch)


def watching_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--json`` and ``--watch``."""
    json_option = click.option(
        "--json", "as_json", is_flag=True, help="Machine-readable, stable; times are Unix seconds."
    )
    watch_option = click.option(
        "--watch",
        type=click.FloatRange(min=0.1),
        is_flag=False,
        flag_value=2.0,
        metavar="[SECONDS]",
        help="Repeat, every two seconds unless told; with --json one line each time.",
    )
    return json_option(watch_option(function))


def runtime_dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--runtime-dir``: where the control socket is."""
    return click.option(
        "--runtime-dir",
        type=click.Path(path_type=Path),
        default=client.DEFAULT_RUNTIME_DIR,
        show_default=True,
        envvar="MANAGEOUT_RUNTIME_DIR",
        help="Directory of the daemon's control socket.",
    )(function)


def table(headings: Sequence[str], rows: Rows, right: Sequence[int] = ()) -> str:
    """Columns padded to their widest cell; those numbered in ``right`` flush right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([click.style(line(headings), bold=True), *map(line, rows)])


def ago(moment: float | None, now: float | None = None) -> str:
    """Unix seconds -> "12 s", "5 min", "3 h", "8 d" ago, or "-"."""
    if not moment:
        return "-"
    return duration(max(0.0, (time.time() if now is None else now) - moment))


def duration(seconds: float) -> str:
    """A length of time in its largest sensible unit."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 86400)} d"


def moment(seconds: float | None) -> str:
    """Unix seconds -> local date and time, or "-"."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else "-"


def size(count: int) -> str:
    """Bytes for people: "999", "1.2k", "34M"."""
    value = float(count)
    for unit in ("", "k", "M", "G", "T"):
        if value < 1000:
            return f"{value:.1f}{unit}" if unit and value < 10 else f"{value:.0f}{unit}"
        value /= 1000
    return f"{value:.0f}P"


def traffic(row: dict[str, Any], direction: str) -> str:
    """ "packets / bytes" of one direction ("rx" or "tx") of a row."""
    return f"{row.get(direction + '_packets', 0)} / {size(row.get(direction + '_bytes', 0))}"
