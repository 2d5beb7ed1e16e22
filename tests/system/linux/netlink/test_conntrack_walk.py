"""The walk through all connections, against the reading of each one attribute by attribute."""

from __future__ import annotations

import socket
import subprocess
from collections import Counter

import pytest

from manageout.linux.netlink import conntrack, conntrack_walk, netfilter
from manageout.linux.netlink.conntrack import Ends
from manageout.linux.netlink.conntrack_walk import FORGET, mark, walk
from manageout.linux.netlink.messages import attribute, attribute_list
from manageout.linux.netlink.netfilter import NetfilterSocket
from manageout.linux.nft import program as nft
from tests.system.linux.netlink.test_conntrack import BODY, MARKED, found, sent_to, tracked
from tests.tools.packet_filter import replace_table

__all__ = ["tracked"]


def test_the_places_of_a_message_are_those_of_its_attributes() -> None:
    sent_to(9)  # its source is rewritten
    sent_to(10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.2", 9))
    subprocess.run(["ping", "-c1", "-w5", "::1"], check=True, capture_output=True)
    seen: Counter[int] = Counter()
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with server, socket.create_connection(server.getsockname()[:2]), NetfilterSocket() as netlink:
        for family in (socket.AF_INET6, socket.AF_INET):
            for message in netlink.each(conntrack.GET, netfilter.body(family), "read"):
                ends = conntrack.ends(message.body)
                assert ends == conntrack.ends_of(family, netfilter.values(message.body))
                assert ends is not None
                seen[family] += 1
                assert conntrack.ends(reordered(message.body)) == ends, "of another form"
                assert conntrack.ends(b"\x07" + message.body[1:]) is None, "of another family"
                whole = conntrack.connection(message.body, lambda source, destination: True)
                assert (whole is None) == (family == socket.AF_INET)
                if whole is not None:
                    fields = whole.protocol, whole.source, whole.destination, whole.port, whole.seen_as
                    assert fields == ends[:5]
    assert seen[socket.AF_INET6] >= 4 and seen[socket.AF_INET] >= 1


def reordered(body: bytes) -> bytes:
    """The attributes of a message from the last to the first."""
    parts = [attribute(kind, value) for kind, value in attribute_list(body[4:])]
    return body[:4] + b"".join(reversed(parts))


def to_9(ends: Ends) -> bool:
    return ends.port == 9


def test_chosen_connections_are_forgotten_and_the_others_are_not() -> None:
    sent_to(9)
    sent_to(10)
    assert sum(walk(to_9, FORGET)) == 1
    assert [each.port for each in found()] == [10]
    assert sum(walk(to_9, FORGET)) == 0


def test_a_bit_in_the_mark_leaves_the_other_bits() -> None:
    sent_to(9)
    sent_to(10)
    assert sum(walk(to_9, mark(0x1))) == sum(walk(to_9, mark(0x40000000))) == 1
    replace_table(nft.TABLE, BODY + MARKED)
    sent_to(10)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender, pytest.raises(PermissionError):
        sender.bind(("::", next(each.source_port for each in found() if each.port == 9)))
        sender.sendto(b"x", ("::1", 9))


@pytest.mark.parametrize("change", [FORGET, mark(0x2)])
def test_other_work_comes_in_between(change: conntrack_walk.Action) -> None:
    for port in range(1000, 3000):
        sent_to(port)
    slices = list(walk(lambda ends: True, change))
    assert sum(slices) == 2000
    assert len(slices) > 3
