"""struct nfgenmsg before the attributes (linux/netfilter/nfnetlink.h)."""

from __future__ import annotations

from socket import AF_INET6

import pytest

from manageout.errors import KernelError, NotPermitted
from manageout.linux.netlink import netfilter
from manageout.linux.netlink.messages import attribute


def test_family_version_and_resource_in_the_order_of_the_network() -> None:
    assert netfilter.body(AF_INET6, resource=10) == bytes((AF_INET6, 0, 0, 10))
    assert netfilter.body() == bytes(4)


def test_attributes_follow_and_are_read_again() -> None:
    inside = attribute(1, b"table\0"), attribute(3, b"x")
    message = netfilter.body(1, *inside)
    assert message[4:] == b"".join(inside)
    assert netfilter.values(message) == {1: b"table\0", 3: b"x"}


@pytest.mark.parametrize("message", [b"", b"\x02", bytes(4), bytes(7), bytes(4) + b"\x03\0\x01\0"])
def test_what_is_too_short_has_no_attributes(message: bytes) -> None:
    assert netfilter.values(message) == {}


def test_the_kernel_answers_a_generation_on_such_a_socket() -> None:
    try:
        with netfilter.NetfilterSocket() as socket:
            answer = socket.get(10 << 8 | 16, netfilter.body(), "read the generation")
    except NotPermitted:
        pytest.skip("not permitted")
    except KernelError as error:
        pytest.skip(error.message)
    assert 1 in netfilter.values(answer.body)
