"""The paste's own date judges its certificates."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read import pasted as read_text

SERVER = """PS C:\\> Get-RemoteAccess

DAStatus                       : Installed
LoadBalancing                  : Disabled
SslCertificate                 : [Subject]
                                   CN=edge.fjord.example

                                 [Not After]
                                   {end}

                                 [Thumbprint]
                                   7BE2140CFA9983D1265507AB1F48C0D9EE31B672

ClientIPv6Prefix               : fd9e:3b61:c20f:1000::/64
"""


def seen(date: str, end: str) -> list[str]:
    machine = Facts("(pasted)", read_at=2e9)
    read_text.read(machine, f"{date}\n\n{SERVER.format(end=end)}".splitlines())
    assert "Get-Date" not in " ".join(machine.unread)
    return [one.seen[0] for one in diagnose([machine]) if one.code == "SERVER-CERTIFICATE-ENDED"]


@pytest.mark.parametrize(
    ("date", "end", "past"),
    [
        ("PS C:\\> Get-Date\n\nmandag 4. mai 2026 08:47:12", "03.05.2026 10:03:41", True),
        ("PS C:\\> Get-Date\n\nMonday, May 18, 2026 8:47:12 AM", "5/17/2026 11:59:59 PM", True),
        ("PS C:\\> Get-Date\n\nMonday, May 18, 2026 8:47:12 AM", "5/18/2026 8:40:00 AM", True),
        ("PS C:\\> Get-Date\n\nMonday, May 18, 2026 8:47:12 AM", "5/18/2026 9:47:12 AM", False),
        ("C:\\> date /t\n\n18.05.2026", "20.05.2026 10:00:00", False),
        ("C:\\> w32tm /stripchart /computer:dc1\nThe current time is 18.05.2026 07:31:05.\n07:31:05, +00.1s",
         "17.05.2026 10:00:00", True),
    ],
)  # fmt: skip
def test_an_end_is_held_against_the_day_of_the_paste(date: str, end: str, past: bool) -> None:
    assert bool(seen(date, end)) == past


def test_the_time_of_the_end_is_quoted_whole() -> None:
    assert seen("PS C:\\> Get-Date\n\n2026-05-18 08:00", "17.05.2026 10:03:41")[0].endswith(
        "17.05.2026 10:03:41"
    )
