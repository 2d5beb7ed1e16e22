"""ICMPv4 messages that the product reads, and never writes."""

from __future__ import annotations

from manageout.wire import icmpv4


def echo4(ident: int, sequence: int, data: bytes, *, reply: bool = False) -> bytes:
    """An echo request or reply."""
    kind = icmpv4.ECHO_REPLY if reply else icmpv4.ECHO_REQUEST
    return icmpv4.build(icmpv4.Icmpv4(kind, 0, ident << 16 | sequence, data))


def parameter_problem4(pointer: int, original: bytes, code: int = 0) -> bytes:
    """Parameter Problem at byte ``pointer`` of ``original``, which is cut as RFC 1812 4.3.2.3 says."""
    return icmpv4.build(icmpv4.Icmpv4(icmpv4.PARAMETER_PROBLEM, code, pointer << 24, original[: 576 - 28]))
