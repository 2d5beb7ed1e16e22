"""Lines of the log, with what a stranger may call himself."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.service.process.logs import LineFormatter

FORGED = "x from 192.0.2.1\n2026-11-30 10:00:00,000 INFO client dc.corp\x1b[31m\r\u2028\u202e<0>"


def record(text: str, *values: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("manageout", level, __file__, 1, text, values, None)


def test_a_name_forges_no_line_and_moves_no_cursor() -> None:
    text = LineFormatter(False).format(record("client %s connected", FORGED))
    assert len(text.splitlines()) == 1 and text.isprintable()
    assert text.endswith(
        "WARNING client x from 192.0.2.1?2026-11-30 10:00:00,000 INFO client dc.corp?[31m???<0> connected"
    )


@given(st.text())
def test_any_text_is_one_printable_line(name: str) -> None:
    for journal in (False, True):
        text = LineFormatter(journal).format(record("%s", name))
        assert text.isprintable() and len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("level", "prefix"),
    [("CRITICAL", "<2>"), ("ERROR", "<3>"), ("WARNING", "<4>"), ("INFO", "<6>"), ("DEBUG", "<7>")],
)
def test_lines_for_the_journal_carry_their_priority(level: str, prefix: str) -> None:
    number = logging.getLevelNamesMapping()[level]
    assert LineFormatter(True).format(record("words", level=number)) == f"{prefix}words"


def test_a_traceback_stays_readable_and_each_of_its_lines_is_ours() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        made = record("failed", level=logging.ERROR)
        made.exc_info = sys.exc_info()
    for journal, start in ((False, "    "), (True, "<3>    ")):
        first, *rest = LineFormatter(journal).format(made).split("\n")
        assert first.endswith("failed") and len(rest) > 3
        assert all(line.startswith(start) and line.isprintable() for line in rest)


def test_every_process_logs_that_way() -> None:
    source = Path(__file__).parents[4] / "src" / "manageout"
    files = {path: path.read_text() for path in source.rglob("*.py")}
    assert [path.name for path, text in files.items() if "StreamHandler" in text] == ["logs.py"]
    assert not [path.name for path, text in files.items() if "basicConfig" in text]
    started = [
        path.name for path, text in files.items() if "set_up_logging(" in text and path.name != "logs.py"
    ]
    assert sorted(started) == ["connect.py", "daemon.py", "join.py"]


SCRIPT = """
import logging, os, sys
if sys.argv[1] == "journal":
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
from manageout.service.process.logs import set_up_logging
set_up_logging("info")
logging.getLogger("manageout.x").info("hello %s", "a\\nb")
logging.getLogger("manageout.x").debug("not this")
import warnings
warnings.warn("odd\\nthing")
"""


@pytest.mark.parametrize(("where", "hello"), [("journal", "<6>hello a?b"), ("elsewhere", "INFO hello a?b")])
def test_what_a_process_writes(where: str, hello: str, tmp_path: Path) -> None:
    environment = {**os.environ, "JOURNAL_STREAM": "1:2"}  # of a parent: this stream is another
    log = tmp_path / "log"
    with log.open("wb") as stream:
        argv = [sys.executable, "-c", SCRIPT, where]
        subprocess.run(argv, stderr=stream, env=environment, check=True)
    first, second = log.read_text().splitlines()
    assert first.endswith(hello) and "odd?thing" in second
