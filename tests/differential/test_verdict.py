"""The numbers that C and Python share."""

from __future__ import annotations

import re
from pathlib import Path

from manageout.linux.bpf import fast_path
from manageout.linux.bpf import isatap as isatap_bpf
from manageout.protocol.core.drops import Drop
from manageout.protocol.isatap.link import LinkRole

LIB = Path(__file__).parents[2] / "bpf" / "lib"


def enum(file: str, name: str) -> dict[str, int]:
    """The members of a C enum."""
    body = re.search(rf"enum {name} {{(.*?)}};", (LIB / file).read_text(), re.DOTALL)
    assert body is not None
    return {key: int(number) for key, number in re.findall(r"(\w+) = (-?\d+)", body[1])}


def define(file: str, name: str) -> int:
    found = re.search(rf"#define {name} (\d+)", (LIB / file).read_text())
    assert found is not None
    return int(found[1])


def test_drop_reasons() -> None:
    shared = enum("verdict.h", "drop")
    assert shared.pop("DROP_REASONS") == fast_path.SHARED_REASONS
    assert shared == {drop.name: drop for drop in Drop if drop < fast_path.SHARED_REASONS}


def test_every_reason_has_a_meaning() -> None:
    assert all(drop.meaning for drop in Drop)


def test_roles_and_direct() -> None:
    assert enum("isatap_maps.h", "role") == {role.name: role for role in LinkRole}
    assert enum("direct.h", "direct") == {f"DIRECT_{direct.name}": direct for direct in fast_path.Direct}


def test_sizes_of_tables() -> None:
    for name in ("MAX_LOCATORS", "MAX_PREFIXES", "MAX_UNDERLAYS"):
        assert define("isatap_maps.h", name) == getattr(isatap_bpf, name)
