"""What ``connect`` and ``join`` can still do once they run, beside what SECURITY.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host.privileges import Capability
from manageout.service.iphttps import connect as iphttps_connect
from manageout.service.isatap import join as isatap_join
from tests.system.service.isatap.test_join import Wire, wire
from tests.tools.places.iphttps import Pair

__all__ = ["wire"]

ROOT = Path(__file__).parents[4]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as made:
        yield made


def has_only(pid: int, kept: set[str]) -> bool:
    """Whether every thread of the process has exactly these capabilities, for good."""
    mask = sum(1 << Capability[name.removeprefix("CAP_")] for name in kept)
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(
            line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line
        )
        held = {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")}
        if held != {mask} or int(status["CapAmb"], 16) or status["NoNewPrivs"] != "1":
            return False
    return True


def said(command: str) -> set[str]:
    """The capabilities that SECURITY.md says ``command`` keeps."""
    text = " ".join((ROOT / "SECURITY.md").read_text().split())
    found = re.search(rf"`{command}` keeps ((?:`CAP_\w+`(?:, | and )?)+)", text)
    assert found, f"SECURITY.md does not say what {command} keeps"
    return set(re.findall(r"CAP_\w+", found[1]))


def test_connect(pair: Pair) -> None:
    pair.start_gateway()
    client = pair.start_client()
    pair.address()
    wait_until("privileges are given up", lambda: has_only(client.pid, said("connect")), 10)
    assert said("connect") == {f"CAP_{each.name}" for each in iphttps_connect.KEPT}


def test_a_stop_is_heard_as_soon_as_there_is_something_to_see(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from manageout.linux.netlink.links import Netlink
from manageout.service.process.frame import serve
from manageout.service.process.loops import run_loop
from manageout.service.process.runtime import RuntimeDir

class Stopped(RuntimeDir):
    @property
    def control_socket(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return super().control_socket

with Stopped(Path(sys.argv[1])) as runtime, Netlink() as netlink:
    run_loop(serve({}, runtime, netlink, dict, kept=()))
print("stopped")
"""
    argv = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
    assert not (tmp_path / "control.sock").exists()


def test_what_is_said_while_it_runs_has_been_read_before(tmp_path: Path) -> None:
    code = """
import asyncio, errno, os, signal, sys
from pathlib import Path
from manageout import words
from manageout.linux.netlink.links import Netlink
from manageout.linux.netlink.messages import refused
from manageout.service.process.frame import serve
from manageout.service.process.loops import run_loop
from manageout.service.process.role import Role
from manageout.service.process.runtime import RuntimeDir
from manageout.site.tables.complaints import worded

class Late(Role):
    name = "late"

    async def run(self):
        words.files = None  # an upgrade has replaced what stands beside the code
        print(refused(errno.EMFILE, "listen").hint)
        print(words.texts("manageout.directory.dns", "another-code", code="SERVFAIL")[1])
        print(worded("unreadable", reason="not UTF-8")[0])
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

with RuntimeDir(Path(sys.argv[1])) as runtime, Netlink() as netlink:
    run_loop(serve({"late": Late()}, runtime, netlink, dict, kept=()))
"""
    argv = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    descriptors, refusal, fault = done.stdout.splitlines()
    assert "LimitNOFILE" in descriptors
    assert refusal == "the server answered SERVFAIL"
    assert fault == "cannot be read: not UTF-8"


def test_join(wire: Wire, namespaces: Callable[[str], str]) -> None:
    wire.router()
    host = wire.join("10.0.0.1")
    wait_until("it has joined", lambda: wire.host(), 20)
    wait_until("privileges are given up", lambda: has_only(host.pid, said("join")), 10)
    assert said("join") == {f"CAP_{each.name}" for each in isatap_join.KEPT}
