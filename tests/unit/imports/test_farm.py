"""What DirectAccess servers say of themselves is read, or named as not understood."""

from __future__ import annotations

import json
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from manageout.errors import ManageoutError
from manageout.imports.farm import Farm, add
from tests.unit.imports.farm_evidence import PASTED, bundle, farm_of

RUBBISH: tuple[Any, ...] = (
    None,
    7,
    "x",
    ["x"],
    [{}],
    [{"IPAddress": [1], "Servers": 3, "PrefixMapping": {}, "InterfaceIndex": []}],
)


def test_a_server_of_a_cluster() -> None:
    farm = farm_of(bundle(2))
    (node,) = farm.nodes
    assert (node.name, node.balancing, node.domain) == ("DA2", "ExternalLoadBalancer", "corp.example")
    assert node.client == IPv6Network("2002:836b:1:1000::/59")
    assert node.slices == [IPv6Network("2002:836b:1:1001::/64")]
    assert node.ways == [IPv6Address("2002:836b:1:2::100"), IPv6Address("2002:836b:1:2::12")]
    assert farm.nat64 == [IPv6Network("2002:836b:1:7777::/96")] and farm.unread == []


def test_an_isatap_address_is_no_way() -> None:
    address = {"IPAddress": "2002:836b:1:1:0:5efe:10.0.0.9", "InterfaceIndex": 5}
    assert farm_of(bundle(1, addresses=[address])).nodes[0].ways == []


def test_pasted_text() -> None:
    farm = farm_of(PASTED)
    (node,) = farm.nodes
    assert node.client == IPv6Network("2002:836b:1:1000::/64") and node.domain == "corp.example"
    assert node.internal == [IPv6Network("2002:836b:1:1::/64")]
    assert farm.unread == ["file1: NewerThanThis"]


def test_several_records_in_one_text() -> None:
    other = PASTED.replace("1000::/64", "2000::/64")
    assert [str(node.client) for node in farm_of(PASTED + other).nodes] == [
        "2002:836b:1:1000::/64",
        "2002:836b:1:2000::/64",
    ]


def test_what_is_not_understood_is_named() -> None:
    rows = [{"ClientIPv6Prefix": "rubbish\n[x]", "InternalIPv6Prefix": 7, "Novel": 1}]
    farm = farm_of(bundle(1, remoteAccess=rows))
    assert farm.nodes[0].client is None
    assert farm.unread == [
        "file1: InternalIPv6Prefix 7",
        "file1: ClientIPv6Prefix rubbish??x?",
        "file1: Novel",
    ]


def test_a_machine_that_is_no_server() -> None:
    assert "no section remoteAccess" in farm_of(bundle(1, remoteAccess=[])).unread[0]
    whole = json.loads(bundle(1))
    whole["errors"] = {"remoteAccess": "Access is denied"}
    assert "could not read remoteAccess" in farm_of(json.dumps(whole)).unread[0]


@pytest.mark.parametrize("text", [bundle(1)[:-40], bundle(1).replace('"version": 1', '"version": 9')])
def test_a_broken_file_is_refused(text: str) -> None:
    with pytest.raises(ManageoutError, match="file1"):
        farm_of(text)


def test_rubbish_ends_in_words() -> None:
    for section in ("addresses", "routes", "interfaces", "suffixes", "natTransition", "entryPoints"):
        for rubbish in RUBBISH:
            changes: dict[str, Any] = {section: rubbish}
            farm_of(bundle(1, **changes))
    assert farm_of("\x00\x01 nothing : here\n").nodes == []


def test_a_value_without_end_is_cut() -> None:
    text = "ClientIPv6Prefix : fd12::/64\nNlsUrl : a\n" + " x\n" * 200_000 + "DAStatus : Installed\n"
    assert farm_of(text).nodes[0].client == IPv6Network("fd12::/64")


