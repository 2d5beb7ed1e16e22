"""The page about the architecture: its pictures are of today's code, and the files that it names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "architecture.md"


def test_the_pictures_are_drawn_from_this_code() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "architecture.py"), "--check"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_on_the_ways_exist() -> None:
    named = re.findall(r"`((?:bpf|scripts|[a-z]+)/[\w/.]+\.(?:py|c))`", PAGE.read_text())
    assert len(named) > 40
    assert not [
        name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "src/manageout"))
    ]
