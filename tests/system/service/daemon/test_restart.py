"""Stop, kill and start again: what comes back, what stays, what must not."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from manageout.lab import network, process, site
from manageout.lab.process import Process, wait_until
from manageout.lab.topology import HELPDESK
from tests.tools.lab import Lab, host, ping

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
    if sign == signal.SIGTERM:  # a killed daemon may lose the last second
        assert after["rx_packets"] > before["rx_packets"] and after["tx_bytes"] > before["tx_bytes"]


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
