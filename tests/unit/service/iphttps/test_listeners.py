"""Listening sockets: our own, and those that come with the process."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from manageout.errors import KernelError
from manageout.service.iphttps.listeners import Inherited, listen


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KernelError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            listen(f"127.0.0.1:{port}")
    with pytest.raises(
        KernelError, match=r"cannot listen on 192\.0\.2\.1:1: Cannot assign requested address"
    ):
        listen("192.0.2.1:1")


@pytest.mark.parametrize(
    ("first", "second"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("[::]", "[::1]")]
)
def test_a_place_within_or_around_one_of_ours_needs_a_restart(first: str, second: str) -> None:
    """The kernel lets one listen there only; who looks for a stranger with ``ss`` would find ourselves."""
    with listen(f"{first}:0") as sock:
        port = sock.getsockname()[1]
        ours = ["192.0.2.1:1", f"{first}:{port}"]
        with pytest.raises(KernelError, match="Address already in use") as caught:
            listen(f"{second}:{port}", ours)
        assert f"we listen on {first}:{port}" in caught.value.hint and "restart" in caught.value.hint
        with pytest.raises(KernelError, match=r"systemd has .*, which overlaps") as caught:
            Inherited([sock]).take(f"{second}:{port}")
        assert "ListenStream=" in caught.value.hint


def test_both_families_can_be_had_at_once() -> None:
    with listen("0.0.0.0:0") as first, listen(f"[::]:{first.getsockname()[1]}") as second:
        assert second.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.fixture
def kept() -> Iterator[socket.socket]:
    with listen("127.0.0.1:0") as sock:
        yield sock


def shown(sock: socket.socket) -> str:
    return "{}:{}".format(*sock.getsockname())


def test_a_socket_that_came_with_the_process_is_used_and_kept(kept: socket.socket) -> None:
    inherited = Inherited([kept])
    for _ in range(2):  # a place may go from the site file and come back
        taken = inherited.take(shown(kept))
        assert taken is not None and not taken.getblocking() and not taken.get_inheritable()
        taken.close()
    with socket.create_connection(kept.getsockname(), 5):  # nobody accepts: it waits in the backlog
        pass
    assert inherited.take("127.0.0.2:1") is None
    assert list(inherited.findings([shown(kept)])) == []
    assert list(Inherited().findings(["0.0.0.0:443"])) == []


def test_an_address_may_be_written_otherwise() -> None:
    with listen("[::1]:0") as sock:
        port = sock.getsockname()[1]
        taken = Inherited([sock]).take(f"[0:0::1]:{port}")
        assert taken is not None
        taken.close()


def test_what_systemd_and_the_site_file_say_must_be_the_same(kept: socket.socket) -> None:
    unused, other = Inherited([kept]).findings(["127.0.0.3:443"])
    assert (unused.code, unused.severity) == ("LISTEN-UNUSED", "error") and shown(kept) in unused.what
    assert (other.code, other.severity) == ("LISTEN-NOT-KEPT", "note") and "127.0.0.3:443" in other.what


def test_a_socket_of_both_families_stands_in_the_way_and_is_named() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both:
        port = both.getsockname()[1]
        inherited = Inherited([both])
        for wanted in (f"0.0.0.0:{port}", f"[::]:{port}"):
            with pytest.raises(KernelError, match="of both families at once") as error:
                inherited.take(wanted)
            assert "BindIPv6Only=ipv6-only" in (error.value.hint or "")
        assert inherited.take("0.0.0.0:1") is None
        assert [row.code for row in inherited.findings([])] == ["LISTEN-UNUSED"]


def test_sockets_that_are_none_of_ours() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket() as deaf,
        socket.socket(socket.AF_UNIX) as local,
    ):
        udp.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        assert {row.code for row in Inherited([udp, deaf, local]).findings([])} == {"LISTEN-UNUSED"}
