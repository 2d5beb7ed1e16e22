"""Whatever a console was saved as becomes the same lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.read.text import MAX_BYTES, MAX_LINES, decode, lines

TEXT = "Ethernet-Adapter Übung:\r\n\r\n   IPv4 . . : 10.0.0.1\r\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("cp850"),
    ],
)
def test_encodings(data: bytes) -> None:
    assert lines(decode(data)) == ["Ethernet-Adapter Übung:", "", "   IPv4 . . : 10.0.0.1", ""]


@given(st.binary(max_size=300))
def test_any_bytes_become_text(data: bytes) -> None:
    assert "\x00" not in decode(data)
    lines(decode(data))


def test_so_is_one_of_too_many_lines() -> None:
    assert len(lines("x\n" * (MAX_LINES + 50))) == MAX_LINES + 1


def test_colours_are_taken_out() -> None:
    assert decode(b"\x1b[31mred\x1b[0m\x07") == "red"


def test_a_huge_file_is_read_in_part() -> None:
    assert len(decode(b"x" * (MAX_BYTES + 5))) == MAX_BYTES


def test_a_line_cut_at_80_columns_is_whole_again() -> None:
    name = "Tunnel adapter isatap.{CA09D971-0000-0000-0000-03491AA7CB73}:"
    padded = "   IPv6 Address. . . . . . . . . . . : fd12:3456:789a:1:0:5efe:192.168.100.200(Preferred)"
    text = f"{name}\n{padded[:80]}\n{padded[80:]}\n   next . . : 1"
    assert lines(text) == [name, padded, "   next . . : 1"]


def test_a_full_line_before_an_indented_one_is_no_cut() -> None:
    full = "   " + "x" * 77
    assert lines(f"{full}\n   y") == [full, "   y"]


def test_a_header_after_a_full_line_stays_a_header() -> None:
    full = "x" * 79 + ":"
    assert lines(f"{full}\ny") == [full, "y"]
