"""Texts of several machines, as mails and forums have them, written by somebody who did not know the readers."""

from __future__ import annotations

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read.pasted import read as read_into
from manageout.doctor.read.text import lines
from tests.unit.doctor.read.test_pasted_pastes import judged, read


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("mail-of-a-host-and-its-router", ["ISATAP-LINK-LOCAL-ONLY", "SERVER-RESET"]),
        ("stale-record-of-a-host-without-isatap", ["DNS-STALE-ISATAP"]),
        ("remote-list-of-a-restarted-router", ["SERVER-RESET"]),
        ("prefix-not-published", ["ISATAP-LINK-LOCAL-ONLY", "SERVER-ROUTE-UNPUBLISHED"]),
        ("no-default-route-in-french", ["SERVER-NO-DEFAULT"]),
        ("rule-for-the-domain-profile", ["FIREWALL-PROFILE"]),
        ("rule-without-edge-traversal", ["FIREWALL-EDGE"]),
        ("teredo-in-a-managed-network", ["TEREDO-OFFLINE"]),
        ("location-server-down", ["LOCATION-UNREACHED"]),
        ("names-not-registered", ["DNS-REGISTRATION-OFF"]),
        ("certificate-ended", ["SERVER-CERTIFICATE-ENDED"]),
        ("farm-with-a-64", ["FARM-CLIENT-PREFIX"]),
        ("farm-with-one-record-of-the-router", []),
        ("address-instead-of-a-name", ["DNS-IPV4-LITERAL"]),
        ("block-list-of-another-machine", ["DNS-BLOCKED"]),
        ("ping-answers-and-the-port-does-not", ["FIREWALL-PORT"]),
        ("name-not-found-in-japanese", ["ISATAP-NO-NAME"]),
        ("firewall-service-stopped", ["IPSEC-SERVICE"]),
        ("external-balancer-in-german", ["FARM-EXTERNAL-NAMES"]),
        ("a-good-server", []),
        ("a-good-client-tests-from-outside", []),
        ("a-good-manager", []),
        ("a-good-client-in-spanish", []),
    ],
)
def test_what_is_wrong(name: str, codes: list[str]) -> None:
    assert sorted(one.code for one in judged(read(f"mixed/{name}")) if one.severity != "note") == codes


KINDS = [
    part.partition("\n")
    for name in ("kinds", "client-kinds", "platform-kinds")
    for part in read(f"mixed/{name}").split("#### ")[1:]
]


@pytest.mark.parametrize(("head", "text"), [(head, text) for head, _, text in KINDS])
def test_the_cause_of_each_kind(head: str, text: str) -> None:
    found = judged(text)
    codes = [one.code for one in found if one.severity != "note"]
    assert sorted(codes) == sorted(head.partition(" | ")[2].split())


def test_a_number_that_is_not_known_is_not_put_into_a_remedy() -> None:
    steps = [step for one in judged(read("mixed/no-default-route-in-french")) for step in one.remedy]
    assert steps and not any("None" in step for step in steps)


def test_the_head_of_a_mail_is_no_output() -> None:
    assert not [
        quote
        for one in judged(read("mixed/no-default-route-in-french"))
        for quote in one.seen
        if "Objet" in quote
    ]


def test_one_interface_of_a_server_says_nothing_of_the_others() -> None:
    text = "PS C:\\> Get-NetIPInterface -InterfaceAlias IPHTTPS* | fl InterfaceAlias, Forwarding, Advertising\n\n"
    text += "InterfaceAlias : IPHTTPSInterface\nForwarding     : Enabled\nAdvertising    : Enabled\n"
    assert not judged(text)


def test_teredo_in_a_managed_network_is_told_so_and_nothing_else() -> None:
    (found,) = judged(read("mixed/teredo-in-a-managed-network"))
    assert "UDP 3544" not in found.cause and "enterpriseclient" in found.remedy[0]


