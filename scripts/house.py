"""The size of the house, measured from the code: what CI's log shows, and what may not get worse.

``python scripts/house.py`` prints the table, ``--check`` fails where a measure is above its bound, and says which.
"""

from __future__ import annotations

import ast
import io
import re
import statistics
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "manageout"
TESTS = ROOT / "tests"
NOTHING_TO_TEST = ("__init__", "__main__", "errors")
"""How modules end that need no test of their own: they hold types and words only."""
_IDLE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
Parts = tuple[str, ...]
"""A module's name below the package."""


class Module(NamedTuple):
    """A module's text, and all nodes of its tree, the root first."""

    text: str
    nodes: tuple[ast.AST, ...]


class Measured(NamedTuple):
    """A count, and what it counts, where that is worth reading."""

    number: float
    which: Sequence[str] = ()


class Row(NamedTuple):
    """A line of the table: nothing may go above ``bound``; ``aim`` is where it shall go."""

    what: str
    measure: Callable[[], Measured]
    bound: float | None
    aim: float | None = None


@cache
def modules() -> dict[Parts, Module]:
    """Each module, by its name below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        nodes = tuple(ast.walk(ast.parse(text)))
        found[path.relative_to(PACKAGE).with_suffix("").parts] = Module(text, nodes)
    return found


def code_lines(module: Module) -> int:
    """Lines that are neither blank, comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in _IDLE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in module.nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                    lines.difference_update(range(each.lineno, (each.end_lineno or each.lineno) + 1))
    return len(lines)


def imports(module: Module) -> Iterator[Parts]:
    """Modules, or names in modules, of this package that a module imports anywhere."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("manageout"):
            for alias in node.names:
                yield (*node.module.split(".")[1:], alias.name)


def modules_used() -> dict[Parts, set[Parts]]:
    """Module -> modules that it imports."""
    known = modules()
    found: dict[Parts, set[Parts]] = {}
    for parts, module in known.items():
        targets = (name if name in known else name[:-1] for name in imports(module))
        found[parts] = {target for target in targets if target in known and target != parts}
    return found


def _dotted(parts: Parts) -> str:
    return ".".join(parts)


def code() -> Measured:
    """Code lines, of each layer and of all."""
    layers: Counter[str] = Counter()
    for parts, module in modules().items():
        layers[parts[0] if len(parts) > 1 else "(root)"] += code_lines(module)
    return Measured(layers.total(), [f"{name} {count:,}" for name, count in sorted(layers.items())])


def data() -> Measured:
    """Lines of data files and templates in the package."""
    kinds: Counter[str] = Counter()
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".o", ".typed"):
            kinds[path.suffix.removeprefix(".")] += len(path.read_text("utf-8").splitlines())
    return Measured(kinds.total(), [f"{kind} {count:,}" for kind, count in sorted(kinds.items())])


def fullest() -> Measured:
    """Modules directly in the fullest folder."""
    folders = Counter("/".join(parts[:-1]) for parts in modules() if parts[-1] != "__init__")
    most = max(folders.values())
    return Measured(most, [name for name, count in folders.items() if count == most])


def longest_file() -> Measured:
    """Lines of the longest file."""
    lines = {_dotted(parts): module.text.count("\n") for parts, module in modules().items()}
    return Measured(max(lines.values()), [max(lines, key=lines.__getitem__)])


def inhabited() -> Measured:
    """``__init__`` files that hold more than a docstring; the version alone is where packagers look for it."""
    found = []
    for parts, module in modules().items():
        root = module.nodes[0]
        assert isinstance(root, ast.Module)
        if parts[-1] == "__init__" and len(root.body) > (1 if parts[:-1] else 2):
            found.append(_dotted(parts[:-1]))
    return Measured(len(found), found)


def import_circles() -> Measured:
    """Whether modules import one another, at whatever distance: the first circle that is found."""
    try:
        TopologicalSorter(modules_used()).prepare()
    except CycleError as error:
        return Measured(1, [" <- ".join(map(_dotted, error.args[1]))])
    return Measured(0)


def untyped() -> Measured:
    """Dictionaries that no type checker sees into."""
    counts = {
        _dotted(parts): len(re.findall(r"dict\[str, (?:Any|object)\]", module.text))
        for parts, module in modules().items()
    }
    most = sorted(counts.items(), key=lambda item: -item[1])[:5]
    return Measured(sum(counts.values()), [f"{name} {count}" for name, count in most])


@cache
def function_lines() -> dict[str, int]:
    """Function -> its lines, docstring included."""
    return {
        f"{_dotted(parts)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for parts, module in modules().items()
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def median() -> Measured:
    """Lines of the median function."""
    return Measured(statistics.median(function_lines().values()))


def p99() -> Measured:
    """Lines of the function that 99 of 100 do not exceed."""
    return Measured(statistics.quantiles(function_lines().values(), n=100)[-1])


def longest_function() -> Measured:
    """Lines of the longest function."""
    lines = function_lines()
    return Measured(max(lines.values()), [max(lines, key=lines.__getitem__)])


def shared_names() -> Measured:
    """Class names in more than one module."""
    homes: dict[str, list[str]] = defaultdict(list)
    for parts, module in modules().items():
        for node in module.nodes:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(_dotted(parts))
    twice = {name: where for name, where in homes.items() if len(set(where)) > 1}
    return Measured(len(twice), [f"{name} ({' '.join(where)})" for name, where in sorted(twice.items())])


def own_tests(parts: Parts) -> list[Path]:
    """Where the test file of a module's own may stand."""
    name = f"test_{parts[-1]}.py"
    return [
        TESTS.joinpath("unit", *parts[:-1], name),
        TESTS.joinpath("system", *parts[:-1], name),
        TESTS.joinpath("transcript", *parts[1:-1], name),
    ]


