"""From a site file to policies, lines and summaries; what is missing is named."""

from __future__ import annotations

import pytest

from manageout.errors import ConfigError, ManageoutError
from manageout.rollout import targets as rollout
from manageout.site.plan import plan
from manageout.site.tables.site import Site, parse
from manageout.windows.policies import NRPT

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
domain = "corp.example"
[gateway]
certificate = "/c"
key = "/k"
client_ca = "/ca"
[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1"]
routers = ["10.0.0.2"]
[translation]
pool = "10.0.8.0/22"
[dns64]
upstreams = ["10.0.0.10"]
[[policy.managers]]
from = ["10.0.1.30", "fd00:1::/64"]
services = ["tcp/3389", "icmp"]
[rollout]
managers_group = "ISATAP Managers"
managers_unit = "OU=Workstations,DC=corp,DC=example"
clients_group = "Remote Clients"
gateway_name = "gateway.corp.example"
location_url = "https://nls.corp.example:8443/inside"
"""


def site(text: str = SITE) -> Site:
    return parse(text)


def missing(text: str) -> list[str]:
    read = site(text)
    with pytest.raises(ConfigError) as caught:
        rollout.targets(read, plan(read))
    return [fault.path for fault in caught.value.faults]


def test_three_policies_with_group_and_place() -> None:
    wanted = rollout.targets(site(), plan(site()))
    assert [(target.policy.name, target.group, target.unit) for target in wanted] == [
        ("Manageout: ISATAP managers", "ISATAP Managers", "OU=Workstations,DC=corp,DC=example"),
        ("Manageout: firewall of remote clients", "Remote Clients", "DC=corp,DC=example"),
        ("Manageout: remote clients", "Remote Clients", "DC=corp,DC=example"),
    ]


def test_the_policies_follow_the_site_file() -> None:
    managers, firewall, clients = (target.policy for target in rollout.targets(site(), plan(site())))
    assert "manageout-isatap.corp.example" in {value.content for value in managers.values}
    rule = str(firewall.values[1].content)
    sources = [part for part in rule.split("|") if part.startswith("RA")]
    assert sources == [
        "RA6=fd12:3456:789a:1:0:5efe:a00:11e/128",
        "RA6=fd12:3456:789a:1:200:5efe:a00:11e/128",
        "RA6=fd12:3456:789a:7777::a00:11e/128",
        "RA6=fd00:1::/64",
    ]
    contents = {value.content for value in clients.values}
    assert {"https://gateway.corp.example:443/IPHTTPS", (".corp.example",), ("nls.corp.example",)} <= contents
    assert str(plan(site()).dns64) in contents


def test_the_same_turned_off() -> None:
    off = rollout.targets(site(), plan(site()), on=False)
    managers, firewall, clients = (target.policy for target in off)
    assert [value.content for value in managers.values] == ["Disabled"]
    assert all("Active=FALSE" in str(value.content) for value in firewall.values[1:])
    assert [value.content for value in clients.values] == [3]


def test_turned_off_touches_no_list_of_name_rules() -> None:
    """Not by a value, not by a mark of deletion: either would make the key, and an empty list silences others."""
    on, off = (rollout.targets(site(), plan(site()), on=state) for state in (True, False))
    assert any(value.key.startswith(NRPT) for target in on for value in target.policy.values)
    assert not any("dnsclient" in value.key.lower() for target in off for value in target.policy.values)
    assert "name-rules.ps1" in rollout.summary(on, plan(site()).site)
    assert "name-rules.ps1" not in rollout.summary(off, plan(site()).site)


def test_what_is_missing_is_named() -> None:
    assert missing(SITE.replace('domain = "corp.example"\n', "")) == ["site.domain"]
    assert missing(SITE.replace('name = "manageout-isatap.corp.example"\n', "")) == ["isatap.name"]
    assert missing(SITE.replace('gateway_name = "gateway.corp.example"\n', "")) == ["rollout.gateway_name"]
    assert missing(SITE[: SITE.index("[rollout]")]) == ["rollout"]


def test_the_bare_name_needs_force_and_has_consequences() -> None:
    assert rollout.router_name(site(), None, force=False) == "manageout-isatap.corp.example"
    for name in ("isatap", "ISATAP.corp.example"):
        with pytest.raises(ManageoutError, match="every Windows machine"):
            rollout.router_name(site(), name, force=False)
        assert rollout.router_name(site(), name, force=True) == name
    text = rollout.bare_name_consequences("isatap")
    assert "Set-DnsServerGlobalQueryBlockList -List wpad,isatap" in text


def test_without_a_router_there_is_no_name() -> None:
    read = site(SITE.replace('name = "manageout-isatap.corp.example"\n', ""))
    with pytest.raises(ConfigError):
        rollout.router_name(read, None, force=False)


def test_hosts_lines_name_every_router() -> None:
    assert rollout.hosts_lines(site(), "r.corp.example") == [
        "10.0.0.1 r.corp.example",
        "10.0.0.2 r.corp.example",
    ]


def test_hosts_lines_need_a_router() -> None:
    text = '[site]\nprefix = "fd12:3456:789a::/48"\n[gateway]\ncertificate = "/c"\nkey = "/k"\nclient_ca = "/ca"\n'
    with pytest.raises(ConfigError):
        rollout.hosts_lines(site(text), "r")


def test_the_summary_shows_every_value_with_its_reason() -> None:
    wanted = rollout.targets(site(), plan(site()))
    text = rollout.summary(wanted, plan(site()).site)
    assert "add prefixpolicy fd12:3456:789a::/48 45 14" in text
    assert "delete prefixpolicy fd12:3456:789a::/48" in text
    for target in wanted:
        for value in target.policy.values:
            assert f"| `{value.name}` | {value.kind} |" in text
            assert value.reason in text
