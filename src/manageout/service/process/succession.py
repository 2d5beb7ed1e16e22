"""What a process leaves to the one after it, so that flows in the kernel do not notice: eBPF programs with their TUN.

The kernel keeps them however the process ends. At a plain stop it takes them back itself; when it was told that another
one follows (:attr:`Succession.follows`) it leaves them, as it does when it is killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Succession:
    """Of one process."""

    pins: Path | None = None
    """Where programs have their names; None: nothing outlives."""
    orphan: float = 0.0
    """Seconds for which programs pass packets when nobody guards them."""
    follows: bool = False
    """This process ends, and the next one is to find everything in its place."""
