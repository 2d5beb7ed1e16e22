"""Rules against evidence that says yes, that says no, and that does not say; and remedies with the machine's names."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.facts import Facts, Interface, NrptRule, Record, Seen
from manageout.doctor.read import pasted as read_text
from manageout.doctor.rules.machine import PARAMETERS
from tests.unit.doctor.bundles import CLIENT, DNS, MANAGER, Bundle, changed, facts
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.test_diagnosis_rules import (
    NAME,
    code,
    farm,
    lookups,
    registry,
    with_facts,
)

# A single server


@pytest.mark.parametrize(
    "word", ["NotConfigured", "Not Configured", "Disabled", "None", "", "Nicht konfiguriert"]
)
def test_a_server_without_load_balancing_is_no_farm(word: str) -> None:
    assert not [name for name in found(farm(LoadBalancing=word)) if name.startswith("FARM-")]


@pytest.mark.parametrize("word", ["ThirdParty", "WindowsNLB", "NLB", "ExternalLoadBalancer"])
def test_a_farm_with_a_64_is_told_its_own_59(word: str) -> None:
    case = lookups(
        farm(LoadBalancing=word, TeredoState="Disabled"), (NAME, "A", ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    )
    (step,) = found(case)["FARM-CLIENT-PREFIX"].remedy
    assert step.startswith("Set-DAServer -ClientIPv6Prefix fd12:3456:789a:1000::/59 ")


# Teredo's words

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


def test_an_adapter_that_is_said_to_be_disconnected() -> None:
    machine = Facts("x", isatap_state=Seen("enabled", "ISATAP State : enabled"))
    machine.interfaces = [
        Interface("isatap.corp.example", kind="isatap", index=28, connected=False, quote="28 ...")
    ]
    assert set(found(machine)) == {"ISATAP-DISCONNECTED"}
    machine.interfaces[0].connected = None
    assert not found(machine)


# IP-HTTPS


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


# IPsec


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


def test_no_association_counts_only_while_the_tunnel_is_up_and_nobody_says_connected() -> None:
    nothing = Seen(0, "Get-NetIPsecMainModeSA: nothing")
    assert not found(with_facts(CLIENT, ipsec=nothing))  # ConnectedRemotely
    silent = changed(CLIENT, "location", [])
    assert set(found(with_facts(silent, ipsec=nothing))) == {"IPSEC-NONE"}
    assert not found(with_facts(silent, ipsec=Seen(2, "two")))
    assert not found(with_facts(silent))
    down = changed(code(0x274C), "location", [])
    assert set(found(with_facts(down, ipsec=nothing))) == {"IPHTTPS-TIMEOUT"}


# Name rules

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


# DisabledComponents, bit by bit


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0x00, set()),
        (0x01, {"TUNNELS-OFF"}),
        (0x02, set()),
        (0x04, {"ISATAP-OFF-BIT"}),
        (0x08, {"TEREDO-OFF-BIT"}),
        (0x10, {"IPV6-CARDS-OFF"}),
        (0x11, {"TUNNELS-OFF"}),
        (0x20, {"PREFER-IPV4"}),
        (0x24, {"ISATAP-OFF-BIT"}),
        (0x40, set()),
        (0xFF, {"TUNNELS-OFF"}),
        (0xFFFFFFFF, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
        (-1, {"TUNNELS-OFF", "IPV6-WRONG-VALUE"}),
    ],
)
def test_disabled_components_of_a_manager(value: int, names: set[str]) -> None:
    assert set(found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))) == names


@pytest.mark.parametrize(("value", "kept"), [(0x01, "0x0"), (0x21, "0x20"), (0x31, "0x30"), (0xFF, "0x0")])
def test_the_remedy_keeps_the_other_bits(value: int, kept: str) -> None:
    told = found(registry(MANAGER, PARAMETERS, "DisabledComponents", value))["TUNNELS-OFF"]
    assert f"/t REG_DWORD /d {kept} /f" in told.remedy[0]
    assert "0x01 no tunnel interfaces" in told.seen[0]


def test_the_isatap_bit_does_not_trouble_a_client() -> None:
    assert not found(registry(CLIENT, PARAMETERS, "DisabledComponents", 0x04))


# The table of prefix policies


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


# CLAT


def over_clat(**fields: object) -> Facts:
    machine = facts(changed(MANAGER, "addresses", []))
    for name, value in fields.items():
        setattr(machine, name, value)
    return machine


@pytest.mark.parametrize("address", ["192.0.0.1", "192.0.0.7"])
def test_isatap_over_a_translator(address: str) -> None:
    rows = [{"IPAddress": address, "InterfaceIndex": 12}]
    assert set(found(changed(MANAGER, "addresses", rows))) == {"ISATAP-OVER-CLAT"}


def test_a_real_address_beside_the_translator_is_well() -> None:
    more = [{"IPAddress": "192.0.0.2", "InterfaceIndex": 30}]
    assert not found(changed(MANAGER, "addresses", lambda rows: [*rows, *more]))


def test_a_machine_that_says_that_it_translates() -> None:
    told = found(over_clat(clat=Seen(True, "CLAT instance: 192.0.0.1")))
    assert "ISATAP-OVER-CLAT" in told
    assert "ISATAP-OVER-CLAT" not in found(over_clat(clat=Seen(False, "CLAT: no instance")))
    assert "ISATAP-OVER-CLAT" not in found(over_clat())


def test_a_client_over_a_translator_is_well() -> None:
    rows = lambda rows: [{"IPAddress": "192.0.0.2", "InterfaceIndex": 8}, *rows[1:]]  # noqa: E731
    assert not found(changed(CLIENT, "addresses", rows))


# Records


def zone(*records: tuple[str, str]) -> Facts:
    machine = facts(DNS)
    for name, text in records:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
        machine.records.append(Record(name, address, f"{name} {text}", "corp.example"))
    return machine


def test_a_record_that_the_block_list_hides() -> None:
    told = found(zone(("isatap", "10.0.0.1")))
    assert set(told) == {"DNS-BLOCKED"}
    assert "isatap 10.0.0.1" in told["DNS-BLOCKED"].seen
    assert not found(zone(("isatap-mgmt", "10.0.0.1")))
    assert not found(zone())


def test_a_record_that_nobody_hides() -> None:
    machine = zone(("isatap", "10.0.0.1"))
    machine.block_list = Seen(("wpad",), "wpad alone")
    assert set(found(machine)) == {"DNS-BLOCK-LIST-OPEN"}
    machine.block_list = None
    assert not found(machine)


@pytest.mark.parametrize("form", ["0:5efe", "200:5efe"])
def test_a_stale_isatap_record_in_either_form(form: str) -> None:
    address = f"fd12:3456:789a:1:{form}:10.0.1.99"
    told = found(zone(("pc7", address)))
    assert set(told) == {"DNS-STALE-ISATAP"}
    assert told["DNS-STALE-ISATAP"].remedy[1] == (
        "Remove-DnsServerResourceRecord -ZoneName corp.example -RRType AAAA -Name pc7 -RecordData "
        f"{IPv6Address(address)}"
    )
    asked = found(lookups(MANAGER, (NAME, "A", ["10.0.0.1"]), ("pc7.corp.example", "AAAA", [address])))
    assert "-ZoneName corp.example -RRType AAAA -Name pc7 " in asked["DNS-STALE-ISATAP"].remedy[1]


def test_other_addresses_are_not_stale() -> None:
    assert not found(
        zone(("pc7", "fd12:3456:789a:1000::10"), ("pc8", "fd12::100:5efe:a00:163"), ("a", "10.0.0.9"))
    )


# Pasted text, of which nobody says what machine it is of

ON = "C:\\>netsh interface isatap show state\nISATAP State                       : enabled\n\n"
ASKED = """C:\\>nslookup {name}
Server:  dc1.corp.example
Address:  10.0.0.10

