"""The reference of the site file, from the models and the texts under their fields: never out of date."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from ipaddress import IPv6Network
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from manageout.site.tables import names as config_names
from manageout.site.tables import rollout as config_rollout
from manageout.site.tables import site as config
from manageout.site.tables import translation as config_translation
from manageout.wire.address import written

_TABLES = (
    config.SiteTable,
    config.GatewayTable,
    config.IpHttpsTable,
    config.IsatapTable,
    config.IsatapRouteTable,
    config_translation.TranslationTable,
    config_translation.EamTable,
    config_names.Dns64Table,
    config_names.Dns64PrefixTable,
    config_names.NamesTable,
    config_translation.PolicyTable,
    config_translation.ManagerTable,
    config_rollout.RolloutTable,
    config.DaemonTable,
)
_NAMES = {
    "IPv4Address": "IPv4 address",
    "IPv6Address": "IPv6 address",
    "IPv4Network": "IPv4 prefix",
    "IPv6Network": "IPv6 prefix",
    "str": "text",
    "Path": "file name",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
}


def reference_text() -> str:
    """Markdown: one table of options for each table of the file."""
    texts = _field_texts()
    parts = [
        "# The site file",
        "",
        "One TOML file for one site, read by `manageout run`, `plan` and `check`. A `[gateway]` table makes the",
        "machine a gateway, an `[isatap]` table makes it an ISATAP router; it can be both. Only options without",
        "a default must be given. This page is printed by `manageout check --reference`.",
    ]
    for model in _TABLES:
        parts += ["", *_table(model, texts)]
    return "\n".join(parts) + "\n"


def _table(model: type[BaseModel], texts: dict[tuple[str, str], str]) -> Iterator[str]:
    heading, _, rest = (model.__doc__ or "").replace("``", "`").partition(": ")
    yield f"## {heading}"
    yield ""
    yield rest[:1].upper() + rest[1:]
    yield ""
    yield "| option | value | default | |"
    yield "|---|---|---|---|"
    for key, field in model.model_fields.items():
        name = field.alias or key
        if not _models(field.annotation):
            text = (
                " ".join(texts.get((model.__name__, key), "").split()).replace("``", "`").replace("|", "\\|")
            )
            yield f"| `{name}` | {_value(field)} | {_default(field)} | {text} |"


def _models(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_models(argument) for argument in get_args(annotation))


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
    return _NAMES[annotation.__name__]


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
    if isinstance(default, dict):
        return "`{}`"
    if isinstance(default, str | Path):
        return f'`"{default}"`'
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _field_texts() -> dict[tuple[str, str], str]:
    """(class, field) -> the string literal under the field."""
    found = {}
    sources = map(inspect.getsource, (config, config_translation, config_names, config_rollout))
    for item in chain.from_iterable(ast.parse(source).body for source in sources):
        if not isinstance(item, ast.ClassDef):
            continue
        for field, text in zip(item.body, item.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[item.name, field.target.id] = str(text.value.value)
    return found
