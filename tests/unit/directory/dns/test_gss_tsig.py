"""Kerberos faults in words."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from manageout.directory.dns.gss_tsig import _error, _explained, _next_token, _tkey_query
from manageout.directory.dns.zones import Place, Server

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


def answer(error: int, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    """As a server that does not agree writes it (RFC 2930 2.6): the error is in the record."""
    query = _tkey_query(dns.name.from_text("key.manageout"), b"token")
    made = dns.message.make_response(query)
    made.set_rcode(rcode)
    made.answer = [rrset for rrset in query.additional if rrset.rdtype == dns.rdatatype.TKEY]
    data = made.answer[0][0].replace(error=error)
    made.answer[0].clear()
    made.answer[0].add(data)
    return dns.message.from_wire(made.to_wire())


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (answer(0), "NOERROR"),
        (answer(17), "BADKEY"),
        (answer(18), "BADTIME"),
        (answer(0, dns.rcode.REFUSED), "REFUSED"),
        (answer(65535), "4095"),
    ],
    ids=["none", "key", "time", "message", "unknown"],
)
def test_the_error_of_an_agreement(message: dns.message.Message, words: str) -> None:
    assert dns.rcode.to_text(_error(message)) == words


def test_an_answer_without_a_token() -> None:
    message = dns.message.make_response(dns.message.make_query("key.manageout", "TKEY", "ANY"))
    assert _error(message) == dns.rcode.NOERROR
    assert _next_token(message, None) == b""
