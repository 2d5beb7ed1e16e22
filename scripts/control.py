"""docs/reference/control.md and control.schema.json: the control socket, from ``service/process/rows.py``.

``python scripts/control.py`` renews them, ``--check`` fails when they are old.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from manageout.service.process import rows

ROOT = Path(__file__).parents[1]
PAGE, SCHEMA = ROOT / "docs/reference/control.md", ROOT / "docs/reference/control.schema.json"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
_HEAD = """# The control socket

A process of Manageout (`manageout run`, `connect`, `join`) answers on the Unix socket `control.sock` in its runtime
directory: one JSON line `{"command": NAME}` there, one line `{"result": ...}` back, or `{"error": ..., "hint": ...}`.
Every command only reads. `manageout NAME --json` prints a result as it is. Times are Unix seconds.

A later version may add fields; none changes its meaning or goes without a word in the changelog. The same for programs:
[control.schema.json](control.schema.json), whose `properties` are the commands. This page is made by
`scripts/control.py`.
"""


def said(text: str | None) -> str:
    """The words of a docstring, for Markdown and for JSON."""
    return " ".join((text or "").replace("``", "`").split())


def texts() -> dict[str, dict[str, str]]:
    """Class -> field -> what is said below it, also of inherited ones."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(rows)).body:
        if isinstance(node, ast.ClassDef):
            told = found[node.name] = {}
            for base in node.bases:
                told |= found.get(ast.unparse(base), {})
            for field, after in pairwise([*node.body, None]):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    told[ast.unparse(field.target)] = said(ast.literal_eval(after.value))
    return found


TEXTS = texts()


class Schema:
    """A JSON Schema that grows by the types that it meets."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of one type."""
        origin, arguments = get_origin(hint), get_args(hint)
        if is_typeddict(hint):
            return self._object(hint)
        if origin is NotRequired:
            return self.of(arguments[0])
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin in (dict, Mapping):
            recursive = "ForwardRef" in repr(arguments[1])  # Json, which is anything
            return {"type": "object"} | ({} if recursive else {"additionalProperties": self.of(arguments[1])})
        if origin is UnionType:
            return {"anyOf": [self.of(each) for each in arguments]}
        return {"type": _PLAIN[hint]}

    def _object(self, kind: Any) -> dict[str, Any]:
        if kind.__name__ not in self.definitions:
            hints = get_type_hints(kind, include_extras=True)
            self.definitions[kind.__name__] = {}
            properties = {name: self.of(hint) for name, hint in hints.items()}
            for name, schema in properties.items():
                if words := TEXTS.get(kind.__name__, {}).get(name):
                    schema["description"] = words
            self.definitions[kind.__name__] = {
                "description": said(kind.__doc__),
                "type": "object",
                "properties": properties,
                "required": sorted(name for name, hint in hints.items() if _required(kind, name, hint)),
            }
        return {"$ref": f"#/$defs/{kind.__name__}"}


def _required(kind: Any, name: str, hint: Any) -> bool:
    return name in kind.__required_keys__ and get_origin(hint) is not NotRequired


def drawn() -> tuple[str, str]:
    """Page and schema."""
    schema = Schema()
    commands = {command: schema.of(hint) for command, hint in rows.ANSWERS.items()}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Answers of Manageout's control socket, by command",
        "type": "object",
        "properties": commands,
        "$defs": schema.definitions,
    }
    page = [_HEAD, "| command | answer |", "|---|---|"]
    page += [f"| `{command}` | {_link(answer)} |" for command, answer in commands.items()]
    for name, definition in schema.definitions.items():
        page += ["", f"## {name}", "", definition["description"], "", "| field | type | |", "|---|---|---|"]
        page += list(_rows(definition))
    return "\n".join(page) + "\n", json.dumps(whole, indent=1) + "\n"


def _rows(definition: Mapping[str, Any]) -> Iterator[str]:
    for field, schema in definition["properties"].items():
        optional = "" if field in definition["required"] else ", may be absent"
        yield f"| `{field}` | {_link(schema)}{optional} | {schema.get('description', '')} |"


def _link(schema: Mapping[str, Any]) -> str:
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "array":
        return f"list of {_link(schema['items'])}"
    if "additionalProperties" in schema:
        return f"{_link(schema['additionalProperties'])} by name"
    options: Sequence[Mapping[str, Any]] = schema.get("anyOf", ())
    words = [_link(each) for each in options] or [f"`{each}`" for each in schema.get("enum", ())]
    return " or ".join(words) or str(schema.get("type", "any"))


if __name__ == "__main__":
    page, schema = drawn()
    if "--check" not in sys.argv:
        PAGE.write_text(page)
        SCHEMA.write_text(schema)
    elif (PAGE.read_text(), SCHEMA.read_text()) != (page, schema):
        sys.exit("docs/reference/control.* are old: python scripts/control.py renews them")
