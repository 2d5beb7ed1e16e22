"""netsh's outputs as facts."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.console import netsh as text_netsh
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part
from manageout.doctor.read import bundle
from manageout.doctor.read.pasted import read as read_into
from tests.unit.doctor.console.test_settings import INTERFACE, INTERFACES
from tests.unit.doctor.judging import found, pasted


def part(text: str, command: str = "") -> Part:
    return Part(command, text.strip("\n").split("\n"))


def test_the_title_names_the_interface() -> None:
    facts = Facts("x")
    guid = INTERFACE.replace("isatap.corp.example", "isatap.{CA09D971-1111-2222-3333-03491AA7CB73}")
    assert text_netsh.interface(facts, part(guid))
    (one,) = facts.of_kind("isatap")
    assert one.name == "isatap.{CA09D971-1111-2222-3333-03491AA7CB73}" and one.index == 15


def test_the_title_in_german() -> None:
    facts = Facts("x")
    german = INTERFACE.replace(
        "Interface isatap.corp.example Parameters", "Schnittstelle isatap.corp.example-Parameter"
    )
    text_netsh.interface(facts, part(german))
    assert [one.name for one in facts.of_kind("isatap")] == ["isatap.corp.example"]


@pytest.mark.parametrize(
    ("connected", "disconnected"),
    [("connected", "disconnected"), ("Verbunden", "Nicht verbunden"), ("已连接", "已断开连接"), ("x", "y")],
)  # fmt: skip
def test_the_state_of_interfaces_in_any_language(connected: str, disconnected: str) -> None:
    facts = Facts("x")
    text = INTERFACES.replace(" connected", f" {connected}").replace("disconnected", disconnected)
    assert text_netsh.interfaces(facts, part(text))
    assert [one.connected for one in facts.interfaces] == [True, True, False, True]
    assert facts.interfaces[2].kind == "isatap"


ADDRESSES = """Interface 15: isatap.corp.example

Addr Type  DAD State   Valid Life Pref. Life Address
---------  ----------- ---------- ---------- ------------------------
Public     Preferred      29d23h    6d23h59m fd12:3456:789a:1:0:5efe:10.0.1.30
Other      Preferred     infinite   infinite fe80::5efe:10.0.1.30%15
"""


@pytest.mark.parametrize("text", [ADDRESSES, ADDRESSES.replace("Interface 15", "Schnittstelle 15")])
def test_addresses(text: str) -> None:
    facts = Facts("x")
    assert text_netsh.addressed(facts, part(text))
    (one,) = facts.of_kind("isatap")
    assert one.ipv6 == [IPv6Address("fd12:3456:789a:1:0:5efe:10.0.1.30")] and one.index == 15
    assert one.printed(one.link_local) == "fe80::5efe:10.0.1.30%15"


VERBOSE = """Destination Prefix:       fd12:3456:789a:1::/64
Source Prefix:            ::/0
Interface Index:          15
Gateway/Interface Name:   isatap.corp.example
Publish:                  Yes
Type:                     Manual
Metric:                   256
SitePrefixLength:         0
ValidLifeTime:            Infinite
PreferredLifeTime:        Infinite


Destination Prefix:       ::/0
Source Prefix:            ::/0
Interface Index:          15
Gateway/Interface Name:   fe80::5efe:10.0.0.1
Publish:                  No
Type:                     Manual
Metric:                   256
"""


def test_routes_of_level_verbose() -> None:
    facts = Facts("x")
    assert text_netsh.routes(facts, part(VERBOSE))
    assert [(str(route.prefix), route.interface, route.published) for route in facts.routes or []] == [
        ("fd12:3456:789a:1::/64", 15, True),
        ("::/0", 15, False),
    ]


def test_the_url_of_a_server_is_none_to_connect_to() -> None:
    text = "Role : server\nURL : https://da.corp.example:443/IPHTTPS\nLast Error Code : 0x0\nInterface Status : active"
    facts = Facts("x")
    assert text_netsh.iphttps(facts, part(text))
    assert facts.role == "server" and facts.iphttps_url is None and facts.iphttps_error is None


def test_the_later_error_counts() -> None:
    text = (
        "Role : client\nURL : https://da.example.net:443/IPHTTPS\nLast Error Code : {}\nInterface Status : x"
    )
    facts = Facts("x")
    for code in ("0x274c", "0x0"):
        text_netsh.iphttps(facts, part(text.format(code)))
    assert facts.iphttps_error and facts.iphttps_error.value == 0


def test_what_is_configured_gives_way_to_what_is_in_effect() -> None:
    rule = "Settings for {}\n----------\nDirectAccess (DNS Servers) : fd12::1"
    facts = Facts("x")
    text_netsh.namespace(facts, part(rule.format(".corp.example"), "netsh namespace show effectivepolicy"))
    text_netsh.namespace(facts, part(rule.format(".lab.example"), "netsh namespace show policy"))
    assert [one.namespace for one in facts.nrpt or []] == [".corp.example"]


def test_where_the_machine_believes_to_be() -> None:
    text = """Name Resolution Policy Table Options
