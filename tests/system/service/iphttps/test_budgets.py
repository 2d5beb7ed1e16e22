"""Who fails, or comes, again and again is refused before he costs anything; nobody else is."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import pytest

from manageout.lab.process import wait_until
from manageout.protocol.iphttps.newcomers import SOURCE_MOST
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, Pair

REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        pair.add_client("bad")
        pair.start_gateway()
        yield pair


def fails(pair: Pair) -> None:
    """A connection that says something else than TLS."""
    with contextlib.suppress(ConnectionError), pair.tcp("bad") as tcp:
        tcp.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while tcp.recv(4096):
            pass


def served(pair: Pair, namespace: str, name: str) -> bool:
    """Whether a connection with a certificate for ``name`` gets its 200."""
    with contextlib.suppress(OSError), pair.tls(f"{name}.corp.example", namespace=namespace) as tls:
        tls.sendall(REQUEST)
        return tls.recv(4096).startswith(b"HTTP/1.1 200")
    return False


def test_a_source_whose_handshakes_fail_is_refused_and_others_are_not(pair: Pair) -> None:
    def refused() -> bool:
        for _ in range(50):
            fails(pair)
        return pair.drops().get("too-many-failures", 0) > 0

    wait_until("failures are refused", refused, 60)
    assert all(served(pair, "cl", f"laptop{number}") for number in range(5))
    # His neighbours behind the same NAT are served from what is spare, at once or when they try again.
    wait_until("a neighbour is served", lambda: served(pair, "bad", "neighbour"))


def test_handshakes_that_end_well_are_never_refused(pair: Pair) -> None:
    """More at once from one address than may fail, each with a certificate of its own."""
    clients: list[ssl.SSLSocket] = []
    for number in range(int(SOURCE_MOST) + 20):
        tls = pair.tls(f"laptop{number}.corp.example")
        tls.sendall(REQUEST)
        clients.append(tls)
    assert all(tls.recv(4096).startswith(b"HTTP/1.1 200") for tls in clients)
    assert not pair.drops()


def test_one_certificate_that_comes_again_and_again(pair: Pair) -> None:
    def refused() -> bool:
        for _ in range(20):
            served(pair, "bad", "restless")
        return pair.drops().get("certificate-too-often", 0) > 0

    wait_until("it comes too often", refused, 60)
    assert served(pair, "cl", "laptop")
