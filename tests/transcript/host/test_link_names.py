"""DNS servers, domains and NAT64 prefixes of advertisements (RFC 8106, RFC 8781), each for its lifetime."""

from __future__ import annotations

import math
from ipaddress import IPv6Address

from manageout.protocol.host.link_names import MAX_NAMES, MAX_PREFIXES, MAX_SERVERS, LinkNames, NamesSeen
from manageout.protocol.iphttps.host import Host
from manageout.protocol.iphttps.values import NamesChanged
from manageout.wire import nd
from manageout.wire.nd import Dnssl, Option, Pref64, Rdnss
from tests.tools.machines.iphttps import GATEWAY_LL

SERVER = IPv6Address("fd12:3456:789a:3333::1").packed
OTHER = IPv6Address("fd12:3456:789a:3333::2").packed
NAT64 = IPv6Address("fd12:3456:789a:7777::").packed


def after(*steps: tuple[float, Option]) -> LinkNames:
    names = LinkNames()
    for now, option in steps:
        names.expire(now)
        names.update((option,), now)
    return names


def test_all_three_are_kept_in_their_order() -> None:
    names = after(
        (0, Rdnss(600, (SERVER, OTHER))),
        (0, Dnssl(600, ("Corp.Example", "b.example"))),
        (0, Pref64(NAT64, 96, 600)),
    )
    assert names.seen() == NamesSeen((SERVER, OTHER), ("corp.example", "b.example"), ((NAT64, 96),))


def test_rfc8106_5_1_a_lifetime_of_zero_withdraws() -> None:
    names = after((0, Rdnss(600, (SERVER, OTHER))), (1, Rdnss(0, (SERVER,))))
    assert names.seen().servers == (OTHER,)


def test_rfc8106_5_1_an_infinite_lifetime_never_ends() -> None:
    assert after((0, Rdnss(0xFFFFFFFF, (SERVER,)))).next_expiry() == math.inf


def test_entries_end_when_they_are_not_renewed() -> None:
    names = after(
        (0, Rdnss(600, (SERVER,))), (0, Dnssl(60, ("corp.example",))), (30, Dnssl(60, ("corp.example",)))
    )
    assert names.next_expiry() == 90
    names.expire(90)
    assert names.seen() == NamesSeen((SERVER,))


def test_rfc8781_4_the_longest_lifetime_is_no_infinity() -> None:
    assert after((0, Pref64(NAT64, 96, 65528))).next_expiry() == 65528


def test_what_cannot_be_is_not_kept() -> None:
    """Names end in the resolver's file and on command lines."""
    bad = ("corp.example\nnameserver 203.0.113.6", "a b", "~.", "-x.example", "a.b;c", "x" * 64)
    servers = [IPv6Address(text).packed for text in ("::", "::1", "ff02::1", "::ffff:192.0.2.1")]
    names = after((0, Dnssl(600, bad)), (0, Rdnss(600, tuple(servers))))
    for prefix, length in (("::", 96), ("ff00::", 32), ("fd12:0:0:0:100::", 96)):
        names.update((Pref64(IPv6Address(prefix).packed, length, 600),), 0)
    assert names.seen() == NamesSeen()


def test_a_flood_of_options_is_bounded() -> None:
    servers = tuple(IPv6Address(0xFD12 << 112 | number).packed for number in range(1, 100))
    domains = tuple(f"d{number}.example" for number in range(100))
    names = after((0, Rdnss(600, servers)), (0, Dnssl(600, domains)))
    names.update(
        (Pref64(IPv6Address(0xFD12 << 112 | number << 80).packed, 96, 600) for number in range(100)), 0
    )
    assert tuple(map(len, names.seen())) == (MAX_SERVERS, MAX_NAMES, MAX_PREFIXES)


def test_the_client_is_told_of_changes_and_only_of_those() -> None:
    events: list[object] = []
    host = Host(lambda prefix, duplicates: bytes(7) + b"\1", lambda: 0.5, [], events)  # type: ignore[arg-type]
    host.link_up(None, 0)
    options = (Rdnss(600, (SERVER,)), Dnssl(600, ("corp.example",)), Pref64(NAT64, 96, 600))
    packet = nd.build(GATEWAY_LL, nd.ALL_NODES, nd.RouterAdvertisement(options=options))
    told = NamesChanged(NamesSeen((SERVER,), ("corp.example",), ((NAT64, 96),)))
    host.receive(packet, 0)
    host.receive(packet, 10)
    assert [event for event in events if isinstance(event, NamesChanged)] == [told]
    host.link_down()
    host.on_timer(609)
    assert events[-1] == told, "they outlive a lost connection"
    host.on_timer(610)
    assert events[-1] == NamesChanged(NamesSeen())
    host.receive(packet, 700)
    host.stop()
    assert events[-1] == NamesChanged(NamesSeen())
