"""ICMP errors of the ISATAP link: what ICMPv4 errors mean for IPv6 (RFC 4213 3.4)."""

from typing import NamedTuple

from manageout.wire import icmpv4, ipv4, ipv6, numbers
from manageout.wire.address import embedded_isatap

_EMPTY = (icmpv4.FRAGMENTATION_NEEDED, icmpv4.PORT_UNREACHABLE)
_REPORTS = (icmpv4.DESTINATION_UNREACHABLE, icmpv4.TIME_EXCEEDED, icmpv4.PARAMETER_PROBLEM)


class FailedDelivery(NamedTuple):
    """A packet of ours that did not arrive. ``inner`` is what is left of the IPv6 packet, perhaps nothing."""

    locator: bytes
    peer: bytes
    inner: bytes


def failed_delivery(outer: bytes) -> FailedDelivery | None:
    """Read an ICMPv4 error about protocol 41.

    None for anything else, and for two codes that tell nothing: "fragmentation needed", for we never set DF; and "port
    unreachable", which Linux says of every packet that a raw socket has taken, once its module sit is loaded.
    ``inner`` is empty when the error quotes less than the IPv6 header, as old routers do. Raises
    :class:`WireError`.
    """
    _, payload = ipv4.parse(outer)
    message = icmpv4.parse(payload)
    if message.type not in _REPORTS:
        return None
    if message.type == icmpv4.DESTINATION_UNREACHABLE and message.code in _EMPTY:
        return None
    header, inner = message.quoted()
    if header.protocol != numbers.PROTOCOL_41:
        return None
    return FailedDelivery(header.src, header.dst, inner if len(inner) >= ipv6.HEADER_LENGTH else b"")


def answerable(failure: FailedDelivery) -> bool:
    """Whether the inner source may be told: the quotation names it, and the failed host was the last hop."""
    return bool(failure.inner) and embedded_isatap(failure.inner[24:40]) == failure.peer
