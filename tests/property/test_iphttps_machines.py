"""The IP-HTTPS server against anything: it never raises, and its promises hold for every packet it lets out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.iphttps.client import IpHttpsClient
from manageout.protocol.iphttps.values import TUN, ClientConfig
from manageout.wire import icmpv6, ipv6, nd, numbers
from manageout.wire.iphttps import PACKET, SUPER_PACKET, OwnFramer, build_record
from tests.tools.machines.iphttps import (
    BEYOND,
    GATEWAY,
    GATEWAY_LL,
    PREFIX,
    Site,
    advertise,
    dad,
    datagram,
    gua,
    ll,
)
from tests.vectors import vector

SUBNET = PREFIX.network_address.packed[:8]
CLIENTS = (1, 2, 3)


def packet(random: Random) -> bytes:
    """One that a client, good or bad, might send; sometimes damaged."""
    addresses = [gua(1), gua(2), gua(3), ll(1), ll(2), GATEWAY, GATEWAY_LL, BEYOND, nd.ALL_NODES, bytes(16)]
    source, destination, target = random.choices(addresses, k=3)
    makers: list[Callable[[], bytes]] = [
        lambda: datagram(source, destination, random.randbytes(random.randrange(50)), random.randrange(256)),
        lambda: dad(target if target[0] != 0xFF else gua(4)),
        lambda: advertise(source, destination, target),
        lambda: nd.build(source, nd.solicited_node(target), nd.NeighbourSolicitation(target)),
        lambda: nd.build(source, destination, nd.NeighbourSolicitation(target)),
        lambda: nd.build(source, nd.ALL_ROUTERS, nd.RouterSolicitation()),
        lambda: nd.build(source, destination, nd.RouterAdvertisement()),
        lambda: ipv6.build(source, destination, numbers.ROUTING, bytes((58, 0, 0, 1)) + random.randbytes(4)),
        lambda: ipv6.build(source, destination, numbers.ICMPV6, random.randbytes(random.randrange(40))),
        lambda: ipv6.build(
            source, destination, 58, icmpv6.build(source, destination, 128, 0, b"1234"), hop_limit=255
        ),
    ]
    made = random.choice(makers)()
    if random.random() < 0.2:
        at = random.randrange(6, len(made))
        made = made[:at] + random.randbytes(1) + made[at + 1 :]
    return made


class Promises:
    """What must hold of everything that leaves the server."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def check(self, source: int) -> None:
        """After input from ``source`` (a client, or ``TUN``)."""
        held = {address: c.number for c in self.site.server.clients() for address in c.addresses}
        for data in self.site.kernel():
            if source != TUN:
                sent_by_gateway = data[8:24] == GATEWAY
                assert sent_by_gateway or held[data[8:24]] == source, "a source that is not the sender's"
                assert data[24] != 0xFF, "multicast left the link"
                assert data[24:32] != SUBNET or data[24:40] == GATEWAY
                assert nd.message_type(data) is None
        for number in CLIENTS:
            if self.site.closed(number):
                continue
            for data in self.site.packets(number):
                if data[24] != 0xFF and data[24:32] == SUBNET:
                    assert held[data[24:40]] == number
                if source not in (TUN, number):
                    self._between_clients(data)

    def _between_clients(self, data: bytes) -> None:
        config = self.site.config
        if nd.message_type(data) in (134, 137):
            assert data[8:24] == GATEWAY_LL
        if config.mode == "none" and not config.hairpin and data[8:24] not in (GATEWAY, GATEWAY_LL):
            # The only thing that reaches another client is the server's word as the holder of an address.
            assert isinstance(nd.parse(data)[1], nd.NeighbourAdvertisement)


@pytest.mark.parametrize("mode", ["none", "certificates"])
@pytest.mark.parametrize("hairpin", [False, True])
@given(seed=st.integers(0, 2**32))
def test_the_link_keeps_its_promises(mode: str, hairpin: bool, seed: int) -> None:
    random = Random(seed)
    site = Site(mode=mode, hairpin=hairpin, max_addresses=4)
    promises = Promises(site)
    for number in CLIENTS:
        site.connect(number, random.choice(("a", "b")))
    for _ in range(60):
        source = random.choice((TUN, *CLIENTS))
        if source == TUN:
            site.tell_kernel_side(packet(random))
        elif not site.closed(source):
            site.feed(source, packet(random))
        promises.check(source)
        if random.random() < 0.2:
            site.pass_time(random.choice((0.1, 0.5, 1, 20)))
            promises.check(TUN)
    totals = site.server.drop_totals()
    by_client = [times for _, _, times in site.server.drops()]
    assert sum(totals.values()) == sum(by_client)


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans(), st.booleans())
def test_any_stream_is_survived(chunks: list[bytes], own: bool, vnet_hdr: bool) -> None:
    site = Site(vnet_hdr=vnet_hdr)
    site.connect(1, "a", *([("Manageout-Framing", "1")] if own else []))
    for chunk in chunks:
        site.feed(1, chunk)
    site.tell_kernel_side(*(chunk for chunk in chunks if len(chunk) >= 10))
    site.pass_time(200)
    assert site.closed(1) is not None


@given(st.integers(0, 2**32))
def test_any_record_is_survived(seed: int) -> None:
    random = Random(seed)
    site = Site(vnet_hdr=True, hairpin=True)
    for number in CLIENTS:
        site.connect(number, f"{number}", ("Manageout-Framing", "1"))
        site.feed(number, build_record(PACKET, dad(gua(number))))
    for _ in range(30):
        number = random.choice(CLIENTS)
        kind = random.choice((PACKET, SUPER_PACKET))
        header = random.choice((bytes(10), random.randbytes(10))) if kind == SUPER_PACKET else b""
        data = packet(random)
        length = (len(data) - 40).to_bytes(2, "big")
        site.feed(number, build_record(kind, header + b"\x60" + data[1:4] + length + data[6:]))
    for number in CLIENTS:
        OwnFramer().feed(site.stream(number))


@given(st.integers(0, 2**32))
def test_the_client_survives_any_server(seed: int) -> None:
    random = Random(seed)
    client = IpHttpsClient(ClientConfig("server"), lambda subnet, n: bytes(7) + bytes((n,)), random.random)
    now = 0.0
    client.enable(now)
    client.connected(now)
    client.receive(vector("IPHTTPS_response") + vector("IPHTTPS_RA_multicast"), 1, now)
    for _ in range(40):
        data = random.choice((packet(random), random.randbytes(20), vector("IPHTTPS_RA_multicast")))
        client.receive(data, random.choice((0, 1)), now)
        for endpoint, chunks in client.transmit():
            for chunk in chunks if endpoint == TUN else ():
                assert chunk[24:40] in client.addresses and nd.message_type(chunk) is None
        client.events()
        now += random.choice((0, 0, 0.5, 30))
        client.on_timer(now)
        due = client.timer()
        assert due is None or due > now
        client.connected(now)
        client.receive(vector("IPHTTPS_response"), 1, now)
