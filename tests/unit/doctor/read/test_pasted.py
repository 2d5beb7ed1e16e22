"""Whole sessions of a console, with and without prompts."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import parts
from manageout.doctor.read.pasted import read
from tests.unit.doctor.console.test_ipconfig import ENGLISH
from tests.unit.doctor.console.test_settings import INTERFACE, POLICIES, ROUTES

SESSION = f"""C:\\>ipconfig /all
{ENGLISH}
C:\\>netsh interface isatap show state
ISATAP State                   : enabled

C:\\>netsh interface isatap show router
Router Name                    : manageout-isatap.corp.example
Use Relay                      : default
Resolution Interval            : default

C:\\>netsh interface ipv6 show interface 15
{INTERFACE}
C:\\>netsh interface ipv6 show route
{ROUTES}
C:\\>netsh interface ipv6 show prefixpolicies
{POLICIES}
PS C:\\Users\\me> nslookup laptop.corp.example
Server:  dc.corp.example
Address:  10.0.0.10

Name:    laptop.corp.example
Addresses:  fd12:3456:789a:1000::10
          10.0.0.130

C:\\>netsh interface httpstunnel show interfaces
Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://gateway.corp.example:443/IPHTTPS
Last Error Code            : 0x2af9
Interface Status           : failed to connect to the IPHTTPS server; waiting to reconnect

C:\\>netsh interface teredo show state
Teredo Parameters
---------------------------------------------
Type                    : client
Server Name             : teredo.example
Client Refresh Interval : 30 seconds
Client Port             : unspecified
State                   : offline
Error                   : client is in a managed network

C:\\>ver
Microsoft Windows [Version 10.0.19045.1]
"""


def facts(text: str) -> Facts:
    found = Facts("x")
    read(found, text.split("\n"))
    return found


def test_a_whole_session() -> None:
    found = facts(SESSION)
    assert found.computer == "HELPDESK1"
    assert found.isatap_state and found.isatap_state.value == "enabled"
    assert found.isatap_router and found.isatap_router.value == "manageout-isatap.corp.example"
    (isatap,) = found.of_kind("isatap")
    assert isatap.forwarding and isatap.forwarding.value is False and isatap.index == 15
    assert found.routes and len(found.routes) == 4
    assert found.policies and len(found.policies) == 4
    assert found.iphttps_error and found.iphttps_error.value == 0x2AF9
    assert found.iphttps_status and found.iphttps_status.value.startswith("failed to connect")
    assert found.teredo_state and found.teredo_state.value == "offline"
    (lookup,) = found.lookups
    assert IPv4Address("10.0.0.130") in lookup.addresses and lookup.server == "10.0.0.10"
    assert found.build == 19045 and found.unread == []


def test_a_default_router_is_no_name() -> None:
    found = facts("C:\\>netsh interface isatap show router\nRouter Name : default\nUse Relay : default\n")
    assert found.isatap_router and found.isatap_router.value == ""


def test_parts_without_prompts_are_one() -> None:
    assert [part.command for part in parts(["a", "b"])] == [""]


def test_name_rules() -> None:
    text = """
DNS Effective Name Resolution Policy Table Settings

Settings for .corp.example
----------------------------------------------------------------------
DirectAccess (DNS Servers)              : fd12:3456:789a:3333::1

Settings for nls.corp.example
----------------------------------------------------------------------
DirectAccess (DNS Servers)              :
"""
    assert [(rule.namespace, rule.servers) for rule in facts(text).nrpt or []] == [
        (".corp.example", ("fd12:3456:789a:3333::1",)),
        ("nls.corp.example", ()),
    ]


@given(st.text(max_size=500))
def test_no_text_breaks_it(text: str) -> None:
    facts(text)
    facts(SESSION[: len(text) * 7] + text)
