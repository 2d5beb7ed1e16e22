"""Runs the drivers: ``python -m tests.fuzz --inputs 1000000 [--only NAME]``.

With ``--atheris NAME`` (and atheris installed) one driver runs under coverage guidance instead, until stopped.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from tests.fuzz import engine
from tests.fuzz.targets import TARGETS

FINDINGS = Path("build/fuzz")


def main() -> int:
    """0 when nothing was found, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    choices = sorted(TARGETS)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs for each driver")
    parser.add_argument("--only", action="append", choices=choices, metavar="NAME", help="may be repeated")
    parser.add_argument("--seed", default="0", help="another seed gives other inputs")
    parser.add_argument("--list", action="store_true", help="the names of the drivers")
    parser.add_argument(
        "--replay", nargs=2, metavar=("NAME", "HEX"), help="one input, or a file that holds it"
    )
    parser.add_argument("--atheris", choices=choices, metavar="NAME")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(TARGETS))
        return 0
    if arguments.replay:
        return replay(*arguments.replay)
    if arguments.atheris:
        return guided(arguments.atheris)
    return sum(fuzz(TARGETS[name], arguments) for name in arguments.only or TARGETS) > 0


def fuzz(target: engine.Target, arguments: argparse.Namespace) -> bool:
    """Run one driver and print a line; True when something was found."""
    start = time.monotonic()
    try:
        tally = engine.run(target, arguments.inputs, arguments.seed)
    except engine.Finding as finding:
        FINDINGS.mkdir(parents=True, exist_ok=True)
        kept = FINDINGS / f"{target.name}.hex"
        kept.write_text(finding.data.hex() + "\n")
        print(
            f"{finding.trace}\nFOUND {finding}\n  python -m tests.fuzz --replay {target.name} {kept}",
            flush=True,
        )
        return True
    rate = arguments.inputs / (time.monotonic() - start)
    print(
        f"{target.name:<20} {arguments.inputs:>9} inputs  {tally.accepted:>9} accepted  "
        f"{tally.refused:>9} refused  {rate:>9.0f} a second",
        flush=True,
    )
    return False


def replay(name: str, text: str) -> int:
    """Run one driver on one input, with a traceback if it fails."""
    text = Path(text).read_text() if Path(text).exists() else text
    target = TARGETS[name]
    try:
        target.run(bytes.fromhex(text))
    except target.refuses as error:
        print(f"refused: {error}")
    else:
        print("accepted")
    return 0


def guided(name: str) -> int:
    """Hand one driver to atheris, with coverage of our own modules; does not return."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 2
    for module in [module for module in sys.modules if module.startswith(("manageout", "tests"))]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["manageout"]):
        target: engine.Target = importlib.import_module("tests.fuzz.targets").TARGETS[name]

    def once(data: bytes) -> None:
        try:
            target.run(data)
        except target.refuses:
            return

    atheris.Setup([sys.argv[0]], once)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
