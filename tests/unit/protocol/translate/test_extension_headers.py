"""Which extension headers are skipped, and what makes a chain impossible."""

from __future__ import annotations

import pytest

from manageout.errors import WireError
from manageout.protocol.translate.extension_headers import Chain, walk
from manageout.wire import ipv6
from manageout.wire.ipv6 import Fragment

OPTIONS = bytes((1, 4, 0, 0, 0, 0))


def packet(first: int, body: bytes) -> bytes:
    return ipv6.build(bytes(15) + b"\1", bytes(15) + b"\2", first, body)


@pytest.mark.parametrize("kind", [6, 17, 50, 51, 58, 59, 135, 253])
def test_rfc7915_5_1_what_is_not_skipped_is_the_protocol(kind: int) -> None:
    assert walk(packet(kind, b"")) == Chain(kind, 40, None, None, False)


def test_the_walk_ends_behind_the_fragment_header() -> None:
    headers = bytes((44, 0)) + OPTIONS + bytes((60, 0, 0, 9, 0, 0, 0, 7))
    assert walk(packet(60, headers)) == Chain(60, 56, Fragment(1, True, 7), None, True)


def test_the_first_segments_left_counts() -> None:
    headers = (
        bytes((43, 0, 0, 0, 0, 0, 0, 0)) + bytes((43, 0, 0, 2, 0, 0, 0, 0)) + bytes((6, 0, 0, 3, 0, 0, 0, 0))
    )
    assert walk(packet(43, headers)).segments_left_at == 51


@pytest.mark.parametrize(
    ("first", "body"),
    [
        (0, bytes(7)),
        (44, bytes(7)),
        (60, bytes((6, 1)) + OPTIONS),
        (60, bytes((0, 0)) + OPTIONS + bytes((6, 0)) + OPTIONS),
        (60, (bytes((60, 0)) + OPTIONS) * 40),
    ],
)
def test_impossible_chains(first: int, body: bytes) -> None:
    with pytest.raises(WireError):
        walk(packet(first, body))
