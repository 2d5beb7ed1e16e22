"""Get-RemoteAccess and its kin as people paste them: what is not known is said to be unknown, never guessed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from manageout.errors import ManageoutError
from manageout.imports.site import Imported, Wishes, site_of
from manageout.site.tables.site import parse
from tests.unit.doctor.powershell_texts import SETTINGS
from tests.unit.imports.farm_evidence import bundle, farm_of

SAME = """PS C:\\> Get-DAServer

DAInstallType               : FullInstall
ConnectToAddress            : da.corp.example
GpoName                     : corp.example\\DirectAccess Server Settings
InternalIPv6Prefix          : fd12:3456:789a:1::/64
ClientIPv6Prefix            : fd12:3456:789a:1000::/64
TeredoState                 : Disabled
"""


def made(*texts: str) -> Imported:
    return site_of(farm_of(*texts), Wishes((IPv4Address("10.0.0.9"),)))


def whole(result: Imported) -> str:
    return "\n".join((result.text, *result.taken, *result.left, *result.unread))


@pytest.mark.parametrize("word", ["NotConfigured", "Disabled", "None"])
def test_a_single_server_is_not_balanced(word: str) -> None:
    result = made(SETTINGS.replace("NotConfigured", word))
    assert "1 server; balancing none; entry points 1" in result.taken and f"balancing {word}" not in whole(
        result
    ).replace("none", "")


def test_a_strange_word_for_balancing_is_not_taken_for_none() -> None:
    result = made(SETTINGS.replace("NotConfigured", "Aktiv"))
    assert "1 server; balancing unknown; entry points 1" in result.taken
    assert any("LoadBalancing Aktiv" in line for line in result.left)


def test_a_prefix_made_unreadable_is_not_called_blank() -> None:
    with pytest.raises(ManageoutError) as refused:
        made(SETTINGS.replace("fd12:3456:789a:1000::/64", "fdxx:xxxx:xxxx:1000::/64"))
    assert "fdxx:xxxx:xxxx:1000::/64" in str(refused.value.hint)


def test_a_way_to_a_server_whose_own_64_is_not_known() -> None:
    text = SETTINGS.replace("PS C:", "[DA1]: PS C:").replace("1000::/64", "1000::/59")
    for key, words, hint in (
        ("da1", "which /64 of fd12:3456:789a:1000::/59", "PREFIX="),
        ("da9", "no such", "DA1"),
    ):
        with pytest.raises(ManageoutError, match=words) as refused:
            site_of(farm_of(text), Wishes((IPv4Address("10.0.0.9"),), vias={key: IPv6Address("fd12::1")}))
        assert hint in str(refused.value.hint)


def test_a_second_link_is_told() -> None:
    second = SETTINGS.replace("789a:1::/64", "789a:9::/64").replace("789a:1000", "789a:1100")
    texts = [
        text.replace("PS C:", f"[DA{number}]: PS C:") for number, text in enumerate((SETTINGS, second), 1)
    ]
    assert any("other links too, fd12:3456:789a:9::/64" in line for line in made(*texts).left)


def test_quoted_as_in_a_mail() -> None:
    result = made("".join(f"> {line}\n" for line in SETTINGS.split("\n")))
    site = parse(result.text).site
    assert (str(site.prefix), site.domain) == ("fd12:3456:789a::/48", "corp.example") and result.unread == []


@pytest.mark.parametrize("end", ["...", "\u2026"])
def test_lists_that_powershell_has_cut(end: str) -> None:
    names = "{.corp.example, nls.corp.example, mail.corp.example, www.corp.example" + end + "}"
    text = (
        f"Namespace                        : {names}\nDirectAccessDnsServers           : {{fd12:3456:789a:3333::1}}\n"
        + SETTINGS.replace("{.corp.example, nls.corp.example}", names)
    )
    result = made(text)
    assert (
        "$FormatEnumerationLimit = -1" in result.left[0] and "DnsSuffix of Get-RemoteAccess" in result.left[0]
    )
    assert "# ? lists were cut" in result.text
    assert f"www.corp.example{end}" not in whole(result)


def test_a_prefix_that_a_narrow_column_has_cut_is_none() -> None:
    text = "LoadBalancing ClientIPv6Prefix\n------------- ----------------\nDisabled      fd12:3456:78...\n"
    with pytest.raises(ManageoutError) as refused:
        made(text)
    assert "ClientIPv6Prefix of Get-RemoteAccess" in str(refused.value.hint)


def test_one_server_by_two_cmdlets_is_one() -> None:
    result = made(SETTINGS + "\n" + SAME)
    assert "1 server; balancing none; entry points 1" in result.taken
    assert "is said to be" not in whole(result) and result.unread == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Get-RemoteAccess -ComputerName DA1", "Get-DAServer -ComputerName da1.corp.example"),
        ("Get-RemoteAccess -ComputerName da1.corp.example", "Get-DAServer -ComputerName 10.0.0.11"),
        ("Get-RemoteAccess", "Get-DAServer -ComputerName DA1"),
    ],
)
def test_one_server_by_two_names_is_one(first: str, second: str) -> None:
    text = SETTINGS.replace("Get-RemoteAccess", first) + "\n" + SAME.replace("Get-DAServer", second)
    (node,) = farm_of(text).nodes
    assert node.name.lower().startswith("da1") or node.name == "server 1"


def test_one_server_in_two_files_is_one() -> None:
    assert len(farm_of(SETTINGS, SAME).nodes) == 1
    pasted = SETTINGS.replace("fd12:3456:789a:1::/64", "2002:836b:1:1::/64").replace(
        "fd12:3456:789a:1000::/64", "2002:836b:1:1000::/64"
    )
    farm = farm_of(bundle(1, client="2002:836b:1:1000::/64"), pasted)
    assert [node.name for node in farm.nodes] == ["DA1"]


def test_servers_that_differ_stay_two() -> None:
    other = SETTINGS.replace("1000::/64", "2000::/64")
    assert len(farm_of(SETTINGS + "\n" + other).nodes) == 2
    named = [SETTINGS.replace("Get-RemoteAccess", f"Get-RemoteAccess -ComputerName DA{n}") for n in (1, 2)]
    assert [node.name for node in farm_of("\n".join(named)).nodes] == ["DA1", "DA2"]
    nodes = [text.replace("1000::/64", "1000::/59") for text in (SETTINGS, SETTINGS)]
    assert len(farm_of(*nodes).nodes) == 2, "nodes of a cluster, a file each"


def test_servers_of_one_text_by_their_property() -> None:
    text = "\n\n".join(SETTINGS.split("\n", 2)[2] + f"PSComputerName                 : DA{n}" for n in (1, 2))
    assert [node.name for node in farm_of(text).nodes] == ["DA1", "DA2"]


def test_properties_selected_one_after_the_other_are_one_server() -> None:
    text = """PS C:\\> Get-RemoteAccess | fl DAStatus, LoadBalancing

