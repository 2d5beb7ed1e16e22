"""Counts and faults in words."""

from __future__ import annotations

import errno
import os

import pytest

from manageout.words import counted, listed, printable, said


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 addresses"), (1, "1 address"), (2, "2 addresses"), (1001, "1001 addresses")]
)
def test_one_and_many(count: int, text: str) -> None:
    assert counted(count, "address", "addresses") == text


def test_an_s_is_usual() -> None:
    assert [counted(count, "call") for count in (1, 2)] == ["1 call", "2 calls"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "Connection refused"),
        (OSError("timed out"), "timed out"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("two\n  lines"), "two lines"),
    ],
)
def test_faults_have_no_number_and_are_never_empty(error: Exception, text: str) -> None:
    assert said(error) == text


def test_nothing_moves_a_cursor() -> None:
    assert printable("dc.corp\x1b[31m\nx") == "dc.corp?[31m?x"
    assert printable("Käthe") == "Käthe"


def test_a_long_list_says_how_much_is_left_out() -> None:
    assert listed(["a", "b"], 3) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert listed([], 2) == ""