--------------------------------------------------------------------
Query Failure Behavior                : Always fall back to LLMNR and NetBIOS
Network Location Behavior             : Never use Direct Access settings
Machine Location                      : Outside corporate network
"""
    facts = Facts("x")
    assert text_netsh.other(facts, part(text, "netsh dns show state"))
    assert facts.inside and not facts.inside.value
    assert facts.nrpt_for and facts.nrpt_for.value == "disableda"


@pytest.mark.parametrize(
    ("text", "proxy"),
    [("Current WinHTTP proxy settings:\n\n    Direct access (no proxy server).", ""),
     ("    Proxy Server(s) :  proxy.corp.example:8080\n    Bypass List     :  (none)", "proxy.corp.example:8080"),
     ("Aktuelle WinHTTP-Proxyeinstellungen:\n\n    Direktzugriff (kein Proxyserver).", "")],
)  # fmt: skip
def test_the_proxy(text: str, proxy: str) -> None:
    facts = Facts("x")
    assert text_netsh.other(facts, part(text, "netsh winhttp show proxy"))
    assert facts.proxy and facts.proxy.value == proxy


def test_the_firewall_of_foreign_networks() -> None:
    text = "{} Profile Settings:\n-----------------\nState                                 {}\nFirewall Policy    x,y\n"
    facts = Facts("x")
    rows = [text.format("Domain", "OFF"), text.format("Private", "ON"), text.format("Public", "OFF")]
    assert text_netsh.other(facts, part("\n".join(rows), "netsh advfirewall show allprofiles"))
    assert facts.firewall_off and facts.firewall_off.value and "Public" in facts.firewall_off.quote


def test_associations() -> None:
    facts = Facts("x")
    assert text_netsh.other(
        facts, part("No SAs match the specified criteria.", "netsh advfirewall monitor show mmsa")
    )
    assert facts.ipsec and facts.ipsec.value == 0


def test_the_translator_of_the_machine() -> None:
    facts = Facts("x")
    assert text_netsh.clat(facts, part("IPv4 Address : 192.0.0.2/32\nNAT64 prefix : 64:ff9b::/96"))
    assert facts.clat and facts.clat.value
    assert not text_netsh.clat(Facts("x"), part("Enabled : no"))


@given(st.text(alphabet="Interface 15:\n-.fd/% ", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for reader in (
        text_netsh.interface, text_netsh.interfaces, text_netsh.addressed, text_netsh.routes, text_netsh.policies,
        text_netsh.iphttps, text_netsh.namespace, text_netsh.other, text_netsh.clat,
    ):  # fmt: skip
        reader(Facts("x"), part(text))


FOUR = """
Configuration for interface "Internet"
    DHCP enabled:                         No
    IP Address:                           192.88.98.10
    Subnet Prefix:                        192.88.98.0/24 (mask 255.255.255.0)
    IP Address:                           192.88.98.{}
    Subnet Prefix:                        192.88.98.0/24 (mask 255.255.255.0)
    Default Gateway:                      192.88.98.1
    Gateway Metric:                       256
    InterfaceMetric:                      10

Configuration for interface "Corp"
    DHCP enabled:                         No
    IP Address:                           10.1.0.5
    Subnet Prefix:                        10.1.0.0/24 (mask 255.255.255.0)
    InterfaceMetric:                      10

