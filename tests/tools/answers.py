"""Whether an answer of the control socket is as docs/reference/control.schema.json says: no field more, none less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/control.schema.json").read_text())
_KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def faults(command: str, answer: object) -> list[str]:
    """What is wrong with the answer to ``command``, each with its place."""
    return list(_faults(SCHEMA["properties"][command], answer, command))


def _faults(schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all(list(_faults(each, value, place)) for each in schema["anyOf"]):
            yield f"{place}: {value!r}"
    elif "enum" in schema:
        if value not in schema["enum"]:
            yield f"{place}: {value!r}"
    elif not isinstance(value, _KINDS[schema["type"]]) or (
        isinstance(value, bool) and schema["type"] != "boolean"
    ):
        yield f"{place}: {value!r} is no {schema['type']}"
    elif schema["type"] == "array":
        for number, each in enumerate(value):
            yield from _faults(schema["items"], each, f"{place}[{number}]")
    elif "properties" in schema:
        yield from (f"{place}: no {name}" for name in schema["required"] if name not in value)
        for name, each in value.items():
            if name in schema["properties"]:
                yield from _faults(schema["properties"][name], each, f"{place}.{name}")
            else:
                yield f"{place}: {name} is not in the schema"
    elif "additionalProperties" in schema:
        for name, each in value.items():
            yield from _faults(schema["additionalProperties"], each, f"{place}.{name}")
