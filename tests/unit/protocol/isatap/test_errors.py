"""ICMPv4 errors about the tunnel."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.errors import WireError
from manageout.protocol.isatap.errors import FailedDelivery, answerable, failed_delivery
from manageout.wire import icmpv4, ipv4, ipv6, numbers
from tests.tools.packets.icmpv4 import echo4

ROUTER, HOST = IPv4Address("10.0.0.1").packed, IPv4Address("10.0.1.30").packed
INNER = ipv6.build(
    IPv6Address("2001:db8::7").packed, IPv6Address("2001:db8:1::5efe:10.0.1.30").packed, 17, bytes(100)
)
SENT = ipv4.build(ROUTER, HOST, 41, INNER)


def error(message: bytes) -> bytes:
    return ipv4.build(HOST, ROUTER, numbers.ICMP, message)


def test_a_full_quotation_names_everybody() -> None:
    failure = failed_delivery(error(icmpv4.unreachable(1, SENT)))
    assert failure == FailedDelivery(ROUTER, HOST, INNER)
    assert answerable(failure)


def test_old_routers_quote_too_little() -> None:
    failure = failed_delivery(error(icmpv4.unreachable(1, SENT[:28])))
    assert failure == FailedDelivery(ROUTER, HOST, b"")
    assert not answerable(failure)


@pytest.mark.parametrize(
    "message",
    [
        icmpv4.unreachable(icmpv4.FRAGMENTATION_NEEDED, SENT, 1000),
        icmpv4.unreachable(icmpv4.PORT_UNREACHABLE, SENT),
        icmpv4.unreachable(1, ipv4.build(ROUTER, HOST, 17, bytes(8))),
        echo4(1, 1, b"ping"),
    ],
)
def test_what_is_no_failure_of_ours(message: bytes) -> None:
    assert failed_delivery(error(message)) is None


def test_rubbish_is_our_own_error() -> None:
    with pytest.raises(WireError):
        failed_delivery(error(b"\x03\x01rubbish"))
    with pytest.raises(WireError):
        failed_delivery(error(icmpv4.unreachable(1, b"\x45")))


def test_a_host_that_is_not_the_last_hop_cannot_be_answered_for() -> None:
    assert not answerable(FailedDelivery(ROUTER, IPv4Address("10.0.0.2").packed, INNER))
