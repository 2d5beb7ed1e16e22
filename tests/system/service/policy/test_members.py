"""Addresses of clients that come and go, in the kernel: rewritten to the one with the lease, and never otherwise."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.tools.places.translation import (
    CLIENT,
    LEASE,
    OTHER,
    OTHER_LEASE,
    PREFIX,
    SERVER,
    TranslationPlace,
    nat64,
)

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


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_an_address_brings_no_connections_of_its_former_holder(
    namespaces: Callable[[str], str], tmp_path: Path, sign: signal.Signals
) -> None:
    place = TranslationPlace(namespaces, tmp_path)
    try:
        place.start(leases=[f"{CLIENT}={LEASE}@victim", f"{OTHER}={OTHER_LEASE}@other"])
        call(place, LEASE)
        call(place, OTHER_LEASE)
        assert open_to(place, CLIENT) and open_to(place, OTHER)
        place.stop(sign)
        place.start(leases=[f"{CLIENT}={LEASE}@stranger", f"{OTHER}={OTHER_LEASE}@other"])
        wait_until("they are forgotten", lambda: not open_to(place, CLIENT), 10)
        assert open_to(place, OTHER), "its own stay"
    finally:
        place.stop()


def test_nor_of_one_that_nobody_remembers(namespaces: Callable[[str], str], tmp_path: Path) -> None:
    place = TranslationPlace(namespaces, tmp_path)
    try:
        place.start(leases=[f"{CLIENT}={LEASE}@victim"])
        call(place, LEASE)
        place.stop()
        (tmp_path / "state" / "holders").unlink()
        place.start(leases=[f"{CLIENT}={LEASE}@victim"])
        wait_until("they are forgotten", lambda: not open_to(place, CLIENT), 10)
    finally:
        place.stop()


def call(place: TranslationPlace, lease: str) -> None:
    """The server has a connection open to a client."""
    with place.socket("server", socket.SOCK_DGRAM, SERVER, 7000) as server:
        server.sendto(b"x", (lease, 9))
    node, client = ("client", CLIENT) if lease == LEASE else ("other", OTHER)
    wait_until(f"the {node} is called", lambda: open_to(place, client), 10)


def open_to(place: TranslationPlace, address: str) -> list[str]:
    """What the kernel of the gateway holds."""
    lines = place.run("gateway", "conntrack", "-L", "-f", "ipv6").splitlines()
    return [line for line in lines if f"dst={address} " in line and "dport=9 " in line]
