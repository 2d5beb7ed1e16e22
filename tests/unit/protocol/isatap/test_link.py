"""Each rule of the specification in isatap_link's docstring, in both directions, fast and complete."""

from __future__ import annotations

import pytest

from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap.link import LinkRole, LinkState, Result, outer_header
from manageout.wire import ipv4, ipv6
from manageout.wire.address import isatap_link_local
from tests.vectors import value, vector

LINK = bytes.fromhex("fd123456789a0001")
CLIENT = bytes.fromhex("fd123456789a10000000000000000005")
ROUTER, SECOND, HOST, OTHER, SIBLING, STRANGER = (
    bytes(int(part) for part in text.split("."))
    for text in ("10.0.0.1", "10.0.0.2", "10.0.1.30", "10.0.1.31", "10.0.1.9", "10.9.9.9")
)
UDP = 17


def isatap(v4: bytes, prefix: bytes = LINK) -> bytes:
    return prefix + b"\x00\x00\x5e\xfe" + v4


def router() -> LinkState:
    link = LinkState(
        LinkRole.ROUTER,
        prefixes=[LINK],
        locators=[ROUTER, SECOND],
        allowed=[Prefix(bytes([10, 0, 1, 0]), 24)],
        routers=[SIBLING],
        routes=[(Prefix(bytes.fromhex("fd123456789a2000") + bytes(8), 64), OTHER)],
    )
    assert link.register(HOST, ROUTER)
    return link


def host() -> LinkState:
    return LinkState(
        LinkRole.HOST,
        prefixes=[LINK],
        locators=[HOST],
        routers=[ROUTER],
        routes=[(Prefix(CLIENT[:8] + bytes(8), 64), ROUTER)],
    )


def inner(
    source: bytes, destination: bytes, *, ecn: int = 0, next_header: int = UDP, body: bytes = bytes(8)
) -> bytes:
    return ipv6.build(source, destination, next_header, body, traffic_class=ecn)


def outer(packet: bytes, source: bytes = HOST, to: bytes = ROUTER, ecn: int = 0) -> bytes:
    return ipv4.build(source, to, 41, packet, tos=ecn)


GOOD = inner(isatap(HOST), CLIENT)
BACK = inner(CLIENT, isatap(HOST))


def outcome(result: Result) -> Verdict | Drop:
    return result.verdict if result.reason is None else result.reason


def swapped(packet: bytes, at: int, new: bytes) -> bytes:
    return packet[:at] + new + packet[at + len(new) :]


def test_a_packet_from_a_host_is_stripped() -> None:
    assert router().decapsulate(outer(GOOD)) == Result(Verdict.FORWARD, None, GOOD, HOST)


def test_a_packet_to_a_host_is_wrapped() -> None:
    result = router().encapsulate(BACK, 0x1234)
    header, body = ipv4.parse(result.packet)
    assert result.peer == HOST and body == BACK
    assert (header.src, header.dst, header.protocol, header.ttl) == (ROUTER, HOST, 41, 64)
    assert (header.tos, header.ident, header.flags, header.options) == (0, 0x1234, 0, b"")


