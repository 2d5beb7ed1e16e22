"""How reading commands print: a table for people, ``--json`` for machines, ``--watch`` for both."""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from manageout.cli.show.options import json_option, socket_option, together, watch_option
from manageout.service.process import client
from manageout.words import printable as printable

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
"""Of severities."""


def reading(command: Callable[..., str], ask_for: str, *more: Callable[[Any], Any]) -> Callable[..., None]:
    """The body of a reading command: ask, then print ``command(answer)`` or JSON, once or repeatedly.

    ``more``: options that ``command`` takes.
    """

    def body(runtime_dir: Path, as_json: bool, watch: float | None, **others: bool) -> None:
        def text() -> str:
            answer = client.ask(runtime_dir / "control.sock", ask_for)
            return json.dumps(answer) if as_json else command(answer, **others)

        repeated(text, as_json, watch)

    body.__doc__ = command.__doc__
    return together(socket_option, json_option, watch_option, *more)(body)


def repeated(text: Callable[[], str], as_json: bool, watch: float | None) -> None:
    """Print what ``text`` returns; every ``watch`` seconds, if that is not None, on a cleared screen but for JSON."""
    if watch is None:
        click.echo(text())
        return
    clear = "" if as_json or not sys.stdout.isatty() else "\x1b[H\x1b[2J"
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            click.echo(clear + text())
            sys.stdout.flush()
            time.sleep(watch)


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


def traffic(packets: int, octets: int) -> str:
    """ "packets / bytes" of one direction."""
    return f"{packets} / {size(octets)}"
