"""An ISATAP router that advertises whatever a test wants, as routers of others do."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from manageout.errors import WireError
from manageout.lab import network
from manageout.linux.host import netns
from manageout.linux.packets.isatap_underlay import IsatapUnderlay
from manageout.wire import ipv4, nd
from manageout.wire.address import isatap_link_local
from manageout.wire.numbers import PROTOCOL_41


@contextmanager
def advertising(node: str, address: IPv4Address, message: nd.RouterAdvertisement) -> Iterator[None]:
    """``address`` of ``node`` answers every solicitation with ``message`` while the block runs."""
    with netns.inside(network.namespace(node)):
        raw = IsatapUnderlay()
    wake, end = os.pipe()
    thread = threading.Thread(target=_serve, args=(raw, wake, address.packed, message))
    thread.start()
    try:
        yield
    finally:
        os.write(end, b"x")
        thread.join()
        raw.close()
        os.close(wake)
        os.close(end)


def _serve(raw: IsatapUnderlay, wake: int, own: bytes, message: nd.RouterAdvertisement) -> None:
    while True:
        ready, _, _ = select.select([raw.filenos()[0], wake], [], [])
        if wake in ready:
            return
        for packet in raw.receive():
            with contextlib.suppress(WireError):
                outer, inner = ipv4.parse(packet)
                header, question = nd.parse(inner)
                if isinstance(question, nd.RouterSolicitation) and outer.dst == own:
                    answer = nd.build(isatap_link_local(own), header.src, message)
                    raw.send([ipv4.build(own, outer.src, PROTOCOL_41, answer, ttl=64)])
