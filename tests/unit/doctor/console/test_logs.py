"""Logs as text: the firewall's drops, IPsec's failures, events."""

from __future__ import annotations

import pytest

from tests.unit.doctor.judging import pasted

LOG = """#Version: 1.5
#Software: Microsoft Windows Firewall
#Time Format: Local
#Fields: date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype

"""
EVENT = """Log Name:      Security
Source:        Microsoft-Windows-Security-Auditing
Date:          5/18/2026 1:41:18 PM
Event ID:      {number}
Task Category: IPsec Main Mode
Computer:      EDGE3.corp.example
Description:
{text}
"""


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("DROP 41 10.7.1.25 10.7.2.10 - - 68 - - - - - - - RECEIVE", "-Direction Inbound -Protocol 41"),
        ("DROP 41 10.7.1.25 10.7.2.10 - - 68 - - - - - - - SEND", "-Direction Outbound -Protocol 41"),
        (
            "DROP TCP 198.51.100.7 10.7.2.10 50122 443 52 S 1 0 64240 - - - RECEIVE",
            "-LocalPort 443",
        ),
        ("DROP TCP fd00::7 fd00::9 50122 3389 52 S 1 0 64240 - - - RECEIVE", "-LocalPort 3389"),
    ],
)
def test_drops_that_matter(row: str, words: str) -> None:
    text = LOG + f"2026-05-24 09:14:02 {row}\n2026-05-24 09:14:06 {row}\n"
    found = pasted(text)
    assert set(found) == {"FIREWALL-DROPS"} and words in found["FIREWALL-DROPS"].remedy[0]
    assert "(2 times)" in found["FIREWALL-DROPS"].seen[0]


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        ("DROP TCP 198.51.100.7 192.168.1.9 50122 445 52 S 1 0 64240 - - - RECEIVE", ""),
        ("DROP TCP 198.51.100.7 192.168.1.9 50122 3389 52 S 1 0 64240 - - - RECEIVE", ""),
        ("DROP TCP fe80::7 fe80::9 50122 445 52 S 1 0 64240 - - - RECEIVE", ""),
        ("DROP TCP 192.168.1.30 192.168.1.9 50122 445 52 S 1 0 64240 - - - RECEIVE", "note"),
        ("DROP TCP fd12::1:0:5efe:10.0.0.9 fd12:0:0:1000::9 50122 3389 52 S 1 0 9 - - - RECEIVE", "error"),
        ("DROP TCP 192.168.1.9 198.51.100.7 50122 443 52 S 1 0 64240 - - - SEND", "error"),
    ],
)  # fmt: skip
def test_what_comes_of_the_internet_to_ports_of_managing_is_rightly_dropped(row: str, severity: str) -> None:
    told = pasted(LOG + f"2026-05-24 09:14:02 {row}\n")
    assert {code: one.severity for code, one in told.items()} == (
        {"FIREWALL-DROPS": severity} if severity else {}
    )


def test_a_rule_for_managers_lets_in_nobody_else_and_one_outbound_names_the_other_end() -> None:
    inbound = "DROP TCP fd00::7 fd00::9 50122 3389 52 S 1 0 64240 - - - RECEIVE"
    outbound = "DROP TCP 10.7.1.9 198.51.100.7 50122 443 52 S 1 0 64240 - - - SEND"
    steps = [
        pasted(LOG + f"2026-05-24 09:14:02 {row}\n")["FIREWALL-DROPS"].remedy[0]
        for row in (inbound, outbound)
    ]
    assert (
        "-RemoteAddress PREFIX" in steps[0]
        and "-Direction Outbound -Protocol TCP -RemotePort 443" in steps[1]
    )


def test_noise_is_no_fault() -> None:
    rows = "2026-05-24 09:14:02 DROP UDP 10.7.1.25 10.7.255.255 137 137 78 - - - - - - - RECEIVE\n"
    rows += "2026-05-24 09:14:03 ALLOW TCP 10.7.1.25 10.7.2.10 50000 443 0 - 0 0 0 - - - RECEIVE\n"
    assert pasted(LOG + rows) == {}


@pytest.mark.parametrize(
    ("number", "text", "code"),
    [
        (4653, "An IPsec main mode negotiation failed.\n\nFailure Information:\n\tFailure Reason:\t\t"
               "IKE authentication credentials are unacceptable\n", "IPSEC-CREDENTIALS"),
        (4653, "Fehler bei der IPsec-Hauptmodusaushandlung.\n\nFehlerinformationen:\n\tUrsache:\t\t"
               "IKE-Authentifizierungs-Anmeldeinformationen sind nicht akzeptabel.\n", "IPSEC-CREDENTIALS"),
        (4654, "An IPsec quick mode negotiation failed.\n\nFailure Reason: IKE failed to find valid machine "
               "certificate\n", "IPSEC-CREDENTIALS"),
        (4625, "An account failed to log on to this very machine.\n", "EVIDENCE"),
    ],
)  # fmt: skip
def test_events(number: int, text: str, code: str) -> None:
    assert code in set(pasted(EVENT.format(number=number, text=text)))
