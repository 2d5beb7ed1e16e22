"""The walk through all connections, against the reading of each one attribute by attribute."""

from __future__ import annotations

import socket

import pytest

from manageout.linux.netlink import conntrack_walk
from manageout.linux.netlink import messages as rtnetlink
from manageout.linux.netlink.conntrack import connection
from manageout.linux.netlink.conntrack_walk import FORGET, Ends, mark, walk
from manageout.linux.nft import program as nft
from manageout.linux.nft.sets import NETFILTER
from tests.system.test_conntrack import BODY, MARKED, found, sent_to, tracked

__all__ = ["tracked"]


def test_the_places_of_a_message_are_those_of_its_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_to(9)  # its source is rewritten
    sent_to(10)
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with server, socket.create_connection(server.getsockname()[:2]):
        netlink = rtnetlink.Socket(protocol=NETFILTER)
        for message in netlink.each(1 << 8 | 1, bytes([socket.AF_INET6, 0, 0, 0]), "read"):
            whole = connection(message.body, lambda source, destination: True)
            assert whole is not None
            fields = whole.protocol, whole.source, whole.destination, whole.port, whole.seen_as
            assert conntrack_walk.ends(message.body) == Ends(*fields)
            monkeypatch.setattr(conntrack_walk, "_PROTOCOL_HEAD", b"else")
            assert conntrack_walk.ends(message.body) == Ends(*fields), "of another form"
            monkeypatch.undo()
        netlink.close()


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
    nft.replace_table(nft.TABLE, BODY + MARKED)
    sent_to(10)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender, pytest.raises(PermissionError):
        sender.bind(("::", next(each.source_port for each in found() if each.port == 9)))
        sender.sendto(b"x", ("::1", 9))


@pytest.mark.parametrize("change", [FORGET, mark(0x2)])
def test_other_work_comes_in_between(change: conntrack_walk.Change) -> None:
    for port in range(1000, 3000):
        sent_to(port)
    slices = list(walk(lambda ends: True, change))
    assert sum(slices) == 2000
    assert len(slices) > 3