NAMES = """
Namespace                        : .corp.example
DirectAccessDnsServers           : {2002:836b:1:3333::1}
DirectAccessProxyType            : NoProxy

Namespace                        : nls.corp.example
DirectAccessDnsServers           :
DirectAccessProxyType            : UseDefault

Description                      :
State                            : Enabled
Router                           : isatap-da.corp.example
ResolutionState                  : Enabled
PolicyStore                      : PersistentStore

State                            : Enabled
OnlySendAQuery                   : True
AlwaysSynthesize                 : False
ExclusionList                    : {fd00:1::/64}
PrefixMapping                    : {2002:836b:1:7777::/96,0.0.0.0/0}
"""


def test_the_cmdlets_about_names_in_one_text() -> None:
    farm = farm_of(PASTED + NAMES)
    names = farm.names
    assert names.namespaces == {".corp.example": ("2002:836b:1:3333::1",)} and names.domain == "corp.example"
    assert names.exempt == ["nls.corp.example"] and names.gateways == ["da.corp.example"]
    assert names.routers == ["isatap-da.corp.example"] and names.only_a
    assert names.excluded == ["fd00:1::/64"]
    assert farm.nat64 == [IPv6Network("2002:836b:1:7777::/96")]
    assert farm.unread == ["file1: NewerThanThis"]


def test_the_collectors_sections_about_names() -> None:
    more: dict[str, Any] = {
        "nrpt": [
            {"Namespace": [".corp.example"], "DirectAccessDnsServers": ["2002:836b:1:3333::1"]},
            {"Namespace": "da.corp.example", "DirectAccessDnsServers": None},
        ],
        "clientNames": [{"DnsSuffix": ".branch.example", "DnsIPAddress": ["2002:836b:1:3333::1"]}],
        "isatap": [{"State": "Enabled", "Router": "ISATAP-DA.corp.example"}],
        "dnsTransition": {"State": "Enabled", "OnlySendAQuery": True, "ExclusionList": []},
    }
    names = farm_of(bundle(1, **more)).names
    assert list(names.namespaces) == [".corp.example", ".branch.example"]
    assert (
        names.exempt == ["da.corp.example"] and names.routers == ["isatap-da.corp.example"] and names.only_a
    )
    assert names.locations == ["https://nls.corp.example/"]


def test_get_daserver_alone_will_do_and_adds_to_the_rest() -> None:
    server = {"ClientIPv6Prefix": "fd12:3456:789a:1000::/64", "ConnectToAddress": "da.corp.example"}
    (node,) = farm_of(bundle(1, remoteAccess=[], daServer=[server])).nodes
    assert node.client == IPv6Network("fd12:3456:789a:1000::/64")
    farm = farm_of(bundle(1, daServer=[{"ClientIPv6Prefix": "fd12::/64", "EntrypointName": "Site A"}]))
    assert farm.nodes[0].client == IPv6Network("2002:836b:1:1000::/59"), "Get-RemoteAccess has the last word"


def test_a_router_that_nobody_set_is_none() -> None:
    row = {"State": "Default", "Router": "isatap.corp.example."}
    assert farm_of(bundle(1, isatap=[row])).names.routers == []


def test_names_are_bounded() -> None:
    rows = [
        {"Namespace": f"n{number}.example", "DirectAccessDnsServers": ["fd12::1"]} for number in range(5000)
    ]
    assert len(farm_of(bundle(1, nrpt=rows)).names.namespaces) == 256


def test_servers_are_bounded() -> None:
    farm = Farm()
    servers = (
        f"PSComputerName : DA{n}\nClientIPv6Prefix : fd12:{n:x}::/64\nDAStatus : Installed\n"
        for n in range(600)
    )
    with pytest.raises(ManageoutError, match="file: more than 512 servers"):
        add(farm, "file", "\n".join(servers))
    assert len(farm.nodes) == 512


def test_more_outputs_than_are_looked_at_are_told() -> None:
    farm = farm_of(PASTED + "PS C:\\> Get-DAServer\n" * 2500)
    assert "file1: more than 2000 outputs: the rest was not looked at" in farm.unread


def test_mappings_are_bounded() -> None:
    mappings = [f"fd12:{number:x}::/96,0.0.0.0/0" for number in range(200)]
    assert len(farm_of(bundle(1, natTransition=[{"PrefixMapping": mappings}])).nat64) == 64
