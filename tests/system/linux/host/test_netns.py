"""Named network namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink

NAME = "mo-test-netns"


def test_create_run_delete(namespaces: Callable[[str], str]) -> None:
    assert not netns.exists(NAME)
    for _ in range(2):
        namespaces(NAME)
    assert netns.exists(NAME)
    assert NAME in netns.names()
    assert "LOOPBACK,UP" in netns.run(NAME, ["ip", "link", "show", "lo"]).stdout
    assert netns.pids(NAME) == []
    for _ in range(2):
        netns.delete(NAME)
    assert not netns.exists(NAME)
    assert netns.pids(NAME) == []


def test_a_block_inside(namespaces: Callable[[str], str]) -> None:
    home = os.readlink("/proc/thread-self/ns/net")
    with netns.inside(namespaces(NAME)), Netlink() as netlink:
        assert [link.name for link in netlink.links()][:1] == ["lo"]
        assert os.getpid() in netns.pids(NAME)
        assert os.readlink("/proc/thread-self/ns/net") != home
    assert os.readlink("/proc/thread-self/ns/net") == home


def test_failures_are_told(namespaces: Callable[[str], str]) -> None:
    with pytest.raises(KernelError) as caught, netns.inside("absent"):
        pass
    assert "absent" in caught.value.message
    namespaces(NAME)
    with pytest.raises(KernelError) as caught:
        netns.run(NAME, ["ip", "link", "show", "absent"])
    assert "does not exist" in caught.value.message
    assert netns.run(NAME, ["false"], check=False).returncode == 1


def test_whether_this_is_the_machines_own(namespaces: Callable[[str], str]) -> None:
    with netns.inside(namespaces(NAME)):
        assert not asked_in_a_child()
    assert os.readlink("/proc/1/ns/net") != os.readlink("/proc/self/ns/net") or netns.is_of_machine()


def asked_in_a_child() -> bool:
    """``/proc/self`` is the process, of which only this thread has gone into the namespace."""
    code = "from manageout.linux.host import netns; print(netns.is_of_machine())"
    return (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "True\n"
    )


def as_service(*within: str, unit: bool = True) -> str:
    """What is answered to a process of few capabilities, from which process 1 is hidden; ``unit``: of systemd."""
    code = "from manageout.linux.host import netns; print(netns.is_of_machine())"
    started = "export SYSTEMD_EXEC_PID=$$; " if unit else "unset SYSTEMD_EXEC_PID; "
    script = f'{started}! readlink /proc/1/ns/net || exit 9; exec "$0" -c "$1"'
    argv = [*within, "setpriv", "--bounding-set=-all,+net_admin", "sh", "-c", script, sys.executable, code]
    # A process 1 of its own, which keeps all that there is.
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
    return subprocess.run([*apart, *argv], capture_output=True, text=True, check=True).stdout


def test_a_service_that_may_not_look_at_process_1(namespaces: Callable[[str], str]) -> None:
    inside = f"--net={netns.ROOT / namespaces(NAME)}"
    assert as_service() == "True\n"
    assert as_service("nsenter", inside) == "False\n"
    assert as_service(unit=False) == "False\n", "who is not started by systemd may be anywhere"


def test_whether_a_file_is_a_mount() -> None:
    assert netns.is_mount(Path("/proc")) and not netns.is_mount(Path("/proc/self"))
