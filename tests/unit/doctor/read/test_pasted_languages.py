"""The same machine in every language and encoding: the same facts."""

from __future__ import annotations

import codecs
from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.doctor.console import settings as netsh
from manageout.doctor.diagnosis import diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read.pasted import read
from manageout.doctor.read.text import decode, lines
from tests.unit.doctor.console.test_settings import INTERFACE, ROUTES
from tests.unit.doctor.languages import LANGUAGES, ipconfig, wrapped

ENCODINGS = ("oem", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


def facts(data: bytes) -> Facts:
    found = Facts("x")
    read(found, lines(decode(data)))
    return found


def encoded(text: str, name: str, encoding: str) -> bytes:
    if encoding == "utf-16-be":
        return codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    return text.encode(LANGUAGES[name].page if encoding == "oem" else encoding)


def healthy(found: Facts) -> None:
    assert found.computer == "HELPDESK1"
    card, isatap = found.interfaces
    assert (card.kind, card.ipv4, card.gateways) == (
        "other",
        [IPv4Address("10.0.1.30")],
        [IPv4Address("10.0.1.1")],
    )
    assert (
        isatap.kind == "isatap"
        and isatap.guid == "CA09D971-1111-2222-3333-03491AA7CB73"
        and isatap.index == 15
    )
    assert isatap.ipv6 == [IPv6Address("fd12:3456:789a:1:0:5efe:10.0.1.30")]
    assert isatap.link_local == [IPv6Address("fe80::5efe:10.0.1.30")]
    assert isatap.gateways == [IPv6Address("fe80::5efe:10.0.0.1")]
    assert diagnose([found]) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", LANGUAGES)
def test_ipconfig(name: str, encoding: str) -> None:
    healthy(facts(encoded(ipconfig(name), name, encoding)))


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("encoding", ["oem", "utf-8"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_ipconfig_as_a_console_cuts_it(name: str, encoding: str, width: int) -> None:
    healthy(facts(encoded(wrapped(ipconfig(name), width), name, encoding)))


@pytest.mark.parametrize("name", LANGUAGES)
def test_only_a_link_local_address(name: str) -> None:
    (finding,) = diagnose([facts(encoded(ipconfig(name, stranded=True), name, "oem"))])
    assert finding.code == "ISATAP-LINK-LOCAL-ONLY"


@pytest.mark.parametrize("encoding", ["oem", "utf-8"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_settings_of_an_interface(name: str, encoding: str) -> None:
    """Keywords in the language too, and garbled where the code page is not ours."""
    text = INTERFACE.replace("disabled", LANGUAGES[name].off).replace("enabled", LANGUAGES[name].on)
    (isatap,) = facts(encoded(text, name, encoding)).interfaces
    assert isatap.index == 15 and isatap.mtu == 1280
    assert isatap.forwarding and isatap.forwarding.value is False
    assert isatap.advertising and isatap.advertising.value is True
    assert isatap.advertise_default and isatap.advertise_default.value is False


def test_who_publishes_in_a_language_that_is_not_known() -> None:
    text = ROUTES.replace("No ", "Aa ").replace("Yes ", "Bbb ").replace("Ja ", "Bb ")
    text += "Aa       System    256  ff00::/8                    1  Loopback Pseudo-Interface 1\n"
    found = facts(text.encode()).routes or []
    assert [route.published for route in found] == [False, True, True, False, False]
    assert not any(netsh.published(row) for row in netsh.routes(text.splitlines()))


NRPT = """
{title}

{heading}
----------------------------------------------------------------------
DirectAccess ({authority})              : CN=CA
DirectAccess ({servers})              : fd12:3456:789a:3333::1
                                          fd12:3456:789a:3333::2
DirectAccess (IPsec)                    : disabled

"""


@pytest.mark.parametrize(
    ("heading", "servers"),
    [("Settings for .corp.example", "DNS Servers"), ("Einstellungen für .corp.example", "DNS-Server"),
     ("Paramètres pour .corp.example", "Serveurs DNS"), (".corp.example 的设置", "DNS 服务器"),
     (".corp.example の設定", "DNS サーバー"), ("Настройки для .corp.example", "DNS-серверы")],
)  # fmt: skip
def test_name_rules(heading: str, servers: str) -> None:
    text = NRPT.format(title="NRPT", heading=heading, authority="CA", servers=servers)
    (rule,) = facts(text.encode()).nrpt or []
    assert (rule.namespace, rule.servers) == (
        ".corp.example",
        ("fd12:3456:789a:3333::1", "fd12:3456:789a:3333::2"),
    )


TEREDO = """
{title}
---------------------------------------------
{type}                    : client
{server}                  : teredo.example
{refresh}                 : 30 {seconds}
{port}                    : unspecified
{state}                   : offline
{error}                   : {words}
"""


@pytest.mark.parametrize(
    "title", ["Teredo Parameters", "Teredo-Parameter", "Paramètres Teredo", "Teredo パラメーター"]
)
def test_teredo(title: str) -> None:
    words = dict.fromkeys(("type", "server", "refresh", "port", "state", "error"), "Ä")
    text = TEREDO.format(title=title, seconds="s", words="client is in a managed network", **words)
    found = facts(text.encode())
    assert found.teredo_type and found.teredo_type.value == "client"
    assert found.teredo_state and found.teredo_state.value == "offline"
    assert found.teredo_error and found.teredo_error.value == "client is in a managed network"


TUNNEL = """
{title} IPHTTPSInterface (Group Policy)
------------------------------------------------------------
{role}                       : client
URL                        : https://gateway.corp.example:443/IPHTTPS
{error}                    : 0x2af9
{status}                   : {words}
"""


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Interface", "failed to connect"),
        ("Schnittstelle", "Verbindung fehlgeschlagen"),
        ("接口", "无法连接"),
    ],
)
def test_iphttps(title: str, words: str) -> None:
    text = TUNNEL.format(title=title, role="x", error="y", status="z", words=words)
    (finding,) = diagnose([facts(text.encode())])
    assert finding.code == "IPHTTPS-NAME" and words in finding.seen[1]


@pytest.mark.parametrize(
    ("text", "state"),
    [("ISATAP State  : enabled", "enabled"), ("ISATAP-Status : deaktiviert", "disabled"),
     ("État ISATAP : par défaut", "default"), ("ISATAP 状态：默认", "default"), ("ISATAP の状態 : 既定", "default"),
     ("Состояние ISATAP : по умолчанию", "default"), ("Estado de ISATAP : habilitado", "enabled")],
)  # fmt: skip
def test_the_state_of_isatap(text: str, state: str) -> None:
    found = facts(text.encode())
    assert found.isatap_state and found.isatap_state.value == state


def test_a_table_whose_rows_fill_the_console_is_not_joined() -> None:
    rows = ROUTES.strip().split("\n")
    filled = "\n".join(row.ljust(80) for row in rows)
    assert len(facts(filled.encode()).routes or []) == 4
