"""Addresses of clients that come and go, in the kernel: rewritten to the one with the lease, and never otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.system.translation_place import CLIENT, LEASE, PREFIX, SERVER, TranslationPlace, nat64

TEMPORARY, LATER = f"{PREFIX}:1000::99", f"{PREFIX}:1000::9a"
SHOW = ("nft", "list", "map", "inet", "manageout", "others")


@pytest.fixture(params=[True, False], ids=["ebpf", "python"])
def place(
    request: pytest.FixtureRequest, namespaces: Callable[[str], str], tmp_path: Path
) -> Iterator[TranslationPlace]:
    made = TranslationPlace(namespaces, tmp_path)
    for address in (TEMPORARY, LATER):
        made.run("client", "ip", "address", "add", f"{address}/64", "dev", "t0", "nodad")
    try:
        made.start(request.param, leases=[f"{CLIENT},{TEMPORARY}={LEASE}"])
        yield made
    finally:
        made.stop()


def test_a_temporary_address_goes_out_by_the_lease(place: TranslationPlace) -> None:
    with (
        place.socket("client", socket.SOCK_DGRAM, TEMPORARY) as inside,
        place.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server,
    ):
        for _ in range(3):
            inside.sendto(b"question", (nat64(SERVER), 7000))
            data, source = server.recvfrom(100)
            assert (data, source[0]) == (b"question", LEASE)
            server.sendto(b"answer", source)
            assert inside.recv(100) == b"answer"


def test_two_addresses_with_the_same_port_keep_apart(place: TranslationPlace) -> None:
    with (
        place.socket("client", socket.SOCK_DGRAM, TEMPORARY, 6000) as one,
        place.socket("client", socket.SOCK_DGRAM, CLIENT, 6000) as two,
        place.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server,
    ):
        for sender, text in ((two, b"two"), (one, b"one")):
            sender.sendto(text, (nat64(SERVER), 7000))
            data, source = server.recvfrom(100)
            assert (data, source[0]) == (text, LEASE)
            server.sendto(b"to " + text, source)
            assert sender.recv(100) == b"to " + text


def test_what_comes_too_early_does_not_spoil_the_connection(place: TranslationPlace) -> None:
    with (
        place.socket("client", socket.SOCK_DGRAM, LATER) as inside,
        place.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server,
    ):
        inside.sendto(b"early", (nat64(SERVER), 7000))
        wait_until("it is refused", lambda: place.dropped("unknown-client"), 10)
        place.say(f"+{CLIENT},{TEMPORARY},{LATER}={LEASE}")
        wait_until("the address is known", lambda: LATER in place.run("gateway", *SHOW), 10)
        inside.sendto(b"again", (nat64(SERVER), 7000))
        data, source = server.recvfrom(100)
        assert (data, source[0]) == (b"again", LEASE)
