"""PowerShell's lists and tables are read as they are printed, and as people paste them."""

from __future__ import annotations

import pytest

from manageout.doctor.powershell.records import MAX_RECORDS, PrintedObject, records
from tests.unit.doctor.powershell_texts import (
    ANSWER,
    CERTIFICATE,
    INTERFACES,
    NRPT,
    REMOTE,
    SERVERS,
    SERVICES,
)

NETSH = """
Interface IPHTTPSInterface (Group Policy)  Parameters
------------------------------------------------------------
Role                       : client
URL                        : https://da.example.net:443/IPHTTPS
Last Error Code            : 0x0
Interface Status           : IPHTTPS interface active
"""


def cut(record: PrintedObject) -> list[str]:
    return [name for name, value in record.values.items() if value.cut]


def read(text: str, command: str = "") -> list[PrintedObject]:
    return records(text.split("\n"), command)


def plain(text: str, command: str = "") -> list[dict[str, str]]:
    return [{name: value.text for name, value in one.values.items()} for one in read(text, command)]


def test_a_list_of_two_objects_with_a_list_that_goes_on() -> None:
    location, domain = read(NRPT)
    assert location.values["Namespace"].text == "nls.corp.example"
    assert location.values["DirectAccessDnsServers"].texts == []
    assert domain.values["DirectAccessDnsServers"].items == (
        "fd12:3456:789a:3333::1",
        "fd12:3456:789a:3333::2",
    )
    assert domain.values["DirectAccessProxyType"].text == "NoProxy" and cut(domain) == []
    assert domain.quote == "Namespace                        : .corp.example"


def test_a_certificate_has_blank_lines_and_colons_of_its_own() -> None:
    (one,) = read(CERTIFICATE)
    assert list(one.values) == [
        "DAStatus",
        "SslCertificate",
        "ClientSecurityGroupNameList",
        "NlsCertificate",
        "InternalIPv6Prefix",
    ]
    assert one.values["ClientSecurityGroupNameList"].items == ("corp\\DirectAccess Clients",)
    assert "CN=Some : CA" in one.values["SslCertificate"].text


def test_lost_indentation_and_lost_blank_lines() -> None:
    stripped = "\n".join(line.strip() for line in NRPT.split("\n") if line.strip())
    assert plain(stripped) == plain(NRPT)


def test_added_indentation_and_added_blank_lines() -> None:
    assert plain("\n".join("    " + line for line in NRPT.split("\n"))) == plain(NRPT)
    doubled = "LastErrorCode   : 0x274c\n\nInterfaceStatus : Failed; waiting\n"
    assert plain(doubled) == [{"LastErrorCode": "0x274c", "InterfaceStatus": "Failed; waiting"}]


def test_two_objects_that_nothing_but_a_blank_line_parts() -> None:
    text = "Status    : Error\nSubstatus : None\n\nEnable    : True\nList      : {wpad, isatap}\n"
    assert plain(text) == [
        {"Status": "Error", "Substatus": "None"},
        {"Enable": "True", "List": "{wpad, isatap}"},
    ]


@pytest.mark.parametrize("dots", ["...", "\u2026"])
def test_a_list_that_powershell_has_cut(dots: str) -> None:
    (one,) = read(f"Namespace : {{.corp.example, .lab.example, .dmz.example, .vpn.example{dots}}}")
    assert cut(one) == ["Namespace"]
    assert one.values["Namespace"].texts == [".corp.example", ".lab.example", ".dmz.example", ".vpn.example"]


def test_a_list_whose_end_was_not_pasted_is_cut() -> None:
    (one,) = read("Namespace : {.corp.example, .lab.exa\nX : 1")
    assert one.values["Namespace"] == ("{.corp.example, .lab.exa", (".corp.example",), True)


def test_a_word_longer_than_a_line_is_whole_again() -> None:
    text = (
        "ServerURL        : https://a-gateway-with-quite-a-long-name.and-a-domain.exampl\n"
        "                   e.net:443/IPHTTPS\n"
        "InterfaceStatus  : Failed to connect to the IPHTTPS server; waiting to\n"
        "                   reconnect\n"
    )
    assert plain(text) == [
        {
            "ServerURL": "https://a-gateway-with-quite-a-long-name.and-a-domain.example.net:443/IPHTTPS",
            "InterfaceStatus": "Failed to connect to the IPHTTPS server; waiting to reconnect",
        }
    ]


def test_a_table_with_numbers_on_the_right() -> None:
    isatap, loopback, ethernet = read(INTERFACES)
    assert isatap.values["NlMtu(Bytes)"].text == "1280" and cut(isatap) == ["InterfaceAlias"]
    assert loopback.values["InterfaceAlias"].text == "Loopback Pseudo-Interface 1"
    assert loopback.values["NlMtu(Bytes)"].text == "4294967295"
    assert ethernet.values["ifIndex"].text == "12" and ethernet.values["Dhcp"].text == "Enabled"


