"""The facts of a way answer what was asked of name servers."""

from __future__ import annotations

from tests.unit.doctor.reach_cases import ADDRESS, LEASE, NAME, answer, dns, manager


def test_answers_are_found_by_name_and_kind() -> None:
    four, six = answer(NAME, "A", LEASE), answer(NAME, "AAAA", ADDRESS)
    other = answer(NAME, "A", LEASE, server="10.0.0.11")
    seen = manager(dns=dns(four, six, other))
    assert seen.about(NAME, "A") == [four, other] and seen.about(NAME, "AAAA") == [six]
    assert seen.about(NAME, "TXT") == seen.about("nobody.corp.example", "A") == []
