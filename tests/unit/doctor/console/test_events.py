"""Events of Windows' logs in the forms in which they are pasted."""

from __future__ import annotations

import pytest

from manageout.doctor.console import events
from manageout.doctor.facts import Facts
from tests.unit.doctor.judging import pasted

VIEWER = """Log Name:      System
Source:        {source}
Date:          11/29/2026 8:01:12 AM
Event ID:      {number}
Level:         Error
Computer:      HD-07.corp.example
Description:
Something of which nobody has to know the words happened here.
"""
GERMAN = """Protokollname: System
Quelle:        {source}
Datum:         29.11.2026 08:01:12
Ereignis-ID:   {number}
Ebene:         Fehler
Beschreibung:
Etwas, dessen Worte niemand kennen muss, ist hier geschehen.
"""
LISTED = """PS C:\\> Get-WinEvent -LogName System -MaxEvents 1 | fl

TimeCreated  : 11/29/2026 8:01:12 AM
ProviderName : {source}
Id           : {number}
Message      : Something happened.
"""
TABLE = """PS C:\\> Get-WinEvent -LogName System | ft TimeCreated,Id,ProviderName,Message

TimeCreated             Id ProviderName                    Message
-----------             -- ------------                    -------
11/29/2026 8:01:12 AM {number} {source} Something hap...
"""
BLOCKED = """event {number} on the router:

The Windows Filtering Platform has blocked a packet.

Network Information:
\tDirection:\t\tInbound
\tSource Address:\t\t10.20.1.15
\tSource Port:\t\t0
\tDestination Address:\t10.20.0.5
\tDestination Port:\t\t0
\tProtocol:\t\t{protocol}
"""


@pytest.mark.parametrize("form", [VIEWER, GERMAN, LISTED, TABLE])
@pytest.mark.parametrize(
    ("source", "number", "code"),
    [
        ("Microsoft-Windows-GroupPolicy", 1129, "POLICY-UNREAD"),
        ("Microsoft-Windows-GroupPolicy", 1058, "POLICY-UNREAD"),
        ("Schannel", 36874, "TLS-EVENTS"),
        ("Schannel", 36887, "TLS-EVENTS"),
        ("Schannel", 36870, "TLS-KEY"),
        ("Microsoft-Windows-Security-Auditing", 4654, "IPSEC-EVENTS"),
        ("Microsoft-Windows-DNS-Client", 8018, "REGISTRATION-EVENTS"),
    ],
)
def test_what_a_rule_judges(form: str, source: str, number: int, code: str) -> None:
    assert set(pasted(form.format(source=source, number=number))) == {code}


@pytest.mark.parametrize("form", [VIEWER, GERMAN, LISTED])
@pytest.mark.parametrize(("source", "number"), [("Service Control Manager", 7036), ("Tcpip", 1129)])
def test_what_none_judges_is_named_and_no_fault(form: str, source: str, number: int) -> None:
    """The number alone says little: every source has its own."""
    (told,) = pasted(form.format(source=source, number=number)).values()
    assert (told.code, told.severity) == ("EVIDENCE", "note")
    assert any(str(number) in quote and source in quote for quote in told.seen)


def test_prose_names_events_that_are_known() -> None:
    facts = Facts("x")
    assert events.read(facts, ["we see event 36887 all day", "and event ID 7036, and route 1129"])
    assert facts.logged.keys() == {"tls"} and not facts.unread
    assert not events.read(Facts("x"), ["four eventful days, 4653 of them"])


@pytest.mark.parametrize("number", [5152, 5157])
def test_a_packet_that_was_blocked(number: int) -> None:
    found = pasted(BLOCKED.format(number=number, protocol=41))
    assert set(found) == {"FIREWALL-DROPS"} and "10.20.1.15" in found["FIREWALL-DROPS"].seen[0]
    assert "FIREWALL-DROPS" not in pasted(BLOCKED.format(number=number, protocol=2))


def test_an_event_is_quoted_with_its_own_message() -> None:
    """Not with that of an event of the same number before it."""
    other = VIEWER.format(source="SomethingElse", number=1058).replace("Something", "Quite another thing")
    found = pasted(f"{other}\n{VIEWER.format(source='GroupPolicy', number=1058)}")
    assert "Something of which" in found["POLICY-UNREAD"].seen[0]


def test_an_address_that_ip_helper_could_not_set() -> None:
    """4202, whatever the error is; another source's is another event."""
    told = pasted(VIEWER.format(source="Microsoft-Windows-Iphlpsvc", number=4202))
    assert "ISATAP-EVENT-490" in told and "EVIDENCE" not in told
    assert "ISATAP-EVENT-490" not in pasted(VIEWER.format(source="Tcpip", number=4202))
