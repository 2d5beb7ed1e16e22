"""The control socket, talked to as anybody might."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.process import control
from manageout.service.process.control import ControlServer, Handlers


def refuse() -> object:
    raise ManageoutError("cannot", "try this")


def fail() -> object:
    raise KeyError("a bug")


HANDLERS: Handlers = {
    "status": lambda: {"pid": 1},
    "refuse": refuse,
    "fail": fail,
    "many": lambda: iter([1] * 1201),
}


async def talk(path: Path, data: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    writer.write_eof()
    lines = (await asyncio.wait_for(reader.read(), 10)).splitlines()
    writer.close()
    return lines


def answers(tmp_path: Path, data: bytes) -> list[dict[str, object]]:
    async def run() -> list[bytes]:
        async with ControlServer(tmp_path / "control.sock", HANDLERS) as server:
            return await talk(server.path, data)

    return [json.loads(line) for line in asyncio.run(run())]


def test_commands_one_after_the_other(tmp_path: Path) -> None:
    assert answers(tmp_path, b'{"command": "status"}\n{"command": "many"}\n') == [
        {"result": {"pid": 1}},
        {"result": [1] * 1201},
    ]


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"7", b"{", b'{"command": 7}', b'{"command": []}', b'"x"', b"\xff"]
)
def test_what_is_no_command(tmp_path: Path, line: bytes) -> None:
    (answer,) = answers(tmp_path, line + b"\n")
    assert "error" in answer


@pytest.mark.parametrize(
    "line", [b"[" * 3000, b'{"command":' * 20, b"[" * 250, b"x" * 100_000, b"\x00" * 300]
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_odd_lines_get_one_clear_answer_and_the_log_no_traceback(
    tmp_path: Path, line: bytes, end: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (answer,) = answers(tmp_path, line + end)
    assert {"error", "hint"} == set(answer)
    assert caplog.text == ""


def test_rows_that_fail_end_the_answer_and_are_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def rows() -> Iterator[int]:
        yield 1
        raise ManageoutError("the kernel said no")

    async def run() -> list[bytes]:
        async with ControlServer(tmp_path / "control.sock", {"rows": rows}) as server:
            return await talk(server.path, b'{"command": "rows"}\n')

    asyncio.run(run())
    assert "the kernel said no" in caplog.text and "Traceback" not in caplog.text


def test_rows_are_given_in_short_slices_with_a_pause_between_whoever_asks(tmp_path: Path) -> None:
    rows: list[tuple[object, float, float]] = []

    def slow() -> Iterator[int | None]:
        whose = object()
        for number in range(40):
            begun = time.perf_counter()
            while time.perf_counter() < begun + control.SLICE / 4:
                pass
            rows.append((whose, begun, time.perf_counter()))
            yield number if number % 2 else None

    async def run() -> list[list[bytes]]:
        async with ControlServer(tmp_path / "control.sock", {"slow": slow}) as server:
            asked = [talk(server.path, b'{"command": "slow"}\n') for _ in range(4)]
            return await asyncio.gather(*asked)

    found = asyncio.run(run())
    assert all(json.loads(lines[0]) == {"result": list(range(1, 40, 2))} for lines in found)
    pauses = [(begun - ended, one is two) for (one, _, ended), (two, begun, _) in pairwise(rows)]
    assert min(pause for pause, same in pauses if not same) >= control.SLICE / 2
    assert sum(pause >= control.SLICE / 2 for pause, _ in pauses) >= len(rows) // 4 - 1


def test_the_end_makes_no_traceback_of_who_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with ControlServer(tmp_path / "control.sock", HANDLERS) as server:
            reader, writer = await asyncio.open_unix_connection(server.path)
            writer.write(b'{"command": "status"}\n')
            await reader.readline()

    asyncio.run(run())
    assert caplog.text == ""


def test_all_users_together_have_a_bound_and_root_is_not_in_it(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "control.sock", HANDLERS)
    users = range(1, 1 + control.MAX_CONNECTIONS // control.PER_USER)
    server._connections.update({user: control.PER_USER for user in users})
    with server._place(5000) as free:
        assert not free
    with server._place(0) as free:
        assert free
    server._connections[1] -= 1
    with server._place(5000) as free:
        assert free


def test_sessions_are_told_to_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.2)
    running = most = 0

    def sessions() -> Iterator[str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20_000):
            yield "x" * 1000
        running -= 1

    async def run() -> list[bytes]:
        async with ControlServer(tmp_path / "control.sock", {"sessions": sessions}) as server:
            _, holder = await asyncio.open_unix_connection(server.path, limit=1000)
            holder.write(b'{"command": "sessions"}\n')
            await asyncio.sleep(0.1)  # and it does not read
            lines = await talk(server.path, b'{"command": "sessions"}\n')
            holder.close()
            return lines

    (line,) = asyncio.run(run())
    assert "somebody else asks" in json.loads(line)["error"] and most == 1


def test_failures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told, hidden = answers(tmp_path, b'{"command": "refuse"}\n{"command": "fail"}\n')
    assert told == {"error": "cannot", "hint": "try this"}
    assert hidden["error"] == "fail failed inside the daemon"
    assert "a bug" in caplog.text


def test_the_socket_is_for_root_and_the_group_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async def run() -> None:
        path.touch(0o666)  # left by a killed process
        async with ControlServer(path, HANDLERS):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert path.stat().st_uid == os.geteuid()

    before = os.umask(0)
    try:
        asyncio.run(run())
    finally:
        os.umask(before)
    assert not path.exists()


def test_somebody_elses_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async def run() -> None:
        async with ControlServer(path, HANDLERS):
            path.rename(tmp_path / "old")
            path.touch()

    asyncio.run(run())
    assert path.exists()


def test_too_many_of_one_user_are_told_so(tmp_path: Path) -> None:
    bound = control.ROOTS if os.geteuid() == 0 else control.PER_USER

    async def run() -> tuple[bytes, bytes]:
        async with ControlServer(tmp_path / "control.sock", HANDLERS) as server:
            held = [await asyncio.open_unix_connection(server.path) for _ in range(bound)]
            for reader, writer in held:  # each is being served now
                writer.write(b'{"command": "status"}\n')
                await reader.readline()
            reader, writer = await asyncio.open_unix_connection(server.path)
            refused = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            held[0][1].close()
            await asyncio.sleep(0.1)
            (answer,) = await talk(server.path, b'{"command": "status"}\n')
            for _, each in held:
                each.close()
            return refused, answer

    refused, answer = asyncio.run(run())
    assert "too many connections" in json.loads(refused)["error"]
    assert json.loads(answer) == {"result": {"pid": 1}}


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    async def run() -> None:
        async with ControlServer(tmp_path / "absent" / "control.sock", HANDLERS):
            pass

    with pytest.raises(ManageoutError) as caught:
        asyncio.run(run())
    assert "control socket" in caught.value.message


@pytest.mark.parametrize("fault", [ValueError("a damaged row"), KeyError("a bug")])
def test_rows_that_fail_on_the_way_end_the_answer_and_are_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """Half of the answer is out already; nothing may be said that is about something else."""

    def rows() -> Iterator[object]:
        yield {"ipv4": "10.0.0.1"}
        raise fault

    async def run() -> list[bytes]:
        async with ControlServer(tmp_path / "control.sock", {"rows": rows}) as server:
            return await talk(server.path, b'{"command": "rows"}\n')

    assert asyncio.run(run()) == [b'{"result": [']
    (record,) = caplog.records
    assert "failed inside" in record.message and record.exc_info and record.exc_info[1] is fault
