"""`manageout doctor reach` on a node of the lab, and what the tests change around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from manageout.lab import network
from tests.tools.commands import MANAGEOUT


def reach(node: str, *arguments: str) -> dict[str, Any]:
    """What it says as JSON; its exit code is as its findings are."""
    argv = [*MANAGEOUT, "doctor", "reach", "--json", *arguments]
    result = network.run(node, argv, check=False)
    assert result.returncode in (0, 1) and "Traceback" not in result.stderr, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.returncode == bool(found["findings"])
    return found


def codes(node: str, *arguments: str) -> list[str]:
    """The findings about helpdesk and laptop, unless others are named."""
    pair = () if len(arguments) > 1 and not arguments[0].startswith("-") else ("helpdesk", "laptop")
    found = reach(node, *pair, *arguments)
    return [finding["code"].removeprefix("REACH-") for finding in found["findings"]]


@contextmanager
def resolver(node: str, address: object) -> Iterator[None]:
    file = network.ETC / network.namespace(node) / "resolv.conf"
    text = file.read_text()
    file.write_text(f"nameserver {address}\nsearch corp.example\n")
    try:
        yield
    finally:
        file.write_text(text)


def hops(found: dict[str, Any], verdict: str) -> set[tuple[str, str]]:
    return {(hop["way"], hop["what"]) for hop in found["hops"] if hop["verdict"] == verdict}
