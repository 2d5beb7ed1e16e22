"""Whoever comes and goes as fast as he can does not fill the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, Pair

TIMES = 60


@pytest.fixture(params=['authentication = "none"', ""], ids=["strangers", "client"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with Pair() as pair:
        pair.start_gateway(gateway=request.param)
        yield pair


@pytest.mark.parametrize("path", ["/IPHTTPS", "/nothere"])
def test_coming_and_going_writes_a_few_lines(pair: Pair, path: str) -> None:
    for _ in range(TIMES):
        with pair.tls() as tls:
            tls.sendall(build_request(path, GATEWAY_NAME))
            assert tls.recv(4096).startswith(b"HTTP/1.1 ")
    lines = [line for line in pair.gateway.text().splitlines() if "client" in line]
    assert 2 <= len(lines) < TIMES / 2
    assert "laptop.corp.example" in lines[0] or "without a name" in lines[0]


def test_refusals_write_a_few_lines(pair: Pair) -> None:
    for _ in range(TIMES):
        with pair.tcp() as tcp:
            tcp.sendall(b"GET / HTTP/1.1\r\n\r\n")
            tcp.recv(100)
    lines = [line for line in pair.gateway.text().splitlines() if "refused" in line]
    assert 2 <= len(lines) < TIMES / 2
