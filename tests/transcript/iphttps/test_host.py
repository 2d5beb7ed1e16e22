"""The client's addresses and routes (RFC 4861, 4862, 4191, 7559)."""

from __future__ import annotations

from ipaddress import IPv6Address

from manageout.protocol.core.drops import Drop
from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.iphttps.host import Host
from manageout.protocol.iphttps.values import AddressAdded, ClientEvent, Failed, RouteAdded
from manageout.wire import nd
from tests.tools.machines.iphttps import GATEWAY_LL, advertise, dad

PREFIX = IPv6Address("2001:db8:ff::").packed
ROUTE = IPv6Address("2001:db8:1::").packed
INFINITE = 0xFFFFFFFF


def own(duplicates: int = 0) -> bytes:
    return PREFIX[:8] + interface_id(PREFIX[:8], duplicates)


def own_ll(duplicates: int = 0) -> bytes:
    subnet = IPv6Address("fe80::").packed[:8]
    return subnet + interface_id(subnet, duplicates)


def interface_id(subnet: bytes, duplicates: int) -> bytes:
    return bytes((0, 0, 0, 0, 0, 0xAA, 0, duplicates))


def advertisement(valid: int = 86400, preferred: int = 14400, route: int = 1800) -> bytes:
    options = (
        nd.PrefixInformation(PREFIX, 64, True, True, valid, preferred),
        nd.RouteInformation(ROUTE, 48, nd.Preference.MEDIUM, route),
    )
    return nd.build(GATEWAY_LL, nd.ALL_NODES, nd.RouterAdvertisement(options=options))


class Link:
    def __init__(self) -> None:
        self.now = 0.0
        self.out: list[bytes] = []
        self.events: list[ClientEvent] = []
        self.host = Host(interface_id, lambda: 0.5, self.out, self.events)

    def up(self, fixed: bytes | None = None) -> Link:
        self.host.link_up(fixed, self.now)
        return self

    def feed(self, packet: bytes) -> Drop | None:
        return self.host.receive(packet, self.now)

    def sent(self) -> list[tuple[bytes, bytes, nd.Message]]:
        taken = [(header.src, header.dst, message) for header, message in map(nd.parse, self.out)]
        self.out.clear()
        return taken

    def told(self) -> list[ClientEvent]:
        taken = self.events.copy()
        self.events.clear()
        return taken

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (when := self.host.timer()) <= end:
            self.now = max(self.now, when)
            self.host.on_timer(self.now)
        self.now = end


def test_from_link_up_to_addresses_in_one_second() -> None:
    link = Link().up()
    assert link.sent() == [
        (nd.UNSPECIFIED, nd.solicited_node(own_ll()), nd.NeighbourSolicitation(own_ll())),
        (nd.UNSPECIFIED, nd.ALL_ROUTERS, nd.RouterSolicitation()),
    ]
    link.feed(advertisement())
    assert link.sent() == [(nd.UNSPECIFIED, nd.solicited_node(own()), nd.NeighbourSolicitation(own()))]
    assert link.told() == [RouteAdded(ROUTE, 48, nd.Preference.MEDIUM)]
    assert link.host.assigned == set()
    link.pass_time(1)
    assert link.told() == [AddressAdded(own_ll(), INFINITE, INFINITE), AddressAdded(own(), 86399, 14399)]
    assert link.host.assigned == {own_ll(), own()}


def test_solicitations_are_repeated_doubled_and_reported_once() -> None:
    link = Link().up()
    link.sent()
    times = []
    while link.now < 120:
        link.pass_time(1)
        times += [link.now] * len(link.sent())
    assert times == [4, 8, 12, 20, 36, 68]
    assert [event for event in link.told() if isinstance(event, Failed)] == [
        Failed("no router advertisement: does the server publish a prefix?", 0x2AFC)
    ]


def test_a_solicitation_in_time_when_advertisements_stay_out() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.pass_time(2)
    link.sent()
    link.pass_time(890)
    assert link.sent() == []
    link.pass_time(20)
    assert (own_ll(), nd.ALL_ROUTERS, nd.RouterSolicitation()) in link.sent()


