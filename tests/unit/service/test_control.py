"""The control socket, talked to as anybody might."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.control import MAX_CONNECTIONS, ControlServer, Handlers


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


def test_a_line_without_end_ends_the_conversation(tmp_path: Path) -> None:
    assert answers(tmp_path, b"x" * 100_000) == []


def test_failures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told, hidden = answers(tmp_path, b'{"command": "refuse"}\n{"command": "fail"}\n')
    assert told == {"error": "cannot", "hint": "try this"}
    assert hidden["error"] == "fail failed inside the daemon"
    assert "a bug" in caplog.text


def test_everybody_may_read_and_the_socket_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async def run() -> None:
        path.touch()  # left by a killed process
        async with ControlServer(path, HANDLERS):
            assert stat.S_IMODE(path.stat().st_mode) in (0o660, 0o666)

    asyncio.run(run())
    assert not path.exists()


def test_somebody_elses_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async def run() -> None:
        async with ControlServer(path, HANDLERS):
            path.rename(tmp_path / "old")
            path.touch()

    asyncio.run(run())
    assert path.exists()


def test_too_many_at_a_time_are_turned_away(tmp_path: Path) -> None:
    async def run() -> bytes:
        async with ControlServer(tmp_path / "control.sock", HANDLERS) as server:
            held = [await asyncio.open_unix_connection(server.path) for _ in range(MAX_CONNECTIONS)]
            for reader, writer in held:  # each is being served now
                writer.write(b'{"command": "status"}\n')
                await reader.readline()
            reader, writer = await asyncio.open_unix_connection(server.path)
            answer = await asyncio.wait_for(reader.read(), 10)
            for _, each in [*held, (reader, writer)]:
                each.close()
            return answer

    assert asyncio.run(run()) == b""


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    async def run() -> None:
        async with ControlServer(tmp_path / "absent" / "control.sock", HANDLERS):
            pass

    with pytest.raises(ManageoutError) as caught:
        asyncio.run(run())
    assert "control socket" in caught.value.message
