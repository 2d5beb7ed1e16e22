"""``python -m tests.bench [NAME...]``: measure, print a table, write ``build/bench.json``.

Each module runs in a process and namespaces of its own (``scripts/private``): fixed names (namespaces,
sockets, the lab) never meet those of the machine, and what an interrupted module leaves behind ends with it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.bench.report import Result, machine, save, say, table, verdict

MODULES = (
    "isatap_forwarding",
    "isatap_scale",
    "isatap_rs",
    "isatap_memory",
    "xlat",
    "dns64",
    "iphttps",
    "iphttps_flood",
    "iphttps_return",
    "rejudge",
    "outages",
    "leases",
    "cli",
    "doctor_paste",
)
OUTPUT = Path("build/bench.json")
PRIVATE = Path(__file__).parents[2] / "scripts" / "private"


def main(arguments: list[str]) -> int:
    """Measure what is named, or everything."""
    if arguments[:1] == ["--module"]:
        return _inside(arguments[1], frozenset(arguments[2:]))
    if os.geteuid() != 0:
        say("bench: needs root, for namespaces\n  run: sudo make bench")
        return 4
    chosen = _choose(arguments)
    if chosen is None:
        return 2
    results: list[Result] = []
    failed = False
    for module, names in chosen.items():
        say(f"{module}: {' '.join(sorted(names))}")
        measured, code = _run(module, names)
        results += measured
        failed |= code != 0 or {result.name for result in measured} < names
    print(f"\n{machine()}\n\n{table(results)}")
    save(results, OUTPUT)
    return 1 if failed or any(verdict(result) == "MISSED" for result in results) else 0


def _choose(wanted: Collection[str]) -> dict[str, frozenset[str]] | None:
    offered = {
        module: frozenset(importlib.import_module(f"tests.bench.{module}").NAMES) for module in MODULES
    }
    unknown = set(wanted) - frozenset().union(*offered.values())
    if unknown:
        say(f"bench: nothing measures {' '.join(sorted(unknown))}")
        say("  there are: " + " ".join(sorted(frozenset().union(*offered.values()))))
        return None
    chosen = {module: names & frozenset(wanted) if wanted else names for module, names in offered.items()}
    return {module: names for module, names in chosen.items() if names}


def _run(module: str, names: frozenset[str]) -> tuple[list[Result], int]:
    command = [str(PRIVATE), sys.executable, "-m", "tests.bench", "--module", module, *sorted(names)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            results = [Result(**json.loads(line)) for line in child.stdout]
        except BaseException:
            child.terminate()
            raise
    return results, child.returncode


def _inside(module: str, names: frozenset[str]) -> int:
    """Measure; one JSON object a line on stdout."""
    results: Iterator[Result] = importlib.import_module(f"tests.bench.{module}").measure(names)
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # whatever tools print is progress, not a result
        for result in results:
            print(json.dumps(result._asdict()), file=out, flush=True)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
