"""A client's question for its own lease."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from manageout.protocol.dns.lease_name import NAME, NONE, answer, asks, question, read

LEASE = bytes([10, 0, 0, 130])


def test_question_and_answer() -> None:
    asked = question(7)
    assert asks(asked) and not asks(asked.replace(b"\5lease", b"\5other"))
    parsed = dns.message.from_wire(asked)
    assert parsed.question[0].to_text() == f"{NAME}. IN TXT"
    told = answer(asked, LEASE)
    assert told and dns.message.from_wire(told).answer[0].to_text() == f'{NAME}. 0 IN TXT "10.0.0.130"'
    assert read(told, asked) == "10.0.0.130"
    without = answer(asked, None)
    assert without and read(without, asked) == NONE
    assert not asks(told), "an answer asks for nothing"


def test_strangers_are_refused_and_other_types_empty() -> None:
    asked = question(7)
    refused = answer(asked, None, known=False)
    assert refused and dns.message.from_wire(refused).rcode() == dns.rcode.REFUSED
    assert read(refused, asked) is None
    other = dns.message.make_query(NAME.upper(), "A").to_wire()
    assert asks(other)
    empty = answer(other, LEASE)
    assert empty and dns.message.from_wire(empty).answer == []
    assert answer(asked[:-1], LEASE) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda told: b"\0\0" + told[2:],
        lambda told: told[:-1],
        lambda told: told[:-10] + b"999.0.0.99",
        lambda told: told[:3] + b"\3" + told[4:],
        lambda told: told[:-11] + b"\x05" + told[-10:],
        lambda told: b"",
    ],
)
def test_what_is_no_answer(change: object) -> None:
    asked = question(7)
    told = answer(asked, LEASE)
    assert told and callable(change)
    assert read(change(told), asked) is None
