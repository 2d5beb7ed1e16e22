"""The bare lab: what it builds, and that it works."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from manageout.errors import LabError
from manageout.lab import network
from manageout.lab.topology import NAMES, topology
from manageout.linux.host import netns
from tests.tools.commands import manageout
from tests.tools.lab import Lab

pytestmark = pytest.mark.parametrize("bare_lab", NAMES, indirect=True)
PINGS = [
    ("laptop", "192.168.1.1"),
    ("laptop", "198.51.100.10"),
    ("home", "198.51.100.10"),
    ("gateway", "198.51.100.20"),
    ("gateway", "10.0.1.30"),
    ("helpdesk", "10.0.0.1"),
    ("kiosk", "10.0.0.20"),
    ("dc", "10.0.1.40"),
]


def reaches(node: str, address: str) -> bool:
    """Whether one ping from ``node`` is answered."""
    return network.run(node, ["ping", "-c", "1", "-W", "2", address], check=False).returncode == 0


def test_every_segment_and_route_works(bare_lab: Lab) -> None:
    assert [pair for pair in PINGS if not reaches(*pair)] == []


def test_the_laptop_is_hidden_by_nat(bare_lab: Lab) -> None:
    assert not reaches("gateway", "192.168.1.2")


def test_the_intranet_speaks_ipv4_only(bare_lab: Lab) -> None:
    native = {"gateway", "isatap"} if bare_lab.topology.name == "external-router" else set()
    for node in bare_lab.topology.nodes:
        found = network.run(node.name, ["ip", "-6", "-o", "address", "show", "scope", "global"]).stdout
        assert bool(found) == (node.name in native), node.name
    if native:
        assert reaches("gateway", "fd12:3456:789a:2::2")


def test_bridges_take_other_plugs(bare_lab: Lab, namespaces: Callable[[str], str]) -> None:
    name = namespaces("mo-test-guest")
    segment = network.segment_namespace("branch")
    commands = [
        f"link add eth0 netns {name} type veth peer name guest netns {segment}",
        f"-n {segment} link set guest master br0 up",
        f"-n {name} address add 10.0.1.99/24 dev eth0",
        f"-n {name} link set eth0 up",
    ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    netns.run(name, ["ping", "-c", "1", "-W", "2", "10.0.1.30"])


def test_every_node_has_the_resolver_of_its_place(bare_lab: Lab) -> None:
    for node in bare_lab.topology.nodes:
        assert f"nameserver {node.resolver}" in network.run(node.name, ["cat", "/etc/resolv.conf"]).stdout


def test_a_second_lab_is_refused(bare_lab: Lab) -> None:
    with pytest.raises(LabError, match="a lab is up already"):
        network.up(topology("single"))


def test_list_names_every_node(bare_lab: Lab) -> None:
    found = json.loads(manageout("lab", "list", "--json").stdout)
    assert found["topology"] == bare_lab.topology.name
    assert [node["name"] for node in found["nodes"]] == [node.name for node in bare_lab.topology.nodes]
    assert all(node["running"] == [] for node in found["nodes"])
    assert "helpdesk" in manageout("lab", "list").stdout


def test_exec_runs_on_the_node(bare_lab: Lab) -> None:
    shell = ["sh", "-c", "ip -4 -o address; echo $MANAGEOUT_RUNTIME_DIR; exit 7"]
    result = manageout("lab", "exec", "helpdesk", "--", *shell, check=False)
    assert result.returncode == 7
    assert "10.0.1.30/24" in result.stdout and "/run/manageout-lab/helpdesk" in result.stdout


def test_exec_knows_its_nodes(bare_lab: Lab) -> None:
    result = manageout("lab", "exec", "nobody", "--", "true", check=False)
    assert result.returncode == 1
    assert "has no node nobody" in result.stderr and "Traceback" not in result.stderr
