"""The server's connections: HTTP, framing, time-outs, administration."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest

from manageout.protocol.core.drops import Drop
from manageout.protocol.host.link_names import LinkNames, NamesSeen
from manageout.protocol.host.slaac import RouteTable
from manageout.protocol.iphttps.values import AddressBound, AddressReleased, Opened, Peer
from manageout.wire import nd
from manageout.wire.iphttps import KEEPALIVE, PACKET, SUPER_PACKET, OwnFramer, build_record, build_request
from manageout.wire.virtio import HEADER, NEEDS_CSUM
from tests.tools.machines.iphttps import BEYOND, DATE, Site, dad, datagram, gua
from tests.vectors import value, vector

OWN = ("Manageout-Framing", "1")
VNET = bytes(10)


def opened(site: Site, number: int = 1) -> Site:
    site.server.open(number, Peer("192.0.2.7", 50000, "client.example"), site.now)
    return site


# --- The HTTP exchange ----------------------------------------------------------------------------------


def test_the_answer_of_the_specification_before_any_body_byte() -> None:
    site = opened(Site())
    site.feed(1, vector("IPHTTPS_request"))
    assert site.stream(1) == vector("IPHTTPS_response")
    assert site.events == [Opened(1, "client.example", "stock")]


def test_packets_right_behind_the_head_are_served() -> None:
    site = opened(Site())
    site.feed(1, vector("IPHTTPS_request") + datagram(gua(1), BEYOND))
    assert site.kernel() == [datagram(gua(1), BEYOND)]


def test_a_head_byte_by_byte() -> None:
    site = opened(Site())
    for byte in vector("IPHTTPS_request"):
        assert site.stream(1) == b""
        site.feed(1, bytes((byte,)))
    assert site.stream(1) == vector("IPHTTPS_response")


@pytest.mark.parametrize(
    "path", ["/IPHTTPS", "/iphttps", "/IPHttps", "/IPTLS", "https://any.example:443/IPHTTPs"]
)
def test_paths_match_in_any_case(path: str) -> None:
    site = opened(Site())
    site.feed(1, build_request(path, "gateway.example"))
    assert site.stream(1).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "lengths", [b"", b"Content-Length: 18446744073709551615\r\n" * 2, b"Content-Length: 5\r\n"]
)
def test_content_length_does_not_matter(lengths: bytes) -> None:
    site = opened(Site())
    site.feed(1, b"POST /IPHTTPS HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\n")
    assert site.stream(1).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (b"GET /IPHTTPS HTTP/1.1\r\n\r\n", b"405", "method GET, not POST"),
        (b"POST /other HTTP/1.1\r\n\r\n", b"404", "path /other is not served"),
        (
            b"POST /IPHTTPS HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"501",
            "request with a transfer coding",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"400", "an HTTP answer, not a request"),
        (b"\x16\x03\x01", b"400", "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"400", "not HTTP"),
        (b"POST /IPHTTPS HTTP/1.1\r\n" + b"A: b\r\n" * 2000, b"431", "HTTP head too long"),
    ],
)
def test_other_requests_get_an_error_and_are_closed(head: bytes, status: bytes, reason: str) -> None:
    site = opened(Site())
    site.feed(1, head)
    answer = site.stream(1)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nDate: " + DATE.encode() + b"\r\n" in answer
    closed = site.closed(1)
    assert closed is not None and closed.reason.startswith(reason)
    site.feed(1, b"more")
    assert site.stream(1) == b""


def test_a_slow_head_times_out() -> None:
    site = opened(Site())
    site.feed(1, b"POST /IPHTTPS HTTP/1.1\r\n")
    site.pass_time(9.9)
    assert site.closed(1) is None
    site.feed(1, b"Host: x\r\n")
    site.pass_time(0.2)
    assert site.stream(1).startswith(b"HTTP/1.1 408")
    closed = site.closed(1)
    assert closed is not None and closed.reason == "no HTTP head within 10 s"


def test_certificates_mode_needs_an_identity() -> None:
    site = Site()
    site.server.open(1, Peer("192.0.2.7", 1, None), site.now)
    site.feed(1, b"")
    assert site.stream(1).startswith(b"HTTP/1.1 403")
    closed = site.closed(1)
    assert closed is not None and closed.reason == "no client certificate"


# --- The stream -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [*value("IPHTTPS_stream_split_at"), None])
def test_framing_at_every_split(cut: int | None) -> None:
    stream = vector("IPHTTPS_stream3")
    site = Site()
    site.connect(1)
    parts = [stream[n : n + 1] for n in range(len(stream))] if cut is None else [stream[:cut], stream[cut:]]
    for part in parts:
        site.feed(1, part)
    assert [len(packet) for packet in site.kernel()] == [40, 56]
    assert isinstance(nd.parse(site.packets(1)[0])[1], nd.RouterAdvertisement)
    (client,) = site.server.clients()
    assert (client.packets_in, client.bytes_in) == (3, 144)


def test_a_stream_that_is_not_ipv6_ends_the_session() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)) + vector("IPHTTPS_bad_version"))
    closed = site.closed(1)
    assert closed is not None and closed.drop is Drop.NOT_IPV6 and closed.reason.startswith("not IPv6")
    assert site.drops() == {"NOT_IPV6": 1}


def test_the_first_wrong_byte_is_enough() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, b"\x45")
    assert site.closed(1) is not None


def test_an_oversize_announcement_ends_the_session() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, vector("IPHTTPS_oversize_len"))
    closed = site.closed(1)
    assert closed is not None and closed.drop is Drop.OVERSIZE
    assert site.drops() == {"OVERSIZE": 1}


def test_1500_bytes_are_allowed_and_one_more_is_not() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, datagram(gua(1), BEYOND, bytes(1500 - 48)))
    assert len(site.kernel()) == 1
    site.feed(1, datagram(gua(1), BEYOND, bytes(1501 - 48)))
    assert site.closed(1) is not None and site.kernel() == []


def test_half_a_packet_stalls_and_ends_the_session() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, datagram(gua(1), BEYOND)[:30])
    site.pass_time(20)
    site.feed(1, datagram(gua(1), BEYOND)[30:35])
    site.pass_time(9)
    assert site.closed(1) is None
    site.pass_time(2)
    closed = site.closed(1)
    assert closed is not None and closed.drop is Drop.TRUNCATED


def test_a_stream_that_always_ends_in_half_a_packet_does_not_stall() -> None:
    site = Site()
    site.connect(1)
    packet = datagram(gua(1), BEYOND)
    site.feed(1, packet[:30])
    for _ in range(20):
        site.pass_time(5)
        site.feed(1, packet[30:] + packet[:30])
    assert site.closed(1) is None
    assert len(site.kernel()) == 20


# --- Our own framing ------------------------------------------------------------------------------------


def test_own_framing_carries_super_packets_both_ways() -> None:
    site = Site(vnet_hdr=True)
    assert b"Manageout-Framing: 1" in site.connect(1, "laptop", OWN)
    site.feed(1, build_record(PACKET, dad(gua(1))))
    whole = VNET + datagram(gua(1), BEYOND, bytes(60000))
    site.feed(1, build_record(SUPER_PACKET, whole))
    assert site.kernel() == [whole]
    back = VNET + datagram(BEYOND, gua(1), bytes(60000))
    site.tell_kernel_side(back)
    assert OwnFramer().feed(site.stream(1)) == [(SUPER_PACKET, back)]
    (client,) = site.server.clients()
    assert client.framing == "own" and client.bytes_in == 64 + 60048 and client.bytes_out == 60048


def test_own_framing_has_the_same_checks() -> None:
    site = Site(vnet_hdr=True)
    site.connect(1, "laptop", OWN)
    site.connect(2, "other", OWN)
    site.feed(2, build_record(PACKET, dad(gua(2))))
    site.feed(1, build_record(SUPER_PACKET, VNET + datagram(gua(2), BEYOND)))
    site.feed(1, build_record(SUPER_PACKET, VNET + datagram(gua(1), gua(2))))
    assert site.kernel() == []
    assert site.drops() == {"ADDRESS_TAKEN": 1, "HAIRPIN": 1}


def test_a_super_packets_header_cannot_change_the_source_that_was_checked() -> None:
    site = Site(vnet_hdr=True)
    site.connect(1, "laptop", OWN)
    site.feed(1, build_record(PACKET, dad(gua(1))))
    over_the_source = HEADER.pack(NEEDS_CSUM, 0, 0, 0, 8, 14)  # where the kernel would put the checksum
    site.feed(1, build_record(SUPER_PACKET, over_the_source + datagram(gua(1), BEYOND)))
    site.feed(1, build_record(SUPER_PACKET, VNET + datagram(gua(1), BEYOND)))
    assert site.kernel() == [VNET + datagram(gua(1), BEYOND)]
    assert site.drops() == {"MALFORMED": 1}


def test_keepalives_are_echoed() -> None:
    site = Site(vnet_hdr=True)
    site.connect(1, "laptop", OWN)
    site.feed(1, build_record(KEEPALIVE, b"ping"))
    assert OwnFramer().feed(site.stream(1)) == [(KEEPALIVE, b"ping")]


def test_a_broken_record_ends_the_session() -> None:
    site = Site(vnet_hdr=True)
    site.connect(1, "laptop", OWN)
    site.feed(1, b"\xff\xff\xff\xff\x00")
    assert site.closed(1) is not None


@pytest.mark.parametrize("changes", [{"own_framing": False, "vnet_hdr": True}, {"vnet_hdr": False}])
def test_own_framing_only_where_both_want_it(changes: dict[str, bool]) -> None:
    site = Site(**changes)
    assert b"Manageout" not in site.connect(1, "laptop", OWN)


def test_a_stock_client_never_sees_our_headers() -> None:
    site = Site(vnet_hdr=True, fixed={"laptop": IPv6Address(gua(7))})
    assert b"Manageout" not in site.connect(1, "laptop")


def test_a_fixed_address_is_told_and_kept() -> None:
    site = Site(fixed={"laptop": IPv6Address(gua(7))})
    assert f"Manageout-Address: {IPv6Address(gua(7))}".encode() in site.connect(1, "laptop", OWN)
    site.connect(2, "other")
    site.feed(2, dad(gua(7)))
    assert nd.parse(site.packets(2)[0])[1] == nd.NeighbourAdvertisement(gua(7))
    site.feed(2, datagram(gua(7), BEYOND))
    assert site.drops() == {"ADDRESS_TAKEN": 2}
    site.feed(1, dad(gua(7)))
    assert AddressBound(1, gua(7)) in site.events


def test_a_stock_client_gets_super_packets_cut() -> None:
    site = Site(vnet_hdr=True)
    site.connect(1)
    site.feed(1, dad(gua(1)))
    site.tell_kernel_side(VNET + datagram(BEYOND, gua(1)))
    assert site.packets(1) == [datagram(BEYOND, gua(1))]


# --- Time and administration ----------------------------------------------------------------------------


def test_a_silent_client_is_probed_and_then_dropped() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    site.pass_time(59)
    assert site.packets(1) == []
    site.pass_time(2)
    header, message = nd.parse(site.packets(1)[0])
    assert message == nd.NeighbourSolicitation(gua(1)) and header.dst == gua(1)
    site.pass_time(28)
    assert site.closed(1) is None and len(site.packets(1)) >= 3
    site.pass_time(2)
    closed = site.closed(1)
    assert closed is not None and closed.reason == "dead peer: silent for 90 s"
    assert site.events[-2] == AddressReleased(1, gua(1))


def test_an_answer_keeps_the_client() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    for _ in range(10):
        site.pass_time(61)
        assert len(site.packets(1)) >= 1
        answer = nd.NeighbourAdvertisement(gua(1), solicited=True)
        site.feed(1, nd.build(gua(1), site.config.link_local.packed, answer))
    assert site.closed(1) is None


def test_closed_by_the_transport() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    site.server.closed(1, "reset", site.now)
    site.server.closed(1, "reset", site.now)
    site.tell_kernel_side(datagram(BEYOND, gua(1)))
    assert site.events[-1] == AddressReleased(1, gua(1))
    assert site.server.clients() == []
    assert site.drops() == {"UNKNOWN_CLIENT": 1}


def test_a_mode_switch_disconnects_everybody() -> None:
    site = Site()
    site.connect(1)
    site.connect(2)
    site.server.open(3, Peer("192.0.2.7", 1, "third"), site.now)
    site.server.reconfigure(replace(site.config, mode="none"), site.now)
    site.feed(1, dad(gua(1)))
    assert [site.closed(n) is not None for n in (1, 2, 3)] == [True] * 3
    site.config = replace(site.config, mode="none")
    assert site.connect(4).startswith(b"HTTP/1.1 200")


def test_other_prefix_disconnects_everybody() -> None:
    site = Site()
    site.connect(1)
    site.server.reconfigure(replace(site.config, prefix=IPv6Network("2001:db8:fe::/64")), site.now)
    site.pass_time(0)
    site.feed(1, b"")
    assert site.closed(1) is not None


def test_new_routes_are_advertised_and_sessions_stay() -> None:
    site = Site()
    site.connect(1)
    routes = (IPv6Network("2001:db8:2::/48"),)
    site.server.reconfigure(replace(site.config, routes=routes), site.now)
    site.feed(1, b"")
    message = nd.parse(site.packets(1)[0])[1]
    assert isinstance(message, nd.RouterAdvertisement)
    assert message.options[-1] == nd.RouteInformation(
        routes[0].network_address.packed, 48, nd.Preference.MEDIUM, 1800
    )
    assert site.closed(1) is None


def test_what_a_reload_takes_away_ends_at_once() -> None:
    """Else clients would send to a network that is gone, or ask a server that is, for half an hour."""
    old, new = (IPv6Network(f"2001:db8:{n}::/48") for n in (2, 3))
    server, domain, nat64 = IPv6Address("2001:db8:2::53"), "corp.example", IPv6Network("64:ff9b::/96")
    site = Site()
    site.connect(1)
    whole = replace(
        site.config, routes=(*site.config.routes, old, new), dns=(server,), search=(domain,), nat64=(nat64,)
    )
    routes, names, told = RouteTable[bytes](), LinkNames(), []
    for config in (whole, whole, replace(site.config, routes=(new,))):
        site.server.reconfigure(config, site.now)
        site.feed(1, b"")
        packets = site.packets(1)
        told.append(len(packets))
        for message in (nd.parse(packet)[1] for packet in packets):
            assert isinstance(message, nd.RouterAdvertisement)
            routes.update(b"gateway", message, 0.0)
            names.update(message.options, 0.0)
    assert told == [1, 0, 2], "nothing is said where nothing has changed"
    assert list(routes.choose(lambda _: True)) == [(new.network_address.packed, 48)]
    assert names.seen() == NamesSeen()


@pytest.mark.parametrize("what", ["dns", "search", "nat64"])
def test_new_names_are_advertised_at_once(what: str) -> None:
    value = {
        "dns": IPv6Address("2001:db8:2::53"),
        "search": "a.example",
        "nat64": IPv6Network("64:ff9b::/96"),
    }
    site = Site()
    site.connect(1)
    site.server.reconfigure(replace(site.config, **{what: (value[what],)}), site.now)  # type: ignore[arg-type]
    site.feed(1, b"")
    (message,) = [nd.parse(packet)[1] for packet in site.packets(1)]
    assert isinstance(message, nd.RouterAdvertisement)
    assert isinstance(message.options[-1], nd.Rdnss | nd.Dnssl | nd.Pref64)


def test_a_new_reservation_takes_the_address_away() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    site.server.reconfigure(replace(site.config, fixed={"laptop": IPv6Address(gua(1))}), site.now)
    site.feed(1, b"")
    assert site.events[-1] == AddressReleased(1, gua(1))


def test_shutdown_withdraws_the_routes() -> None:
    site = Site()
    site.connect(1)
    site.server.shutdown(site.now)
    site.pass_time(0)
    site.feed(1, b"")
    message = nd.parse(site.packets(1)[0])[1]
    assert isinstance(message, nd.RouterAdvertisement)
    assert [o.lifetime for o in message.options if isinstance(o, nd.RouteInformation)] == [0]
    closed = site.closed(1)
    assert closed is not None and closed.reason == "the gateway stopped"
    assert site.server.timer() is None or site.server.clients() == []


def test_congestion_drops_data_until_it_ends() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    site.server.congested(1, True)
    site.tell_kernel_side(*[datagram(BEYOND, gua(1))] * 3)
    assert site.packets(1) == [] and site.drops() == {"QUEUE_FULL": 3}
    assert site.server.drops() == [(Drop.QUEUE_FULL, "client1.example", 3)]
    site.server.congested(1, False)
    site.tell_kernel_side(datagram(BEYOND, gua(1)))
    assert len(site.packets(1)) == 1


def test_counters_are_exact() -> None:
    site = Site()
    site.connect(1)
    site.feed(1, dad(gua(1)))
    up, down = datagram(gua(1), BEYOND, bytes(100)), datagram(BEYOND, gua(1), bytes(1000))
    site.feed(1, up * 7 + datagram(gua(1), bytes(16)))
    site.tell_kernel_side(*[down] * 5)
    assert site.drops() == {"DESTINATION_ILLEGAL": 1}
    (client,) = site.server.clients()
    assert (client.packets_in, client.bytes_in) == (8, 64 + 7 * 148)
    assert (client.packets_out, client.bytes_out) == (5, 5 * 1048)
    assert (client.name, next(iter(client.addresses)), client.since) == ("client1.example", gua(1), 1000.0)


def test_the_newest_connections_of_a_certificate_win() -> None:
    site = Site(max_per_identity=2)
    for number in (1, 2, 3):
        site.connect(number, "laptop.example")
        site.connect(10 + number, "other.example" if number < 3 else "third.example")
    ended = site.closed(1)
    assert ended and ended.reason == "newer connections of the same certificate, of which it may have 2"
    assert site.drops() == {"TOO_MANY_OF_CERTIFICATE": 1}
    site.server.closed(3, "gone", site.now)
    site.connect(4, "laptop.example")
    assert {view.number for view in site.server.clients()} == {2, 4, 11, 12, 13}


def test_without_certificates_nobody_is_the_same() -> None:
    site = Site(mode="none", max_per_identity=1)
    site.connect(1)
    site.connect(2)
    assert len(site.server.clients()) == 2


def test_connections_without_a_head_count_as_well() -> None:
    site = opened(opened(Site(max_per_identity=1), 1), 2)
    site.feed(2, b"")
    assert site.closed(1) and not site.closed(2)


def test_a_smaller_limit_holds_from_the_next_connection_on() -> None:
    site = Site(max_per_identity=3)
    for number in (1, 2, 3):
        site.connect(number, "laptop.example")
    site.server.reconfigure(replace(site.config, max_per_identity=1), site.now)
    assert len(site.server.clients()) == 3
    site.connect(4, "laptop.example")
    assert [view.number for view in site.server.clients()] == [4]