FAST, COMPLETE = False, True
ARRIVING: list[tuple[str, bytes, Verdict | Drop, Verdict | Drop]] = [
    # what, packet, fast, complete
    ("1 no IPv4", GOOD, Verdict.SLOW, Drop.MALFORMED),
    ("1 nothing", b"", Verdict.SLOW, Drop.MALFORMED),
    ("1 checksum", swapped(outer(GOOD), 8, b"\x01"), Verdict.SLOW, Drop.MALFORMED),
    ("1 not 41", ipv4.build(HOST, ROUTER, 17, GOOD), Verdict.SLOW, Drop.NOT_LOCATOR),
    ("1 not to us", outer(GOOD, to=OTHER), Verdict.SLOW, Drop.NOT_LOCATOR),
    (
        "1 options",
        ipv4.build(HOST, ROUTER, 41, GOOD, options=b"\x01" * 4),
        Verdict.SLOW,
        Verdict.FORWARD,
    ),
    ("2 broadcast source", outer(GOOD, b"\xff" * 4), Drop.OUTER_SOURCE_ILLEGAL, Drop.OUTER_SOURCE_ILLEGAL),
    ("2 our own", outer(GOOD, SECOND), Drop.LOOP, Drop.LOOP),
    ("2 sibling", outer(GOOD, SIBLING), Drop.LOOP, Drop.LOOP),
    ("2 stranger", outer(GOOD, STRANGER), Drop.HOST_NOT_ALLOWED, Drop.HOST_NOT_ALLOWED),
    ("3 cut off", outer(GOOD)[:-1], Drop.TRUNCATED, Drop.TRUNCATED),
    ("3 no room", outer(GOOD[:39]), Drop.TRUNCATED, Drop.TRUNCATED),
    ("3 inner too long", outer(swapped(GOOD, 4, b"\x00\x09")), Drop.TRUNCATED, Drop.TRUNCATED),
    ("3 version", outer(swapped(GOOD, 0, b"\x40")), Drop.NOT_IPV6, Drop.NOT_IPV6),
    ("3 padding inside", outer(GOOD + b"pad"), Verdict.SLOW, Verdict.FORWARD),
    ("3 padding outside", outer(GOOD) + b"pad", Verdict.SLOW, Verdict.FORWARD),
    ("4 multicast source", outer(inner(b"\xff" * 16, CLIENT)), Drop.SOURCE_ILLEGAL, Drop.SOURCE_ILLEGAL),
    (
        "4 loopback source",
        outer(inner(bytes(15) + b"\1", CLIENT)),
        Drop.SOURCE_ILLEGAL,
        Drop.SOURCE_ILLEGAL,
    ),
    ("5 spoofed", outer(inner(isatap(OTHER), CLIENT)), Drop.SOURCE_MISMATCH, Drop.SOURCE_MISMATCH),
    ("5 not ISATAP", outer(inner(CLIENT, CLIENT)), Drop.SOURCE_MISMATCH, Drop.SOURCE_MISMATCH),
    ("5 unspecified", outer(inner(bytes(16), CLIENT)), Drop.SOURCE_MISMATCH, Drop.SOURCE_MISMATCH),
    (
        "5 stale prefix",
        outer(inner(isatap(HOST, CLIENT[:8]), CLIENT)),
        Verdict.SLOW,
        Drop.SOURCE_MISMATCH,
    ),
    (
        "6 link-local",
        outer(inner(isatap_link_local(HOST), isatap_link_local(ROUTER))),
        Verdict.SLOW,
        Verdict.FORWARD,
    ),
    (
        "6 Neighbour Discovery",
        outer(inner(isatap(HOST), CLIENT, next_header=58, body=b"\x87" + bytes(23))),
        Verdict.SLOW,
        Verdict.FORWARD,
    ),
    ("6 multicast", outer(inner(isatap(HOST), b"\xff" * 16)), Verdict.SLOW, Drop.DESTINATION_ILLEGAL),
    (
        "7 mapped",
        outer(inner(isatap(HOST), bytes(10) + b"\xff\xff" + HOST)),
        Drop.DESTINATION_ILLEGAL,
        Drop.DESTINATION_ILLEGAL,
    ),
    ("7 loop by ISATAP", outer(inner(isatap(HOST), isatap(ROUTER, CLIENT[:8]))), Drop.LOOP, Drop.LOOP),
    (
        "7 loop by 6to4",
        outer(inner(isatap(HOST), b"\x20\x02" + SECOND + bytes(10))),
        Drop.LOOP,
        Drop.LOOP,
    ),
    ("7 on-link is no loop", outer(inner(isatap(HOST), isatap(ROUTER))), Verdict.FORWARD, Verdict.FORWARD),
    ("8 congestion", outer(GOOD, ecn=3), Drop.ECN, Drop.ECN),
    ("9 not registered", outer(inner(isatap(OTHER), CLIENT), OTHER), Verdict.SLOW, Verdict.FORWARD),
]