def test_what_is_outside_does_not_reach_the_location_server_and_that_is_right() -> None:
    outside = "PS C:\\> Get-DAConnectionStatus\n\nStatus    : ConnectedRemotely\nSubstatus : None\n\n"
    assert "LOCATION-UNREACHED" not in {
        one.code for one in judged(outside + read("mixed/location-server-down"))
    }


def test_a_rule_for_the_domain_profile_is_none_of_a_machine_in_the_office() -> None:
    inside = read("mixed/rule-for-the-domain-profile").replace(": Public", ": DomainAuthenticated")
    assert "FIREWALL-PROFILE" not in {one.code for one in judged(inside)}


@pytest.mark.parametrize(
    ("written", "ended"),
    [("3/28/2021 9:12:40 PM", True), ("28.03.2021 21:12:40", True), ("2021-03-28 21:12:40", True),
     ("28. 3. 2021", True), ("04/03/2021", False), ("03/04/2021", False), ("3/30/2021", True),
         ("3/31/2021", True), ("4/1/2021 8:04:12 AM", False),
     ("28/03/2564", False), ("99/99/9999", False)],
)  # fmt: skip
def test_the_end_of_a_certificate_in_every_order_of_day_and_month(written: str, ended: bool) -> None:
    facts = Facts("x", read_at=1617200000.0)  # the paste says 2021-04-01, 8:04:11
    read_into(facts, lines(read("mixed/certificate-ended").replace("3/28/2021 9:12:40 PM", written)))
    assert ("SERVER-CERTIFICATE-ENDED" in {one.code for one in diagnose([facts])}) is ended


@pytest.mark.parametrize(
    ("third", "codes"),
    [("Disabled", {"FARM-NLB-NAMES": "warning"}), ("Enabled", {}), ("", {"FARM-NLB-NAMES": "note"})],
)
def test_only_nlb_wants_a_record_for_each_node(third: str, codes: dict[str, str]) -> None:
    more = f"\n\nThirdPartyLoadBalancer   : {third}\nInternalVirtualIPAddress : {{10.60.0.10}}\n\n"
    text = read("mixed/farm-with-one-record-of-the-router").replace(
        "\n\ninternal DIPs", f"{more}internal DIPs"
    )
    found = {one.code: one.severity for one in judged(text) if one.code.startswith("FARM-")}
    assert found == codes


def test_what_answers_needs_no_word_and_what_does_not_is_told() -> None:
    assert not judged(read("mixed/a-good-manager"))
    silent = read("mixed/a-good-manager").partition("Reply from")[0] + "Request timed out.\n"
    (found,) = judged(silent)
    assert found.code == "PATH-UNANSWERED" and "Request timed out" in found.seen[0]


def test_a_name_that_another_machine_asks_in_vain_is_not_blocked_without_being_listed() -> None:
    text = read("mixed/block-list-of-another-machine").replace("{wpad, isatap}", "{wpad}")
    assert not [one.code for one in judged(text) if one.severity != "note"]


def test_a_farm_is_judged_by_what_another_machine_finds_of_its_name() -> None:
    text = read("mixed/farm-with-one-record-of-the-router").replace(
        "C:\\>nslookup", "helpdesk pc:\n\nC:\\>nslookup"
    )
    assert "FARM-NLB-NAMES" in {one.code for one in judged(text)}


def test_the_head_of_a_transcript_is_no_output() -> None:
    head = "Windows PowerShell transcript start\nStart time: 20261120091502\nUsername: CORP\\adm\n"
    text = f"{head}Machine: DA01 (Microsoft Windows NT 10.0.17763.0)\n**********************\n"
    assert not judged(text + "PS>sc.exe query iphlpsvc\nSERVICE_NAME: iphlpsvc\n STATE : 4  RUNNING\n")


