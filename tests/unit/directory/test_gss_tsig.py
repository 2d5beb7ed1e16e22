"""Kerberos faults in words."""

from __future__ import annotations

import pytest

from manageout.directory.gss_tsig import _explained
from manageout.directory.zones import Place, Server

PLACE = Place("corp.example", Server("10.0.0.10"), "dc.corp.example")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (
            "Major (851968): Unspecified GSS failure.  Minor code may provide more information,"
            " Minor (2529638919): Server DNS/dc.corp.example@CORP.EXAMPLE not found in Kerberos database",
            "KERBEROS-ACCOUNT",
            "not found in Kerberos database",
        ),
        (
            "Major (458752): No credentials were supplied, or the credentials were unavailable or inaccessible,"
            " Minor (2529639107): Unknown code 0x96C73A03",
            "KERBEROS-FAILED",
            "no ticket for DNS/dc.corp.example: No credentials were supplied",
        ),
        (
            "Major (458752): No credentials,\n  Minor (1): Cannot contact any KDC for realm 'X'",
            "KERBEROS-NO-KDC",
            "Cannot contact any KDC for realm 'X'",
        ),
        ("something else", "KERBEROS-FAILED", "something else"),
    ],
)
def test_what_kerberos_says_and_no_numbers(text: str, code: str, words: str) -> None:
    error = _explained(Exception(text), PLACE)
    assert error.code == code
    assert words in error.message
    assert "Major" not in error.message and "Minor" not in error.message
