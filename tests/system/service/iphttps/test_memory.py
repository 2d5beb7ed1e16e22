"""What connections leave behind in the gateway's memory: nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.lab.process import wait_until
from tests.tools.places.iphttps import Pair, Running
from tests.tools.places.iphttps_strangers import come_and_go, memory_of, padded_contexts

WARM, TIMES = 200, 400


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[Pair, Running]]:
    with Pair() as pair:
        yield pair, pair.start_gateway()


@pytest.mark.parametrize(("padding", "served"), [(4000, True), (6000, False)])
def test_closed_connections_with_long_chains_leave_nothing(
    gateway: tuple[Pair, Running], padding: int, served: bool
) -> None:
    pair, running = gateway
    clients = padded_contexts(pair, padding)
    # What is made once; glibc takes its time to have enough.
    assert come_and_go(pair, clients, WARM) == WARM * served
    before = memory_of(running.pid)
    assert come_and_go(pair, clients, TIMES) == TIMES * served
    wait_until("all are gone", lambda: not pair.ask("status")["roles"]["iphttps"]["handshakes"])
    assert memory_of(running.pid) - before < 5_000_000
