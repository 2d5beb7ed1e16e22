"""Packets and values from the specifications, each cross-checked with another implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_VECTORS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("vectors.json").read_text(encoding="utf-8")
)


def vector(name: str) -> bytes:
    """The bytes called ``name``."""
    return bytes.fromhex(_VECTORS[name]["hex"])


def note(name: str) -> str:
    """What is said about it."""
    return _VECTORS[name]["note"]


def value(name: str) -> Any:
    """The JSON value called ``name``."""
    return json.loads(_VECTORS[name]["hex"])


def names(prefix: str = "") -> list[str]:
    """Of every vector that begins with ``prefix``."""
    return [name for name in _VECTORS if name.startswith(prefix)]
