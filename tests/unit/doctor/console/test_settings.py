"""netsh's tables and lists, English and not."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.console import settings as netsh
from manageout.wire.address import written

INTERFACE = """
Interface isatap.corp.example Parameters
----------------------------------------------
IfLuid                             : tunnel_7
IfIndex                            : 15
State                              : connected
Metric                             : 75
Link MTU                           : 1280 bytes
Reachable Time                     : 29000 ms
Base Reachable Time                : 30000 ms
Retransmission Interval            : 1000 ms
DAD Transmits                      : 0
Site Prefix Length                 : 64
Site Id                            : 1
Forwarding                         : disabled
Advertising                        : enabled
Neighbor Discovery                 : enabled
Neighbor Unreachability Detection  : disabled
Router Discovery                   : enabled
Managed Address Configuration      : disabled
Other Stateful Configuration       : disabled
Weak Host Sends                    : disabled
Weak Host Receives                 : disabled
Use Automatic Metric               : enabled
Ignore Default Routes              : disabled
Advertised Router Lifetime         : 1800 seconds
Advertise Default Route            : disabled
Current Hop Limit                  : 0
"""
INTERFACES = """

Idx     Met         MTU          State                Name
---  ----------  ----------  ------------  ---------------------------
  1          75  4294967295  connected     Loopback Pseudo-Interface 1
 12          25        1500  connected     Ethernet0
 15          75        1280  disconnected  isatap.{CA09D971-1111-2222-3333-03491AA7CB73}
 16          75        1280  connected     Local Area Connection* 2
"""
ROUTES = """
Publish  Type      Met  Prefix                    Idx  Gateway/Interface Name
-------  --------  ---  ------------------------  ---  ------------------------
No       Manual    256  ::/0                       15  fe80::5efe:10.0.0.1
Yes      Manual    256  fd12:3456:789a:1::/64      15  isatap.corp.example
Ja       Manuell   256  fd12:3456:789a:1000::/64   16  iphttpsinterface
No       System    256  fe80::/64                  12  Ethernet0
"""
POLICIES = """
Querying active state...

Precedence  Label  Prefix
----------  -----  --------------------------------
        50      0  ::1/128
        40      1  ::/0
        35      4  ::ffff:0:0/96
         3     13  fc00::/7
"""


def test_an_interface_by_the_order_of_its_settings() -> None:
    (found,) = netsh.each_interface(INTERFACE.splitlines())
    assert found["index"].value == "15"
    assert found["forwarding"].on is False and found["advertising"].on is True
    assert found["advertise_default"].text == "Advertise Default Route            : disabled"
    assert found["mtu"].value == "1280 bytes"


def test_an_interface_in_german() -> None:
    german = INTERFACE.replace("Forwarding      ", "Weiterleitung   ").replace("disabled", "deaktiviert")
    (found,) = netsh.each_interface(german.splitlines())
    assert found["forwarding"].on is False


def test_what_is_no_interface() -> None:
    assert not list(netsh.each_interface(POLICIES.splitlines())) and not list(netsh.each_interface([]))


def test_interfaces_whose_names_hold_blanks() -> None:
    rows = netsh.interfaces(INTERFACES.splitlines())
    assert [(row.number, row.mtu, row.state, row.name) for row in rows][2:] == [
        (15, 1280, "disconnected", "isatap.{CA09D971-1111-2222-3333-03491AA7CB73}"),
        (16, 1280, "connected", "Local Area Connection* 2"),
    ]


def test_routes_and_who_publishes() -> None:
    default, isatap, clients, link = netsh.routes(ROUTES.splitlines())
    assert default.next_hop == IPv6Address("fe80::5efe:10.0.0.1") and not netsh.published(default)
    assert isatap.prefix == IPv6Network("fd12:3456:789a:1::/64") and netsh.published(isatap)
    assert isatap.next_hop is None and isatap.via == "isatap.corp.example"
    assert netsh.published(clients) and not netsh.published(link)


def test_prefix_policies() -> None:
    rows = netsh.prefix_policies(POLICIES.splitlines())
    assert [(row.precedence, row.label, written(row.prefix)) for row in rows][2:] == [
        (35, 4, "::ffff:0:0/96"),
        (3, 13, "fc00::/7"),
    ]


def test_values_with_colons() -> None:
    (setting,) = netsh.settings(["NAT Special Behaviour   : UPNP: Yes, PortPreserving: Yes "])
    assert setting.value == "UPNP: Yes, PortPreserving: Yes"


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    lines = text.splitlines()
    list(netsh.each_interface(lines))
    for read in (netsh.settings, netsh.interfaces, netsh.routes, netsh.prefix_policies):
        read(lines)
