"""Every value of the policies, and what Windows documents about it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.windows import policies
from manageout.windows.policies import (
    FIREWALL_RULES,
    IPHTTPS,
    TRANSITION,
    Policy,
    firewall_rules,
    isatap_managers,
    isatap_sources,
    remote_clients,
    remote_clients_off,
)

LINK = IPv6Network("fd12:3456:789a:1::/64")


def contents(policy: Policy) -> dict[str, object]:
    return {value.name: value.content for value in policy.values}


def test_managers_are_enabled_never_default() -> None:
    policy = isatap_managers("m", "r.corp.example")
    assert contents(policy) == {"ISATAP_State": "Enabled", "ISATAP_RouterName": "r.corp.example"}
    assert {value.key for value in policy.values} == {TRANSITION}
    assert {value.kind for value in policy.values} == {"String"}


def test_off_leaves_no_router_name() -> None:
    assert contents(isatap_managers("m", "r", on=False)) == {"ISATAP_State": "Disabled"}


def test_the_transition_extension_is_named_so_that_ip_helper_hears_of_it() -> None:
    assert isatap_managers("m", "r").extensions == (
        "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
        "[{CDEAFC3D-948D-49DD-AB12-E578BA4AF7AA}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]"
    )


@pytest.mark.parametrize(
    ("service", "middle"),
    [
        ("tcp/3389", "Protocol=6|Profile=Private|Profile=Public|LPort=3389|"),
        ("udp/5000-5010", "Protocol=17|Profile=Private|Profile=Public|LPort2_10=5000-5010|"),
        ("tcp", "Protocol=6|Profile=Private|Profile=Public|RA"),
        ("icmp", "Protocol=58|Profile=Private|Profile=Public|ICMP6=128:*|"),
        ("any", "Dir=In|Profile=Private|Profile=Public|RA"),
    ],
)
def test_a_firewall_rule(service: str, middle: str) -> None:
    policy = firewall_rules("f", [service], isatap_sources(LINK, [IPv4Network("10.0.1.30/32")]))
    version, rule = policy.values
    assert (version.name, version.content) == ("PolicyVersion", 0x020A)
    assert rule.key == FIREWALL_RULES
    text = str(rule.content)
    assert text.startswith("v2.10|Action=Allow|Active=TRUE|Dir=In|") and text.endswith("|Edge=TRUE|")
    assert middle in text
    assert "RA6=fd12:3456:789a:1:0:5efe:a00:11e/128|RA6=fd12:3456:789a:1:200:5efe:a00:11e/128|" in text


def test_ipv4_sources_and_an_inactive_rule() -> None:
    text = str(firewall_rules("f", ["tcp/22"], [IPv4Network("10.0.1.0/24")], on=False).values[1].content)
    assert "|Active=FALSE|" in text and "|RA4=10.0.1.0/24|" in text


def test_services_twice_are_one_rule() -> None:
    assert len(firewall_rules("f", ["tcp/22", "tcp/22"], []).values) == 2


def test_both_forms_of_isatap_sources() -> None:
    assert isatap_sources(LINK, [IPv4Network("0.0.0.0/0")]) == [
        IPv6Network("fd12:3456:789a:1:0:5efe::/96"),
        IPv6Network("fd12:3456:789a:1:200:5efe::/96"),
    ]


def test_remote_clients() -> None:
    policy = remote_clients(
        "c",
        "https://gateway.corp.example:443/IPHTTPS",
        ["corp.example"],
        "fd12:3456:789a:3333::1",
        exempt=["nls.corp.example"],
        location="https://nls.corp.example/",
        resources=["PING:dc.corp.example"],
        site=IPv6Network("fd12:3456:789a::/48"),
    )
    found = {(value.key, value.name): value.content for value in policy.values}
    assert found[IPHTTPS, "IPHTTPS_ClientState"] == 2
    assert found[IPHTTPS, "IPHTTPS_ClientUrl"] == "https://gateway.corp.example:443/IPHTTPS"
    rules = {key for key, _ in found if key.startswith(policies.NRPT)}
    names = {found[key, "Name"]: found[key, "DirectAccessDNSServers"] for key in rules}
    assert names == {(".corp.example",): "fd12:3456:789a:3333::1", ("nls.corp.example",): ""}
    types = {found[key, "Name"]: found[key, "DirectAccessProxyType"] for key in rules}
    assert types == {(".corp.example",): 0, ("nls.corp.example",): 1}
    assert found[policies.CONNECTIVITY, "SitePrefixes"] == "fd12:3456:789a::/48"
    assert found[rf"{policies.ASSISTANT}\Probes", "PING:dc.corp.example"] == ""


def test_the_same_file_gives_the_same_rules() -> None:
    one = remote_clients("c", "https://g/IPHTTPS", ["corp.example"], "fd12::1")
    assert one == remote_clients("c", "https://g/IPHTTPS", ["corp.example"], "fd12::1")


def test_clients_off() -> None:
    assert contents(remote_clients_off("c")) == {"IPHTTPS_ClientState": 3}


def test_no_name_rules_without_a_namespace() -> None:
    """An exemption alone would make a list of policy, which silences the rules of others."""
    policy = remote_clients("c", "https://g/IPHTTPS", [], "fd12::1", exempt=["g.corp.example"])
    assert not [value for value in policy.values if value.key.startswith(policies.NRPT)]


def test_every_value_says_why() -> None:
    policy = remote_clients("c", "https://g/IPHTTPS", ["corp.example"], "fd12::1", exempt=["a.corp.example"])
    assert all(value.reason for value in (*policy.values, *isatap_managers("m", "r").values))
