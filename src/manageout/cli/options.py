"""Options of commands, as ``options.toml`` declares them.

Those of commands that read stand in :mod:`manageout.cli.show.options`: such commands start fast, and read no table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from functools import cache, reduce, wraps
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from manageout.cli.show import options as common

Table = dict[str, Any]
Types = dict[str, Callable[[str], Any]]
_COMMON = {
    "config": common.config_option,
    "socket": common.socket_option,
    "json": common.json_option,
    "watch": common.watch_option,
    "wide": common.wide_option,
}
_TYPES = {
    "path": common.PATH,
    "file": common.FILE,
    "folder": common.FOLDER,
    "existing": click.Path(path_type=Path, dir_okay=False, exists=True),
}


def options(name: str, **types: Callable[[str], Any]) -> Callable[[common.Decorated], common.Decorated]:
    """The options of the table ``name``, as one decorator; ``types``: that it names, and only this command has."""
    return common.together(*_of(name, types))


def taking(
    name: str, make: Callable[..., Any], *given: str
) -> Callable[[common.Decorated], Callable[..., Any]]:
    """What ``make`` returns for these options, as far as a command has them, is its parameter ``name`` instead."""

    def decorate(command: common.Decorated) -> Callable[..., Any]:
        @wraps(command)
        def with_it(*arguments: Any, **others: Any) -> Any:
            mine = {option: others.pop(option) for option in given if option in others}
            return command(*arguments, **{name: make(**mine)}, **others)

        return with_it

    return decorate


@cache
def _tables() -> Table:
    return tomllib.loads(files("manageout.cli").joinpath("options.toml").read_text("utf-8"))


def _of(name: str, types: Types) -> Iterator[Callable[[Any], Any]]:
    table: Table = reduce(dict.__getitem__, name.split("."), _tables())
    for words, entry in table.items():
        if entry == "shared":
            yield from [_COMMON[words]] if words in _COMMON else _of(f"shared.{words}", types)
        elif isinstance(entry, str):
            yield click.option(*words.split(), is_flag=True, help=entry)
        else:
            yield click.option(*words.split(), **_attributes(dict(entry), types))


def _attributes(entry: Table, types: Types) -> Table:
    if "range" in entry:
        limits = entry.pop("range")
        whole = all(isinstance(number, int) for number in (*limits, entry.get("default")))
        entry["type"] = (click.IntRange if whole else click.FloatRange)(*limits)
    elif "choices" in entry:
        entry["type"] = click.Choice(entry.pop("choices"))
    elif "type" in entry:
        entry["type"] = (_TYPES | types)[entry["type"]]
    return entry
