"""The log of every process: lines that nobody outside can forge, with priorities where the journal reads them."""

import logging
import os
import sys
from typing import TextIO

from manageout.words import printable

PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""Of syslog(3), as sd-daemon(3) wants them before each line."""


class LineFormatter(logging.Formatter):
    """One line a record; those of a traceback follow it, indented.

    What comes from outside (names in certificates, DNS and packets) moves no cursor and ends no line.
    """

    def __init__(self, journal: bool) -> None:
        super().__init__("%(message)s" if journal else "%(asctime)s %(levelname)s %(message)s")
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines, without the last one's end."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            lines += (f"    {line}" for line in self.formatException(record.exc_info).split("\n"))
        priority = next((number for least, number in PRIORITIES.items() if record.levelno >= least), 7)
        prefix = f"<{priority}>" if self._journal else ""
        return "\n".join(prefix + printable(line) for line in lines)


def to_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads ``stream``: it adds the time by itself, and takes priorities."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def set_up_logging(level: str) -> None:
    """To standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(to_journal(sys.stderr)))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
