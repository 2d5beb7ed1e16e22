"""rtnetlink attributes and refusals. The conversation with the kernel: system/linux/netlink/test_links.py."""

from __future__ import annotations

import errno

from hypothesis import given
from hypothesis import strategies as st

from manageout.errors import NotPermitted
from manageout.linux.netlink.messages import Refused, attribute, attributes, refused

TYPES = st.integers(1, 0x3FFF)


@given(st.dictionaries(TYPES, st.binary(max_size=40)))
def test_attributes_come_back(values: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(kind, value) for kind, value in values.items())) == values


@given(st.binary(max_size=200))
def test_damaged_attributes_do_no_harm(data: bytes) -> None:
    assert sum(len(value) for value in attributes(data).values()) <= len(data)


def test_attributes_are_aligned() -> None:
    assert len(attribute(1, b"abc")) == 8
    assert attribute(0x8000 | 7, b"")[2:4] == b"\x07\x80"
    assert attributes(attribute(0x8000 | 7, b"x")) == {7: b"x"}, "the nested flag is no part of the type"


def test_refusals() -> None:
    assert isinstance(refused(errno.EPERM, "add"), NotPermitted)
    error = refused(errno.EEXIST, "add the route")
    assert isinstance(error, Refused)
    assert (error.number, error.message) == (errno.EEXIST, "add the route: File exists")
    assert error.hint
