"""Giving up privileges, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from manageout.errors import NotPermitted
from manageout.linux.host import privileges

GIVE_UP = """
import json, os, subprocess
from manageout.linux.host import privileges as p
p.raise_limits()
p.keep_only(p.DAEMON)
def attempt(act):
    try: act()
    except OSError: return False
    return True
child = subprocess.run(["grep", "Cap", "/proc/self/status"], capture_output=True, text=True).stdout
print(json.dumps({
    "names": p.names(p.effective()), "nnp": p.no_new_privileges(), "child": child,
    "chroot": attempt(lambda: os.chroot("/")), "chown": attempt(lambda: os.chown("/proc/self/exe", 1, 1)),
}))
"""
MASK = "000000c000003400"


def test_what_is_left() -> None:
    result = subprocess.run([sys.executable, "-c", GIVE_UP], capture_output=True, text=True, check=True)
    left = json.loads(result.stdout)
    assert left["names"] == [
        "CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_PERFMON", "CAP_BPF",
    ]  # fmt: skip
    assert left["nnp"] is True
    assert not left["chroot"] and not left["chown"]
    masks = dict(line.split(":\t") for line in left["child"].splitlines())
    assert (masks["CapEff"], masks["CapBnd"]) == (MASK, MASK), "a child gains nothing"


def test_what_is_missing_is_named() -> None:
    privileges.require(privileges.Capability.NET_ADMIN, "the daemon")
    code = (
        "from manageout.linux.host import privileges as p\n"
        "p.keep_only([p.Capability.NET_RAW])\n"
        "p.require(p.Capability.NET_ADMIN, 'the daemon')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert NotPermitted.__name__ in result.stderr
    assert "the daemon needs CAP_NET_ADMIN" in result.stderr


@pytest.mark.parametrize(("number", "name"), [(12, "CAP_NET_ADMIN"), (0, "CAP_0")])
def test_names(number: int, name: str) -> None:
    assert privileges.names([number]) == [name]
