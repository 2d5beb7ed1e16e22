"""Outputs of which people have left lines out, or the command and the heading."""

from __future__ import annotations

import pytest

from manageout.doctor.facts import Facts
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.judging import found

TITLE = "Interface isatap.{9D2C1F4E-6A1B-4D0E-8B74-2F0C5E7AB101} Parameters\n" + "-" * 46 + "\n"


def one(text: str) -> Facts:
    machine = Facts("(pasted)")
    read_text.read(machine, text.splitlines())
    return machine


def listed(*words: str) -> str:
    return "".join("{:35}: {}\n".format(*word.split("=")) for word in words)


@pytest.mark.parametrize(
    "words",
    [
        ("IfLuid=tunnel_9", "IfIndex=17", "State=connected", "Metric=25", "Link MTU=1280 bytes", "Forwarding=enabled",
         "Advertising=enabled", "Neighbor Discovery=enabled", "Router Discovery=enabled",
         "Ignore Default Routes=disabled", "Advertised Router Lifetime=1800 seconds",
         "Advertise Default Route=disabled"),
        ("IfLuid=tunnel_9", "IfIndex=17", "Status=verbunden", "Weiterleitung=aktiviert", "Ankündigung=aktiviert",
         "Nachbarermittlung=aktiviert", "Standardroute ankündigen=deaktiviert"),
        ("IfIndex=17", "Transfert=activé", "Annonces=activé", "Annoncer l'itinéraire par défaut=désactivé"),
        ("IfIndex=17", "Reenvío=habilitado", "Anunciar=habilitado", "Anunciar ruta predeterminada=deshabilitado"),
        ("Advertise Default Route=disabled", "Advertising=enabled", "Forwarding=enabled"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["", "C:\\>netsh int ipv6 sh int 17\n\n"])
def test_the_settings_of_an_interface_by_their_labels(words: tuple[str, ...], command: str) -> None:
    (interface,) = one(command + TITLE + listed(*words)).interfaces
    assert interface.forwarding and interface.forwarding.value is True
    assert interface.advertising and interface.advertising.value is True
    assert interface.advertise_default and interface.advertise_default.value is False
    assert interface.kind == "isatap"


def test_places_say_nothing_where_lines_are_missing_and_no_label_is_known() -> None:
    words = ["IfLuid=tunnel_9", "IfIndex=17", *(f"Ярлык {n}=disabled" for n in range(14))]
    assert one("C:\\>netsh int ipv6 sh int 17\n\n" + TITLE + listed(*words)).interfaces == []


def test_an_interface_that_only_the_command_names() -> None:
    text = "C:\\>netsh int ipv6 show int 17 | findstr /i forw\n" + listed("Forwarding=disabled")
    (interface,) = one(text).interfaces
    assert interface.index == 17 and interface.forwarding and interface.forwarding.value is False


VERBOSE = """\
Destination Prefix:       fdb0:66e2:9f4d:1::/64
Source Prefix:            ::/0
Interface Index:          14
Gateway/Interface Name:   isatap.{0C4E8B91-1D5B-47E5-B1D5-3B9C7F1F3A62}
Publish:                  No
Type:                     Manual
Metric:                   256
SitePrefixLength:         0

Destination Prefix:       fdb0:66e2:9f4d:1000::/64
Interface Index:          12
Gateway/Interface Name:   fdb0:66e2:9f4d:5::20
Publish:                  Yes
"""


def test_routes_as_lists_are_known_by_their_labels_without_the_command() -> None:
    machine = one(VERBOSE)
    assert machine.routes is not None and not machine.unread
    assert [(route.interface, route.published) for route in machine.routes] == [(14, False), (12, True)]
    german = VERBOSE.replace("Destination Prefix", "Zielpräfix").replace(
        "Interface Index", "Schnittstellenindex"
    )
    german = (
        german.replace("Publish", "Veröffentlichen").replace(" No\n", " Nein\n").replace(" Yes\n", " Ja\n")
    )
    machine = one(german)
    assert [route.published for route in machine.routes or ()] == [False, True]


@pytest.mark.parametrize(
    "line",
    ["   IPv4 Address. . . . . . . . . . . : 10.8.0.51(Preferred)", "   Physical Address. . . : 00-15-5D-0A-3C-01",
     "   DHCP Enabled. . . . . . . . . . . : No", "   Connection-specific DNS Suffix  . : corp.example"],
)  # fmt: skip
def test_a_line_that_is_left_of_ipconfig_names_no_machine(line: str) -> None:
    assert one(f"DA1: internal NIC\n{line}\n").computer == ""
    assert one("C:\\>ipconfig /all\n\n   Host Name . . . . . . . . . . . . : DA1\n").computer == "DA1"


def test_what_is_left_of_an_isatap_adapter() -> None:
    text = 'C:\\>ipconfig | find "5efe"\n   IPv6 Address. . . . . . . . . . . : 2002:51a9:140a:1:0:5efe:10.14.2.77\n'
    text += "   Link-local IPv6 Address . . . . . : fe80::5efe:10.14.2.77%9\n"
    text += "   Default Gateway . . . . . . . . . : fe80::5efe:10.14.0.20%9\n"
    machine = one(text)
    (isatap,) = machine.of_kind("isatap")
    assert not machine.unread and len(isatap.ipv6) == len(isatap.link_local) == len(isatap.gateways) == 1


def test_a_sentence_about_isatap_is_no_output() -> None:
    text = 'The host has its ISATAP address but cannot get to a client, "PING: transmit failed. General failure."\n\n'
    assert one(text + "C:\\>ver\n\nMicrosoft Windows [Version 10.0.19045]\n").unread == []
    state = one("ISATAP State                        : disabled\n").isatap_state
    assert state and state.value == "disabled"


@pytest.mark.parametrize(
    "error",
    ["ERROR: The system was unable to find the specified registry key or value.",
     "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
     "ERREUR : le système n'a pas trouvé la clé ou la valeur de Registre spécifiée."],
)  # fmt: skip
def test_a_key_that_is_not_there_is_an_answer(error: str) -> None:
    command = "C:\\>reg query HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\TCPIP\\v6Transition\n"
    assert one(f"{command}\n{error}\n").unread == []
    assert one(f"{command}ERROR: Access is denied.\n").unread
    assert one(f"{command}FEHLER: Zugriff verweigert\n").unread


def test_an_empty_store_of_certutil() -> None:
    text = 'C:\\>certutil -store My\nMy "Personal"\nCertUtil: -store command completed successfully.\n'
    machine = one(text)
    assert not machine.unread and machine.held == {} and "CERTIFICATE-NONE" in found(machine)
    failed = one("C:\\>certutil -store My\nCertUtil: -store command FAILED: 0x80070005\n")
    assert failed.held is None and failed.unread


def test_every_entry_point_is_kept() -> None:
    text = "PS> foreach($e in 'Lyon','Madrid'){Get-RemoteAccess -EntrypointName $e | fl}\n\n"
    for name, balancing, prefix in (("Lyon", "Enabled", "1000::/59"), ("Madrid", "Disabled", "1010::/64")):
        text += f"EntrypointName     : {name}\nConnectToAddress   : {name}.example.com\n"
        text += f"LoadBalancing      : {balancing}\n"
        text += f"ClientIPv6Prefix   : fd90:7d1c:22e4:{prefix}\n\n\n"
    machine = one(text)
    points = {name: held["clientipv6prefix"].value for name, held in machine.entry_points.items()}
    assert points == {"Lyon": "fd90:7d1c:22e4:1000::/59", "Madrid": "fd90:7d1c:22e4:1010::/64"}
    assert machine.client_prefix and machine.client_prefix.value.prefixlen == 59
    assert machine.load_balancing and machine.load_balancing.value != "none" and machine.sites == 2


def adapter(name: str, *addresses: str) -> str:
    lines = "".join(f"   IPv6 Address. . . . . . . . . . . : {one}\n" for one in addresses)
    return f"Tunnel adapter {name}:\n\n{lines}   Default Gateway . . . . . . . . . :\n\n"


@pytest.mark.parametrize(
    ("text", "role"),
    [
        (adapter("IPHTTPSInterface", "2002:51a9:140a:1000::1", "2002:51a9:140a:1000::2"), "server"),
        (adapter("isatap.corp.example", "fd12:3456:789a:1::1"), "server"),
        (adapter("IPHTTPSInterface", "2002:51a9:140a:1000:e1c0:7f2:81d6:2bb9"), "unknown"),
        (adapter("isatap.corp.example", "fd12:3456:789a:1:0:5efe:10.0.0.1"), "unknown"),
    ],
)
def test_a_server_by_its_addresses(text: str, role: str) -> None:
    assert one(text).role == role


WAYS = "0.0.0.0  0.0.0.0  81.169.20.1  81.169.20.10  15\n0.0.0.0  0.0.0.0  10.2.0.1  10.2.0.25  15\n"


def test_a_server_by_its_two_ways_out() -> None:
    routes = "C:\\>route print -4\n" + WAYS.replace("  ", "     ") + "\n"
    assert one("DirectAccess is slow.\n\n" + routes).role == "server"
    assert one("The internet is slow.\n\n" + routes).role == "unknown"
    assert one("DirectAccess is slow.\n\n" + routes.replace("81.169.20.1 ", "192.168.0.1 ")).role == "unknown"


@pytest.mark.parametrize(
    "row", ["    DisabledComponents    REG_DWORD    0xff",
            "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip6\\Parameters\n"
            "DisabledComponents REG_DWORD 0xff"])  # fmt: skip
def test_a_value_of_the_registry_without_its_command(row: str) -> None:
    assert "TUNNELS-OFF" in found(one(f"my helpdesk PC has no ISATAP adapter\n\n{row}\n"))


def test_teredo_without_its_heading_and_server() -> None:
    machine = one(
        "Type     : enterpriseclient\nState    : offline\nError    : client is in a managed network\n"
    )
    assert machine.teredo_state and machine.teredo_state.value == "offline"
    trimmed = one(
        "C:\\>netsh int ter sh st\nType     : client\nState    : qualified\nNAT      : restricted\n"
    )
    assert trimmed.teredo_state and trimmed.teredo_error is None


def test_what_gpresult_filtered_without_the_rule_below_the_heading() -> None:
    text = "    The following GPOs were not applied because they were filtered out\n        ISATAP Clients\n"
    (gone,) = one(text + "            Filtering:  Denied (Security)\n").filtered
    assert gone.name == "ISATAP Clients"


def test_a_router_whose_name_was_left_out_is_not_known() -> None:
    command = "C:\\>netsh int isatap show router\n"
    assert one(command + listed("Use Relay=enabled", "Resolution Interval=default")).isatap_router is None
    named = one(command + listed("Router Name=default", "Use Relay=enabled")).isatap_router
    assert named and named.value == ""


def test_how_a_client_shows_itself_is_no_status_of_its_tunnel() -> None:
    text = "C:\\>netsh int httpstunnel show int\n" + listed(
        "URL=https://da.example.com:443/IPHTTPS",
        "Client authentication mode=certificates",
        "Last Error Code=0x2af9",
    )
    machine = one(text)
    assert machine.iphttps_error and machine.iphttps_error.value == 0x2AF9 and machine.iphttps_status is None
