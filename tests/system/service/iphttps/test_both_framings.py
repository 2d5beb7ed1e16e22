"""Own and stock clients at one gateway: neither changes how the other's packets are read."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from manageout.lab.process import wait_until
from tests.system.service.iphttps.test_connect import carried, ping
from tests.system.service.process.test_fast_path import detach, links_of
from tests.tools.places.iphttps import GATEWAY_V6, Pair, Running, in_namespace, sh
from tests.tools.this_kernel import TCX

DATA = bytes(range(256)) * 20000
LARGEST = 1280


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two clients' namespaces: ``cl`` and ``cl2``."""
    with Pair() as made:
        made.add_client("cl2")
        yield made


def start(pair: Pair, namespace: str, *options: str) -> Running:
    client = pair.start_client(f"{namespace}.corp.example", *options, namespace=namespace)
    pair.address(namespace)
    wait_until(f"{namespace} is reached", lambda: ping(namespace, GATEWAY_V6))
    return client


def read() -> list[tuple[int, int]]:
    """Bytes and packets that were read from the two devices of the gateway."""
    rows = [json.loads(sh(f"ip -n gw -j -s link show mo-iphttps{number}"))[0] for number in (0, 1)]
    return [(row["stats64"]["tx"]["bytes"], row["stats64"]["tx"]["packets"]) for row in rows]


def download(namespace: str) -> tuple[int, float]:
    """A client fetches data, whole: the number of the device that carried it, and its packets' mean length."""
    before = read()
    listener = in_namespace("gw", lambda: socket.create_server((GATEWAY_V6, 9999), family=socket.AF_INET6))
    receiver = in_namespace(namespace, lambda: socket.create_connection((GATEWAY_V6, 9999), 10))
    sender, _ = listener.accept()
    assert carried(sender, receiver, DATA) == DATA
    for sock in (listener, receiver, sender):
        sock.close()
    moved = [(now[0] - old[0], now[1] - old[1]) for old, now in zip(before, read(), strict=True)]
    size, packets = max(moved)
    return moved.index((size, packets)), size / packets


def of_own(found: tuple[int, float]) -> bool:
    return found[0] == 0 and found[1] > 1.3 * LARGEST  # how much longer is a matter of the machine


def of_stock(found: tuple[int, float]) -> bool:
    return found[0] == 1 and found[1] <= LARGEST


def test_each_has_its_own_device(pair: Pair) -> None:
    pair.start_gateway()
    start(pair, "cl")
    start(pair, "cl2", "--stock")
    assert pair.ask("status")["roles"]["iphttps"]["fast_path"] == {"on": True, "reason": ""}
    for _ in range(2):
        assert of_own(download("cl"))
        assert of_stock(download("cl2"))


def test_a_client_that_changes_its_framing_keeps_its_address(pair: Pair) -> None:
    pair.start_gateway()
    start(pair, "cl")
    held = set()
    for options in ((), ("--stock",), ()):
        client = start(pair, "cl2", *options)
        held.add(pair.address("cl2"))
        assert (of_stock if options else of_own)(download("cl2"))
        assert client.stop() == 0
    assert len(held) == 1


def test_without_ebpf_both_are_served_by_one_device(pair: Pair) -> None:
    pair.start_gateway(tables="fast_path = false")
    start(pair, "cl")
    start(pair, "cl2", "--stock")
    assert pair.ask("status")["roles"]["iphttps"]["fast_path"]["on"] is False
    for namespace in ("cl", "cl2"):
        number, length = download(namespace)
        assert number == 0 and length <= LARGEST


@TCX
def test_with_the_program_detached_by_somebody_both_are_served(pair: Pair) -> None:
    running = pair.start_gateway()
    start(pair, "cl")
    start(pair, "cl2", "--stock")
    for number in links_of(running.pid):
        detach(number)
    assert download("cl2")[0] in (0, 1)  # or it is there again
    wait_until("the program is there again", lambda: of_stock(download("cl2")))


@TCX
def test_with_the_program_left_detached_there_is_one_device(pair: Pair) -> None:
    """Three times it is put back, then left so: super-packets that nobody redirects would be cut up in Python."""
    running = pair.start_gateway()
    start(pair, "cl")
    start(pair, "cl2", "--stock")

    def detached() -> bool:
        for number in links_of(running.pid):
            detach(number)
        return "FAST-PATH-DETACHED" in {row["code"] for row in pair.ask("status")["findings"]}

    wait_until("it is left so", detached, 30)
    number, length = download("cl2")
    assert number == 0 and length <= LARGEST
