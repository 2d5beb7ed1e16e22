"""Is an ISATAP host there: a Neighbour Solicitation over protocol 41, which hosts answer whatever their firewall says.

The raw socket gets copies, so that this works beside a running daemon.
"""

from __future__ import annotations

import contextlib
import select
import time
from ipaddress import IPv4Address

from manageout.errors import WireError
from manageout.linux.packets.rawsock import PROTOCOL_41, RawSocket
from manageout.protocol.isatap.nd import TTL, link_local_forms
from manageout.wire import ipv4, nd
from manageout.wire.address import isatap_link_local

WAIT = 1.5
TRIES = 3


def answers(host: IPv4Address, locator: IPv4Address, wait: float = WAIT) -> bool:
    """Whether ``host`` advertises itself to the router ``locator``, which is ours.

    Raises :class:`~manageout.errors.NotPermitted` without CAP_NET_RAW.
    """
    packets = []
    for target in link_local_forms(host.packed):
        inner = nd.build(isatap_link_local(locator.packed), target, nd.NeighbourSolicitation(target))
        packets.append(ipv4.build(locator.packed, host.packed, PROTOCOL_41, inner, ttl=TTL))
    with contextlib.closing(RawSocket()) as raw:
        begin, data = time.monotonic(), raw.filenos()[0]
        for attempt in range(TRIES):
            raw.send(packets)
            until = begin + wait * (attempt + 1) / TRIES
            while (left := until - time.monotonic()) > 0 and select.select([data], [], [], left)[0]:
                if any(_is_answer(packet, host) for packet in raw.receive()):
                    return True
    return False


def _is_answer(packet: bytes, host: IPv4Address) -> bool:
    with contextlib.suppress(WireError):
        outer, inner = ipv4.parse(packet)
        _, message = nd.parse(inner)
        return outer.src == host.packed and isinstance(message, nd.NeighbourAdvertisement)
    return False
