"""Outputs of which little is judged: that is said."""

from __future__ import annotations

import pytest

from manageout.doctor.console.paths import ping, unjudged
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part


@pytest.mark.parametrize(
    "line",
    ["Ping request could not find host isatap-mgmt.corp.example. Please check the name and try again.",
     "Ping-Anforderung konnte Host \"isatap-mgmt.corp.example\" nicht finden.",
     "ping 要求ではホスト isatap-mgmt.corp.example が見つかりませんでした。",
     "La solicitud de ping no pudo encontrar el host isatap-mgmt.corp.example. Compruebe el nombre."],
)  # fmt: skip
def test_a_name_that_ping_does_not_find(line: str) -> None:
    facts = Facts("x")
    assert ping(facts, Part("ping isatap-mgmt.corp.example", [line]))
    assert [(one.name, one.addresses, one.quote) for one in facts.lookups] == [
        ("isatap-mgmt.corp.example", (), line)
    ]
    assert not facts.unread


def test_an_answer_says_nothing_of_the_other_addresses() -> None:
    facts = Facts("x")
    assert ping(
        facts, Part("ping a.corp.example", ["Pinging a.corp.example [10.0.0.1] with 32 bytes of data:"])
    )
    assert not facts.lookups and facts.unread == ["ping a.corp.example: known, nothing in it is judged"]


@pytest.mark.parametrize(
    ("heading", "below", "literal", "answered"),
    [("Pinging a.example [2002:c633:640a::1] with 32 bytes of data:", "Reply from 2002:c633:640a::1: time=3ms", 0, 1),
     ("Ping wird ausgeführt für 10.0.0.9 mit 32 Bytes Daten:", "Antwort von 10.0.0.9: Bytes=32 Zeit<1ms TTL=9", 1, 1),
     ("Envoi d'une requête 'Ping'  10.0.0.9 avec 32 octets de données :", "Délai d'attente dépassé.", 1, 0),
     ("Pinging 10.0.0.9 with 32 bytes of data:", "PING: transmit failed. General failure.", 1, 0)],
)  # fmt: skip
def test_whether_an_address_answers(heading: str, below: str, literal: int, answered: int) -> None:
    facts = Facts("x")
    assert ping(facts, Part("", [heading, below], kind="ping"))
    (found,) = facts.pings
    assert (found.literal, found.answered, bool(facts.unread)) == (literal, answered, not answered)
    assert str(found.address) in heading and found.quote == f"{heading} {below}"


def test_what_is_not_judged_is_said() -> None:
    facts = Facts("x")
    assert unjudged(facts, Part("", ["Current LogonId is 0:0x3e7"], kind="klist"))
    assert facts.unread == ["klist, Current LogonId is 0:0x3e7: known, nothing in it is judged"]
    assert not unjudged(facts, Part("klist", [], kind="klist"))
