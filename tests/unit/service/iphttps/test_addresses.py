"""HostAddresses that answer, refuse or stay silent, with real sockets on the loopback device."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from manageout.errors import ConnectError
from manageout.service.iphttps import addresses
from manageout.service.iphttps.addresses import HostAddresses, _Address


def entry(address: str, port: int) -> _Address:
    return _Address(socket.AF_INET, socket.SOCK_STREAM, 0, (address, port))


def connect(found: HostAddresses, patience: float = 2.0) -> socket.socket:
    return asyncio.run(found.connect("gateway", patience, lambda address: None)).sock


def full() -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue is full: the kernel answers no more SYNs, as a machine that is off."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        fillers.append(sock)
    return listener, fillers


def test_an_address_that_nobody_answers_at_does_not_use_up_the_time_of_the_others() -> None:
    silent, fillers = full()
    with silent, socket.create_server(("127.0.0.2", 0)) as good:
        found = HostAddresses("gateway", 443)
        found._known = [entry(*silent.getsockname()), entry(*good.getsockname())]
        found._hanging = addresses.MAX_QUESTIONS  # no name server answers
        begun = time.monotonic()
        with connect(found) as sock:
            assert sock.getpeername() == good.getsockname()
        assert time.monotonic() - begun < 2
        for filler in fillers:
            filler.close()


def test_an_address_that_refuses_hands_over_at_once_and_all_of_them_are_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and no listen
        found = HostAddresses("gateway", 443)
        found._known = [entry("127.0.0.1", closed.getsockname()[1]), entry("127.0.0.2", 1)]
        found._hanging = addresses.MAX_QUESTIONS
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1: Connection refused; 127\.0\.0\.2: Connection"):
            connect(found)


def test_a_family_that_this_kernel_lacks_is_a_fault_of_that_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as good:
        found = HostAddresses("gateway", 443)
        lacking = entry("127.0.0.9", 1)._replace(family=19)  # AF_ECONET, which Linux has no more
        found._known = [lacking, entry(*good.getsockname())]
        found._hanging = addresses.MAX_QUESTIONS
        connect(found).close()
        found._known = [lacking]
        with pytest.raises(ConnectError, match=r"127\.0\.0\.9: Address family not supported"):
            connect(found)


def test_an_address_whose_tls_was_no_good_comes_last() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.2", 0)) as two:
        found = HostAddresses("gateway", 443)
        found._known = [entry(*one.getsockname()), entry(*two.getsockname())]
        found._hanging = addresses.MAX_QUESTIONS
        with connect(found) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"
        found.put_last("127.0.0.1")
        with connect(found) as sock:
            assert sock.getpeername()[0] == "127.0.0.2"
        found.put_last("127.0.0.2")  # all are as bad: the order of the name server again
        with connect(found) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"


def test_a_name_server_that_hangs_costs_little_when_the_addresses_are_known() -> None:
    async def run() -> float:
        with socket.create_server(("127.0.0.1", 0)) as good:
            found = HostAddresses("gateway", 443)
            found._known = [entry(*good.getsockname())]
            never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            found._question = never
            begun = time.monotonic()
            (await found.connect("gateway", 2.0, lambda address: None)).sock.close()
            assert found._question is never, "one question at a time"
            return time.monotonic() - begun

    assert asyncio.run(run()) < 2


def test_a_name_server_that_hangs_at_the_first_time_is_a_fault_soon() -> None:
    async def run() -> None:
        found = HostAddresses("gateway", 443)
        found._question = asyncio.get_running_loop().create_future()
        with pytest.raises(ConnectError, match="no answer of the name server"):
            await found.connect("gateway", 0.1, lambda address: None)

    asyncio.run(run())


def test_what_is_no_name_is_said() -> None:
    with pytest.raises(ConnectError, match=r"gateway nowhere\.invalid: "):
        connect(HostAddresses("nowhere.invalid", 443))
    with pytest.raises(ConnectError, match="not a host name"):
        connect(HostAddresses("a" * 70 + ".example", 443))
