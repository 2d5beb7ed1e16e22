"""Flows through the translator's fast path while its process is killed and restarted: nobody notices."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator

import pytest

from tests.tools.flows import STRAY, PacedFlow
from tests.tools.places.translation import CLIENT, LEASE, SERVER, TranslationPlace, nat64


@pytest.fixture
def flows(bare: TranslationPlace) -> Iterator[tuple[PacedFlow, PacedFlow]]:
    """NAT64 and NAT46, while the translator runs."""
    bare.start()
    inside = bare.socket("client", socket.SOCK_DGRAM, CLIENT, 8000)
    outside = bare.socket("server", socket.SOCK_DGRAM, SERVER, 7000)
    asking, calling = (
        bare.socket(node, socket.SOCK_DGRAM, own) for node, own in (("client", CLIENT), ("server", SERVER))
    )
    with (
        PacedFlow(asking, (nat64(SERVER), 7000), outside) as nat64_flow,
        PacedFlow(calling, (LEASE, 8000), inside) as nat46_flow,
    ):
        for flow in (nat64_flow, nat46_flow):
            flow.goes_on()
        yield nat64_flow, nat46_flow


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGUSR1])
def test_no_packet_is_lost(
    bare: TranslationPlace, flows: tuple[PacedFlow, PacedFlow], sign: signal.Signals
) -> None:
    for _ in range(2):
        bare.stop(sign)
        for flow in flows:
            flow.goes_on(300)
        bare.start()
        for flow in flows:
            flow.goes_on()
    assert all(len(flow.lost()) <= STRAY for flow in flows)
