"""What a client cannot do through the gateway's translator, on both paths."""

from __future__ import annotations

import socket

import pytest

from manageout.linux.host import netns
from tests.tools.places.translation import CLIENT, LEASE, SERVER, TranslationPlace, namespace, nat64

PROTOCOL_41, SCTP = 41, 132


def raw(node: str, address: str, protocol: int) -> socket.socket:
    """A raw socket on a node."""
    with netns.inside(namespace(node)):
        opened = socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_RAW, protocol
        )
    opened.settimeout(5.0)
    opened.bind((address, 0))
    return opened


def test_a_client_does_not_become_an_isatap_host(translated: TranslationPlace) -> None:
    """Any other protocol passes (RFC 7915 5.1), and shows that the tunnelled packet would have been there by now."""
    with (
        raw("client", CLIENT, PROTOCOL_41) as tunnel,
        raw("client", CLIENT, SCTP) as other,
        raw("server", SERVER, PROTOCOL_41) as refused,
        raw("server", SERVER, SCTP) as reached,
    ):
        tunnel.sendto(b"\x60" + bytes(39), (nat64(SERVER), 0))
        other.sendto(bytes(40), (nat64(SERVER), 0))
        packet, (source, _) = reached.recvfrom(2048)
        assert (source, packet[9]) == (LEASE, SCTP)
        refused.setblocking(False)
        with pytest.raises(BlockingIOError):
            refused.recvfrom(2048)
