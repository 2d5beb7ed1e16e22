"""Tables, ages and sizes for people; JSON for machines; --watch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from manageout.cli.commands import cli
from manageout.cli.show.output import ago, duration, moment, printable, size
from tests.tools.commands import MANAGEOUT, run
from tests.unit.cli.reading.test_tables_hosts import NEVER
from tests.unit.conftest import Serve


def test_a_name_cannot_write_to_the_terminal() -> None:
    assert printable("evil\x1b[2J\u202e") == "evil?[2J?"


def test_times_and_sizes() -> None:
    assert [duration(s) for s in (0, 119, 120, 7199, 7200, 172799, 172800)] == [
        "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d",
    ]  # fmt: skip
    assert (ago(None), ago(0), ago(90, now=100), ago(110, now=100)) == ("-", "-", "10 s", "0 s")
    assert (size(999), size(1000), size(12345), size(5 * 10**15)) == ("999", "1.0k", "12k", "5P")
    assert moment(None) == "-"


def test_json_is_what_the_daemon_said(serve: Serve) -> None:
    directory = serve({"hosts": [{"ipv4": "10.0.1.30", "name": "\x9bé"}]})
    result = run(cli, "hosts", "--json", "--runtime-dir", str(directory))
    assert json.loads(result.stdout) == [{"ipv4": "10.0.1.30", "name": "\x9bé"}]
    assert result.stdout.isascii()


@pytest.mark.parametrize("option", [["--watch"], ["--watch", "0.1"], ["--watch", "0.1", "--json"]])
def test_watch_goes_on_until_interrupted(serve: Serve, option: list[str]) -> None:
    directory = serve({"drops": []})
    command = [*MANAGEOUT, "drops", *option, "--runtime-dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.send_signal(2)
        assert process.wait(10) == 0
    assert first.strip() in ("Nothing has been dropped.", "[]")


def test_a_reader_that_goes_away_is_no_error(serve: Serve) -> None:
    rows = [NEVER | {"ipv4": f"10.0.{n >> 8}.{n & 255}"} for n in range(20000)]
    command = f"{sys.executable} -m manageout hosts --runtime-dir {serve({'hosts': rows})} | head -1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["status", "hosts", "clients", "drops"])
def test_reading_commands_import_nothing_heavy(command: str) -> None:
    """150 ms is what `manageout status` may take in all; asyncio or pydantic alone would spend it."""
    code = (
        "import sys; sys.argv[1:] = [sys.argv[1], '--runtime-dir', '/nowhere']\n"
        "from manageout.cli.commands import main\n"
        "try: main()\nfinally: print(' '.join(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, check=False
    )
    loaded = set(result.stdout.split())
    assert "manageout.service.process.client" in loaded
    heavy = {
        "asyncio",
        "pydantic",
        "rich",
        "pyroute2",
        "dns",
        "cryptography",
        "prometheus_client",
        "ctypes",
        "ssl",
    }
    assert not loaded & heavy
