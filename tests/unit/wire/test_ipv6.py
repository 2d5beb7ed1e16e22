"""IPv6 headers, and the walk over extension headers."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire import ipv6, numbers
from tests.vectors import names, vector

PACKETS = [
    *names("ND_"),
    *(name for name in names("SIIT_") if name.endswith("_v6")),
    *(name for name in ("IPHTTPS_DAD_NS", "IPHTTPS_proxy_NA", "IPHTTPS_RA_multicast", "TEREDO_bubble")),
]
SOURCE, TARGET = (bytes.fromhex("fd" + "00" * 14 + last) for last in ("01", "02"))


@pytest.mark.parametrize("name", PACKETS)
def test_vectors_survive_the_round_trip(name: str) -> None:
    packet = vector(name)
    header, payload = ipv6.parse(packet)
    again = ipv6.build(
        header.src,
        header.dst,
        header.next_header,
        payload,
        hop_limit=header.hop_limit,
        traffic_class=header.traffic_class,
        flow_label=header.flow_label,
    )
    assert again == packet


def test_the_first_word_is_split_rightly() -> None:
    packet = ipv6.build(SOURCE, TARGET, 59, b"", traffic_class=0xB8, flow_label=0xFEDCB, hop_limit=1)
    assert packet[:4] == b"\x6b\x8f\xed\xcb"
    header, _ = ipv6.parse(packet)
    assert (header.traffic_class, header.flow_label, header.hop_limit) == (0xB8, 0xFEDCB, 1)


def test_padding_behind_the_payload_is_left_out() -> None:
    assert ipv6.parse(ipv6.build(SOURCE, TARGET, 59, b"abc") + b"padding")[1] == b"abc"


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "truncated IPv6 header: 0 bytes"),
        (vector("TEREDO_bubble")[:39], "truncated IPv6 header: 39 bytes"),
        (vector("ND_RS_allrouters")[:-1], "truncated IPv6 packet: 47 of 48 bytes"),
        (vector("IPHTTPS_bad_version"), "not IPv6: version 4"),
        (vector("IPHTTPS_oversize_len"), "truncated IPv6 packet: 40 of 65575 bytes"),
    ],
)
def test_refuses(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        ipv6.parse(packet)


def test_the_largest_payload() -> None:
    assert len(ipv6.build(SOURCE, TARGET, 59, bytes(65535))) == 65575
    with pytest.raises(WireError, match="payload of 65536 bytes"):
        ipv6.build(SOURCE, TARGET, 59, bytes(65536))


# --- Extension headers ----------------------------------------------------------------------------------

PLAIN_TO = "{:02x}00010400000000"  # 8 bytes, PadN


def chain(first: int, *headers: str, upper: bytes = b"upper layer") -> bytes:
    return ipv6.build(SOURCE, TARGET, first, b"".join(map(bytes.fromhex, headers)) + upper)


def test_without_extension_headers() -> None:
    assert ipv6.walk_extensions(chain(17)) == ipv6.Extensions(17, 40, None, None)


def test_every_kind_in_one_chain() -> None:
    packet = chain(
        numbers.HOP_BY_HOP,
        PLAIN_TO.format(numbers.DESTINATION_OPTIONS),
        "2b01" + 14 * "00",  # destination options, 16 bytes
        "2c00000300000000",  # routing, 3 segments left
        "3300000112345678",  # fragment, offset 0, more
        "3a01" + 10 * "00",  # authentication, 12 bytes
    )
    found = ipv6.walk_extensions(packet)
    assert found == ipv6.Extensions(
        numbers.ICMPV6, 92, ipv6.Fragment(0, True, 0x12345678), 3, behind_fragment=True
    )
    assert packet[found.offset :] == b"upper layer"


def test_a_later_fragment_ends_the_walk() -> None:
    found = ipv6.walk_extensions(chain(numbers.FRAGMENT, "3c000010000000ff", upper=b"any data"))
    assert found == ipv6.Extensions(numbers.DESTINATION_OPTIONS, 48, ipv6.Fragment(2, False, 0xFF), None)


@pytest.mark.parametrize("last", [numbers.ESP, numbers.NO_NEXT_HEADER])
def test_esp_and_no_next_header_end_it_too(last: int) -> None:
    assert ipv6.walk_extensions(chain(numbers.DESTINATION_OPTIONS, PLAIN_TO.format(last))).next_header == last


def test_the_routing_header_vector() -> None:
    """Not to be translated, since segments are left; the error points at byte 43."""
    packet = vector("SIIT_rh_segleft1_v6")
    found = ipv6.walk_extensions(packet)
    assert found == ipv6.Extensions(numbers.UDP, 64, None, 1)
    assert packet[43] == 1


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (chain(60, "3a00", upper=b""), "truncated IPv6 extension header 60"),
        (chain(60, "3aff010400000000", upper=b""), "truncated IPv6 extension header 60"),
        (chain(51, "3aff010400000000", upper=b""), "truncated IPv6 extension header 51"),
        (chain(44, "3a00", upper=b""), "truncated IPv6 extension header 44"),
        (chain(60, PLAIN_TO.format(0), PLAIN_TO.format(17)), "not the first header"),
        (chain(44, "2c00000100000001", "1100000100000001"), "two Fragment headers"),
        (chain(60, *[PLAIN_TO.format(60)] * 40), "too many"),
    ],
)
def test_refuses_broken_chains(packet: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        ipv6.walk_extensions(packet)


def test_the_longest_chain() -> None:
    packet = chain(60, *[PLAIN_TO.format(60)] * (ipv6.MAX_EXTENSIONS - 1), PLAIN_TO.format(17))
    assert ipv6.walk_extensions(packet).next_header == 17


def test_headers_do_not_hide_behind_the_payload_length() -> None:
    packet = bytearray(chain(60, PLAIN_TO.format(17)))
    packet[4:6] = b"\0\4"
    with pytest.raises(WireError, match="truncated"):
        ipv6.walk_extensions(bytes(packet))
