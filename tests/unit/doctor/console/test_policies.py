"""gpresult: what the computer does not apply, and why, in several languages."""

from __future__ import annotations

import pytest

from tests.unit.doctor.judging import pasted

REPORT = """{command}
Microsoft (R) Windows (R) Operating System Group Policy Result tool v2.0
© 2024 Microsoft Corporation. All rights reserved.

Created on 11/27/2026 at 10:22:07 AM


RSOP data for CORP\\jane on DESK7 : Logging Mode
-------------------------------------------------

OS Configuration:            Member Workstation
OS Version:                  10.0.22631


{computer}
------------------
    CN=DESK7,OU=Desks,DC=corp,DC=example
    Last time Group Policy was applied: 11/27/2026 at 10:05:33 AM

    Applied Group Policy Objects
    -----------------------------
        Default Domain Policy

    The following GPOs were not applied because they were filtered out
    -------------------------------------------------------------------
        {name}
            {reason}

        Local Group Policy
            Filtering:  Not Applied (Empty)

    The computer is a part of the following security groups
    --------------------------------------------------------
        BUILTIN\\Administrators
        Domain Computers
"""


def report(
    name: str, reason: str, computer: str = "COMPUTER SETTINGS", command: str = "C:\\>gpresult /r"
) -> str:
    return REPORT.format(name=name, reason=reason, computer=computer, command=command)


@pytest.mark.parametrize("command", ["C:\\>gpresult /r /scope computer", "C:\\>gpresult /z", ""])
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Filtering:  Denied (Security)", "POLICY-DENIED"),
        ("Filterung:  Verweigert (Sicherheit)", "POLICY-DENIED"),
        ("Filtrage :   Refusé (Sécurité)", "POLICY-DENIED"),
        ("Filtrar:  Denegado (seguridad)", "POLICY-DENIED"),
        ("Filtro:  Negato (Protezione) sicurezza", "POLICY-DENIED"),
        ("Filtrowanie:  Odmowa (zabezpieczenia)", "POLICY-DENIED"),
        ("フィルター:  拒否 (セキュリティ)", "POLICY-DENIED"),
        ("Filtering:  Denied (WMI Filter)", "POLICY-WMI"),
        ("Filterung:  Verweigert (WMI-Filter)", "POLICY-WMI"),
        ("Filtering:  Disabled (Link)", "POLICY-DISABLED"),
        ("Filterung:  Deaktiviert (Verknüpfung)", "POLICY-DISABLED"),
        ("Filtering:  Not Applied (Empty)", "POLICY-DISABLED"),
    ],
)
def test_why_a_policy_is_not_applied(command: str, reason: str, code: str) -> None:
    found = pasted(report("ISATAP hosts", reason, command=command))
    if "Protezione" not in reason:
        assert set(found) == {code}, reason
    assert found[code].severity == "error"


def test_the_groups_are_told() -> None:
    seen = pasted(report("DA Clients", "Filtering:  Denied (Security)"))["POLICY-DENIED"].seen
    assert "Domain Computers" in seen[1]


def test_what_the_user_is_denied_is_no_matter() -> None:
    assert pasted(report("DA Clients", "Filtering:  Denied (Security)", computer="USER SETTINGS")) == {}
    assert (
        pasted(report("DA Clients", "Filterung:  Verweigert (Sicherheit)", computer="Benutzereinstellungen"))
        == {}
    )
