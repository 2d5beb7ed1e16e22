"""The reference of the site file, from the models and the texts under their fields: never out of date."""

import ast
import inspect
from collections.abc import Iterator
from ipaddress import IPv6Network
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from manageout.site.tables.complaints import models, texts
from manageout.site.tables.site import Site
from manageout.wire.address import written


def reference_text() -> str:
    """Markdown: one table of options for each table of the file."""
    parts = [
        "# The site file",
        "",
        "One TOML file for one site, read by `manageout run`, `plan` and `check`. A `[gateway]` table makes the",
        "machine a gateway, an `[isatap]` table makes it an ISATAP router; it can be both. Only options without",
        "a default must be given. This page is printed by `manageout check --reference`.",
    ]
    for model in _tables(Site):
        parts += ["", *_table(model)]
    return "\n".join(parts) + "\n"


def _tables(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The tables below a table, each before those within it."""
    for field in model.model_fields.values():
        for inner in models(field.annotation):
            yield inner
            yield from _tables(inner)


def _table(model: type[BaseModel]) -> Iterator[str]:
    heading, _, rest = (model.__doc__ or "").replace("``", "`").partition(": ")
    yield f"## {heading}"
    yield ""
    yield rest[:1].upper() + rest[1:]
    yield ""
    yield "| option | value | default | |"
    yield "|---|---|---|---|"
    texts = _field_texts(model)
    for key, field in model.model_fields.items():
        if not models(field.annotation):
            text = texts.get(key, "").replace("``", "`").replace("|", "\\|")
            yield f"| `{field.alias or key}` | {_value(field)} | {_default(field)} | {text} |"


def _value(field: FieldInfo) -> str:
    words = _words(field.annotation)
    limits = {type(item).__name__.lower(): item for item in field.metadata}
    low, above, high = (getattr(limits.get(key), key, None) for key in ("ge", "gt", "le"))
    if low is not None and high is not None:
        return f"{words}, {low} to {high}"
    if low is not None:
        return f"{words}, at least {low}"
    return f"{words}, more than {above:g}" if above is not None else words


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"table of {_words(arguments[0])} = {_words(arguments[1])}"
    if origin in (UnionType, Union):
        kinds = (
            choice for choice in arguments if choice is not NoneType and get_origin(choice) is not Literal
        )
        return " or ".join(map(_words, kinds))
    if origin is not None:
        return _words(arguments[0])
    return str(texts()["kinds"][annotation.__name__])


def _written(item: object) -> str:
    return written(item) if isinstance(item, IPv6Network) else str(item)


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.default_factory is dict:
        return "`{}`"
    if default is PydanticUndefined:
        return "**required**"
    if default is None or default == "":
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return "`[" + ", ".join(f'"{_written(item)}"' for item in default) + "]`"
    if isinstance(default, str | Path):
        return f'`"{default}"`'
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the string literal under it."""
    (table,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(table, ast.ClassDef)
    found = {}
    for field, text in pairwise(table.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split())
    return found
