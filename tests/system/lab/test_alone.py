"""However a demo ends, nothing of it is left: no process, no namespace, no file, no mount."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.errors import LabError
from manageout.lab import network
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import machine_state

DEMO = [*MANAGEOUT, "lab", "demo", "--no-ebpf"]
BROKEN = "#!/bin/sh\necho 'named: this configuration is not for me' >&2\nexit 1\n"


def processes() -> set[int]:
    """All that run, but us."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "stat").read_text().rpartition(") ")[2][0] not in "ZX":
                    found.add(int(entry.name))
    return found


def words(pids: set[int]) -> list[str]:
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def files() -> list[str]:
    """What a lab writes, and where it mounts."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    places = (netns.ROOT, network.STATE, network.ETC)
    return sorted([*mounts, *(str(path) for place in places if place.exists() for path in place.rglob("*"))])


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before, machine, written = processes(), machine_state(), files()
    yield
    wait_until("every process has ended", lambda: not processes() - before or None, 20)
    assert words(processes() - before) == []
    wait_until("every file is gone", lambda: files() == written, 10)
    assert machine_state() == machine


def begin(tmp_path: Path, **options: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **options}
    output = (tmp_path / "demo.log").open("w")
    return subprocess.Popen(DEMO, stdout=output, stderr=output, text=True, env=environment)


def test_a_server_that_does_not_start_ends_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "named"
    broken.parent.mkdir()
    broken.write_text(BROKEN)
    broken.chmod(0o755)
    demo = begin(tmp_path, PATH=f"{broken.parent}:{os.environ['PATH']}")
    assert demo.wait(60) == LabError.exit_code
    told = (tmp_path / "demo.log").read_text()
    assert "this configuration is not for me" in told and "Traceback" not in told
    assert "not tried after: servers and daemons start" in told


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("line", ["single, no eBPF", "servers and daemons start"])
def test_ended_at_a_step(tmp_path: Path, sign: signal.Signals, line: str) -> None:
    demo = begin(tmp_path)
    wait_until(line, lambda: line in (tmp_path / "demo.log").read_text(), 60)
    demo.send_signal(sign)
    assert demo.wait(30) == (-sign if sign is signal.SIGKILL else 128 + sign)
    told = (tmp_path / "demo.log").read_text()
    assert "Traceback" not in told and "unshare" not in told


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0, 4.0])
def test_killed_at_any_moment(tmp_path: Path, seconds: float) -> None:
    demo = begin(tmp_path)
    time.sleep(seconds)
    demo.kill()
    demo.wait(30)


def test_files_of_a_lab_that_is_gone_are_no_lab(tmp_path: Path) -> None:
    network.STATE.mkdir(exist_ok=True)
    (network.STATE / "ready").touch()
    try:
        network.require_none()
    finally:
        (network.STATE / "ready").unlink()