@pytest.mark.parametrize(
    ("packet", "fast", "complete"), [row[1:] for row in ARRIVING], ids=[r[0] for r in ARRIVING]
)
def test_arriving_at_a_router(packet: bytes, fast: Verdict | Drop, complete: Verdict | Drop) -> None:
    assert outcome(router().decapsulate(packet)) == fast
    assert outcome(router().decapsulate(packet, complete=True)) == complete


LEAVING: list[tuple[str, bytes, Verdict | Drop, Verdict | Drop]] = [
    ("1 short", BACK[:30], Drop.TRUNCATED, Drop.TRUNCATED),
    ("1 cut off", BACK[:-1], Drop.TRUNCATED, Drop.TRUNCATED),
    ("1 version", swapped(BACK, 0, b"\x40"), Drop.NOT_IPV6, Drop.NOT_IPV6),
    ("1 padding", BACK + b"pad", Verdict.SLOW, Verdict.FORWARD),
    ("2 multicast", inner(CLIENT, b"\xff\x02" + bytes(14)), Verdict.SLOW, Drop.DESTINATION_ILLEGAL),
    ("2 link-local", inner(CLIENT, isatap_link_local(HOST)), Verdict.SLOW, Verdict.FORWARD),
    ("3 source", inner(bytes(16), isatap(HOST)), Drop.SOURCE_ILLEGAL, Drop.SOURCE_ILLEGAL),
    ("3 destination", inner(CLIENT, bytes(15) + b"\1"), Drop.DESTINATION_ILLEGAL, Drop.DESTINATION_ILLEGAL),
    ("3 loop", inner(isatap(ROUTER, CLIENT[:8]), isatap(HOST)), Drop.LOOP, Drop.LOOP),
    ("4 no ISATAP address", inner(CLIENT, LINK + bytes(8)), Verdict.SLOW, Drop.NO_NEIGHBOUR),
    ("4 no route", inner(CLIENT, CLIENT), Verdict.SLOW, Drop.NO_NEIGHBOUR),
    ("5 broadcast", inner(CLIENT, isatap(b"\xff" * 4)), Drop.DESTINATION_ILLEGAL, Drop.DESTINATION_ILLEGAL),
    ("5 ourselves", inner(CLIENT, isatap(SECOND)), Drop.LOOP, Drop.LOOP),
    ("5 sibling", inner(CLIENT, isatap(SIBLING)), Drop.LOOP, Drop.LOOP),
    ("5 stranger", inner(CLIENT, isatap(STRANGER)), Drop.HOST_NOT_ALLOWED, Drop.HOST_NOT_ALLOWED),
    ("6 not registered", inner(CLIENT, isatap(OTHER)), Verdict.SLOW, Verdict.FORWARD),
    (
        "6 by a route",
        inner(CLIENT, bytes.fromhex("fd123456789a2000") + bytes(7) + b"\1"),
        Verdict.SLOW,
        Verdict.FORWARD,
    ),
]


@pytest.mark.parametrize(
    ("packet", "fast", "complete"), [row[1:] for row in LEAVING], ids=[r[0] for r in LEAVING]
)
def test_leaving_a_router(packet: bytes, fast: Verdict | Drop, complete: Verdict | Drop) -> None:
    assert outcome(router().encapsulate(packet, 1)) == fast
    assert outcome(router().encapsulate(packet, 1, complete=True)) == complete


def test_padding_is_cut_off() -> None:
    assert router().decapsulate(outer(GOOD + b"pad") + b"pad", complete=True).packet == GOOD
    assert router().encapsulate(BACK + b"pad", 1, complete=True).packet.endswith(BACK)


