"""RFC 7915 4.2 and 5.2: every row of the ICMP tables, both ways, and every type and code that has none."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Drop
from manageout.wire import icmpv4, icmpv6, ipv4, ipv6
from tests.tools.packets.icmpv4 import echo4
from tests.unit.protocol.translate.test_rules import ROUTER4, datagram4, datagram6, made, passed, refused
from tests.unit.protocol.translate.test_whole import CLIENT, LEASE, SERVER, SERVER4, v4, v6

ROUTER6 = v6("64:ff9b::203.0.113.1")
ROUTER6_ALONE = v6("2001:db8:ffff::1")
# What the lease sent, as IPv4 routers saw it; what the server sent, as IPv6 routers saw it.
SENT4 = ipv4.build(LEASE, SERVER4, 17, datagram6()[40:], ident=7)
SENT6 = ipv6.build(SERVER, CLIENT, 17, datagram4()[20:])


def to6(kind: int, code: int, word: int = 0) -> icmpv6.Icmpv6 | None:
    """The ICMPv6 message that an ICMPv4 error becomes, or None."""
    packet = ipv4.build(ROUTER4, LEASE, 1, icmpv4.build(icmpv4.Icmpv4(kind, code, word, SENT4)))
    results = made().to_ipv6(packet, 0)
    if results[0].reason is not None:
        assert refused(results, Drop.ICMP_UNTRANSLATABLE) is None
        return None
    header, body = ipv6.parse(passed(results))
    assert (header.src, header.dst, header.next_header) == (ROUTER6, CLIENT, 58)
    message = icmpv6.parse(header.src, header.dst, body)
    quoted, _ = ipv6.parse(message.body[4:])
    assert (quoted.src, quoted.dst, quoted.hop_limit) == (CLIENT, SERVER, 64)
    return message


def to4(kind: int, code: int, word: int = 0) -> icmpv4.Icmpv4 | None:
    """The ICMPv4 message that an ICMPv6 error becomes, or None."""
    message = icmpv6.build(CLIENT, SERVER, kind, code, word.to_bytes(4, "big") + SENT6)
    results = made().to_ipv4(ipv6.build(CLIENT, SERVER, 58, message), 7, 0)
    if results[0].reason is not None:
        assert refused(results, Drop.ICMP_UNTRANSLATABLE) is None
        return None
    header, body = ipv4.parse(passed(results))
    assert (header.src, header.dst, header.protocol) == (LEASE, SERVER4, 1)
    translated = icmpv4.parse(body)
    quoted, _ = ipv4.parse(translated.body)
    assert (quoted.src, quoted.dst, quoted.ttl) == (SERVER4, LEASE, 64)
    return translated


UNREACHABLE4 = {code: (1, 0) for code in (0, 1, 5, 6, 7, 8, 11, 12)} | {
    code: (1, 1) for code in (9, 10, 13, 15)
}
UNREACHABLE4 |= {2: (4, 1), 3: (1, 4), 4: (2, 0)}


@pytest.mark.parametrize("code", range(256))
def test_rfc7915_4_2_destination_unreachable(code: int) -> None:
    message = to6(3, code, 1400 if code == 4 else 0)
    found = message and (message.type, message.code)
    assert found == UNREACHABLE4.get(code)
    if message and code == 2:
        assert int.from_bytes(message.body[:4], "big") == 6, "points at Next Header"
    elif message and code != 4:
        assert message.body[:4] == bytes(4)


@pytest.mark.parametrize("code", [0, 1])
def test_rfc7915_4_2_time_exceeded(code: int) -> None:
    message = to6(11, code)
    assert message and (message.type, message.code) == (3, code)


POINTERS4 = {0: 0, 1: 1, 2: 4, 3: 4, 8: 7, 9: 6, 12: 8, 13: 8, 14: 8, 15: 8, 16: 24, 17: 24, 18: 24, 19: 24}


@pytest.mark.parametrize("code", [0, 2])
@pytest.mark.parametrize("pointer", [*range(24), 255])
def test_rfc7915_4_2_parameter_problem_pointer(pointer: int, code: int) -> None:
    message = to6(12, code, pointer << 24)
    found = message and (message.type, message.code, int.from_bytes(message.body[:4], "big"))
    assert found == ((4, 0, POINTERS4[pointer]) if pointer in POINTERS4 else None)


@pytest.mark.parametrize("code", [1, 3, 255])
def test_rfc7915_4_2_parameter_problem_other_codes(code: int) -> None:
    assert to6(12, code) is None


@pytest.mark.parametrize("kind", [4, 5, 6, 9, 10, *range(13, 19), 30, 41, 255])
def test_rfc7915_4_2_other_types_are_dropped(kind: int) -> None:
    assert to6(kind, 0) is None


@pytest.mark.parametrize(("kind", "becomes"), [(8, 128), (0, 129)])
def test_rfc7915_4_2_echo(kind: int, becomes: int) -> None:
    packet = ipv4.build(SERVER4, LEASE, 1, echo4(5, 6, b"odd", reply=not kind))
    header, body = ipv6.parse(passed(made().to_ipv6(packet, 0)))
    message = icmpv6.parse(header.src, header.dst, body)
    assert message == (becomes, 0, bytes.fromhex("00050006") + b"odd")


@pytest.mark.parametrize(
    ("mtu", "mtu6", "mtu4", "expected"),
    [
        (1400, 1500, 1500, 1420),
        (1480, 1500, 1500, 1500),
        (1500, 1500, 1500, 1500),  # no more than the IPv6 next hop takes
        (1500, 9000, 1450, 1470),  # no more than the IPv4 next hop takes
        (576, 1500, 1500, 1280),  # no less than IPv6 promises
        (1400, 1280, 1500, 1280),
    ],
)
def test_rfc7915_4_2_mtu_formula(mtu: int, mtu6: int, mtu4: int, expected: int) -> None:
    packet = ipv4.build(ROUTER4, LEASE, 1, icmpv4.unreachable(4, SENT4, mtu))
    message = passed(made(mtu6=mtu6, mtu4=mtu4).to_ipv6(packet, 0))
    assert int.from_bytes(message[44:48], "big") == expected


@pytest.mark.parametrize(
    ("total", "expected"),
    [(65535, 32020), (1500, 1512), (2002, 1512), (4352, 2022), (1492, 1280), (100, 1280)],
)
def test_rfc7915_4_2_mtu_zero_takes_a_plateau(total: int, expected: int) -> None:
    quoted = SENT4[:2] + total.to_bytes(2, "big") + SENT4[4:]
    packet = ipv4.build(ROUTER4, LEASE, 1, icmpv4.unreachable(4, quoted, 0))
    message = passed(made(mtu6=65000, mtu4=65000).to_ipv6(packet, 0))
    assert int.from_bytes(message[44:48], "big") == expected


# --- ICMPv6 to ICMPv4 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", range(256))
def test_rfc7915_5_2_destination_unreachable(code: int) -> None:
    message = to4(1, code)
    found = message and (message.type, message.code, message.word)
    assert found == {0: (3, 1, 0), 1: (3, 10, 0), 2: (3, 1, 0), 3: (3, 1, 0), 4: (3, 3, 0)}.get(code)


@pytest.mark.parametrize("code", [0, 1])
def test_rfc7915_5_2_time_exceeded(code: int) -> None:
    message = to4(3, code)
    assert message and (message.type, message.code, message.word) == (11, code, 0)


@pytest.mark.parametrize(
    ("mtu", "mtu6", "mtu4", "expected"),
    [
        (1400, 1500, 1500, 1380),
        (1280, 1500, 1500, 1260),
        (9000, 1500, 1500, 1480),  # the IPv6 next hop
        (9000, 9000, 1400, 1400),  # the IPv4 next hop
        (0, 1500, 1500, 68),
    ],
)
def test_rfc7915_5_2_packet_too_big(mtu: int, mtu6: int, mtu4: int, expected: int) -> None:
    message = icmpv6.build(CLIENT, SERVER, 2, 0, mtu.to_bytes(4, "big") + SENT6)
    packet = passed(made(mtu6=mtu6, mtu4=mtu4).to_ipv4(ipv6.build(CLIENT, SERVER, 58, message), 7, 0))
    translated = icmpv4.parse(packet[20:])
    assert (translated.type, translated.code, translated.next_hop_mtu) == (3, 4, expected)


@pytest.mark.parametrize(
    ("mtu", "mtu4", "expected"), [(1400, 1500, 1372), (1400, 1300, 1300), (9000, 1500, 1472), (0, 1500, 68)]
)
def test_rfc7915_5_2_packet_too_big_about_a_fragment(mtu: int, mtu4: int, expected: int) -> None:
    """The IPv4 fragment of the size that is told makes an IPv6 one that fits, its Fragment header included."""
    quoted = ipv6.build(SERVER, CLIENT, 44, bytes.fromhex("1100000100000007") + bytes(1392))
    message = icmpv6.build(CLIENT, SERVER, 2, 0, mtu.to_bytes(4, "big") + quoted[:1200])
    packet = passed(made(mtu4=mtu4).to_ipv4(ipv6.build(CLIENT, SERVER, 58, message), 7, 0))
    assert icmpv4.parse(packet[20:]).next_hop_mtu == expected


POINTERS6 = (
    {0: 0, 1: 1, 4: 2, 5: 2, 6: 9, 7: 8} | dict.fromkeys(range(8, 24), 12) | dict.fromkeys(range(24, 40), 16)
)


@pytest.mark.parametrize("pointer", [*range(48), 2**24, 2**32 - 1])
def test_rfc7915_5_2_parameter_problem_pointer(pointer: int) -> None:
    message = to4(4, 0, pointer)
    found = message and (message.type, message.code, message.word)
    assert found == ((12, 0, POINTERS6[pointer] << 24) if pointer in POINTERS6 else None)


def test_rfc7915_5_2_unknown_next_header() -> None:
    message = to4(4, 1, 6)
    assert message and (message.type, message.code) == (3, 2)


@pytest.mark.parametrize(("kind", "code"), [(4, 2), (4, 3), (0, 0), (5, 0), (100, 0), (127, 0)])
def test_rfc7915_5_2_other_errors_are_dropped(kind: int, code: int) -> None:
    assert to4(kind, code) is None


@pytest.mark.parametrize("kind", [*range(130, 138), 138, 143, 200, 255])
def test_rfc7915_5_2_mld_nd_and_unknown_messages_are_dropped(kind: int) -> None:
    assert to4(kind, 0) is None


@pytest.mark.parametrize(("kind", "becomes"), [(128, 8), (129, 0)])
def test_rfc7915_5_2_echo(kind: int, becomes: int) -> None:
    body = icmpv6.build(CLIENT, SERVER, kind, 0, bytes.fromhex("00050006") + b"odd")
    message = icmpv4.parse(passed(made().to_ipv4(ipv6.build(CLIENT, SERVER, 58, body), 7, 0))[20:])
    assert message == (becomes, 0, 0x00050006, b"odd")


# --- Errors as a whole --------------------------------------------------------------------------------------


def test_rfc7915_4_3_error_in_error_is_dropped() -> None:
    inner = ipv4.build(LEASE, SERVER4, 1, icmpv4.unreachable(1, SENT4))
    packet = ipv4.build(ROUTER4, LEASE, 1, icmpv4.unreachable(1, inner))
    refused(made().to_ipv6(packet, 0), Drop.ERROR_IN_ERROR)


def test_rfc7915_5_3_error_in_error_is_dropped() -> None:
    inner = ipv6.build(SERVER, CLIENT, 58, icmpv6.build(SERVER, CLIENT, 1, 0, bytes(4) + SENT6))
    packet = ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 1, 0, bytes(4) + inner))
    refused(made().to_ipv4(packet, 7, 0), Drop.ERROR_IN_ERROR)


def test_rfc4443_2_4_errors_stay_within_1280() -> None:
    quoted = ipv4.build(LEASE, SERVER4, 17, bytes(1400))
    message = icmpv4.build(icmpv4.Icmpv4(3, 3, 0, quoted))
    assert len(passed(made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, message), 0))) == 1280


def test_rfc1812_4_3_2_3_errors_stay_within_576() -> None:
    quoted = ipv6.build(SERVER, CLIENT, 17, bytes(1180))
    packet = ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 1, 4, bytes(4) + quoted))
    there = passed(made().to_ipv4(packet, 7, 0))
    assert len(there) == 576
    icmpv4.parse(there[20:])


@pytest.mark.parametrize("spoil", [True, False])
def test_a_wrong_checksum_of_an_error_is_not_mended(spoil: bool) -> None:
    message = bytearray(icmpv4.unreachable(1, SENT4))
    message[2] ^= spoil
    results = made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, bytes(message)), 0)
    if spoil:
        refused(results, Drop.MALFORMED)
    else:
        passed(results)


def test_rfc6791_error_from_a_router_without_a_mapping() -> None:
    pool = [v4("198.51.100.1"), v4("198.51.100.2")]
    dice = iter((0.0, 0.99))
    maker = made(random=lambda: next(dice))
    maker.mappings.pool6791 = tuple(pool)
    message = icmpv6.build(ROUTER6_ALONE, SERVER, 3, 0, bytes(4) + SENT6)
    packet = ipv6.build(ROUTER6_ALONE, SERVER, 58, message)
    assert [passed(maker.to_ipv4(packet, 7, 0))[12:16] for _ in pool] == pool


def test_rfc6791_4_the_router_is_named() -> None:
    message = icmpv6.build(ROUTER6_ALONE, SERVER, 3, 0, bytes(4) + SENT6)
    packet = ipv6.build(ROUTER6_ALONE, SERVER, 58, message)
    translated = icmpv4.parse(passed(made(name_routers=True).to_ipv4(packet, 7, 0))[20:])
    assert translated.word == (128 // 4) << 16
    assert translated.body[128:].endswith(b"\x00\x02\x00\x00" + ROUTER6_ALONE)


def test_no_mapping_and_no_error_is_prohibited() -> None:
    packet = ipv6.build(ROUTER6_ALONE, SERVER, 17, datagram6()[40:])
    answer = refused(made().to_ipv4(packet, 7, 0), Drop.NO_LEASE)
    assert answer is not None and (answer[40], answer[41]) == (1, 1)
    echo = ipv6.build(ROUTER6_ALONE, SERVER, 58, icmpv6.build(ROUTER6_ALONE, SERVER, 128, 0, bytes(4)))
    assert refused(made().to_ipv4(echo, 7, 0), Drop.NO_LEASE) is None, "RFC 7915 5.4: never about ICMPv6"
    behind = ipv6.build(ROUTER6_ALONE, SERVER, 60, bytes((58, 0, 1, 4, 0, 0, 0, 0)) + echo[40:])
    assert refused(made().to_ipv4(behind, 7, 0), Drop.NO_LEASE) is None


# --- RFC 4884 -----------------------------------------------------------------------------------------------

EXTENSION = bytes.fromhex("20001a30") + b"\x00\x08\x01\x01abcd"
PADDED4, PADDED6 = SENT4 + bytes(128 - len(SENT4)), SENT6 + bytes(128 - len(SENT6))


@pytest.mark.parametrize(("kind", "code"), [(11, 0), (3, 1), (3, 3)])
def test_rfc4884_length_is_in_words_of_8_in_icmpv6(kind: int, code: int) -> None:
    message = icmpv4.build(icmpv4.Icmpv4(kind, code, (128 // 4) << 16, PADDED4 + EXTENSION))
    packet = passed(made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, message), 0))
    # The quotation ends where its header says; the rest of the 128 bytes is padding.
    assert packet[44] * 8 == 128
    assert packet[48 + 128 :] == EXTENSION
    icmpv6.parse(ROUTER6, CLIENT, packet[40:])


@pytest.mark.parametrize("length", [0, 7])
def test_rfc4884_5_5_extensions_of_older_routers_get_a_length(length: int) -> None:
    """Of a long packet, of which they quote 128 bytes; and of a short one, whose filling they do not count."""
    long = ipv4.build(LEASE, SERVER4, 17, datagram6()[40:] + bytes(400), ident=7)[:128]
    for quoted in (PADDED4, long):
        message = icmpv4.build(icmpv4.Icmpv4(11, 0, length << 16, quoted + EXTENSION))
        packet = passed(made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, message), 0))
        assert packet[44] * 8 == (152 if quoted is long else 128)
        assert packet[48 + packet[44] * 8 :] == EXTENSION


@pytest.mark.parametrize("version", [0, 1, 3, 15])
def test_rfc7915_4_2_and_5_2_extensions_of_another_version_pass_as_they_are(version: int) -> None:
    extension = bytes((version << 4,)) + b"any bits"
    message = icmpv4.build(icmpv4.Icmpv4(11, 0, (128 // 4) << 16, PADDED4 + extension))
    packet = passed(made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, message), 0))
    assert packet[44] * 8 == 128 and packet[48 + 128 :] == extension
    body = bytes((128 // 8, 0, 0, 0)) + PADDED6 + extension
    for source in (CLIENT, ROUTER6_ALONE):
        back = ipv6.build(source, SERVER, 58, icmpv6.build(source, SERVER, 3, 0, body))
        message = passed(made(name_routers=True).to_ipv4(back, 7, 0))[20:]
        assert message[5] * 4 == 128 and message[8 + 128 :] == extension


@pytest.mark.parametrize(("kind", "code", "word"), [(3, 4, 1400), (3, 2, 0), (12, 0, 0)])
def test_rfc4884_messages_without_a_place_for_extensions(kind: int, code: int, word: int) -> None:
    message = icmpv4.build(icmpv4.Icmpv4(kind, code, word | (128 // 4) << 16, PADDED4 + EXTENSION))
    packet = passed(made().to_ipv6(ipv4.build(ROUTER4, LEASE, 1, message), 0))
    assert EXTENSION not in packet


@pytest.mark.parametrize(("kind", "code"), [(1, 0), (3, 0)])
def test_rfc4884_length_is_in_words_of_4_in_icmpv4(kind: int, code: int) -> None:
    body = bytes((128 // 8, 0, 0, 0)) + PADDED6 + EXTENSION
    packet = ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, kind, code, body))
    message = icmpv4.parse(passed(made().to_ipv4(packet, 7, 0))[20:])
    assert (message.word >> 16) * 4 == 128 and message.body[128:] == EXTENSION


def test_rfc4884_an_oversize_extension_is_left_out() -> None:
    extension = EXTENSION + bytes(480)
    body = bytes((128 // 8, 0, 0, 0)) + PADDED6 + extension
    packet = ipv6.build(CLIENT, SERVER, 58, icmpv6.build(CLIENT, SERVER, 1, 0, body))
    message = icmpv4.parse(passed(made().to_ipv4(packet, 7, 0))[20:])
    assert message.word == 0 and EXTENSION not in message.body
