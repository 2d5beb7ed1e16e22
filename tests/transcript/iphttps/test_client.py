"""The client: states, HTTP exchange, packets, time-outs; alone, and joined to the server in memory."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from manageout.protocol.host.slaac import AddressRemoved, RouteRemoved
from manageout.protocol.iphttps.client import IpHttpsClient
from manageout.protocol.iphttps.reconnect import SPREAD
from manageout.protocol.iphttps.server import IpHttpsServer
from manageout.protocol.iphttps.states import ClientState
from manageout.protocol.iphttps.values import (
    SERVER,
    AddressAdded,
    ClientConfig,
    ClientEvent,
    Connect,
    ConnectFault,
    Disconnect,
    Failed,
    LinkDown,
    LinkUp,
    Peer,
    RouteAdded,
)
from manageout.wire import ipv6, nd, numbers
from tests.tools.machines.framer import PacketFramer
from tests.tools.machines.iphttps import BEYOND, CONFIG, GATEWAY_LL, datagram
from tests.vectors import value, vector

OWN_LL = IPv6Address("fe80::aa:0").packed
OWN = IPv6Address("2001:db8:ff::aa:0").packed
RA = vector("IPHTTPS_RA_multicast")
OK = vector("IPHTTPS_response")
FIRST = 0.5 * (1 - SPREAD)
"""Our first wait, for a random() of 0."""


def interface_id(subnet: bytes, duplicates: int) -> bytes:
    return bytes((0, 0, 0, 0, 0, 0xAA, 0, duplicates))


class Tunnel:
    """A client whose driver connects when told; time is a number."""

    def __init__(self, **changes: Any) -> None:
        self.now = 0.0
        self.client = IpHttpsClient(ClientConfig("da.example.com", **changes), interface_id, lambda: 0.0)
        self.events: list[ClientEvent] = []
        self.sent = b""
        self.kernel: list[bytes] = []

    def collect(self) -> None:
        for endpoint, chunks in self.client.transmit():
            if endpoint == SERVER:
                self.sent += b"".join(chunks)
            else:
                self.kernel += chunks
        self.events += self.client.events()

    def state(self) -> ClientState:
        return self.client.state

    def up(self) -> Tunnel:
        """To an established link; what was sent and told on the way is forgotten."""
        self.client.enable(self.now)
        self.client.connected(self.now)
        self.feed(OK)
        self.forget()
        return self

    def ready(self) -> Tunnel:
        """To addresses and routes."""
        self.up().feed(RA)
        self.pass_time(1)
        self.forget()
        return self

    def feed(self, data: bytes) -> None:
        self.client.receive(data, SERVER, self.now)
        self.collect()

    def give(self, *packets: bytes) -> None:
        self.client.from_kernel(packets, self.now)
        self.collect()

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (when := self.client.timer()) is not None and when <= end:
            self.now = max(self.now, when)
            self.client.on_timer(self.now)
            self.collect()
        self.now = end

    def packets(self) -> list[bytes]:
        taken, self.sent = self.sent, b""
        return PacketFramer(1500).feed(taken)

    def forget(self) -> None:
        self.collect()
        self.sent = b""
        self.kernel.clear()
        self.events.clear()


# --- States and the HTTP exchange -----------------------------------------------------------------------


def test_the_request_of_the_specification() -> None:
    tunnel = Tunnel(own_framing=False)
    assert tunnel.state() is ClientState.DISABLED
    tunnel.client.enable(0)
    assert tunnel.state() is ClientState.LINK_DOWN
    tunnel.client.connected(0)
    tunnel.collect()
    assert tunnel.events == [Connect(0.0, 2.0, 3.5)]
    assert tunnel.state() is ClientState.ESTABLISHED
    assert tunnel.sent == vector("IPHTTPS_request")
    tunnel.feed(OK)
    assert tunnel.state() is ClientState.LINK_UP
    assert tunnel.events[-1] == LinkUp("stock")


@pytest.mark.parametrize("cut", range(1, len(OK) + 40, 7))
def test_an_answer_in_pieces_with_packets_behind_it(cut: int) -> None:
    tunnel = Tunnel()
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    stream = OK + RA
    tunnel.feed(stream[:cut])
    tunnel.feed(stream[cut:])
    tunnel.pass_time(1)
    assert tunnel.client.addresses == {OWN, OWN_LL}


def test_a_1_0_answer_and_a_chunked_one_are_understood() -> None:
    tunnel = Tunnel()
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    head = b"HTTP/1.0 200 Fine\r\nTransfer-Encoding: Chunked\r\n\r\n"
    tunnel.feed(head + f"{len(RA):x}\r\n".encode() + RA + b"\r\n")
    tunnel.pass_time(1)
    assert OWN in tunnel.client.addresses
    tunnel.feed(b"0\r\n\r\n")
    assert LinkDown("the server ended the stream") in tunnel.events


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "the server answered 404 Not Found"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "the server answered 204 No Content"),
        (b"SSH-2.0-x\r\n\r\n", "not HTTP: 'SSH-2.0-x'"),
        (b"POST / HTTP/1.1\r\n\r\n", "not an HTTP answer"),
        (
            b"HTTP/1.1 200 OK\r\nManageout-Address: nonsense\r\n\r\n",
            "Manageout-Address: 'nonsense' is no IPv6 address",
        ),
    ],
)
def test_other_answers_fail(answer: bytes, reason: str) -> None:
    tunnel = Tunnel()
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    tunnel.collect()
    tunnel.events.clear()
    tunnel.feed(answer)
    assert Disconnect(reason) in tunnel.events
    assert tunnel.events[-1] == Connect(15.0, 2.0, 3.5)
    assert tunnel.state() is ClientState.LINK_DOWN


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (404, "the path in the URL"),
        (403, "does not let us in"),
        (407, "--proxy"),
        (302, "redirects"),
        (503, "cannot serve just now"),
        (204, "is it an IP-HTTPS gateway"),
    ],
)
def test_every_status_has_its_remedy(status: int, remedy: str) -> None:
    tunnel = Tunnel()
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    tunnel.feed(f"HTTP/1.1 {status} X\r\n\r\n".encode())
    (failed,) = [event for event in tunnel.events if isinstance(event, Failed)]
    assert remedy in failed.hint


def test_a_lost_transport_says_what_its_driver_says() -> None:
    tunnel = Tunnel()
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    tunnel.client.closed("the end", 0, "look there")
    tunnel.collect()
    assert Failed("the end", 0, "look there") in tunnel.events


@pytest.mark.parametrize("stock", [False, True])
def test_no_answer_times_out(stock: bool) -> None:
    tunnel = Tunnel(stock_retry=stock)
    tunnel.client.enable(0)
    tunnel.client.connected(0)
    tunnel.pass_time(31 if stock else 3.5)
    reason = "the server does not answer the request"
    hint = "is it an IP-HTTPS gateway? a web server or a proxy may be in its place"
    again = Connect(30.0, 10.0, 20.0) if stock else Connect(0.0, 3.0, 7.0)  # it has waited already
    assert tunnel.events[1:] == [Disconnect(reason), Failed(reason, 0x274C, hint), again]


def test_disable_takes_everything_back() -> None:
    tunnel = Tunnel().ready()
    tunnel.client.disable(tunnel.now)
    tunnel.collect()
    assert set(tunnel.events) == {
        Disconnect("disabled"),
        AddressRemoved(OWN),
        AddressRemoved(OWN_LL),
        RouteRemoved(IPv6Address("2001:db8:1::").packed, 48),
    }
    assert tunnel.client.timer() is None and tunnel.state() is ClientState.DISABLED
    tunnel.events.clear()
    tunnel.client.closed("late", tunnel.now)
    tunnel.client.failed(ConnectFault.OTHER, "late", tunnel.now)
    tunnel.client.connected(tunnel.now)
    tunnel.feed(OK)
    assert tunnel.events == [] and tunnel.sent == b""
    tunnel.client.enable(tunnel.now)
    tunnel.collect()
    assert tunnel.events == [Connect(0.0, 2.0, 3.5)]


def test_retry_connects_at_once_only_when_the_link_is_down() -> None:
    tunnel = Tunnel().up()
    tunnel.client.retry(0)
    tunnel.collect()
    assert tunnel.events == []
    tunnel.client.closed("reset", 0)
    tunnel.client.retry(0)
    tunnel.collect()
    assert tunnel.events[-1] == Connect(0.0, 2.0, 3.5)


# --- Packets --------------------------------------------------------------------------------------------


def test_data_passes_both_ways() -> None:
    tunnel = Tunnel().ready()
    tunnel.give(datagram(OWN, BEYOND))
    assert tunnel.packets() == [datagram(OWN, BEYOND)]
    tunnel.feed(datagram(BEYOND, OWN))
    assert tunnel.kernel == [datagram(BEYOND, OWN)]


@pytest.mark.parametrize("cut", value("IPHTTPS_stream_split_at"))
def test_framing_at_every_split(cut: int) -> None:
    tunnel = Tunnel().ready()
    stream = datagram(BEYOND, OWN) + datagram(BEYOND, OWN_LL) + datagram(BEYOND, OWN, b"3")
    tunnel.feed(stream[:cut])
    tunnel.feed(stream[cut:])
    assert tunnel.kernel == [datagram(BEYOND, OWN), datagram(BEYOND, OWN_LL), datagram(BEYOND, OWN, b"3")]


def test_what_the_kernel_may_not_send() -> None:
    tunnel = Tunnel().ready()
    tunnel.give(datagram(BEYOND, BEYOND), datagram(OWN_LL, nd.ALL_NODES), b"\x45" + bytes(40), b"")
    assert tunnel.packets() == []
    drops = {reason.name: count for reason, count in tunnel.client.drop_totals().items()}
    assert drops == {"NOT_OWNER": 1, "MULTICAST": 1, "NOT_IPV6": 2}


def test_nothing_is_sent_while_the_link_is_down_or_full() -> None:
    tunnel = Tunnel().ready()
    tunnel.client.congested(True)
    tunnel.give(datagram(OWN, BEYOND))
    tunnel.client.congested(False)
    tunnel.client.closed("reset", tunnel.now)
    tunnel.give(datagram(OWN, BEYOND))
    drops = {reason.name: count for reason, count in tunnel.client.drop_totals().items()}
    assert tunnel.sent == b"" and drops == {"QUEUE_FULL": 1, "LINK_IS_DOWN": 1}


def test_what_the_server_may_not_send() -> None:
    tunnel = Tunnel().ready()
    routing = bytes((numbers.UDP, 2, 0, 1)) + bytes(4) + BEYOND
    tunnel.feed(
        datagram(BEYOND, nd.ALL_NODES)
        + datagram(BEYOND, BEYOND)
        + datagram(OWN, OWN)
        + datagram(nd.ALL_NODES, OWN)
        + ipv6.build(BEYOND, OWN, numbers.ROUTING, routing + datagram(BEYOND, OWN)[40:])
    )
    assert tunnel.kernel == []
    drops = {reason.name: count for reason, count in tunnel.client.drop_totals().items()}
    assert drops == {
        "MULTICAST": 1,
        "DESTINATION_ILLEGAL": 1,
        "SOURCE_ILLEGAL": 2,
        "FROM_CLIENT_FORBIDDEN": 1,
    }


def test_a_stream_that_is_not_ipv6_ends_the_link() -> None:
    tunnel = Tunnel().ready()
    tunnel.feed(vector("IPHTTPS_bad_version"))
    reason = "not IPv6: version 4 in the stream"
    assert tunnel.events == [Disconnect(reason), LinkDown(reason), Connect(FIRST, 2.0, 3.5)]


def test_half_a_packet_ends_the_link_after_a_while() -> None:
    tunnel = Tunnel().ready()
    tunnel.feed(datagram(BEYOND, OWN)[:20])
    tunnel.pass_time(31)
    assert LinkDown("a packet stayed half received for 30 s") in tunnel.events


def test_a_silent_server_is_probed_and_then_given_up() -> None:
    tunnel = Tunnel().ready()
    tunnel.pass_time(60)
    header, message = nd.parse(tunnel.packets()[0])
    assert (header.src, header.dst) == (OWN_LL, GATEWAY_LL)
    assert message == nd.NeighbourSolicitation(GATEWAY_LL)
    answer = nd.NeighbourAdvertisement(GATEWAY_LL, router=True, solicited=True)
    tunnel.feed(nd.build(GATEWAY_LL, OWN_LL, answer))
    tunnel.pass_time(61)
    assert tunnel.packets() and tunnel.events == []
    tunnel.pass_time(30)
    reason = "dead server: silent for 90 s"
    assert tunnel.events == [Disconnect(reason), LinkDown(reason), Connect(FIRST, 2.0, 3.5)]


# --- Joined to the server -------------------------------------------------------------------------------


class Joined(Tunnel):
    """A client and a server in memory."""

    def __init__(self, identity: str = "laptop", server: IpHttpsServer | None = None, **changes: Any) -> None:
        super().__init__(vnet_hdr=True, **changes)
        config = replace(CONFIG, vnet_hdr=True, fixed={"laptop": IPv6Address("2001:db8:ff::7777")})
        self.server = server or IpHttpsServer(config, lambda: "now", lambda: 0.5)
        self.identity = identity
        self.number = 0

    def connect(self) -> None:
        self.number += 1
        self.server.open(self.number, Peer("192.0.2.7", 1, self.identity), self.now)
        self.client.connected(self.now)
        self.exchange()

    def exchange(self) -> None:
        """Carry until both are quiet."""
        quiet = False
        while not quiet:
            self.collect()
            sent, self.sent = self.sent, b""
            if sent:
                self.server.receive(sent, self.number, self.now)
            answers = [b"".join(chunks) for number, chunks in self.server.transmit() if number == self.number]
            for answer in answers:
                self.client.receive(answer, SERVER, self.now)
            quiet = not sent and not answers
        self.server.events()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.25)
            self.client.on_timer(self.now)
            self.server.on_timer(self.now)
            self.exchange()


FIXED = IPv6Address("2001:db8:ff::7777").packed


@pytest.mark.parametrize(
    ("identity", "own_framing", "framing", "address"),
    [("laptop", True, "own", FIXED), ("other", True, "own", OWN), ("laptop", False, "stock", OWN)],
)
def test_joined(identity: str, own_framing: bool, framing: str, address: bytes) -> None:
    joined = Joined(identity, own_framing=own_framing)
    joined.client.enable(0)
    joined.connect()
    joined.wait(1)
    assert joined.client.addresses == {address, OWN_LL}
    assert LinkUp("own" if framing == "own" else "stock") in joined.events
    assert AddressAdded(address, 86399, 14399) in joined.events
    route = RouteAdded(IPv6Address("2001:db8:1::").packed, 48, nd.Preference.MEDIUM)
    assert joined.events.count(route) == 1
    joined.wait(3600)
    assert not [event for event in joined.events if isinstance(event, LinkDown)]
    assert joined.client.addresses == {address, OWN_LL}


def test_joined_a_returning_client_keeps_its_addresses() -> None:
    joined = Joined()
    joined.client.enable(0)
    joined.connect()
    joined.wait(1)
    joined.events.clear()
    joined.client.closed("cable pulled", joined.now)  # and the server does not know
    joined.wait(30)
    joined.connect()
    joined.wait(2)
    assert joined.client.addresses == {FIXED, OWN_LL}
    assert not [event for event in joined.events if isinstance(event, AddressRemoved)]
    old, new = joined.server.clients()
    assert old.addresses == {} and set(new.addresses) == {FIXED, OWN_LL}


def test_joined_counters_agree() -> None:
    joined = Joined()
    joined.client.enable(0)
    joined.connect()
    joined.wait(1)
    plain = bytes(10)
    joined.give(*[plain + datagram(FIXED, BEYOND)] * 9)
    joined.server.from_kernel([plain + datagram(BEYOND, FIXED)] * 4, joined.now)
    joined.exchange()
    (view,) = joined.server.clients()
    client = joined.client.link
    assert (view.packets_in, view.bytes_in) == (client.packets_out, client.bytes_out)
    assert len(joined.kernel) == 4
    assert (view.packets_out, view.bytes_out) == (client.packets_in, client.bytes_in)
