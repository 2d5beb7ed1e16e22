"""The metrics server over real sockets, and where it refuses to listen."""

from __future__ import annotations

import asyncio
import re
import socket
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.process.metrics import Metric, MetricsServer

SERVICE = Path(__file__).parents[4] / "src" / "manageout" / "service"


def read() -> Iterable[Metric]:
    yield Metric("drops", [({"reason": "loop"}, 3), ({"reason": 'a"\n'}, 1)])
    yield Metric("isatap_hosts", 2)
    yield Metric("isatap_hosts", 5)
    yield Metric("isatap_fast_path", True)
    yield Metric("leases", [])


async def ask(where: str, request: bytes) -> str:
    if where.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(where.removeprefix("unix:"))
    else:
        host, _, port = where.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(request)
    text = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    return text


def answer(where: str, request: bytes = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> str:
    async def run() -> str:
        async with MetricsServer(where, read):
            return await ask(where, request)

    return asyncio.run(run())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_figures_on_loopback() -> None:
    text = answer(f"127.0.0.1:{free_port()}")
    assert text.startswith("HTTP/1.1 200 OK\r\n")
    for line in (
        'manageout_drops_total{reason="loop"} 3.0',
        "manageout_isatap_hosts 2.0",
        "# TYPE manageout_drops_total counter",
    ):
        assert line in text
    assert r'reason="a\"\n"' in text
    assert "manageout_isatap_fast_path 1.0" in text and "# TYPE manageout_isatap_fast_path gauge" in text
    assert "manageout_leases" not in text, "of which there is none"


def test_every_figure_is_explained_and_every_explanation_somebody_s() -> None:
    kinds = tomllib.loads((SERVICE / "process" / "metrics.toml").read_text())
    assert set(kinds) == {"gauge", "counter"} and not kinds["gauge"].keys() & kinds["counter"].keys()
    made = set()
    for path in SERVICE.rglob("*.py"):
        made |= set(re.findall(r'\bMetric\(\s*f?"(\w*)', path.read_text()))
    assert made == {*kinds["gauge"], *kinds["counter"]}


def test_figures_on_a_unix_socket_which_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    socket.socket(socket.AF_UNIX).bind(str(path))  # left by a killed process
    assert "manageout_isatap_hosts" in answer(f"unix:{path}")
    assert not path.exists()


def test_openmetrics_when_asked() -> None:
    request = b"GET /metrics?x=1 HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n"
    text = answer(f"127.0.0.1:{free_port()}", request)
    assert "application/openmetrics-text" in text
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"\r\n\r\n", "405"),
        (b"\xff\xfe \x00\r\n\r\n", "400"),
    ],
)
def test_other_requests(request_: bytes, status: str) -> None:
    assert answer(f"127.0.0.1:{free_port()}", request_).startswith(f"HTTP/1.1 {status} ")


def test_head_has_no_body() -> None:
    assert answer(f"127.0.0.1:{free_port()}", b"HEAD /metrics HTTP/1.1\r\n\r\n").endswith("\r\n\r\n")


def test_a_head_without_end_is_hung_up_on() -> None:
    assert answer(f"127.0.0.1:{free_port()}", b"x" * 20000) == ""


def test_a_failing_role_is_an_error_500() -> None:
    def broken() -> Iterable[Metric]:
        raise KeyError("a bug")

    async def run() -> str:
        where = f"127.0.0.1:{free_port()}"
        async with MetricsServer(where, broken):
            return await ask(where, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert " 500 " in asyncio.run(run())


@pytest.mark.parametrize("where", ["0.0.0.0:9464", "192.0.2.1:1", "[::]:9464"])
def test_only_loopback(where: str) -> None:
    with pytest.raises(ManageoutError) as caught:
        answer(where)
    assert "not loopback" in caught.value.message


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ManageoutError) as caught:
            answer(where)
    assert where in caught.value.message
    assert "daemon.metrics" in caught.value.hint


def test_a_unix_socket_in_use(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        with pytest.raises(ManageoutError):
            answer(f"unix:{path}")
    assert path.exists()


def test_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens, also not on a socket of that name."""
    monkeypatch.chdir(tmp_path)

    async def listeners(where: str) -> int:
        def sockets() -> int:
            return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())

        before = sockets()
        async with MetricsServer(where, read):
            return sockets() - before

    assert asyncio.run(listeners("127.0.0.1:0")) == 1
    assert asyncio.run(listeners("off")) == 0
    assert not list(tmp_path.iterdir())
