"""Every rule about a running machine: what makes it speak, alone; and silence about healthy machines."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.rules.catalogue import RULES
from manageout.service.probe.results import Daemon
from tests.unit.doctor.live_cases import CASES, HEALTHY, codes, facts, gateway
from tests.unit.doctor.rules.cases import theme

LIVE = [code for code in RULES if code.startswith("LIVE-")]


def test_each_rule_has_a_case() -> None:
    assert set(CASES) == set(LIVE)


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_machine(name: str) -> None:
    assert codes(HEALTHY[name]) == []


@pytest.mark.parametrize("code", theme("live_host"))
def test_a_case_is_named_and_its_consequences_are_not(code: str) -> None:
    assert codes(CASES[code]()) == [code]


@pytest.mark.parametrize("code", CASES)
def test_what_was_seen_is_quoted(code: str) -> None:
    (finding,) = diagnose([facts(CASES[code]())])
    assert finding.seen and all(finding.seen) and finding.computer


def test_what_the_daemon_has_found_itself_is_told() -> None:
    row = ("POOL-LOW", "warning", "only 2 addresses are left", "enlarge translation.pool")
    strange = ("X", "catastrophe", "nobody knows", "")
    found = diagnose([facts(gateway(daemon=Daemon(True, findings=(row, strange))))])
    assert [(f.code, f.severity, f.seen, f.remedy) for f in found] == [
        ("POOL-LOW", "warning", ("only 2 addresses are left",), ("enlarge translation.pool",)),
        ("X", "warning", ("nobody knows",), ("",)),
    ]


@pytest.mark.parametrize(
    ("code", "seen"),
    [("REVOCATION-LIST-ENDED", "LIVE-CRL-EXPIRED"), ("CERTIFICATE-EXPIRED", "LIVE-CERT-EXPIRED")],
)
def test_one_cause_is_shown_once(code: str, seen: str) -> None:
    """What the daemon tells, and the doctor sees by itself, with more words."""
    found = facts(CASES[seen]())
    assert found.live is not None
    row = (code, "error", "it has ended", "renew it")
    found.live = found.live._replace(daemon=Daemon(True, findings=(row,)))
    assert [finding.code for finding in diagnose([found])] == [seen]
    alone = facts(gateway(daemon=Daemon(True, findings=(row,))))
    assert [finding.code for finding in diagnose([alone])] == [code]
