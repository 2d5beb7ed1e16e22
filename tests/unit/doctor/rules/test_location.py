"""Inside or outside: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from tests.unit.doctor.bundles import CLIENT, Bundle, changed
from tests.unit.doctor.judging import found
from tests.unit.doctor.rules.cases import alone, code, theme


@pytest.mark.parametrize("name", theme("location"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def located(bundle: Bundle, status: str, substatus: str = "") -> Bundle:
    return changed(bundle, "location", [{"Status": status, "Substatus": substatus}])


def covered(bundle: Bundle) -> Bundle:
    """With the gateway's name below a name rule."""
    return changed(
        bundle, "nrpt", lambda rows: [row for row in rows if row["Namespace"] != "gateway.corp.example"]
    )


def test_failed_authentication_is_not_hidden_by_a_name_that_did_resolve() -> None:
    told = found(located(covered(CLIENT), "Error", "RemoteNetworkAuthenticationFailure"))
    assert set(told) == {"LOCATION-FAILED"}
    assert "IPsec" in told["LOCATION-FAILED"].cause
    assert "certutil -store my" in told["LOCATION-FAILED"].remedy[0]


def test_a_name_that_goes_into_the_tunnel_is_the_cause_while_it_is_down() -> None:
    assert set(found(located(covered(code(0x2AF9)), "Error", "NameResolutionFailure"))) == {"NRPT-GATEWAY"}


@pytest.mark.parametrize(
    ("word", "cause", "step"),
    [
        ("NameResolutionFailure", "the DNS server that the name rules point to", "Resolve-DnsName NAME "),
        (
            "CouldNotContactDirectAccessServer",
            "Neither IP-HTTPS nor",
            "Test-NetConnection gateway.corp.example ",
        ),
    ],
)
def test_each_word_behind_the_status_has_its_own_cause(word: str, cause: str, step: str) -> None:
    told = found(located(CLIENT, "Error", word))["LOCATION-FAILED"]
    assert cause in told.cause and told.remedy[1].startswith(step)


def test_a_status_that_nobody_knows_keeps_the_general_words() -> None:
    told = found(located(CLIENT, "ActionRequired", "SomethingNew"))
    assert "Nothing else in this evidence" in told["LOCATION-FAILED"].cause


def test_stranded_by_the_status_too() -> None:
    """Inside, not connected, and no word of ConnectedLocally."""
    inside = changed(
        code(0x274C), "suffixes", [{"InterfaceIndex": 8, "ConnectionSpecificSuffix": "corp.example"}]
    )
    told = found(located(inside, "Error", "CouldNotContactDirectAccessServer"))
    assert set(told) == {"LOCATION-STRANDED"}
    assert "LOCATION-STRANDED" not in found(located(inside, "ConnectedLocally"))
    assert "LOCATION-STRANDED" not in found(changed(inside, "location", []))
    assert "LOCATION-STRANDED" not in found(
        located(code(0x274C), "Error", "CouldNotContactDirectAccessServer")
    )
