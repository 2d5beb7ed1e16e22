"""Name rules: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import NrptRule, Seen
from tests.unit.doctor.bundles import CLIENT, facts
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import alone, theme, with_facts


@pytest.mark.parametrize("name", theme("nrpt"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


VPN = NrptRule(".vpn.example", ("10.8.0.1",), "local rule .vpn.example", direct=False)


def test_an_empty_policy_silences_the_rules_of_others() -> None:
    empty = Seen(0, "DnsPolicyConfig is there, and empty")
    assert set(found(with_facts(CLIENT, nrpt_policy=empty, nrpt_local=[VPN]))) == {"NRPT-OVERRIDDEN"}
    assert set(found(with_facts(CLIENT, nrpt_policy=empty))) == {"NRPT-OVERRIDDEN"}
    assert not found(with_facts(CLIENT, nrpt_policy=empty, nrpt_local=[]))  # of nobody


def test_a_policy_with_rules_silences_them_too() -> None:
    ours = Seen(3, "DnsPolicyConfig holds 3 rules")
    told = found(with_facts(CLIENT, nrpt_policy=ours, nrpt_local=[VPN]))
    assert VPN.quote in told["NRPT-OVERRIDDEN"].seen
    assert not found(with_facts(CLIENT, nrpt_policy=ours))
    assert set(found(with_facts(CLIENT, nrpt_local=[VPN]))) == {"NRPT-OVERRIDDEN"}


def test_a_local_rule_in_effect_is_not_silenced() -> None:
    machine = facts(CLIENT)
    machine.nrpt_local = [VPN]
    assert machine.nrpt is not None
    machine.nrpt.append(VPN)
    assert not found(machine)


def test_own_name_rules_that_are_not_in_effect_as_they_are_pasted() -> None:
    own = "PS C:\\> Get-DnsClientNrptRule\n\nName        : {A1B2C3D4-0000-1111-2222-333344445555}\n"
    own += "Namespace   : {.vpn.example}\nNameServers : {10.8.0.1}\n\n"
    effective = "PS C:\\> Get-DnsClientNrptPolicy\n\nNamespace              : .corp.example\n"
    effective += "DirectAccessDnsServers : fd12:3456:789a:3333::1\n\n"
    both = "Namespace              : .vpn.example\nNameServers            : 10.8.0.1\n"
    assert "NRPT-OVERRIDDEN" in pasted(own + effective)
    assert "NRPT-OVERRIDDEN" not in pasted(own + effective + both)
    assert "NRPT-OVERRIDDEN" not in pasted(effective + both)
