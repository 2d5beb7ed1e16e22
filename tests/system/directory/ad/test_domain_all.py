"""All policies of a site in a real Active Directory: on, changed behind our back, turned off, undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.lab.topology import DOMAIN
from tests.tools.places.gpo import (
    NAME,
    UNIT,
    directory,
    domain,
    folder,
    gpo_tool,
    guid_of,
    registry,
    rollout,
    sysvol,
    tool,
)
from tests.tools.places.gpo import SITE as MANAGERS_ONLY

assert domain and folder  # fixtures
pytestmark = pytest.mark.system

LAPTOPS = "OU=Laptops,DC=corp,DC=example"
FIREWALL, CLIENTS = "Manageout: firewall of remote clients", "Manageout: remote clients"
SITE = f"""{MANAGERS_ONLY}
clients_group = "Remote Clients"
clients_unit = "{LAPTOPS}"
gateway_name = "gateway.corp.example"
location_url = "https://nls.corp.example/"
exempt = ["www.corp.example"]
resources = ["PING:dc.corp.example"]
[gateway]
certificate = "gateway.pem"
key = "gateway.key"
client_ca = "ca.pem"
[dns64]
upstreams = ["10.0.0.10"]
[translation]
pool = "10.0.0.128/26"
[[policy.managers]]
from = ["10.0.1.30"]
services = ["icmp", "tcp/3389", "tcp/5985-5986"]
"""
ADDRESSES = {FIREWALL: LAPTOPS, CLIENTS: LAPTOPS, NAME: UNIT}
RULES = r"Software\Policies\Microsoft\WindowsFirewall\FirewallRules"
TUNNEL = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition\iphttps\iphttpsinterface"


def values(files: dict[str, bytes], name: str) -> dict[tuple[str, str], object]:
    """What a published policy sets, by Samba's reader."""
    path = f"{DOMAIN}/Policies/{{{guid_of(name)}}}/Machine/Registry.pol"
    return {(key.lower(), value): content for key, value, _, content in registry(files[path])}


def test_all_three_are_published_turned_off_and_undone(folder: Path) -> None:
    (folder / "site.toml").write_text(SITE)
    before, files_before = directory(), sysvol(folder)
    code, out = rollout(folder, "gpo", "--publish")
    assert code == 0, out
    for name, unit in ADDRESSES.items():
        assert guid_of(name) in gpo_tool("getlink", unit)
    gpo_tool("aclcheck")
    published = directory()
    files = sysvol(folder)
    rule = str(values(files, FIREWALL)[RULES.lower(), "manageout-tcp-3389-in"])
    assert "|Active=TRUE|" in rule and "|LPort=3389|" in rule and "|Edge=TRUE|" in rule
    assert "RA6=fd12:3456:789a:1:0:5efe:a00:11e/128|RA6=fd12:3456:789a:1:200:5efe:a00:11e/128|" in rule
    assert "{B05566AC-FE9C-4368-BE01-7A4CBB6CBA11}" in published, "the firewall's extension"
    clients = values(files, CLIENTS)
    assert clients[TUNNEL.lower(), "IPHTTPS_ClientUrl"] == "https://gateway.corp.example:443/IPHTTPS"
    assert clients[TUNNEL.lower(), "IPHTTPS_ClientState"] == "2"
    names = {str(content) for (key, value), content in clients.items() if value == "Name"}
    assert len(names) == 4
    assert rollout(folder, "status") == (0, "as the site file says: 3 policies in corp.example\n")

    code, out = rollout(folder, "gpo", "--publish", "--off")
    assert code == 0, out
    off = sysvol(folder)
    assert "|Active=FALSE|" in str(values(off, FIREWALL)[RULES.lower(), "manageout-tcp-3389-in"])
    assert values(off, CLIENTS) == {(TUNNEL.lower(), "IPHTTPS_ClientState"): "3"}
    assert "Disabled" in values(off, NAME).values()
    assert rollout(folder, "status", "--off")[0] == 0
    code, out = rollout(folder, "status")
    assert code == 1 and "IPHTTPS_ClientUrl is missing" in out

    assert rollout(folder, "undo")[0] == 0
    assert directory() == published
    assert rollout(folder, "undo")[0] == 0
    assert directory() == before
    assert sysvol(folder) == files_before


def test_a_link_that_is_there_already_stays_one(folder: Path) -> None:
    (folder / "site.toml").write_text(SITE)
    assert rollout(folder, "gpo", "--publish")[0] == 0
    try:
        guid = guid_of(NAME)
        gpo_tool("dellink", UNIT, f"{{{guid}}}")
        gpo_tool("setlink", UNIT, f"{{{guid}}}")
        code, out = rollout(folder, "gpo", "--publish")
        assert (code, out) == (0, "nothing differs, nothing written\n")
        assert gpo_tool("getlink", UNIT).count(guid) == 1
    finally:
        assert rollout(folder, "undo")[0] == 0


def test_a_controller_that_has_half_of_a_policy_is_told_from_one_that_has_none(folder: Path) -> None:
    """Directory and SYSVOL are replicated apart: here SYSVOL lags behind, then the directory does."""
    (folder / "site.toml").write_text(SITE)
    assert rollout(folder, "gpo", "--publish")[0] == 0
    guid = guid_of(NAME)
    share, path = ["smbclient", "//dc.corp.example/sysvol", "-c"], f"{DOMAIN}\\Policies\\{{{guid}}}"
    tool(*share, f'deltree "{path}"')
    code, out = rollout(folder, "status")
    assert code == 1 and "Traceback" not in out
    assert f"{NAME}: " in out and "SYSVOL" in out and "replication" in out
    assert rollout(folder, "gpo", "--publish")[0] == 0
    assert rollout(folder, "status")[0] == 0
    dn = f"CN={{{guid}}},CN=Policies,CN=System,DC=corp,DC=example"
    tool("ldbdel", "-H", "ldap://dc.corp.example", "-r", dn)
    before = directory()
    code, out = rollout(folder, "gpo", "--publish")
    assert code == 1 and "wait for replication" in out
    assert directory() == before
    for _ in range(2):
        code, out = rollout(folder, "undo")
        assert code == 0, out
    assert guid not in directory()
