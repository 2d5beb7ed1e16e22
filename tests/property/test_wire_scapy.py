"""An implementation that is not ours as the judge: scapy builds what we read, and reads what we build."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manageout.wire import icmpv6, ipv4, ipv6, nd
from tests.tools.packets import strategies as any_
from tests.tools.packets import tcp, udp
from tests.tools.packets.icmpv4 import echo4

inet = pytest.importorskip("scapy.layers.inet", reason="scapy is not installed")
inet6 = pytest.importorskip("scapy.layers.inet6", reason="scapy is not installed")
packet = pytest.importorskip("scapy.packet", reason="scapy is not installed")
few = settings(max_examples=40)


def text6(address: bytes) -> str:
    return str(IPv6Address(address))


def text4(address: bytes) -> str:
    return str(IPv4Address(address))


def rebuilt(read: Any) -> bytes:
    """What scapy writes when it computes every length and checksum itself."""
    layer = read
    while layer:
        for field in ("len", "cksum", "plen"):
            # scapy knows only the long form of a route option: there it keeps the length that it read.
            if field in layer.fields and not isinstance(layer, inet6.ICMPv6NDOptRouteInfo):
                layer.delfieldval(field)
        layer = layer.payload
    return bytes(read)


@few
@given(any_.v4, any_.v4, any_.u8, any_.u16, any_.u8, st.booleans(), any_.data)
def test_ipv4(src: bytes, dst: bytes, tos: int, ident: int, ttl: int, df: bool, payload: bytes) -> None:
    theirs = inet.IP(
        src=text4(src), dst=text4(dst), tos=tos, id=ident, ttl=ttl, flags="DF" if df else 0, proto=253
    )
    ours = ipv4.build(src, dst, 253, payload, tos=tos, ident=ident, ttl=ttl, dont_fragment=df)
    assert ours == bytes(theirs / payload)
    assert ipv4.parse(ours)[1] == payload


@few
@given(any_.v6, any_.v6, any_.u8, st.integers(0, 2**20 - 1), any_.u8, any_.data)
def test_ipv6(src: bytes, dst: bytes, tclass: int, label: int, hops: int, payload: bytes) -> None:
    theirs = inet6.IPv6(src=text6(src), dst=text6(dst), tc=tclass, fl=label, hlim=hops, nh=253)
    ours = ipv6.build(src, dst, 253, payload, traffic_class=tclass, flow_label=label, hop_limit=hops)
    assert ours == bytes(theirs / payload)


@few
@given(any_.v6, any_.v6, any_.v4, any_.v4, any_.u16, any_.u16, any_.data)
def test_udp(
    src6: bytes, dst6: bytes, src4: bytes, dst4: bytes, source: int, destination: int, payload: bytes
) -> None:
    theirs = inet.UDP(sport=source, dport=destination) / packet.Raw(payload)
    over6 = bytes(inet6.IPv6(src=text6(src6), dst=text6(dst6)) / theirs)
    assert udp.build(src6, dst6, source, destination, payload) == over6[40:]
    over4 = bytes(inet.IP(src=text4(src4), dst=text4(dst4)) / theirs)
    assert udp.build(src4, dst4, source, destination, payload) == over4[20:]


@few
@given(any_.v6, any_.v6, any_.u16, any_.u16, any_.u32, any_.u32, any_.u8, any_.u16, any_.data)
def test_tcp(
    src: bytes,
    dst: bytes,
    source: int,
    dest: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    payload: bytes,
) -> None:
    theirs = inet.TCP(sport=source, dport=dest, seq=seq, ack=ack, flags=flags, window=window)
    wanted = bytes(inet6.IPv6(src=text6(src), dst=text6(dst)) / theirs / packet.Raw(payload))[40:]
    header = tcp.Tcp(source, dest, seq, ack, flags, window, 0, b"")
    assert tcp.build(src, dst, header, payload) == wanted
    assert tcp.parse(src, dst, wanted) == (header, payload)


@few
@given(any_.u16, any_.u16, any_.data)
def test_echo(ident: int, sequence: int, payload: bytes) -> None:
    assert echo4(ident, sequence, payload) == bytes(
        inet.ICMP(type=8, id=ident, seq=sequence) / packet.Raw(payload)
    )


@few
@given(any_.unicast6, any_.unicast6, any_.u32, any_.data)
def test_packet_too_big(src: bytes, dst: bytes, mtu: int, payload: bytes) -> None:
    original = ipv6.build(dst, src, 253, payload)
    ours = icmpv6.packet_too_big(src, dst, mtu, original)
    assert ours is not None
    theirs = inet6.IPv6(ours)
    assert (theirs[inet6.ICMPv6PacketTooBig].mtu, theirs[inet6.IPerror6].plen) == (mtu, len(payload))
    assert rebuilt(theirs) == ours


@few
@given(any_.link_local, any_.unicast6, any_.message)
def test_scapy_writes_the_same_message_again(src: bytes, dst: bytes, message: nd.Message) -> None:
    """Read by scapy, its lengths and checksums forgotten, written by scapy: not a byte differs."""
    ours = nd.build(src, dst, message)
    assert rebuilt(inet6.IPv6(ours)) == ours


@few
@given(any_.link_local, any_.unicast6, any_.prefix_information, any_.u32, any_.route_information)
def test_advertisements_of_scapy(
    src: bytes,
    dst: bytes,
    prefix: nd.PrefixInformation,
    mtu: int,
    route: nd.RouteInformation,
) -> None:
    theirs = (
        inet6.IPv6(src=text6(src), dst=text6(dst), hlim=255)
        / inet6.ICMPv6ND_RA(chlim=64, M=0, O=1, prf=1, routerlifetime=1800, reachabletime=1, retranstimer=2)
        / inet6.ICMPv6NDOptMTU(mtu=mtu)
        / inet6.ICMPv6NDOptPrefixInfo(
            prefix=text6(prefix.prefix),
            prefixlen=prefix.length,
            L=prefix.on_link,
            A=prefix.autonomous,
            validlifetime=prefix.valid,
            preferredlifetime=prefix.preferred,
        )
        / inet6.ICMPv6NDOptRouteInfo(
            prefix=text6(route.prefix),
            plen=route.length,
            prf=int(route.preference),
            rtlifetime=route.lifetime,
        )
    )
    wanted = nd.RouterAdvertisement(
        64, False, True, nd.Preference.HIGH, 1800, 1, 2, (nd.Mtu(mtu), prefix, route)
    )
    assert nd.parse(bytes(theirs))[1] == wanted
