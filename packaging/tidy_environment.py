"""Leave in a virtual environment what runs from any folder, on any day the same: ``tidy_environment.py DIR``.

No scripts, no trace of where it was built, and bytecode that is valid by itself (PEP 552): nothing writes there later.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from py_compile import PycInvalidationMode


def tidy(environment: Path) -> None:
    """Tidy ``environment``, made by venv without pip and filled by pip."""
    for script in (environment / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()
    settings = environment / "pyvenv.cfg"
    kept = [
        line for line in settings.read_text().splitlines() if not line.startswith(("command", "executable"))
    ]
    settings.write_text("\n".join(kept) + "\n")
    for trace in environment.rglob("*.dist-info/direct_url.json"):
        trace.unlink()
    (packages,) = (environment / "lib").glob("python3.*/site-packages")
    if not compileall.compile_dir(
        packages,
        quiet=1,
        stripdir=str(environment),
        prependdir="/usr/lib/manageout/program",
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    ):
        sys.exit("some files do not compile")


if __name__ == "__main__":
    tidy(Path(sys.argv[1]))