NODES = """Invoke-Command DA1,DA2 { Get-NetIPInterface -InterfaceAlias isatap* -AddressFamily IPv6 } | ft

PSComputerName ifIndex InterfaceAlias                                Forwarding Advertising
-------------- ------- --------------                                ---------- -----------
DA1                 17 isatap.{1C1E7C6B-1E59-4B6E-9D52-64A5B2E0D0A1}    Enabled     Enabled
DA2                 21 isatap.{D0B3F5F4-2B1A-4C37-8E0D-7C0E5C9F1E02}    Enabled    Disabled
"""


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (NODES, ["SERVER-ADVERTISING"]),
        (NODES.replace(" Enabled    Disabled", "Disabled    Disabled"), ["EVIDENCE"]),  # as on every host
    ],
)
def test_what_forwards_and_has_no_router_itself_is_one(text: str, codes: list[str]) -> None:
    assert [one.code for one in judged(text)] == codes


def test_a_manager_that_forwards_is_no_router() -> None:
    state = "Get-NetIsatapConfiguration\n\nState          : Enabled\nRouter         : da1.corp.example\n"
    state += "PSComputerName : DA2\n\n"
    assert "SERVER-ADVERTISING" not in {one.code for one in judged(state + NODES)}


def test_a_host_that_forwards_and_follows_a_router_is_none() -> None:
    guid = "isatap.{D0B3F5F4-2B1A-4C37-8E0D-7C0E5C9F1E02}"
    host = f"C:\\>netsh interface ipv6 show interface 21\n\nInterface {guid} Parameters\n{'-' * 40}\n"
    values = (
        "IfLuid: tunnel_32770", "IfIndex: 21", "State: connected", "Metric: 75", "Link MTU: 1280 bytes",
        "Reachable Time: 29500 ms", "Base Reachable Time: 30000 ms", "Retransmission Interval: 1000 ms",
        "DAD Transmits: 0", "Site Prefix Length: 64", "Site Id: 1", "Forwarding: enabled", "Advertising: disabled",
    )  # fmt: skip
    host += "".join("{:35}:{}\n".format(*one.split(":")) for one in values) + "\n"
    assert [one.code for one in judged(host)] == ["SERVER-ADVERTISING"]
    host += f"C:\\>ipconfig\n\nTunnel adapter {guid}:\n\n"
    host += "   IPv6 Address. . . . . . . . . . . : 2001:db8:0:1:0:5efe:10.0.0.7\n"
    host += "   Link-local IPv6 Address . . . . . : fe80::5efe:10.0.0.7%21\n"
    host += "   Default Gateway . . . . . . . . . : fe80::5efe:10.0.0.2%21\n"
    assert not judged(host)


LINK_LOCAL = (
    "C:\\>netsh interface isatap show state\nISATAP State                        : enabled\n\n"
    "C:\\>ipconfig\n\nTunnel adapter isatap.corp.example:\n\n"
    "   Link-local IPv6 Address . . . . . : fe80::5efe:10.0.0.7%11\n"
    "   Default Gateway . . . . . . . . . :\n\n"
)
PINGED = "\n\nPinging isatap.corp.example [10.0.0.2] with 32 bytes of data:\nRequest timed out.\n"


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("", False),
        ("C:\\>ping isatap" + PINGED, True),
        ("C:\\>ping pc9" + PINGED.replace("isatap", "pc9"), False),
        ("C:\\>nslookup isatap.corp.example\nServer:  dc1\nAddress:  10.0.0.1\n\n"
         "Name:    isatap.corp.example\nAddress:  10.0.0.2\n", True),
        ("PS C:\\> Get-NetIsatapConfiguration\n\nState  : Enabled\nRouter : 10.0.0.2\n", True),
        ("PS C:\\> Get-NetIsatapConfiguration\n\nState  : Enabled\nRouter : da1.corp.example\n", False),
    ],
)  # fmt: skip
def test_whether_the_name_of_a_silent_router_is_known(asked: str, known: bool) -> None:
    (found,) = (one for one in judged(LINK_LOCAL + asked) if one.severity == "error")
    assert found.code == "ISATAP-LINK-LOCAL-ONLY"
    assert ("name is known" in found.cause) is known
    assert any("Resolve-DnsName" in step for step in found.remedy) is not known