def test_a_duplicate_gets_another_identifier_and_there_is_an_end() -> None:
    link = Link().up()
    link.feed(advertisement())
    for duplicates in range(4):
        link.sent()
        link.feed(advertise(own(duplicates), nd.ALL_NODES, own(duplicates)))
    assert Failed("every address tried is in use by another client", 0) in link.told()
    link.pass_time(5)
    assert link.host.assigned == {own_ll()}


def test_somebody_elses_detection_of_our_tentative_address_is_a_duplicate() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.sent()
    link.feed(dad(own()))
    assert link.sent()[0][2] == nd.NeighbourSolicitation(own(1))


def test_assigned_addresses_are_defended_and_answered_for() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.pass_time(1)
    link.sent()
    link.feed(dad(own()))
    assert link.sent() == [(own(), nd.ALL_NODES, nd.NeighbourAdvertisement(own(), override=True))]
    link.feed(nd.build(GATEWAY_LL, own(), nd.NeighbourSolicitation(own())))
    answer = nd.NeighbourAdvertisement(own(), solicited=True, override=True)
    assert link.sent() == [(own(), GATEWAY_LL, answer)]
    link.feed(dad(own(1)))
    link.feed(advertise(own(), nd.ALL_NODES, own()))
    assert link.sent() == [] and link.host.assigned == {own_ll(), own()}


def test_a_fixed_address_is_used_in_its_prefix() -> None:
    fixed = PREFIX[:15] + b"\x07"
    link = Link().up(fixed)
    link.feed(advertisement())
    link.pass_time(1)
    assert link.host.assigned == {own_ll(), fixed}


def test_a_fixed_address_of_a_later_connection_replaces_the_other() -> None:
    fixed = PREFIX[:15] + b"\x07"
    link = Link().up()
    link.feed(advertisement())
    link.pass_time(1)
    link.host.link_down()
    link.told()
    link.up(fixed)
    assert link.told() == [AddressRemoved(own())]
    link.pass_time(1)
    assert link.host.assigned == {own_ll(), fixed}


def test_lifetimes_are_renewed_shortened_and_end() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.pass_time(100)
    link.told()
    link.feed(advertisement())
    assert link.told() == [AddressAdded(own(), 86400, 14400)]
    link.feed(advertisement(valid=0, preferred=0, route=0))
    # RFC 4862 5.5.3 (e): not below two hours; deprecated at once.
    assert link.told() == [AddressAdded(own(), 7200, 0), RouteRemoved(ROUTE, 48)]
    link.pass_time(7199)
    assert own() in link.host.assigned
    link.pass_time(2)
    assert link.host.assigned == {own_ll()} and AddressRemoved(own()) in link.told()


def test_routes_end_with_their_lifetime() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.told()
    link.pass_time(1801)
    assert RouteRemoved(ROUTE, 48) in link.told()


def test_addresses_and_routes_outlive_the_connection() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.pass_time(1)
    link.told()
    link.host.link_down()
    link.pass_time(60)
    assert link.told() == [] and link.host.assigned == {own_ll(), own()}
    link.sent()
    link.up()
    assert {message for _, _, message in link.sent()} == {
        nd.NeighbourSolicitation(own_ll()),
        nd.NeighbourSolicitation(own()),
        nd.RouterSolicitation(),
    }
    link.feed(advertise(own(), nd.ALL_NODES, own()))
    assert link.told() == [AddressRemoved(own())]


def test_nothing_is_sent_while_the_link_is_down() -> None:
    link = Link().up()
    link.feed(advertisement())
    link.host.link_down()
    link.sent()
    link.pass_time(100)
    assert link.sent() == [] and link.host.assigned == set()


def test_messages_that_break_a_rule_are_dropped() -> None:
    link = Link().up()
    good = advertisement()
    assert link.feed(good[:7] + b"\x40" + good[8:]) is Drop.ND_INVALID
    assert link.feed(nd.build(GATEWAY_LL, nd.ALL_NODES, nd.RouterSolicitation())) is Drop.ND_INVALID
    from_global = nd.build(own(), nd.ALL_NODES, nd.RouterAdvertisement())
    assert link.feed(from_global) is Drop.ND_INVALID
    assert link.host.router is None
