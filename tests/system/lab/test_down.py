"""Nothing of a lab stays, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from manageout.lab import network
from manageout.lab.topology import SEGMENTS, topology
from manageout.linux.host import netns
from tests.tools.commands import MANAGEOUT, manageout
from tests.tools.lab import AS_NOBODY, machine_state


def nothing_left() -> bool:
    """Whether no file, namespace or process of a lab is there."""
    names = [name for name in netns.names() if name.startswith("mo-")]
    left = [*network.STATE.glob("*"), *network.ETC.glob("mo-*")]
    return not names and not left


def test_down_leaves_nothing() -> None:
    before = machine_state()
    manageout("lab", "up", "--bare")
    sleeper = subprocess.Popen(network.command("app", ["sleep", "100"]))
    stubborn = subprocess.Popen(network.command("dc", ["sh", "-c", "trap '' TERM; sleep 100 & wait; wait"]))
    assert manageout("lab", "down").stdout == "The lab is gone.\n"
    for ended in (sleeper, stubborn):  # by what code is a race of the shell with its child
        ended.wait(5)
    assert nothing_left()
    assert machine_state() == before
    assert manageout("lab", "down").stdout == "There was no lab.\n"


@pytest.mark.parametrize(
    ("option", "seconds"),
    [
        *(("--bare", seconds) for seconds in (0.08, 0.12, 0.16, 0.2)),
        *(("--no-ebpf", seconds) for seconds in (0.4, 0.8, 1.6)),
    ],
)
def test_down_after_up_was_killed(option: str, seconds: float) -> None:
    before = machine_state()
    argv = [*MANAGEOUT, "lab", "up", option]
    up = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    network.down()
    assert nothing_left()
    assert machine_state() == before


def test_two_at_once_make_one_lab() -> None:
    argv = [*MANAGEOUT, "lab", "up", "--bare"]
    both = [
        subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    try:
        complaints = "".join(up.communicate(timeout=30)[1] for up in both)
        assert sorted(up.returncode for up in both) == [0, 1]
        assert complaints.startswith("manageout: a lab is up already\n")
        network.run("helpdesk", ["ping", "-c", "1", "-W", "2", "10.0.0.1"])
    finally:
        network.down()


def test_up_replaces_half_a_lab() -> None:
    wanted = topology("single")
    try:
        network.up(wanted)
        (network.STATE / "ready").unlink()
        netns.delete(network.namespace("core"))
        netns.delete(network.segment_namespace("home"))
        network.up(wanted)
        assert all(map(netns.exists, map(network.segment_namespace, SEGMENTS)))
        assert network.run("helpdesk", ["ping", "-c", "1", "-W", "2", "10.0.0.1"])
    finally:
        network.down()
    assert nothing_left()


def test_without_root_one_clear_line() -> None:
    argv = [*AS_NOBODY, *MANAGEOUT, "lab", "up"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 4
    assert "needs root" in result.stderr and "Traceback" not in result.stderr
