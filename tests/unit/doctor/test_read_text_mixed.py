"""Texts of several machines, as mails and forums have them, written by somebody who did not know the readers."""

from __future__ import annotations

import pytest

from tests.unit.doctor.test_read_text_pastes import judged, read


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("mail-of-a-host-and-its-router", ["ISATAP-LINK-LOCAL-ONLY", "SERVER-RESET"]),
        ("stale-record-of-a-host-without-isatap", ["DNS-STALE-ISATAP"]),
        ("remote-list-of-a-restarted-router", ["SERVER-RESET"]),
        ("prefix-not-published", ["ISATAP-LINK-LOCAL-ONLY", "SERVER-ROUTE-UNPUBLISHED"]),
        ("no-default-route-in-french", ["SERVER-NO-DEFAULT"]),
    ],
)
def test_what_is_wrong(name: str, codes: list[str]) -> None:
    assert sorted(one.code for one in judged(read(f"mixed/{name}")) if one.severity != "note") == codes


def test_a_number_that_is_not_known_is_not_put_into_a_remedy() -> None:
    steps = [step for one in judged(read("mixed/no-default-route-in-french")) for step in one.remedy]
    assert steps and not any("None" in step for step in steps)


def test_the_head_of_a_mail_is_no_output() -> None:
    assert not [
        quote
        for one in judged(read("mixed/no-default-route-in-french"))
        for quote in one.seen
        if "Objet" in quote
    ]


def test_one_interface_of_a_server_says_nothing_of_the_others() -> None:
    text = "PS C:\\> Get-NetIPInterface -InterfaceAlias IPHTTPS* | fl InterfaceAlias, Forwarding, Advertising\n\n"
    text += "InterfaceAlias : IPHTTPSInterface\nForwarding     : Enabled\nAdvertising    : Enabled\n"
    assert not judged(text)
