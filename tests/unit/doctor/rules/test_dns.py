"""Names, records and block lists: each rule alone on its case, and evidence at its edges."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts, HeldRecord, Seen
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.bundles import DNS, MANAGER, facts
from tests.unit.doctor.judging import found, pasted
from tests.unit.doctor.rules.cases import NAME, alone, lookups, theme


@pytest.mark.parametrize("name", theme("dns"))
def test_a_case_is_named_and_its_consequences_are_not(name: str) -> None:
    assert alone(name)


def zone(*records: tuple[str, str]) -> Facts:
    machine = facts(DNS)
    for name, text in records:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
        machine.records.append(HeldRecord(name, address, f"{name} {text}", "corp.example"))
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


def test_the_node_that_dnscmd_was_asked_for() -> None:
    blocked = "C:\\>dnscmd /info /globalqueryblocklist\n\nQuery result:\nString:  wpad\nString:  isatap\n\n"
    asked = "C:\\>dnscmd /enumrecords corp.example {}\nReturned records:\n@ 3600 A\t10.0.0.1\n"
    assert "DNS-BLOCKED" in pasted(blocked + asked.format("isatap"))
    assert "DNS-BLOCKED" not in pasted(blocked + asked.format("router"))
    assert "DNS-BLOCKED" not in pasted(blocked + asked.format("@"))


RECORDS = """
PS> Get-DnsServerResourceRecord -ZoneName corp.example -RRType AAAA

HostName RecordType Type Timestamp            TimeToLive RecordData
-------- ---------- ---- ---------            ---------- ----------
app01    AAAA       28   3/14/2023 9:00:00 AM 00:20:00   fd11:4c0a:93e7:1:0:5efe:10.12.2.11
fs02     AAAA       28   2/27/2023 6:00:00 PM 00:20:00   {second}
"""


@pytest.mark.parametrize(
    ("second", "names"),
    [("fd11:4c0a:93e7:1:0:5efe:10.12.2.30", ["app01", "fs02"]), ("fd11:4c0a:93e7:1::30", ["app01"])],
)
def test_stale_records_of_a_zone_are_one_finding_with_their_number(second: str, names: list[str]) -> None:
    machine = Facts("(pasted)")
    read_text.read(machine, RECORDS.format(second=second).splitlines())
    (told,) = [one for one in diagnose([machine]) if one.code == "DNS-STALE-ISATAP"]
    assert ("(2 times)" in told.title) == (len(names) == 2)
    assert [step.split("-Name ")[1].split()[0] for step in told.remedy[1:]] == names
    assert len(told.seen) == len(names)
