"""What the steps of ``manageout retire`` have in common."""

from __future__ import annotations

import os
import pwd
import socket

from manageout.cli.options import taking
from manageout.retire.retirement import Retirement


def who() -> str:
    """Who runs this command, for the log: ``anna@router``, also behind sudo."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


with_retirement = taking(
    "retirement",
    lambda **given: Retirement.read(by=who(), **given),
    *("file", "state_dir", "runtime_dir", "usage", "force"),
)
"""``--config``, ``--state-dir``, and of ``--runtime-dir``, ``--usage`` and ``--force`` what the command has."""
