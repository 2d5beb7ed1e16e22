"""The client's packet path in every form that packets come in: plain, super-packets, blocks."""

from __future__ import annotations

from random import Random

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.client_link import ClientLink
from manageout.protocol.iphttps.host import Host
from manageout.protocol.iphttps.values import SERVER, TUN, Framing
from manageout.protocol.offload.cut import MTU
from manageout.wire.iphttps import OwnFramer
from manageout.wire.virtio import HEADER, PLAIN
from tests.tools.machines.iphttps import BEYOND, datagram, gua

GSO = HEADER.pack(1, 5, 48, 100, 40, 6)


def link(framing: Framing | None, vnet_hdr: bool = True) -> ClientLink:
    """Of a client that holds gua(1)."""
    host = Host(lambda subnet, duplicates: bytes(8), lambda: 0.5, [], [])
    host.assigned.add(gua(1))
    made = ClientLink(host, vnet_hdr)
    made.framing = framing
    return made


def test_a_super_packet_to_a_stock_server_is_cut() -> None:
    client = link("stock")
    client.from_kernel([GSO + datagram(gua(1), BEYOND, bytes(250))])
    ((endpoint, chunks),) = client.take()
    assert endpoint == SERVER and [len(chunk) for chunk in chunks] == [148, 148, 98]
    assert (client.packets_out, client.bytes_out) == (3, 394)


def test_a_super_packet_of_the_server_asks_the_kernel_for_nothing_strange() -> None:
    client = link("own")
    packet = datagram(BEYOND, gua(1), bytes(250))
    good = [GSO + packet, HEADER.pack(1, 0, 0, 0, 40, 6) + packet, PLAIN + packet]
    bad = [
        HEADER.pack(1, 0, 0, 0, 8, 6) + packet,  # a checksum over the source
        HEADER.pack(1, 5, 48, 1, 40, 6) + packet,  # as many packets as bytes
        HEADER.pack(1, 5, 48, 0, 40, 6) + packet,
        HEADER.pack(0, 5, 48, 100, 40, 6) + packet,
        HEADER.pack(1, 4, 60, 100, 40, 16) + packet,  # TCP, says the header
    ]
    client.super_packets([*bad, *good], 0.0)
    assert client.take() == [(TUN, good)]
    assert client.drops.keys() == {Drop.MALFORMED} and client.drops[Drop.MALFORMED] >= len(bad)


def test_a_super_packet_to_our_own_server_stays_whole_and_counts_by_piece() -> None:
    client = link("own")
    whole = GSO + datagram(gua(1), BEYOND, bytes(250))
    client.from_kernel([whole])
    ((_, chunks),) = client.take()
    assert OwnFramer().feed(b"".join(chunks)) == [(1, whole)]
    assert (client.packets_out, client.bytes_out) == (3, 394)


def test_a_super_packet_from_the_server_passes_and_counts_by_piece() -> None:
    client = link("own")
    whole = GSO + datagram(BEYOND, gua(1), bytes(250))
    client.from_server([whole], 0.0, 10)
    client.from_server([GSO + datagram(BEYOND, BEYOND, bytes(250))], 0.0, 10)
    assert client.take() == [(TUN, [whole])]
    assert (client.packets_in, client.bytes_in) == (3, 394)
    assert client.drops == {Drop.DESTINATION_ILLEGAL: 3}


@pytest.mark.parametrize("framing", ["stock", "own", None])
@pytest.mark.parametrize("vnet_hdr", [True, False])
def test_blocks_mean_what_their_packets_mean(framing: Framing | None, vnet_hdr: bool) -> None:
    random = Random(3)
    for _ in range(100):
        stretches = []
        for _ in range(random.randint(1, 4)):
            source = random.choice([gua(1), gua(1), gua(2)])
            packets = [
                datagram(source, BEYOND, random.randbytes(MTU - 48)) for _ in range(random.randint(0, 3))
            ]
            packets.append(datagram(random.choice([source, gua(2)]), BEYOND, bytes(random.randint(0, 1000))))
            stretches.append(packets)
        blocks, singles = link(framing, vnet_hdr), link(framing, vnet_hdr)
        data, spans = b"", []
        for packets in stretches:
            spans.append((len(data), len(data) + sum(map(len, packets))))
            data += b"".join(packets)
        blocks.full = singles.full = random.random() < 0.2
        blocks.from_kernel_blocks(memoryview(data), spans)
        header = PLAIN if vnet_hdr else b""
        singles.from_kernel([header + packet for packets in stretches for packet in packets])
        sent = [b"".join(chunks) for _, chunks in blocks.take()]
        assert sent == [b"".join(chunks) for _, chunks in singles.take()]
        assert (blocks.packets_out, blocks.bytes_out) == (singles.packets_out, singles.bytes_out)
        assert blocks.drops == singles.drops
