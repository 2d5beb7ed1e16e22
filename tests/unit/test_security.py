"""SECURITY.md: each threat that it says is defended names tests, and these exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str]]:
    """(threat, last column) of every row of the tables."""
    found = []
    for line in (ROOT / "SECURITY.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and set(line) - set("|- ") and cells[0] != "threat":
            found.append((cells[0], cells[-1]))
    return found


@cache
def named_in(file: str) -> frozenset[str]:
    """The names of the tests in a file below ``tests``."""
    tree = ast.parse((ROOT / "tests" / file).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_there_are_claims() -> None:
    assert len(rows()) >= 20


@pytest.mark.parametrize(("threat", "tests"), rows(), ids=[threat[:50] for threat, _ in rows()])
def test_every_claim_names_its_tests(threat: str, tests: str) -> None:
    named = _NAMED.findall(tests)
    assert named, f"no test is named beside: {threat}"
    assert not _NAMED.sub("", tests).strip(" ,·"), "the last column holds tests only"
    missing = [f"{file}::{name}" for file, name in named if name not in named_in(file)]
    assert not missing
