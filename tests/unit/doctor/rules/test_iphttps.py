"""The client's tunnel: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.facts import Facts, Seen
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.bundles import CLIENT, changed
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import alone, code, theme, with_facts


@pytest.mark.parametrize("name", theme("iphttps"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


TEREDO = """Teredo Parameters
---------------------------------------------
Type                    : {type}
Server Name             : 203.0.113.10
Client Refresh Interval : 30 seconds
Client Port             : unspecified
State                   : {state}
{more}"""


def teredo(type_: str, state: str, more: str = "") -> dict[str, Diagnosis]:
    return pasted(TEREDO.format(type=type_, state=state, more=more))


def test_teredo_by_group_policy_is_offline_with_its_error() -> None:
    told = teredo("enterpriseclient (Group Policy)", "offline", "Error : primary server unreachable over UDP")
    assert any("primary server unreachable over UDP" in quote for quote in told["TEREDO-OFFLINE"].seen)
    assert any("enterpriseclient (Group Policy)" in quote for quote in told["TEREDO-OFFLINE"].seen)


@pytest.mark.parametrize("state", ["probe (primary server)", "probe(cone)", "probe", "offline"])
def test_teredo_that_waits_for_its_server_is_not_up(state: str) -> None:
    told = teredo("enterpriseclient", state, "Client Type : teredo client\nNetwork : unmanaged")
    assert f"State                   : {state}" in told["TEREDO-OFFLINE"].seen


@pytest.mark.parametrize("state", ["qualified", "dormant"])
@pytest.mark.parametrize("type_", ["client", "enterpriseclient (Group Policy)"])
def test_teredo_that_is_up_or_asleep_is_well(type_: str, state: str) -> None:
    assert not teredo(type_, state)


def test_teredo_that_is_switched_off_is_not_meant_to_be_up() -> None:
    assert not teredo("disabled", "offline")


@pytest.mark.parametrize("word", ["none", "无", "aucune", "keine", "ninguno", "なし", "нет", ""])
def test_no_error_is_none_in_any_language(word: str) -> None:
    machine = Facts("x")
    lines = TEREDO.format(type="enterpriseclient", state="offline", more=f"错误 : {word}").splitlines()
    read_text.read(machine, lines)
    assert machine.teredo_error is None
    assert "TEREDO-OFFLINE" in found(machine)


def test_teredo_is_a_note_where_ip_https_takes_its_place() -> None:
    down = [{"State": "offline", "Error": "client is in a managed network"}]
    assert found(changed(CLIENT, "teredoState", down))["TEREDO-OFFLINE"].severity == "note"
    assert teredo("client", "offline")["TEREDO-OFFLINE"].severity == "warning"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0x80072AF9, "IPHTTPS-NAME"),
        (0x8007274C, "IPHTTPS-TIMEOUT"),
        (0x80070643, "IPHTTPS-INSTALL"),
        (0x90320, "IPHTTPS-CERTIFICATE"),
        (0x80090325, "IPHTTPS-UNTRUSTED"),
        (0x80090328, "IPHTTPS-EXPIRED"),
        (0x80090322, "IPHTTPS-WRONG-NAME"),
        (0x80092012, "IPHTTPS-REVOCATION"),
        (0x80092010, "IPHTTPS-REVOKED"),
        (0x80090326, "IPHTTPS-TLS"),
        (0x57, "IPHTTPS-OTHER"),
    ],
)
def test_other_codes_of_the_same_cause(number: int, name: str) -> None:
    assert set(found(code(number))) == {name}


def test_a_code_without_a_rule_is_in_its_remedy() -> None:
    assert found(code(0x80070057))["IPHTTPS-OTHER"].remedy[0].startswith("certutil -error 0x80070057 ")


def test_the_gateway_is_named_in_the_remedy() -> None:
    assert found(code(0x274C))["IPHTTPS-TIMEOUT"].remedy[0] == (
        "Test-NetConnection gateway.corp.example -Port 443"
    )


HTTPS = """C:\\>netsh interface httpstunnel show interfaces

Role                       : client
URL                        : https://da.example.net:443/IPHTTPS
Last Error Code            : {code}
Interface Status           : {status}

"""


WAITING = "failed to connect to the IPHTTPS server. Waiting to reconnect"


RESOLVED = """C:\\>nslookup da.example.net
Server:  router.home
Address:  192.168.1.1

Non-authoritative answer:
Name:    da.example.net
Address:  203.0.113.10
"""


def test_a_name_that_resolves_and_is_not_found_hints_at_a_proxy() -> None:
    told = pasted(HTTPS.format(code="0x2af9", status=WAITING) + RESOLVED)
    assert set(told) == {"IPHTTPS-PROXY"}
    assert "netsh winhttp show proxy" in told["IPHTTPS-PROXY"].remedy[0]


def test_a_name_that_nobody_looked_up_is_not_found() -> None:
    assert set(pasted(HTTPS.format(code="0x2af9", status=WAITING))) == {"IPHTTPS-NAME"}


def test_without_a_proxy_and_without_an_answer_the_name_is_missing() -> None:
    machine = with_facts(code(0x2AF9), proxy=Seen("", "Direct access (no proxy server)."))
    assert set(found(machine)) == {"IPHTTPS-NAME"}


def test_an_untrusted_root_is_called_so() -> None:
    told = pasted(HTTPS.format(code="0x800b0109", status=WAITING))
    assert set(told) == {"IPHTTPS-UNTRUSTED"}
    assert "root" in told["IPHTTPS-UNTRUSTED"].cause


def test_no_association_counts_only_while_the_tunnel_is_up_and_nobody_says_connected() -> None:
    nothing = Seen(0, "Get-NetIPsecMainModeSA: nothing")
    assert not found(with_facts(CLIENT, ipsec=nothing))  # ConnectedRemotely
    silent = changed(CLIENT, "location", [])
    assert set(found(with_facts(silent, ipsec=nothing))) == {"IPSEC-NONE"}
    assert not found(with_facts(silent, ipsec=Seen(2, "two")))
    assert not found(with_facts(silent))
    down = changed(code(0x274C), "location", [])
    assert set(found(with_facts(down, ipsec=nothing))) == {"IPHTTPS-TIMEOUT"}