"""
TEREDO_SERVER = """Teredo Parameters
---------------------------------------------
Type                    : server (Group Policy)
Virtual Server Ip       : 0.0.0.0
Client Refresh Interval : 30 seconds
State                   : online

"""
GERMAN_FOUR = FOUR.replace("Configuration for interface", "Konfiguration der Schnittstelle")
GERMAN_FOUR = GERMAN_FOUR.replace("DHCP enabled", "DHCP aktiviert").replace("IP Address", "IP-Adresse")
GERMAN_FOUR = GERMAN_FOUR.replace("Subnet Prefix", "Subnetzpräfix").replace(
    "Default Gateway", "Standardgateway"
)


@pytest.mark.parametrize(
    "command", ["C:\\>netsh interface ipv4 show addresses\n", "C:\\>netsh int ip sh addr\n", ""]
)
@pytest.mark.parametrize("text", [FOUR, GERMAN_FOUR, "\n".join(map(str.strip, FOUR.splitlines()))])
def test_ipv4_addresses_by_their_cards(command: str, text: str) -> None:
    machine = Facts("x")
    read_into(machine, (command + text.format(12)).splitlines())
    held = {
        one.name: ([str(a) for a in one.ipv4], [str(a) for a in one.gateways]) for one in machine.interfaces
    }
    assert held == {
        "Internet": (["192.88.98.10", "192.88.98.12"], ["192.88.98.1"]),
        "Corp": (["10.1.0.5"], []),
    }
    assert not machine.unread


@pytest.mark.parametrize(("second", "codes"), [(12, {"TEREDO-PAIR"}), (11, set())])
def test_a_teredo_server_by_its_state_and_its_addresses(second: int, codes: set[str]) -> None:
    text = "C:\\>netsh interface teredo show state\n" + TEREDO_SERVER + FOUR.format(second)
    assert set(pasted(text)) == codes
    bare = re.sub("    (?:DHCP|Gateway M|InterfaceM).*\n", "", text)  # as people shorten it
    for net in ("198.51.100.", "203.0.113."):  # which they put in place of their own
        assert set(pasted(bare.replace("192.88.98.", net))) == codes


def test_ipv4_addresses_in_a_table() -> None:
    machine = Facts("x")
    head = "C:\\>netsh interface ipv4 show ipaddresses\n\nInterface 12: Ethernet\n\n"
    head += (
        "Addr Type  DAD State   Valid Life Pref. Life Address\n---------  ----------- ---------- -------\n"
    )
    read_into(machine, (head + "Dhcp       Preferred       infinite   infinite 10.1.0.5\n").splitlines())
    assert [str(one) for one in machine.interfaces[0].ipv4] == ["10.1.0.5"]


JOINS = """C:\\>netsh interface ipv6 show joins

Interface 14: isatap.corp.example

Scope       References  Last  Address
----------  ----------  ----  ---------------------------------
0                    0  Yes   ff02::1
"""


@pytest.mark.parametrize(
    "text",
    [
        JOINS,
        JOINS.partition("\n\n")[2],
        "Listen on ipv6:  Connect to ipv4:\n\nAddress  Port  Address  Port\n",
    ],
)
def test_what_is_known_and_not_judged(text: str) -> None:
    state = "C:\\>netsh interface isatap show state\nISATAP State : enabled\n\nMore:\n\n"
    (machine,) = bundle.read_pasted(state + text)
    assert not any(one.ipv6 for one in machine.interfaces)
    assert all(words.endswith("nothing in it is judged") for words in machine.unread)


def test_a_lifetime_of_zero_is_no_default_router() -> None:
    text = """on the DA server:
C:\\>netsh interface ipv6 show interface 14

Interface isatap.corp.example Parameters
----------------------------------------------
IfLuid                             : tunnel_4
IfIndex                            : 14
Forwarding                         : enabled
Advertising                        : enabled
Advertised Router Lifetime         : {} seconds
Advertise Default Route            : enabled
"""
    assert "SERVER-NO-DEFAULT" in found(bundle.read_pasted(text.format(0))[0])
    assert "SERVER-NO-DEFAULT" not in found(bundle.read_pasted(text.format(1800))[0])
