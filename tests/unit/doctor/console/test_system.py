"""reg, sc, route print, systeminfo and w32tm, English and not."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.console import system as text_system
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part
from tests.unit.doctor.judging import pasted

REG = r"""
HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\Tcpip6\Parameters
    DisabledComponents    REG_DWORD    0xff
    Dhcpv6DUID    REG_BINARY    0001000129

HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition
    ISATAP_State    REG_SZ    Disabled
    ISATAP_RouterName    REG_SZ    isatap-mgmt.corp.example

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\DNS\Parameters
    EnableGlobalQueryBlockList    REG_DWORD    0x1
    GlobalQueryBlockList    REG_MULTI_SZ    wpad\0isatap

HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\iphlpsvc
    (Standard)    REG_SZ
    Start    REG_DWORD    0x4
    ImagePath    REG_EXPAND_SZ    %SystemRoot%\System32\svchost.exe -k NetSvcs -p
"""


def part(text: str, command: str = "") -> Part:
    return Part(command, text.split("\n"))


@pytest.mark.parametrize("text", [REG, "\n".join(line.strip() for line in REG.split("\n"))])
def test_registry(text: str) -> None:
    facts = Facts("x")
    assert text_system.registry(facts, part(text))
    found = facts.value(r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters", "DisabledComponents")
    assert found and found.value == 0xFF and found.quote == "DisabledComponents    REG_DWORD    0xff"
    assert facts.isatap_policy_state and facts.isatap_policy_state.value == "disabled"
    assert facts.isatap_policy_router and facts.isatap_policy_router.value == "isatap-mgmt.corp.example"
    assert facts.block_list and facts.block_list.value == ("wpad", "isatap")
    assert not facts.services["iphlpsvc"].value


def test_a_value_whose_key_was_left_out() -> None:
    facts = Facts("x")
    command = r"reg query HKLM\SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters /v DisabledComponents"
    text_system.registry(facts, part("    DisabledComponents    REG_DWORD    0x20", command))
    assert facts.value(r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters", "DisabledComponents")


def test_name_rules_of_group_policy() -> None:
    key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig"
    facts = Facts("x")
    assert text_system.registry(facts, part(key))
    assert facts.nrpt_policy and facts.nrpt_policy.value == 0 and not facts.nrpt
    rule = f"{key}\\{{0B1C}}\n    Name    REG_MULTI_SZ    .corp.example\n"
    rule += "    DirectAccessDNSServers    REG_SZ    fd12::1;fd12::2"
    assert text_system.registry(facts, part(f"{key}\n\n{rule}"))
    assert facts.nrpt_policy.value == 1
    assert [(one.namespace, one.servers) for one in facts.nrpt or []] == [
        (".corp.example", ("fd12::1", "fd12::2"))
    ]


@pytest.mark.parametrize(
    ("text", "running"),
    [("SERVICE_NAME: iphlpsvc\n        TYPE               : 30  WIN32\n        STATE              : 4  RUNNING", True),
     ("SERVICE_NAME: iphlpsvc\n        TYP                : 30  WIN32\n        STATUS             : 1  STOPPED", False),
     ("SERVICE_NAME: iphlpsvc\nSTATE : 1 STOPPED", False),
     ("[SC] QueryServiceConfig SUCCESS\n\nSERVICE_NAME: iphlpsvc\n        START_TYPE         : 4   DISABLED", False)],
)  # fmt: skip
def test_services(text: str, running: bool) -> None:
    facts = Facts("x")
    assert text_system.services(facts, part(text))
    assert facts.services["iphlpsvc"].value is running


ROUTES = """===========================================================================
IPv6-Routentabelle
===========================================================================
Aktive Routen:
 If Metrik Netzwerkziel             Gateway
 15    281 ::/0                     fe80::5efe:10.0.0.1
  1    331 ::1/128                  Auf Verbindung
 15    281 fd12:3456:789a:1:0:5efe:10.0.1.30/128
                                    Auf Verbindung
===========================================================================
"""


def test_routes() -> None:
    facts = Facts("x")
    assert text_system.routes(facts, part(ROUTES))
    assert [(route.interface, str(route.prefix), route.next_hop) for route in facts.active_routes] == [
        (15, "::/0", IPv6Address("fe80::5efe:10.0.0.1")),
        (1, "::1/128", None),
        (15, "fd12:3456:789a:1:0:5efe:a00:11e/128", None),
    ]


@pytest.mark.parametrize(
    ("text", "build"),
    [("OS Version:                10.0.19045 N/A Build 19045", 19045), ("Microsoft Windows [Version 6.1.7601]", 7601),
     ("Betriebssystemversion:     10.0.17763 Nicht zutreffend Build 17763", 17763),
     ("Microsoft Windows [版本 10.0.22631.4460]", 22631), ("BIOS Version: 1.2.3", None)],
)  # fmt: skip
def test_builds(text: str, build: int | None) -> None:
    facts = Facts("x")
    assert text_system.build(facts, part(text)) == (build is not None)
    assert facts.build == build


@pytest.mark.parametrize(
    ("line", "ahead"),
    [("12:00:01, +00.5000000s", -0.5), ("12:00:01 d:+00.0010000s o:-400.0000000s  [   *  ]", 400.0),
     ("00:00:07, +1796066100.2500000s", -1796066100.25)],  # a clock of 1970
)  # fmt: skip
def test_clocks(line: str, ahead: float) -> None:
    facts = Facts("x")
    assert text_system.clock(facts, part(line))
    assert facts.clock_error and facts.clock_error.value == ahead


@given(st.text(alphabet="HKEY_\\REGSZ: 0x4\n/:", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for reader in (
        text_system.registry,
        text_system.services,
        text_system.routes,
        text_system.build,
        text_system.clock,
    ):
        reader(Facts("x"), part(text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("07:31:05, +02:12:47.3381925s", "7967 s behind"),
        ("07:31:05, -00:06:01.5000000s", "362 s ahead"),
        ("09:00:01, +7967.3381925s", "7967 s behind"),
        ("09:00:01 d:+00.0312518s o:-431.0123400s  [      *      |         ]", "431 s ahead"),
        ("    NTP: +901.2500000s offset from dc1.corp.example", "901 s behind"),
    ],
)
def test_offsets_of_w32tm(text: str, seconds: str) -> None:
    found = pasted(f"C:\\>w32tm /stripchart /computer:dc1 /dataonly\nTracking dc1 [10.0.0.2:123].\n{text}\n")
    assert seconds in found["CLOCK"].seen[0]


@pytest.mark.parametrize(
    "line",
    [
        "klist failed with 0xc0000133/-1073741517: whatever the language says",
        "Fehler beim Aufruf der API LsaCallAuthenticationPackage: 0xc0000133",
        "KRB_AP_ERR_SKEW",
    ],
)
def test_klist_says_that_the_clocks_differ(line: str) -> None:
    assert set(pasted(f"C:\\>klist get krbtgt\nCurrent LogonId is 0:0x3e7\n{line}\n")) == {"CLOCK"}


def test_tickets_alone_are_not_judged_and_that_is_said() -> None:
    assert set(pasted("C:\\>klist\n\nCurrent LogonId is 0:0x3e7\n\nCached Tickets: (0)\n")) == {"EVIDENCE"}
