"""Sections of the collector: what it adds on clients, and rows that nobody wrote so."""

from __future__ import annotations

from importlib.resources import files

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.read.sections import READERS
from tests.unit.doctor.bundles import CLIENT, Bundle, changed, facts

VPN = [{"Namespace": [".vpn.example"], "NameServers": ["10.8.0.1"], "DirectAccessDnsServers": []}]
DIRECT = ["", "Current WinHTTP proxy settings:", "", "    Direct access (no proxy server)."]
GERMAN = [
    "Aktuelle WinHTTP-Proxyeinstellungen:",
    "    Proxyserver:  proxy.example:8080",
    "    Liste:  (keine)",
]


def codes(case: Bundle) -> set[str]:
    return {finding.code for finding in diagnose([facts(case)])}


def test_the_script_writes_each_of_them() -> None:
    script = files("manageout.windows").joinpath("scripts", "collect.ps1").read_text()
    assert all(f"Add-Section '{name}'" in script for name in READERS)


@pytest.mark.parametrize(
    ("rules", "held", "found"), [(VPN, 0, True), (VPN, 3, True), ([], 0, False), ([], 3, False)]
)
def test_own_name_rules_and_the_policys_key(rules: object, held: int, found: bool) -> None:
    case = changed(changed(CLIENT, "nrptLocal", rules), "nrptPolicy", [{"Rules": held}])
    assert codes(case) == ({"NRPT-OVERRIDDEN"} if found else set())


def test_own_name_rules_without_a_key_of_policy() -> None:
    effective = lambda rows: [*rows, {"Namespace": ".vpn.example", "NameServers": ["10.8.0.1"]}]  # noqa: E731
    case = changed(changed(changed(CLIENT, "nrptLocal", VPN), "nrptPolicy", []), "nrpt", effective)
    assert codes(case) == set() and facts(case).nrpt_policy is None


@pytest.mark.parametrize(("rules", "held", "found"), [(5, 0, {"IPSEC-NONE"}), (5, 2, set()), (0, 0, set())])
def test_associations(rules: int, held: int, found: set[str]) -> None:
    """Where no rule asks for IPsec, as on a client of ours, none is missing."""
    case = changed(changed(CLIENT, "location", []), "ipsec", [{"Rules": rules, "MainMode": held}])
    assert codes(case) == found


@pytest.mark.parametrize(("lines", "value"), [(DIRECT, ""), (GERMAN, "proxy.example:8080")])
def test_the_proxy_of_the_system_account(lines: list[str], value: str) -> None:
    found = facts(changed(CLIENT, "proxy", lines)).proxy
    assert found is not None and found.value == value
    assert facts(changed(CLIENT, "proxy", [])).proxy is None


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("rows", [5, "x", [None], [{}], [{"Rules": "x", "MainMode": []}], [[1]]])
def test_strange_rows_do_no_harm(name: str, rows: object) -> None:
    diagnose([facts(changed(CLIENT, name, rows))])
