"""Stop, kill and start again: what comes back, what stays, what must not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import Process, wait_until
from manageout.lab.topology import HELPDESK, NAMES, Topology, topology
from tests.system.support import Lab, host, machine_state, ping

PATIENCE = 40.0
"""Seconds for laptop and helpdesk to come back by themselves; bounded by their retry timers."""


def running(node: str, name: str) -> Process:
    """The program ``name`` on ``node``, which must run."""
    found = process.find(node, name)
    assert found, f"{name} does not run on {node}"
    return found


def path_works() -> bool:
    """Whether helpdesk reaches the laptop."""
    laptop = site.laptop_address()
    return bool(laptop) and ping("helpdesk", laptop, "-W", "1").returncode == 0


def named_host(lab: Lab) -> dict[str, Any] | None:
    """The registry's row of helpdesk once its name is known."""
    row = host(lab.router, HELPDESK)
    return row if row and row["name"] == "helpdesk.corp.example" else None


def restart(node: str, sign: signal.Signals) -> None:
    """End the daemon on ``node`` by ``sign``, start it again, wait until it serves."""
    process.stop(running(node, "run"), sign)
    again = site.start_daemon(node)
    wait_until("the daemon is ready", lambda: site.ready(node), site.READY_SECONDS, [again])


def sysctl(node: str) -> dict[str, str]:
    """Every IPv6 and IPv4 forwarding and RA switch of ``node``."""
    names = "net.ipv6.conf.*.forwarding", "net.ipv6.conf.*.accept_ra", "net.ipv4.conf.*.forwarding"
    patterns = [f"/proc/sys/{name.replace('.', '/')}" for name in names]
    text = network.run(node, ["sh", "-c", f"grep . {' '.join(patterns)}"]).stdout
    return dict(line.split(":", 1) for line in text.splitlines())


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("lab", [("single", True), ("external-router", False)], indirect=True)
def test_the_path_comes_back(lab: Lab, sign: signal.Signals) -> None:
    assert path_works()
    before = wait_until("the name of helpdesk is looked up", lambda: named_host(lab), 10)
    for node in site.daemon_nodes(lab.topology):
        restart(node, sign)
    # Nobody tells laptop or helpdesk: they notice.
    wait_until("helpdesk reaches the laptop again", path_works, PATIENCE)
    after = host(lab.router, HELPDESK)
    assert after
    assert after["first_seen"] == before["first_seen"], "the registry has forgotten"
    assert after["name"] == before["name"]


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_join_and_connect_come_back_after_sigkill(lab: Lab) -> None:
    address = site.host_address("helpdesk")
    process.stop(running("helpdesk", "join"), signal.SIGKILL)
    process.stop(running("laptop", "connect"), signal.SIGKILL)
    wait_until("the devices vanish", lambda: not (site.laptop_address() or site.host_address("helpdesk")), 10)
    site.connect()
    site.join("helpdesk", fast_path=True)
    assert site.host_address("helpdesk") == address
    wait_until("helpdesk reaches the laptop again", path_works, 10)


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_a_second_daemon_is_refused(lab: Lab) -> None:
    directory = network.directory("gateway")
    argv = ["manageout", "run", "--config", str(directory / "site.toml"), "--runtime-dir", str(directory)]
    result = network.run("gateway", argv, check=False)
    assert result.returncode == 1
    assert "already running" in result.stderr and "Traceback" not in result.stderr
    assert path_works()


@pytest.fixture
def served_lab(request: pytest.FixtureRequest) -> Iterator[tuple[Topology, dict[str, str]]]:
    """Networks and servers, and the state of every node before any daemon ran."""
    wanted = topology(request.param)
    try:
        network.up(wanted)
        servers.start_all(wanted)
        site.make_certificates()
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
    assert path_works()
    for program in [*clients, *daemons]:
        process.stop(program)
        assert "Traceback" not in program.tail()
    after = states(wanted)
    assert {key: after.get(key) for key in before if after.get(key) != before[key]} == {}
    assert after.keys() == before.keys()
