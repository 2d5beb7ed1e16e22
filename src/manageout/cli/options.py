"""Options of commands, as ``options.toml`` declares them.

Those of commands that read stand in :mod:`manageout.cli.show.options`: such commands start fast, and read no table.
"""

from collections.abc import Callable, Iterator
from functools import reduce, wraps
from inspect import signature
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, TypeVar

import click

from manageout.cli.show import options as common
from manageout.words import toml_of

Value = TypeVar("Value")
Table = dict[str, Any]
Types = dict[str, Callable[[str], Any]]


def reader(read: Callable[[str], Value], wanted: str) -> Callable[[str], Value]:
    """An argument type: what ``read`` makes of the text, or one line says why not."""

    def convert(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            why = ": it has host bits set" if "host bits" in str(error) else ""
            raise click.BadParameter(f"{text!r} is not {wanted}{why}") from None

    return convert


IPV4 = reader(IPv4Address, "an IPv4 address, such as 10.0.0.1")
ADDRESS = reader(ip_address, "an IPv4 or IPv6 address")
PREFIX = reader(IPv6Network, "an IPv6 prefix, such as fd12:3456:789a:1::/64")
_COMMON = {
    "socket": common.socket_option,
    "json": common.json_option,
    "watch": common.watch_option,
    "wide": common.wide_option,
}
_TYPES = {
    "path": common.PATH,
    "file": common.FILE,
    "folder": common.FOLDER,
    "ipv4": IPV4,
    "network": reader(IPv4Network, "an IPv4 network, such as 10.0.1.0/24"),
    "prefix": PREFIX,
    "existing": click.Path(path_type=Path, dir_okay=False, exists=True),
}


def options(name: str, **types: Callable[[str], Any]) -> Callable[[common.Decorated], common.Decorated]:
    """The options of the table ``name``, as one decorator; ``types``: that it names, and only this command has."""
    return common.together(*_of(name, types))


def taking(name: str, make: Callable[..., Any]) -> Callable[[common.Decorated], Callable[..., Any]]:
    """Options that ``make`` takes, as far as a command has them, become its parameter ``name``: what that returns."""
    given = tuple(signature(make).parameters)

    def decorate(command: common.Decorated) -> Callable[..., Any]:
        @wraps(command)
        def with_it(*arguments: Any, **others: Any) -> Any:
            mine = {option: others.pop(option) for option in given if option in others}
            return command(*arguments, **{name: make(**mine)}, **others)

        return with_it

    return decorate


def _of(name: str, types: Types) -> Iterator[Callable[[Any], Any]]:
    table: Table = reduce(dict.__getitem__, name.split("."), toml_of("manageout.cli", "options.toml"))
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
