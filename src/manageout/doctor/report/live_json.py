"""Live facts <-> JSON. What is read was written by anybody: every value is checked against its type."""

import json
import math
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from manageout.doctor.facts import Facts
from manageout.doctor.read.text import printable
from manageout.errors import ManageoutError
from manageout.service.probe.results import Live

VERSION = 1
FILE = "live.json"
"""Its name in an archive."""
MAX_ITEMS = 20_000
"""Of one list."""
MAX_TEXT = 4096
"""Characters of one value; longer ones are cut."""


def to_json(live: Live) -> str:
    """As a file of its own."""
    return json.dumps({"manageout-live": VERSION, "live": _plain(live)}, indent=1)


def is_live(text: str) -> bool:
    """Whether ``text`` claims to be such a file."""
    return text.lstrip()[:40].startswith("{") and '"manageout-live"' in text[:200]


def read(facts: Facts, text: str) -> None:
    """Put what a file says into ``facts``. Raises :class:`ManageoutError` for what is no such file."""
    try:
        data = json.loads(text)
        if data["manageout-live"] != VERSION:
            raise ManageoutError(f"{facts.source}: version {data['manageout-live']!r}", "update manageout")
        live = _typed(Live, data["live"])
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "save it again: manageout doctor --save FILE"
        raise ManageoutError(f"{facts.source}: not whole, or not from the doctor", hint) from None
    assert isinstance(live, Live)
    facts.live, facts.computer, facts.understood = live, live.host, True


def _plain(value: object) -> object:
    """NamedTuples as objects, other tuples as lists."""
    if not isinstance(value, tuple):
        return value
    items = [_plain(item) for item in value]
    fields = getattr(value, "_fields", None)
    return items if fields is None else dict(zip(fields, items, strict=True))


def _typed(kind: Any, value: Any) -> object:
    """``value`` as ``kind``; raises TypeError or ValueError when it is none."""
    if kind in (str, int, float, bool):
        return _scalar(kind, value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value in arguments:
            return value
        raise ValueError(f"{value!r} is none of {arguments}")
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        return _tuple(arguments, value)
    if not isinstance(value, dict):
        raise TypeError(f"{kind.__name__} is no object")
    hints = get_type_hints(kind)
    # A newer version may say more, an older one less: fields without a default must be there.
    found = {name: _typed(hints[name], item) for name, item in value.items() if name in kind._fields}
    return kind(**found)


def _scalar(kind: type, value: Any) -> object:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return printable(value[:MAX_TEXT]) if isinstance(value, str) else value


def _tuple(arguments: tuple[Any, ...], value: Any) -> tuple[object, ...]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise TypeError("not a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_typed(arguments[0], item) for item in value)
    return tuple(_typed(kind, item) for kind, item in zip(arguments, value, strict=True))