def test_a_number_wider_than_its_heading() -> None:
    text = "Name             Mtu State\n----             --- -----\nEthernet        1500 Up\nA b        123456789 Up\n"
    assert [list(one.values()) for one in plain(text)] == [
        ["Ethernet", "1500", "Up"],
        ["A b", "123456789", "Up"],
    ]


def test_a_broken_heading() -> None:
    four, six = read(SERVERS)
    assert list(four.values) == ["InterfaceAlias", "InterfaceIndex", "AddressFamily", "ServerAddresses"]
    assert four.values["ServerAddresses"].items == ("10.0.0.2", "10.0.0.3")
    assert four.values["InterfaceIndex"].text == "12" and six.values["ServerAddresses"].items == ()


def test_values_in_another_language() -> None:
    assert plain(SERVICES) == [{"Status": "Stopped", "Name": "iphlpsvc", "DisplayName": "IP-Hilfsdienst"}]
    japanese = "Status   Name       DisplayName\n------   ----       -----------\nRunning  無線 LAN   x\n"
    assert plain(japanese) == [{"Status": "Running", "Name": "無線 LAN", "DisplayName": "x"}]


def test_a_table_whose_blanks_were_lost() -> None:
    text = "\n".join(" ".join(line.split()) for line in ANSWER.split("\n"))
    assert plain(text) == plain(ANSWER)
    assert plain(ANSWER)[0]["IPAddress"] == "2001:db8::10"


def test_cells_that_go_on_below() -> None:
    text = (
        "Name      Namespace   State\n"
        "----      ---------   -----\n"
        "one       .corp.examp Enabled\n"
        "          le\n"
        "two       .lab        Disabled\n"
    )
    assert plain(text) == [
        {"Name": "one", "Namespace": ".corp.example", "State": "Enabled"},
        {"Name": "two", "Namespace": ".lab", "State": "Disabled"},
    ]


def test_headings_of_groups_belong_to_what_is_below() -> None:
    assert plain(REMOTE) == [
        {"PSComputerName": "DA1", "Status": "Error", "Substatus": "CouldNotContactDirectAccessServer"},
        {"PSComputerName": "DA2", "Status": "ConnectedRemotely", "Substatus": "None"},
    ]


def test_a_heading_without_rows_is_nothing() -> None:
    assert read("Status Substatus\n------ ---------\n\n") == []


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("(Get-DAConnectionStatus).Status", "Error"),
        ("get-daconnectionstatus | select -expand Status", "Error"),
        ("Get-DAConnectionStatus | % Status", "\nError\n"),
    ],
)
def test_the_bare_value_of_a_property(command: str, lines: str) -> None:
    (one,) = plain(lines, command)
    assert list(one.values()) == ["Error"] and next(iter(one)).lower() == "status"


def test_wide() -> None:
    found = plain("iphlpsvc                 Dnscache\nwinnat\n", "Get-Service | fw Name")
    assert [one["Name"] for one in found] == ["iphlpsvc", "Dnscache", "winnat"]
    assert plain("a  b", "Get-X | Format-Wide -Property Name -Column 2") == [{"Name": "a"}, {"Name": "b"}]


def test_other_tools_print_no_records() -> None:
    assert read(NETSH) == []
    assert read("Idx     Met         MTU          State                Name\n---  ----------  ----------  ----  ---\n"
                "  1          75  4294967295  connected     Loopback\n") == []  # fmt: skip
    assert read("   Description . . . . . . . . . . . : Ethernet\n   Name: x\n") == []
    assert read("It does not work: why? See https://help.example/x\nAt line:1 char:1\n") == []


def test_prose_above_a_list() -> None:
    assert plain("This is what I get\nStatus    : Error\nSubstatus : None\nthanks") == [
        {"Status": "Error", "Substatus": "None"}
    ]


def test_a_row_whose_columns_are_lost_is_no_object_and_not_dropped() -> None:
    text = "Name      Status  DisplayName\n----      ------  -----------\n{} Running x y z\n"
    (one,) = read(text.format("a_very_long_name_of_a_service_that_goes_on"))
    assert one.values == {} and one.quote.startswith("a_very")


def test_bounded() -> None:
    assert len(read("A : 1\n\n" * 5000)) == MAX_RECORDS
    assert len(read("Name Mtu\n---- ---\n" + "a 1\n" * 5000)) == MAX_RECORDS
    (one,) = read("A : {x,\n" + " y,\n" * 5000)
    assert one.values["A"].cut
    assert read(" : \n" * 1000 + "- - -\n" * 1000 + "{\n" * 1000) == []
