"""The short cut against the rules, on packets of which many are alike and some are damaged."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.protocol.core.drops import Verdict
from manageout.protocol.core.prefixes import Prefix
from manageout.protocol.isatap import flows as isatap_flows
from manageout.protocol.isatap.flows import Flows
from manageout.protocol.isatap.link import LinkRole, LinkState
from manageout.wire import ipv4, ipv6, numbers
from tests.tools.packets import udp

PREFIX = IPv6Address("fd12:3456:789a:1::").packed
ROUTER, HOSTS = (
    IPv4Address("10.0.0.1").packed,
    [IPv4Address(f"10.0.1.{last}").packed for last in (30, 31, 40)],
)
ADDRESSES = [PREFIX[:8] + b"\0\0\x5e\xfe" + v4 for v4 in (ROUTER, *HOSTS)]
ADDRESSES += [
    IPv6Address(text).packed for text in ("fd12:3456:789a:1000::7", "ff02::1", "::1", "2002:a00:1::1")
]

pairs = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES))
payloads = st.binary(max_size=20)


def link() -> LinkState:
    allowed = [Prefix(v4, 32) for v4 in HOSTS[:2]]
    return LinkState(LinkRole.ROUTER, prefixes=[PREFIX], locators=[ROUTER], allowed=allowed)


def datagram(pair: tuple[bytes, bytes], payload: bytes, ecn: int) -> bytes:
    segment = udp.build(*pair, 1, 2, payload)
    return ipv6.build(*pair, numbers.UDP, segment, traffic_class=ecn)


def repaired(outer: bytearray) -> bytes:
    """With a right header checksum, so that the other rules decide."""
    outer[10:12] = bytes(2)
    outer[10:12] = (0xFFFF - (int.from_bytes(outer[:20], "big") % 0xFFFF or 0xFFFF)).to_bytes(2, "big")
    return bytes(outer)


damages = st.none() | st.tuples(st.integers(0, 79), st.integers(0, 255), st.booleans())


@st.composite
def arriving(draw: st.DrawFn) -> bytes:
    inner = datagram(draw(pairs), draw(payloads), draw(st.integers(0, 3)))
    outer = ipv4.build(draw(st.sampled_from(HOSTS)), ROUTER, 41, inner, tos=draw(st.integers(0, 3)))
    damage = draw(damages)
    if damage is None or damage[0] >= len(outer):
        return outer
    broken = bytearray(outer)
    broken[damage[0]] = damage[1]
    return repaired(broken) if damage[2] else bytes(broken)


@given(st.lists(arriving(), max_size=12))
def test_arriving(packets: list[bytes]) -> None:
    flows, rules = Flows(link()), link()
    for packet in packets * 2:
        assert flows.decapsulate(packet) == rules.decapsulate(packet, complete=True)


@given(st.lists(st.tuples(pairs, payloads, st.integers(0, 3), damages), max_size=12))
def test_leaving(
    wanted: list[tuple[tuple[bytes, bytes], bytes, int, tuple[int, int, bool] | None]],
) -> None:
    flows, rules = Flows(link()), link()
    for number, (pair, payload, ecn, damage) in enumerate(wanted * 2):
        packet = bytearray(datagram(pair, payload, ecn))
        if damage is not None and damage[0] < len(packet):
            packet[damage[0]] = damage[1]
        expected = rules.encapsulate(bytes(packet), number, complete=True)
        assert flows.encapsulate(bytes(packet), number) == expected


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isatap_flows, "MAX_FLOWS", 2)
    flows = Flows(link())
    for last in range(5):
        pair = ADDRESSES[1], IPv6Address(f"2001:db8::{last}").packed
        outer = ipv4.build(HOSTS[0], ROUTER, 41, datagram(pair, b"", 0))
        assert flows.decapsulate(outer).verdict is Verdict.FORWARD
        assert flows.encapsulate(datagram(pair[::-1], b"", 0), 1).verdict is Verdict.FORWARD
        assert len(flows._arriving) <= 2 and len(flows._leaving) <= 2
