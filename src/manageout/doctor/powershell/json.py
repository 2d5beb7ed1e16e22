"""``ConvertTo-Json`` in a pasted text -> records. Enumerations are numbers there; CIM's are given their words."""

import json
from collections.abc import Sequence
from typing import Any

from manageout.doctor.powershell.records import MAX_PROPERTIES, MAX_RECORDS, PrintedObject
from manageout.doctor.powershell.shapes import DATA
from manageout.doctor.powershell.value import MAX_ITEMS, PrintedValue

MAX_TEXT = 4096
"""Characters of a value."""


def records(lines: Sequence[str]) -> list[PrintedObject]:
    """The objects of the first JSON text in ``lines``; empty when there is none, or it is not whole."""
    start = next((number for number, line in enumerate(lines) if line.lstrip()[:1] in ("{", "[")), None)
    if start is None:
        return []
    text = "\n".join(lines[start:]).strip()
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else [found]
    return [_record(one) for one in listed[:MAX_RECORDS] if isinstance(one, dict) and one]


def _record(found: dict[str, Any]) -> PrintedObject:
    values = {}
    for name, value in list(found.items())[:MAX_PROPERTIES]:
        words = DATA["enumerations"].get(name, {})
        if isinstance(value, int) and not isinstance(value, bool) and words.get("beside", name) in found:
            value = words.get(str(value), value)
        values[name] = _value(value)
    return PrintedObject(
        values, ", ".join(f"{name} {value.text}" for name, value in list(values.items())[:3])
    )


def _value(value: Any) -> PrintedValue:
    if isinstance(value, dict) and isinstance(value.get("value"), list):  # of Windows PowerShell 5.1
        value = value["value"]
    if isinstance(value, list):
        items = tuple(_text(one) for one in value[:MAX_ITEMS])
        return PrintedValue(f"{{{', '.join(items)}}}"[:MAX_TEXT], items, len(value) > MAX_ITEMS)
    return PrintedValue(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    return "" if value is None else str(value).replace("\n", " ")[:MAX_TEXT]
