"""Who waits for a name, and who gets it."""

from __future__ import annotations

import pytest

from manageout.protocol.names import claims as name_claims
from manageout.protocol.names.claims import Claims, is_exact

NAME = "laptop.corp.example"


def test_exactly_a_name_whatever_its_case_and_final_dot() -> None:
    assert is_exact("Laptop.Corp.Example.", NAME) and not is_exact("laptop.branch.example", NAME)


def test_the_exact_one_comes_before_the_longest_waiting() -> None:
    claims = Claims()
    for identity in ("laptop.a.example", "laptop.b.example", NAME):
        claims.wait(identity, NAME)
    assert claims.heir(NAME) == NAME
    claims.renounce(NAME)
    assert claims.heir(NAME) == "laptop.a.example"
    claims.own(NAME)
    assert claims.heir(NAME) is None
    claims.renounce("laptop.a.example")
    claims.renounce("laptop.b.example")
    assert claims.heir(NAME) is None and list(claims.waiting()) == []


def test_owners_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_claims, "MAX_OWNERS", 2)
    claims = Claims()
    assert [claims.own(name) for name in ("a", "b", "a", "c")] == [None, None, None, "a"]
    assert list(claims.owners) == ["b", "c"]
