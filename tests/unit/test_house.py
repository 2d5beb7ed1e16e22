"""The size of the house: what has been reached is kept. The bounds stand in scripts/house.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_is_larger_than_it_was() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "house.py"), "--check"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