Name:    {name}
Addresses:  {addresses}
"""


def test_a_name_without_ipv6_on_a_machine_with_isatap() -> None:
    told = pasted(ON + ASKED.format(name="lap7.corp.example", addresses="10.0.1.77"))
    assert told["DNS-NO-AAAA"].severity == "warning"
    both = "10.0.1.77\n          fd12:3456:789a:1000::10"
    assert "DNS-NO-AAAA" not in pasted(ON + ASKED.format(name="lap7.corp.example", addresses=both))
    assert "DNS-NO-AAAA" not in pasted(ON + ASKED.format(name="dc1.corp.example", addresses="10.0.0.10"))
    assert "DNS-NO-AAAA" not in pasted(ASKED.format(name="lap7.corp.example", addresses="10.0.1.77"))


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


def test_own_name_rules_that_are_not_in_effect_as_they_are_pasted() -> None:
    own = "PS C:\\> Get-DnsClientNrptRule\n\nName        : {A1B2C3D4-0000-1111-2222-333344445555}\n"
    own += "Namespace   : {.vpn.example}\nNameServers : {10.8.0.1}\n\n"
    effective = "PS C:\\> Get-DnsClientNrptPolicy\n\nNamespace              : .corp.example\n"
    effective += "DirectAccessDnsServers : fd12:3456:789a:3333::1\n\n"
    both = "Namespace              : .vpn.example\nNameServers            : 10.8.0.1\n"
    assert "NRPT-OVERRIDDEN" in pasted(own + effective)
    assert "NRPT-OVERRIDDEN" not in pasted(own + effective + both)
    assert "NRPT-OVERRIDDEN" not in pasted(effective + both)
