"""ipconfig /all in several languages, wrapped and broken."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.console.ipconfig import parse
from manageout.doctor.read.text import decode, lines

ENGLISH = """
Windows IP Configuration

   Host Name . . . . . . . . . . . . : HELPDESK1
   Primary Dns Suffix  . . . . . . . : corp.example

Ethernet adapter Ethernet0:

   Connection-specific DNS Suffix  . : corp.example
   Description . . . . . . . . . . . : Intel(R) 82574L Gigabit Network Connection
   Physical Address. . . . . . . . . : 00-0C-29-AA-BB-CC
   DHCP Enabled. . . . . . . . . . . : Yes
   Link-local IPv6 Address . . . . . : fe80::1c2d:3e4f:1:2%12(Preferred)
   IPv4 Address. . . . . . . . . . . : 10.0.1.30(Preferred)
   Subnet Mask . . . . . . . . . . . : 255.255.255.0
   Default Gateway . . . . . . . . . : 10.0.1.1
   DNS Servers . . . . . . . . . . . : 10.0.0.10
                                       10.0.0.11

Tunnel adapter isatap.{CA09D971-1111-2222-3333-03491AA7CB73}:

   Connection-specific DNS Suffix  . :
   Description . . . . . . . . . . . : Microsoft ISATAP Adapter
   Physical Address. . . . . . . . . : 00-00-00-00-00-00-00-E0
   DHCP Enabled. . . . . . . . . . . : No
   IPv6 Address. . . . . . . . . . . : fd12:3456:789a:1:0:5efe:10.0.1.30(Preferred)
   Link-local IPv6 Address . . . . . : fe80::5efe:10.0.1.30%15(Preferred)
   Default Gateway . . . . . . . . . : fe80::5efe:10.0.0.1%15
   DNS Servers . . . . . . . . . . . : 10.0.0.10
   NetBIOS over Tcpip. . . . . . . . : Disabled

Tunnel adapter Teredo Tunneling Pseudo-Interface:

   Media State . . . . . . . . . . . : Media disconnected
   Connection-specific DNS Suffix  . :
   Description . . . . . . . . . . . : Teredo Tunneling Pseudo-Interface
   Physical Address. . . . . . . . . : 00-00-00-00-00-00-00-E0
"""
GERMAN = """
Ethernet-Adapter Ethernet:

   Verbindungsspezifisches DNS-Suffix: corp.example
   Beschreibung. . . . . . . . . . . : Intel(R) PRO/1000
   IPv4-Adresse  . . . . . . . . . . : 10.0.1.30(Bevorzugt)
   Subnetzmaske  . . . . . . . . . . : 255.255.255.0
   Standardgateway . . . . . . . . . : 10.0.1.1

Tunneladapter isatap.corp.example:

   Verbindungsspezifisches DNS-Suffix: corp.example
   Beschreibung. . . . . . . . . . . : Microsoft-ISATAP-Adapter
   Physische Adresse . . . . . . . . : 00-00-00-00-00-00-00-E0
   Verbindungslokale IPv6-Adresse  . : fe80::5efe:10.0.1.30%11(Bevorzugt)
   Standardgateway . . . . . . . . . :
   NetBIOS über TCP/IP . . . . . . . : Deaktiviert
"""


def test_english() -> None:
    ethernet, isatap, teredo = parse(lines(ENGLISH))
    assert ethernet.kind == "other" and ethernet.ipv4 == [IPv4Address("10.0.1.30")]
    assert ethernet.gateways == [IPv4Address("10.0.1.1")]
    assert isatap.kind == "isatap" and isatap.guid == "CA09D971-1111-2222-3333-03491AA7CB73"
    assert isatap.ipv6 == [IPv6Address("fd12:3456:789a:1:0:5efe:10.0.1.30")]
    assert isatap.link_local == [IPv6Address("fe80::5efe:10.0.1.30")]
    assert isatap.gateways == [IPv6Address("fe80::5efe:10.0.0.1")]
    assert isatap.index == 15 and isatap.connected
    assert teredo.kind == "teredo" and not teredo.connected


def test_german_in_the_code_page_of_its_console() -> None:
    ethernet, isatap = parse(lines(decode(GERMAN.encode("cp850"))))
    assert ethernet.gateways == [IPv4Address("10.0.1.1")]
    assert isatap.kind == "isatap" and isatap.guid is None
    assert isatap.link_local and not isatap.ipv6 and not isatap.gateways


def test_wrapped_at_80_columns() -> None:
    wrapped = "\n".join(
        line[start : start + 80] for line in ENGLISH.splitlines() for start in range(0, max(len(line), 1), 80)
    )
    assert [adapter.kind for adapter in parse(lines(wrapped))] == ["other", "isatap", "teredo"]


def test_something_else() -> None:
    assert parse(lines("Pinging 10.0.0.1 with 32 bytes of data:\nReply from 10.0.0.1: bytes=32\n")) == []
    assert parse([]) == []


@given(st.text(max_size=400))
def test_no_text_breaks_it(text: str) -> None:
    parse(lines(ENGLISH[:600] + text))
