"""``python -m tests.bench.beside CHECKOUT [--rounds N] NAME...``: the same benchmarks in this tree and in another.

The two builds take turns, so whatever else the machine does is spread over both. A figure that is a ratio to a
peer of its own run is compared as that ratio, any other by itself; above 1 this tree is better.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench.report import TARGETS, machine, say

HERE = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Print a Markdown table; 1 when a build could not measure."""
    parser = argparse.ArgumentParser(prog="tests.bench.beside")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="+")
    given = parser.parse_args(arguments)
    found: dict[str, dict[Path, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(given.rounds):
        for tree in (given.checkout.resolve(), HERE):
            say(f"round {number + 1} of {given.rounds}: {tree}")
            for result in _measure(tree, given.names):
                figure = result["value"] if result["ratio"] is None else result["ratio"]
                found[result["name"]][tree].append(figure)
    print(f"\n{machine()}\n\n| name | the other build | this build | this / other |\n|---|---|---|---|")
    for name in given.names:
        other, this = (found[name][tree] for tree in (given.checkout.resolve(), HERE))
        if not other or not this:
            print(f"| {name} | {_all(other)} | {_all(this)} | not measured |")
            continue
        ratio = statistics.median(this) / statistics.median(other)
        if (target := TARGETS.get(name)) and target.smaller:
            ratio = 1 / ratio
        print(f"| {name} | {_all(other)} | {_all(this)} | {ratio:.2f} |")
    return 0 if all(len(found[name]) == 2 for name in given.names) else 1


def _measure(tree: Path, names: list[str]) -> list[dict[str, Any]]:
    output = tree / "build" / "bench.json"
    output.unlink(missing_ok=True)
    command = [str(tree / ".venv" / "bin" / "python"), "-m", "tests.bench", *names]
    subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, check=False)
    return list(json.loads(output.read_text())) if output.exists() else []


def _all(figures: list[float]) -> str:
    if not figures:
        return "-"
    return f"{statistics.median(figures):,.3g} ({', '.join(f'{figure:,.3g}' for figure in figures)})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