def tested_elsewhere() -> list[Parts]:
    """Modules without a test file of their own; tests/unit/elsewhere.toml says where theirs are."""
    return [
        parts
        for parts in modules()
        if not _dotted(parts).endswith(NOTHING_TO_TEST)
        and not any(path.exists() for path in own_tests(parts))
    ]


def without_a_test() -> Measured:
    """How many they are."""
    return Measured(len(tested_elsewhere()))


TABLE = [
    Row("code lines", code, 42_830, 38_400),
    Row("lines of data and templates", data, None),
    Row("modules in the fullest folder", fullest, 18, 14),
    Row("lines of the longest file", longest_file, 500, 400),
    Row("packages with more than a docstring", inhabited, 0, 0),
    Row("circles of imports", import_circles, 0, 0),
    Row("dict[str, Any or object]", untyped, 35, 20),
    Row("lines of the median function", median, 7, 6),
    Row("lines of 99 of 100 functions", p99, 34, 30),
    Row("lines of the longest function", longest_function, 50, 45),
    Row("class names in more than one module", shared_names, 1, 1),
    Row("modules without a test file of their own", without_a_test, 48, 30),
]


def main() -> None:
    """Print the table, or what stands above its bound."""
    over = []
    for row in TABLE:
        number, which = row.measure()
        bound, aim = (f"{limit:,}" if limit is not None else "" for limit in (row.bound, row.aim))
        line = f"{row.what:42} {number:>8,g} {bound:>8} {aim:>8}"
        if row.bound is not None and number > row.bound:
            over.append(f"{line}  {', '.join(which)}")
        elif "--check" not in sys.argv:
            print(line if row is not TABLE[0] else f"{'':42} {'now':>8} {'bound':>8} {'aim':>8}\n{line}")
            print(*(f"    {each}" for each in which), sep="\n", end="\n" if which else "")
    if over:
        sys.exit("worse than it may be:\n" + "\n".join(over))


if __name__ == "__main__":
    main()
