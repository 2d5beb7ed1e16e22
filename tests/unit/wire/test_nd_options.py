"""Options of Neighbour Discovery: the vectors, the odd shapes that are legal, those that void an option."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.wire.nd import (
    INFINITE,
    Dnssl,
    LinkLayer,
    Mtu,
    Option,
    Pref64,
    Preference,
    PrefixInformation,
    Rdnss,
    RouteInformation,
    UnknownOption,
    build_options,
    parse_options,
)
from tests.vectors import names, vector


def v6(text: str) -> bytes:
    return bytes.fromhex(text.ljust(32, "0"))


RIO_48 = RouteInformation(v6("20010db8000f"), 48, Preference.HIGH, 3600)
VECTORS: dict[str, Option] = {
    "opt_PIO": PrefixInformation(v6("20010db80001"), 64, True, True, 86400, 14400),
    "opt_MTU_1280": Mtu(1280),
    "opt_RIO_default_low": RouteInformation(bytes(16), 0, Preference.LOW, 1800),
    "opt_RIO_48_high_len2": RIO_48,
    "opt_RIO_48_high_len3": RIO_48,
    "opt_RIO_96_low": RouteInformation(v6("0064ff9b"), 96, Preference.LOW, 1800),
    "opt_RDNSS_1": Rdnss(1800, (v6("20010db8000100000000000000000053"),)),
    "opt_RDNSS_2": Rdnss(
        INFINITE,
        (v6("20010db8000100000000000000000053"), v6("fe800000000000000000000000000001")),
    ),
    "opt_DNSSL": Dnssl(1800, ("corp.example.com", "example.net")),
    "opt_PREF64_96_1800": Pref64(v6("0064ff9b"), 96, 1800),
}


def test_every_vector_is_named() -> None:
    assert set(VECTORS) == set(names("opt_"))


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    assert parse_options(vector(name)) == (VECTORS[name],)
    if name != "opt_RIO_48_high_len3":  # we write the short form
        assert build_options([VECTORS[name]]) == vector(name)


def test_several_in_order() -> None:
    assert parse_options(b"".join(map(vector, VECTORS))) == tuple(VECTORS.values())


def test_bits_behind_the_prefix_are_ignored_and_never_written() -> None:
    """RFC 4861 4.6.2, RFC 4191 2.3, RFC 8781 4."""
    ones = b"\xff" * 16
    kept = b"\xff" * 8 + bytes(8)
    prefix = PrefixInformation(ones, 64, True, False, 1, 1)
    assert parse_options(build_options([prefix])) == (PrefixInformation(kept, 64, True, False, 1, 1),)
    raw = bytes.fromhex("1803000000000001") + ones
    assert parse_options(raw) == (RouteInformation(bytes(16), 0, Preference.MEDIUM, 1),)
    assert parse_options(bytes.fromhex("26020009") + ones[:12]) == (Pref64(kept, 64, 8),)


@pytest.mark.parametrize(("length", "units"), [(0, 1), (1, 2), (64, 2), (65, 3), (128, 3)])
def test_route_information_is_as_short_as_it_may_be(length: int, units: int) -> None:
    written = build_options([RouteInformation(b"\xff" * 16, length, Preference.LOW, 9)])
    assert len(written) == 8 * units
    (read,) = parse_options(written)
    assert isinstance(read, RouteInformation) and read.length == length


@pytest.mark.parametrize("code_and_length", list(enumerate((96, 64, 56, 48, 40, 32))))
def test_pref64_lengths(code_and_length: tuple[int, int]) -> None:
    code, length = code_and_length
    option = Pref64(v6("20"), length, 600)
    written = build_options([option])
    assert written[3] & 7 == code
    assert parse_options(written) == (option,)


def test_a_pref64_lifetime_is_rounded_up() -> None:
    assert parse_options(build_options([Pref64(v6("20"), 96, 601)])) == (Pref64(v6("20"), 96, 608),)
    assert build_options([Pref64(v6("20"), 96, 65528)])[2:4] == b"\xff\xf8"


def test_a_link_layer_address_of_any_size() -> None:
    for option in (LinkLayer(1, bytes(6)), LinkLayer(2, bytes(14))):
        assert parse_options(build_options([option])) == (option,)


VOID = {
    "an option we do not know": "fd01000000000000",
    "PIO of 3 units": "0303" + 22 * "00",
    "PIO /129": "030481c0" + 28 * "00",
    "MTU of 2 units": "0502" + 14 * "00",
    "RIO with the reserved preference": "1801001000000001",
    "RIO of 1 unit for /1": "1801010000000001",
    "RIO of 2 units for /65": "1802410000000001" + 8 * "00",
    "RIO of 3 units for /129": "1803810000000001" + 16 * "00",
    "RIO of 4 units": "1804000000000001" + 24 * "00",
    "RDNSS without an address": "1901000000000001",
    "RDNSS of 4 units": "1904000000000001" + 24 * "00",
    "DNSSL without a name": "1f02000000000001" + 8 * "00",
    "DNSSL of 1 unit": "1f01000000000001",
    "DNSSL with a compression pointer": "1f02000000000001c000" + 6 * "00",
    "DNSSL that breaks off in a label": "1f0200000000000107616263" + 4 * "61",
    "DNSSL without a last label": "1f020000000000010661626364" + 3 * "61",
    "DNSSL with bytes behind the padding": "1f0200000000000101610000" + 3 * "00" + "61",
    "DNSSL with a dot in a label": "1f02000000000001022e61" + 5 * "00",
    "DNSSL beyond ASCII": "1f0200000000000102c3a4" + 5 * "00",
    "PREF64 of 3 units": "2603" + 22 * "00",
    "PREF64 with code 6": "26020006" + 12 * "00",
}


@pytest.mark.parametrize("name", VOID)
def test_a_void_option_is_kept_as_unknown(name: str) -> None:
    """What the RFCs say to ignore harms neither the options beside it nor the message."""
    data = bytes.fromhex(VOID[name])
    assert len(data) == 8 * data[1]
    mtu = vector("opt_MTU_1280")
    assert parse_options(mtu + data + mtu) == (Mtu(1280), UnknownOption(data[0], data[2:]), Mtu(1280))
    assert build_options([UnknownOption(data[0], data[2:])]) == data


def test_a_name_of_more_than_253_characters_is_void() -> None:
    label = b"\x3f" + b"a" * 63
    names_ = label * 4 + b"\0"
    body = bytes(6) + names_ + bytes(-len(names_) % 8)
    data = bytes((31, (len(body) + 2) // 8)) + body
    assert parse_options(data) == (UnknownOption(31, body),)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("0500000000000500", "ND option 5 has length 0"),
        ("fd00", "ND option 253 has length 0"),
        ("0502000000000500", "truncated ND option: 14 bytes wanted, 6 left"),
        ("050100000000050003", "truncated ND option"),
    ],
)
def test_what_discards_the_packet(data: str, message: str) -> None:
    with pytest.raises(WireError, match=message):
        parse_options(bytes.fromhex(data))


@pytest.mark.parametrize(
    "option",
    [
        LinkLayer(1, bytes(7)),
        UnknownOption(9, bytes(2046)),
        Dnssl(1, ("a..b",)),
        Dnssl(1, ("",)),
        Dnssl(1, ("ä.example",)),
        Dnssl(1, ("a" * 64,)),
        Dnssl(1, (".".join(["a" * 63] * 4),)),
        Pref64(bytes(16), 95, 8),
        Pref64(bytes(16), 96, 65529),
        Pref64(bytes(16), 96, -1),
        Rdnss(1, (b"short",)),
    ],
    ids=str,
)
def test_refuses_to_write(option: Option) -> None:
    with pytest.raises(WireError):
        build_options([option])