DAStatus      : Installed

LoadBalancing : Disabled

PS C:\\> Get-RemoteAccess | select ClientIPv6Prefix

ClientIPv6Prefix
----------------
fd12:3456:789a:1000::/64
"""
    assert "1 server; balancing none; entry points 1" in made(text).taken


def test_entry_points_by_remote_prompts() -> None:
    texts = []
    for number, prefix in (("1", "1000"), ("2", "1100")):
        settings = SETTINGS.split("\n", 1)[1].replace("1000::/64", f"{prefix}::/64")
        texts.append(
            f"[DA{number}]: PS C:\\> Get-RemoteAccess\n{settings}EntrypointName                 : E{number}\n"
        )
    points = "[DA1]: PS C:\\> Get-DAEntryPoint\n\nEntryPointName Servers\n-------------- -------\n"
    result = made("\n".join(texts) + "\n" + points + "E1             {DA1.x, DA3.x}\n")
    assert "2 servers; balancing none; entry points 2" in result.taken and result.unread == []
    assert any("no file of the server da3" in line for line in result.left)


def test_a_prefix_that_is_blank_in_another_entry_point() -> None:
    with pytest.raises(ManageoutError) as refused:
        made("DAStatus         : Installed\nConnectToAddress :\nClientIPv6Prefix :\n")
    assert "on the server itself" in str(refused.value.hint)


def test_json_and_tables() -> None:
    text = '{"DAStatus": "Installed", "ClientIPv6Prefix": "fd12:3456:789a:1000::/64", "DnsSuffix": [".a.example"]}'
    assert parse(made(text).text).site.domain == "a.example"


def test_clients_that_connect_to_an_address() -> None:
    certificate = (
        "SslCertificate                 : [Subject]\n                                   CN=da.example.net\n"
    )
    result = made(SETTINGS.replace("da.corp.example", "203.0.113.10") + certificate)
    assert 'gateway_name = "203.0.113.10"' not in result.text and "#   gateway_name = ?" in result.text
    (line,) = [line for line in result.left if "203.0.113.10" in line]
    assert "needs a name" in line and "da.example.net" in line


@pytest.mark.parametrize(
    ("lines", "domain"),
    [
        ("ClientGpoName                  : {ad.corp.example\\DirectAccess Client Settings}", "ad.corp.example"),
        ("ServerGpoName                  : ad.corp.example\\DirectAccess Server Settings", "ad.corp.example"),
        ("ClientGpoName                  : {b.example\\C, a.example\\C}\n"
         "ServerGpoName                  : a.example\\S", "a.example"),
        ("DnsSuffix                      : {nls.corp.example, .corp.example}", "corp.example"),
        ("DnsSuffix                      : {corp.example, nls.corp.example}", "corp.example"),
        ("NlsUrl                         : https://nls.corp.example/\n"
         "DnsSuffix                      : {nls.corp.example}", ""),
        ("ClientGpoName                  : CORP\\DirectAccess Client Settings", ""),
        ("NlsUrl                         :", ""),
    ],
)  # fmt: skip
def test_the_domain(lines: str, domain: str) -> None:
    text = SETTINGS.replace("DnsSuffix                      : {.corp.example, nls.corp.example}", lines)
    result = made(text)
    assert parse(result.text).site.domain == domain
    if not domain:
        assert "# domain = ?" in result.text and "# name = ?" in result.text
        assert "corp.example" not in parse(result.text).model_dump_json()


def test_several_suffixes_and_no_policy_are_told() -> None:
    text = SETTINGS.replace("{.corp.example, nls.corp.example}", "{.corp.example, .lab.example}")
    told = "no policy's name tells which is the site's domain: corp.example is taken"
    assert any(told in line for line in made(text).left)
    policy = "ServerGpoName                  : lab.example\\S\n"
    result = made(text + policy)
    assert parse(result.text).site.domain == "lab.example" and not any(told in line for line in result.left)


def test_what_no_evidence_says_is_unknown() -> None:
    result = made("ConnectToAddress : da.corp.example\nClientIPv6Prefix : fd12:3456:789a:1000::/64\n")
    assert any("balancing unknown" in line for line in result.taken)
    assert any("whether the servers are balanced is not known" in line for line in result.left)
    assert any("no InternalIPv6Prefix in the evidence" in line for line in result.left)
    assert "# prefix = ?" in result.text


def test_addresses_pasted_with_it_lead_to_the_server() -> None:
    addresses = """
IPAddress         : fd12:3456:789a:2::11
InterfaceIndex    : 5
InterfaceAlias    : Inside
AddressFamily     : IPv6
PrefixLength      : 64

InterfaceIndex InterfaceAlias AddressFamily ConnectionState
-------------- -------------- ------------- ---------------
5              Inside         IPv6          Connected
"""
    result = made(SETTINGS + "InternalInterface              : Inside\n" + addresses)
    (route,) = parse(result.text).isatap.routes  # type: ignore[union-attr]
    assert (str(route.prefix), str(route.via)) == ("fd12:3456:789a:1000::/64", "fd12:3456:789a:2::11")


def test_a_text_without_end_is_not_read_to_its_end() -> None:
    farm = farm_of(SETTINGS + "x\n" * 130_000)
    assert len(farm.nodes) == 1 and any("the rest was not looked at" in line for line in farm.unread)
