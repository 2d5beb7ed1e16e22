"""Who may ask on the control socket: root and the group, each with a number of connections of its own."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.service.process import control
from manageout.service.process.control import ControlServer

GROUP, USER, OTHER = "nogroup", "nobody", "daemon"
HOLD = """
import contextlib, json, os, socket, sys
os.setgroups([int(sys.argv[2])]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[3]))
held = []
for _ in range(int(sys.argv[4])):
    s = socket.socket(socket.AF_UNIX); s.settimeout(10)
    try:
        s.connect(sys.argv[1])
        with contextlib.suppress(BrokenPipeError):
            s.sendall(b'{"command": "status"}\\n')
        answer = json.loads(s.makefile().readline())
    except PermissionError:
        answer = {"error": "not permitted"}
    held.append(s)
    print(answer.get("error", "ok"), flush=True)
sys.stdin.read()
"""


def hold(path: Path, group: str, user: str, many: int) -> tuple[subprocess.Popen[str], list[str]]:
    """Connections of a user that stay open, and what each was answered."""
    numbers = [str(grp.getgrnam(group).gr_gid), str(pwd.getpwnam(user).pw_uid), str(many)]
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *numbers],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    return child, [child.stdout.readline().strip() for _ in range(many)]


def belongs(path: Path) -> tuple[int, int, int]:
    """Mode, user and group."""
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for directory in (tmp_path, *tmp_path.parents):
        if directory.is_relative_to("/tmp") and directory != Path("/tmp"):
            directory.chmod(0o755)
    return tmp_path / "control.sock"


def test_the_group_gets_in_and_nobody_else(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "GROUP", GROUP)

    async def run() -> list[list[str]]:
        async with ControlServer(place, {"status": dict}):
            assert belongs(place) == (0o660, 0, grp.getgrnam(GROUP).gr_gid)
            found = []
            for group, user in ((GROUP, USER), (OTHER, OTHER)):
                child, answers = await asyncio.to_thread(hold, place, group, user, 1)
                child.communicate("")
                found.append(answers)
            return found

    assert asyncio.run(run()) == [["ok"], ["not permitted"]]


def test_without_the_group_it_is_root_only(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "GROUP", "no-such-group")

    async def run() -> list[str]:
        async with ControlServer(place, {"status": dict}):
            assert belongs(place) == (0o660, 0, os.getegid())
            child, answers = await asyncio.to_thread(hold, place, OTHER, OTHER, 1)
            child.communicate("")
            return answers

    assert asyncio.run(run()) == ["not permitted"]


def test_idle_connections_of_one_user_keep_nobody_else_from_asking(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "GROUP", GROUP)

    async def run() -> tuple[list[str], list[str], bytes]:
        async with ControlServer(place, {"status": dict}):
            greedy, first = await asyncio.to_thread(hold, place, GROUP, USER, 32)
            other, second = await asyncio.to_thread(hold, place, GROUP, OTHER, 1)
            reader, writer = await asyncio.open_unix_connection(place)
            writer.write(b'{"command": "status"}\n')
            answer = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
            for child in (greedy, other):
                child.communicate("")
            return first, second, answer

    first, second, answer = asyncio.run(run())
    assert first == ["ok"] * control.PER_USER + ["this user has too many connections here"] * (
        32 - control.PER_USER
    )
    assert second == ["ok"] and json.loads(answer) == {"result": {}}
