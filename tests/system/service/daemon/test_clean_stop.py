"""A clean stop removes what our programs made, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import NAMES, Topology, topology
from tests.tools.lab import machine_state, ping


def sysctl(node: str) -> dict[str, str]:
    """Every IPv6 and IPv4 forwarding and RA switch of ``node``."""
    names = "net.ipv6.conf.*.forwarding", "net.ipv6.conf.*.accept_ra", "net.ipv4.conf.*.forwarding"
    patterns = [f"/proc/sys/{name.replace('.', '/')}" for name in names]
    text = network.run(node, ["sh", "-c", f"grep . {' '.join(patterns)}"]).stdout
    return dict(line.split(":", 1) for line in text.splitlines())


@pytest.fixture
def served_lab(request: pytest.FixtureRequest) -> Iterator[tuple[Topology, dict[str, str]]]:
    """Networks and servers, and the state of every node before any daemon ran."""
    wanted = topology(request.param)
    try:
        network.up(wanted)
        servers.start_all(wanted)
        # The kernel tells of a carrier up to a second late.
        wait_until("every link is up", lambda: "NO-CARRIER" not in str(states(wanted)), 10)
        yield wanted, states(wanted)
    finally:
        network.down()


def states(wanted: Topology) -> dict[str, str]:
    """Links, routes, rules and switches of every node that gets a program of ours."""
    nodes = [*site.daemon_nodes(wanted), "laptop", "helpdesk"]
    enter = {node: ["nsenter", f"--net=/run/netns/{network.namespace(node)}", "--"] for node in nodes}
    found: dict[str, str] = {}
    for node in nodes:
        found |= {f"{node} {what}": text for what, text in machine_state(enter[node]).items()}
        found |= {f"{node} {name}": value for name, value in sysctl(node).items()}
    return found


@pytest.mark.parametrize("fast_path", [True, False], ids=["ebpf", "python"])
@pytest.mark.parametrize("served_lab", NAMES, indirect=True)
def test_clean_stop_leaves_nothing(served_lab: tuple[Topology, dict[str, str]], fast_path: bool) -> None:
    wanted, before = served_lab
    daemons = site.start_daemons(wanted, fast_path=fast_path)
    clients = [site.connect(), site.join("helpdesk", fast_path=fast_path)]
    assert ping("helpdesk", site.laptop_address()).returncode == 0
    for program in [*clients, *daemons]:
        process.stop(program)
        assert "Traceback" not in program.tail()
    after = states(wanted)
    assert {key: after.get(key) for key in before if after.get(key) != before[key]} == {}
    assert after.keys() == before.keys()
