"""IPv4 headers."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import ipv4, numbers
from tests.vectors import names, vector

PACKETS = [
    "ISATAP_v4_RS",
    "ISATAP_v4_RA",
    *(name for name in names("SIIT_") if name.endswith("_v4")),
    *(name for name in names("6TO4_") if name != "6TO4_prefix"),
]
SOURCE, TARGET = bytes((10, 0, 0, 5)), bytes((10, 0, 0, 1))


@pytest.mark.parametrize("name", PACKETS)
def test_vectors_survive_the_round_trip(name: str) -> None:
    packet = vector(name)
    header, payload = ipv4.parse(packet)
    again = ipv4.build(
        header.src,
        header.dst,
        header.protocol,
        payload,
        ttl=header.ttl,
        tos=header.tos,
        ident=header.ident,
        dont_fragment=header.dont_fragment,
        more_fragments=header.more_fragments,
        fragment_offset=header.fragment_offset,
    )
    assert again == packet


def test_the_isatap_solicitation() -> None:
    header, payload = ipv4.parse(vector("ISATAP_v4_RS"))
    assert (header.src, header.dst, header.protocol, header.ttl) == (SOURCE, TARGET, numbers.PROTOCOL_41, 64)
    assert not header.dont_fragment and not header.is_fragment and header.tos == 0
    assert payload == vector("ND_RS_unicast_isatap")


def test_fragments() -> None:
    first, second = (ipv4.parse(vector(f"SIIT_frag{number}_v4"))[0] for number in (1, 2))
    assert first.is_fragment and first.more_fragments and first.fragment_offset == 0
    assert second.is_fragment and not second.more_fragments and second.fragment_offset == 2


def test_options_and_padding() -> None:
    packet = ipv4.build(SOURCE, TARGET, 17, b"payload", options=b"\x94\x04\0\0", dont_fragment=True)
    header, payload = ipv4.parse(packet + b"padding")
    assert (header.options, header.header_length, payload) == (b"\x94\x04\0\0", 24, b"payload")
    assert header.dont_fragment


def damaged(position: int, byte: int) -> bytes:
    packet = bytearray(vector("ISATAP_v4_RS"))
    packet[position] = byte
    return bytes(packet)


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "truncated IPv4 header: 0 bytes"),
        (vector("ISATAP_v4_RS")[:19], "truncated IPv4 header: 19 bytes"),
        (vector("ISATAP_v4_RS")[:-1], "truncated IPv4 packet: 67 of 68 bytes"),
        (vector("ND_RS_allrouters"), "not IPv4: version 6"),
        (damaged(0, 0x44), "header length 16 does not fit"),
        (damaged(0, 0x4F)[:30], "header length 60 does not fit"),
        (damaged(3, 19), "total length 19 is less than the header's 20"),
        (damaged(8, 63), "wrong IPv4 header checksum"),
    ],
)
def test_refuses(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        ipv4.parse(packet)


def test_a_quotation_may_be_cut_and_altered() -> None:
    header = ipv4.parse_header(damaged(8, 63)[:28])
    assert (header.total_length, header.ttl) == (68, 63)


@pytest.mark.parametrize("options", [b"123", bytes(44)])
def test_options_that_do_not_fit_are_not_written(options: bytes) -> None:
    with pytest.raises(WireError, match="IPv4 options"):
        ipv4.build(SOURCE, TARGET, 17, b"", options=options)


def test_the_largest_packet() -> None:
    assert len(ipv4.build(SOURCE, TARGET, 41, bytes(65515))) == 65535
    with pytest.raises(WireError, match="IPv4 packet of 65536 bytes"):
        ipv4.build(SOURCE, TARGET, 41, bytes(65516))