def test_the_explicit_congestion_table() -> None:
    table = value("ECN_decap_table")
    for inner_ecn in range(4):
        for outer_ecn in range(4):
            expected = table[f"inner{inner_ecn}_outer{outer_ecn}"]
            result = router().decapsulate(outer(inner(isatap(HOST), CLIENT, ecn=inner_ecn), ecn=outer_ecn))
            if expected == "drop":
                assert result.reason is Drop.ECN
            else:
                assert result.packet == inner(isatap(HOST), CLIENT, ecn=expected)


@pytest.mark.parametrize("ecn", range(4))
def test_the_outer_mark_is_the_inner_one_without_its_class(ecn: int) -> None:
    packet = ipv6.build(CLIENT, isatap(HOST), UDP, b"", traffic_class=0xB8 | ecn)
    assert ipv4.parse(router().encapsulate(packet, 1).packet)[0].tos == ecn


def test_a_host_believes_its_router_and_its_neighbours_only() -> None:
    link = host()
    anything = inner(CLIENT, isatap(HOST))
    assert outcome(link.decapsulate(outer(anything, ROUTER, HOST))) is Verdict.FORWARD
    assert outcome(link.decapsulate(outer(anything, OTHER, HOST))) is Drop.SOURCE_MISMATCH
    neighbour = outer(inner(isatap(OTHER), isatap(HOST)), OTHER, HOST)
    assert outcome(link.decapsulate(neighbour)) is Verdict.SLOW
    assert outcome(link.decapsulate(neighbour, complete=True)) is Verdict.FORWARD


def test_a_host_sends_off_link_packets_to_the_router_of_the_route() -> None:
    result = host().encapsulate(GOOD, 1)
    assert (result.verdict, result.peer) == (Verdict.FORWARD, ROUTER)
    assert (
        outcome(host().encapsulate(inner(isatap(HOST), isatap(OTHER)), 1, complete=True)) is Verdict.FORWARD
    )


def test_answers_go_out_by_the_locator_that_the_peer_talks_to() -> None:
    link = router()
    link.decapsulate(outer(GOOD, to=SECOND))
    assert ipv4.parse(link.encapsulate(BACK, 1).packet)[0].src == SECOND


def test_refused_hosts_cannot_register() -> None:
    assert not any(router().register(v4) for v4 in (STRANGER, SIBLING, ROUTER, b"\x7f\0\0\1"))


def test_a_new_configuration_forgets_whom_it_does_not_admit() -> None:
    link = router()
    link.register(OTHER)
    link.configure(prefixes=[LINK], locators=[ROUTER], allowed=[Prefix(HOST, 32)], routers=[], routes=[])
    assert link.hosts == {HOST: ROUTER}
    link.configure(prefixes=[LINK], locators=[], allowed=[Prefix(HOST, 32)], routers=[], routes=[])
    assert link.hosts == {}


def test_a_router_that_left_the_list_is_no_peer_of_a_host() -> None:
    link = host()
    assert link.hosts == {ROUTER: HOST}
    link.configure(prefixes=[LINK], locators=[SECOND], allowed=[], routers=[OTHER], routes=[])
    assert link.hosts == {OTHER: SECOND}


def test_forget() -> None:
    link = router()
    link.forget(HOST)
    link.forget(HOST)
    assert outcome(link.decapsulate(outer(GOOD))) is Verdict.SLOW


def test_many_sources_do_not_grow_the_memory() -> None:
    link = router()
    for number in range(70_000):
        link.refusal((0x0B000000 + number).to_bytes(4, "big"))
    assert len(link._admitted) <= 65536


def test_the_solicitation_of_the_vectors_is_wrapped_alike() -> None:
    packet = vector("ISATAP_v4_RS")
    header = ipv4.parse(packet)[0]
    assert outer_header(header.src, header.dst, len(packet), 0, 0) == packet[:20]
