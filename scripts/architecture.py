"""The pictures of docs/reference/architecture.md, drawn from the code: layers, features, states.

``python scripts/architecture.py`` renews them, ``--check`` fails when the page is old.
Only what stands between ``<!-- name -->`` and ``<!-- end -->`` is drawn; the text around is written by hand.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable

from house import PACKAGE, ROOT, Parts, modules_used

PAGE = ROOT / "docs" / "reference" / "architecture.md"


def place(parts: Parts) -> str:
    """The room of a module: ``layer/feature``, or its layer."""
    return "/".join(parts[:-1][:2]) or "(root)"


def rooms() -> dict[str, set[str]]:
    """Room -> rooms that it imports from."""
    found: dict[str, set[str]] = {}
    for parts, targets in modules_used().items():
        if parts[-1] != "__init__":
            found.setdefault(place(parts), set()).update(place(each) for each in targets)
    return {room: uses - {room} for room, uses in found.items()}


def layers() -> str:
    """Layers as the contract has them, the highest first, with their features."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rows = next(each["layers"] for each in contracts if each["type"] == "layers")
    known = rooms()
    drawn = []
    for row in rows:
        names = [name.strip() for name in re.split("[:|]", row) if not name.strip().startswith("(")]
        cells = []
        for name in names:
            inside = [room.partition("/")[2] for room in known if room.startswith(f"{name}/")]
            cells.append(f"{name}: {' '.join(inside)}" if inside else name)
        drawn.append("  |  ".join(cells))
    return "```\n" + "\n        v\n".join(drawn) + "\n```"


def said(room: str) -> str:
    """The first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) or ""
    return text.partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".").replace("``", "`")


def features() -> str:
    """Each room: what it is for, and what it uses."""
    lines = ["| room | is for | in its layer it uses | below |", "|---|---|---|---|"]
    for room, uses in sorted(rooms().items()):
        if room == "(root)":
            continue
        layer = room.partition("/")[0]
        beside = sorted(each.partition("/")[2] or each for each in uses if each.partition("/")[0] == layer)
        below = sorted(each for each in uses if each.partition("/")[0] != layer and each != "(root)")
        lines.append(f"| `{room}` | {said(room)} | {' '.join(beside)} | {' '.join(below)} |")
    return "\n".join(lines)


def _states(table: dict[tuple[str, str], str]) -> str:
    def word(state: str) -> str:
        return state.replace(" ", "_")

    rows = [f"    {word(before)} --> {word(after)} : {what}" for (before, what), after in table.items()]
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(rows) + "\n```"


def client_states() -> str:
    """The states of an IP-HTTPS client."""
    from manageout.protocol.iphttps.states import TRANSITIONS

    return _states({(a.value, what.value): b.value for (a, what), b in TRANSITIONS.items()})


def retirement() -> str:
    """The phases of a retirement."""
    from manageout.service.state.retire_phases import RetireStep
    from manageout.words import toml_of

    phases = toml_of("manageout.service.state", "phases.toml").items()
    ways = {(here, step.value): about[step] for here, about in phases for step in RetireStep if step in about}
    return _states({way: there for way, there in ways.items() if way[0] != there})


DRAWN: dict[str, Callable[[], str]] = {
    "layers": layers,
    "features": features,
    "client states": client_states,
    "retirement": retirement,
}


def drawn(page: str) -> str:
    """The page with every picture new."""
    for name, draw in DRAWN.items():
        begin, end = f"<!-- {name} -->\n", "\n<!-- end -->"
        start = page.index(begin) + len(begin)
        page = page[:start] + draw() + page[page.index(end, start - 1) :]
    return page


if __name__ == "__main__":
    old = PAGE.read_text()
    new = drawn(old)
    if "--check" not in sys.argv:
        PAGE.write_text(new)
    elif new != old:
        sys.exit(f"{PAGE.relative_to(ROOT)} is old: python scripts/architecture.py renews it")
