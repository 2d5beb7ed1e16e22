"""The pictures of docs/reference/architecture.md, drawn from the code: layers, features, states.

``python scripts/architecture.py`` renews them, ``--check`` fails when the page is old; ``--count`` counts code lines.
Only what stands between ``<!-- name -->`` and ``<!-- end -->`` is drawn; the text around is written by hand.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "manageout"
PAGE = ROOT / "docs" / "reference" / "architecture.md"
_IDLE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def code_lines(text: str) -> int:
    """Lines that are neither blank, comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _IDLE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                    lines.difference_update(range(each.lineno, (each.end_lineno or each.lineno) + 1))
    return len(lines)


def sources() -> Iterator[tuple[tuple[str, ...], str]]:
    """Each module's name, as parts below the package, and its text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").parts, path.read_text()


def place(parts: tuple[str, ...]) -> str:
    """The room of a module: ``layer/feature``, or its layer."""
    return "/".join(parts[:-1][:2]) or "(root)"


def imports(text: str) -> Iterator[tuple[str, ...]]:
    """Modules, or names in modules, of this package that a module imports anywhere."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("manageout."):
            for alias in node.names:
                yield (*node.module.split(".")[1:], alias.name)


def modules() -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Module -> modules of this package that it imports."""
    every = {parts for parts, _ in sources()}
    return {
        parts: {name if name in every else name[:-1] for name in imports(text)} & every
        for parts, text in sources()
        if parts[-1] != "__init__"
    }


def rooms() -> dict[str, set[str]]:
    """Room -> rooms that it imports from."""
    found: dict[str, set[str]] = {}
    for parts, used in modules().items():
        found.setdefault(place(parts), set()).update({place(name) for name in used} - {place(parts)})
    return found


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


def counted() -> str:
    """Code lines of each layer and of all, and the fullest folder, for the log."""
    layers: dict[str, int] = {}
    folders: dict[str, int] = {}
    for parts, text in sources():
        layer, folder = parts[0] if len(parts) > 1 else "(root)", "/".join(parts[:-1])
        layers[layer] = layers.get(layer, 0) + code_lines(text)
        if parts[-1] != "__init__":
            folders[folder] = folders.get(folder, 0) + 1
    fullest = max(folders, key=folders.__getitem__)
    each = ", ".join(f"{name} {count:,}" for name, count in sorted(layers.items()))
    return (
        f"code lines: {sum(layers.values()):,} ({each}); fullest folder: {fullest}, {folders[fullest]} files"
    )


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
    from manageout.service.state.retire_phases import NEXT

    return _states({(a.value, what.value): b.value for (a, what), b in NEXT.items() if a is not b})


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
    if "--count" in sys.argv:
        print(counted())
    elif "--check" not in sys.argv:
        PAGE.write_text(new)
    elif new != old:
        sys.exit(f"{PAGE.relative_to(ROOT)} is old: python scripts/architecture.py renews it")
