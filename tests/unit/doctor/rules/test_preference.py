"""Which address is preferred: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import Diagnosis
from tests.unit.doctor.bundles import MANAGER, changed
from tests.unit.doctor.judging import found, pasted_all
from tests.unit.doctor.rules.cases import alone, theme


@pytest.mark.parametrize("name", theme("preference"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def table(*rows: str) -> dict[str, Diagnosis]:
    return found(changed(MANAGER, "prefixPolicies", list(rows)))


OWN = ("50 0 ::1/128", "40 1 ::/0", "35 4 ::ffff:0:0/96", "30 2 2002::/16", "5 5 2001::/32", "3 13 fc00::/7")


def test_a_table_of_somebodys_own_rows_has_lost_windows() -> None:
    told = table("45 14 fd12:3456:789a::/48", "35 6 2001::/16")
    assert set(told) == {"PREFER-TABLE-LOST"}
    steps = told["PREFER-TABLE-LOST"].remedy
    assert "netsh interface ipv6 add prefixpolicy ::ffff:0:0/96 35 4" in steps and len(steps) == 6


def test_a_table_with_windows_rows_is_whole() -> None:
    assert not table(*OWN)
    assert not table(*OWN, "45 14 fd12:3456:789a::/48")
    assert not table(
        "50 0 ::1/128", "40 1 ::/0", "30 2 2002::/16", "20 3 ::/96", "10 4 ::ffff:0:0/96"
    )  # Windows 7
    assert not table()


CALLED = """
C:\\>ping -n 1 nb-311
Pinging nb-311.corp.example [10.21.9.77] with 32 bytes of data:
{answer}
"""
HOLDS = """
=====  DC7  =====
PS C:\\> Get-DnsServerResourceRecord -ZoneName corp.example -Name nb-311

HostName  RecordType Type Timestamp            TimeToLive RecordData
--------  ---------- ---- ---------            ---------- ----------
nb-311    A          1    9/2/2026 7:00:00 AM  00:20:00   10.21.9.77
{more}
"""
CLIENTS_ONE = "nb-311    AAAA       28   11/2/2026 8:00:00 AM 00:20:00   fd77:4b19:a3c8:1000:5c1:22:913:7a0e"
LOST = "Reply from 10.21.0.1: Destination host unreachable."


def test_a_stale_record_that_a_dns_server_shows() -> None:
    """What a router says of the old address is a consequence, and stands below."""
    told = list(pasted_all(CALLED.format(answer=LOST) + HOLDS.format(more=CLIENTS_ONE)).values())
    assert [one.code for one in told][:2] == ["PREFER-STALE-A", "PATH-NO-NEIGHBOUR"]
    assert told[0].severity == "error" and "nb-311.corp.example: 10.21.9.77" in told[0].seen[0]


def test_a_stale_record_that_nobody_has_called_is_a_doubt() -> None:
    assert pasted_all(HOLDS.format(more=CLIENTS_ONE))["PREFER-STALE-A"].severity == "warning"


@pytest.mark.parametrize(
    "more", ["", CLIENTS_ONE.replace("nb-311", "nb-312"), CLIENTS_ONE.replace(":1000:", ":12:")]
)
def test_records_that_are_not_stale(more: str) -> None:
    assert "PREFER-STALE-A" not in pasted_all(HOLDS.format(more=more))


def test_the_table_of_the_machine_counts_more_than_windows_own() -> None:
    rows = ("{:>10}  {:>5}  {}".format(*row.split()) for row in (*OWN, "45 14 fd77:4b19:a3c8::/48"))
    heading = "Precedence  Label  Prefix\n----------  -----  ---------------------"
    table = "\n".join(["C:\\>netsh interface ipv6 show prefixpolicies", "", heading, *rows, ""])
    answered = "Reply from 10.21.9.77: bytes=32 time=1ms TTL=127"
    assert "PREFER-STALE-A" not in pasted_all(
        CALLED.format(answer=answered) + table + HOLDS.format(more=CLIENTS_ONE)
    )
