"""The site file of a router in front of a farm, and what is left for a person."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from manageout.errors import ManageoutError
from manageout.imports.site import Imported, Wishes, site_of
from manageout.site.tables.site import parse
from tests.unit.imports.farm_evidence import PASTED, bundle, farm_of

LOCATOR = (IPv4Address("10.0.0.1"),)


def made(*texts: str, wishes: Wishes | None = None) -> Imported:
    return site_of(farm_of(*texts), wishes or Wishes(LOCATOR))


def routes(text: str) -> list[tuple[str, str]]:
    isatap = parse(text).isatap
    assert isatap
    return [(str(route.prefix), str(route.via)) for route in isatap.routes]


def test_a_cluster_with_a_file_of_each_node() -> None:
    result = made(bundle(1), bundle(2), wishes=Wishes(LOCATOR, hosts=(IPv4Network("10.0.1.30/32"),)))
    site = parse(result.text)
    assert site.site.prefix == IPv6Network("2002:836b:1::/48") and site.site.domain == "corp.example"
    assert site.isatap and site.isatap.name == "manageout-isatap.corp.example"
    assert routes(result.text) == [
        ("2002:836b:1:1000::/64", "2002:836b:1:2::11"),  # not ::100, which both hold
        ("2002:836b:1:1001::/64", "2002:836b:1:2::12"),
    ]
    assert len(site.policy.managers) == 1
    assert any("turn ISATAP off" in line for line in result.left) and result.unread == []


def test_pasted_text_lacks_the_way_and_says_so() -> None:
    result = made(PASTED)
    assert routes(result.text) == [] and "# [[isatap.routes]]" in result.text
    assert any("--via 2002:836b:1:1000::/64=ADDRESS" in line for line in result.left)
    vias = {"2002:836b:1:1000::/64": IPv6Address("2002:836b:1:2::11")}
    assert routes(made(PASTED, wishes=Wishes(LOCATOR, vias=vias)).text) == [
        ("2002:836b:1:1000::/64", "2002:836b:1:2::11")
    ]


def test_a_cluster_whose_nodes_are_not_known() -> None:
    text = PASTED.replace("1000::/64", "1000::/59")
    assert any("which /64" in line for line in made(text).left)
    vias = {f"2002:836b:1:100{n}::/64": IPv6Address(f"2002:836b:1:2::1{n}") for n in (0, 1)}
    assert len(routes(made(text, wishes=Wishes(LOCATOR, vias=vias)).text)) == 2


def test_sites_of_their_own_prefixes_and_a_server_without_a_file() -> None:
    points = [{"EntryPointName": "A", "Servers": ["DA1.corp.example", "DA3.corp.example"]}]
    result = made(bundle(1, entryPoints=points))
    assert "no file of the server da3: run the collector there and give it as well" in result.left


def _entry_point(number: int, organisation: str) -> str:
    text = bundle(number, EntrypointName=f"E{number}").replace("1000::/59", f"{0x1000 + number - 1:x}::/64")
    return text.replace("2002:836b:1:", f"{organisation}:")


def test_entry_points_of_several_organisation_prefixes() -> None:
    texts = [_entry_point(1, "2002:1111:1"), _entry_point(2, "2002:836b:1"), _entry_point(3, "2002:836b:1")]
    result = made(*texts)
    assert parse(result.text).site.prefix == IPv6Network(
        "2002:1111:1::/48"
    )  # that of the link which is taken over
    assert [line.partition(":")[0] for line in result.left if "are not of the site's" in line] == [
        "DA2",
        "DA3",
    ]
    assert len(routes(result.text)) == 3


def test_the_prefix_of_most_entry_points_where_no_link_is_known() -> None:
    texts = [_entry_point(1, "2002:1111:1"), _entry_point(2, "2002:836b:1"), _entry_point(3, "2002:836b:1")]
    result = made(*(text.replace(":1::/64", ":1::/63") for text in texts))
    assert parse(result.text).site.prefix == IPv6Network("2002:836b:1::/48")
    assert any("of ClientIPv6Prefix 2002:836b:1:1001::/64" in line for line in result.taken)
    assert [line.partition(":")[0] for line in result.left if "are not of the site's" in line] == ["DA1"]


def test_two_servers_that_claim_the_same() -> None:
    result = made(bundle(1), bundle(1).replace("DA1", "DA9").replace("2::11", "2::19"))
    assert len(routes(result.text)) == 1
    assert any("DA1 and of DA9" in line for line in result.left)


def test_an_isatap_link_of_another_number_is_kept() -> None:
    text = PASTED.replace("836b:1:1::/64", "836b:1:8000::/64").replace("836b:1:1000", "836b:1:8100")
    isatap = parse(made(text).text).isatap
    assert isatap and isatap.prefix == IPv6Network("2002:836b:1:8000::/64")


def test_names_from_files_do_not_become_configuration() -> None:
    text = bundle(1).replace("DA1", "DA1\\n[gateway]\\nnode = 1").replace('"corp.example"', '"corp\\"x"')
    site = parse(made(text).text)
    assert site.gateway is None and site.site.domain == ""


def test_nothing_to_go_by() -> None:
    with pytest.raises(ManageoutError, match="no ClientIPv6Prefix"):
        made("nothing")
    with pytest.raises(ManageoutError, match="no such server"):
        made(PASTED, wishes=Wishes(LOCATOR, vias={"da7": IPv6Address("fd12::1")}))


def test_of_much_rubbish_the_first_is_named() -> None:
    text = PASTED + "".join(f"Novel{n} : x\nNovel{n} : x\n" for n in range(100))
    unread = made(text).unread
    assert len(unread) == 41 and unread[-1] == "and 61 more" and unread[1] == "file1: Novel0"


def test_names_are_told_and_kept_for_the_day_of_the_move() -> None:
    rules = (
        "\nNamespace : .corp.example\nDirectAccessDnsServers : {fd12::1}\n\nNamespace : nls.corp.example\n"
    )
    text = PASTED.replace("DnsSuffix                       : {corp.example}\n", "") + rules
    result = made(
        text + "NlsUrl : https://nls.corp.example/\nRouter : isatap-da.corp.example\nOnlySendAQuery : True\n"
    )
    assert parse(result.text).site.domain == "corp.example", "of the name rules"
    assert '#   location_url = "https://nls.corp.example/"' in result.text
    assert '#   gateway_name = "da.corp.example"' in result.text
    assert '#   exempt = ["nls.corp.example"]' in result.text
    assert "names in .corp.example are asked of fd12::1" in result.taken
    assert any("isatap-da.corp.example today" in line for line in result.left)
    assert any("-OnlySendAQuery $false" in line for line in result.left)


def test_hostile_names_stay_words() -> None:
    row = {"Namespace": 'x"]\n[daemon]\nstate_dir="/"', "DirectAccessDnsServers": None}
    nls = {"NlsUrl": 'https://x"\n[gateway]', "ClientIPv6Prefix": "fd12::/64"}
    result = made(bundle(1, nrpt=[row], remoteAccess=[nls]))
    assert parse(result.text).gateway is None and "daemon" not in result.text
    assert all(line.isprintable() for line in result.taken)
