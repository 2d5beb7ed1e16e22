"""`manageout doctor --live` where the ISATAP router is a machine of its own: healthy, a lost gateway, a dead daemon."""

from __future__ import annotations

import signal

import pytest

from manageout.lab import network, process
from tests.system.doctor.look.test_live import codes
from tests.tools.lab import Lab

pytestmark = pytest.mark.parametrize(
    "lab", [("external-router", False)], indirect=True, ids=["external-router"]
)


def at(node: str) -> set[str]:
    return codes(node, "--config", str(network.directory(node) / "site.toml"))


def test_nothing_is_said_of_healthy_machines(lab: Lab) -> None:
    assert at(lab.router) == at("gateway") == codes("helpdesk") == set()


def test_a_router_whose_daemon_is_dead(lab: Lab) -> None:
    daemon = process.find(lab.router, "run")
    assert daemon is not None
    process.stop(daemon, signal.SIGKILL)
    assert at(lab.router) == {"LIVE-DAEMON-DOWN"}
    assert codes("helpdesk") == {"LIVE-ROUTER-OFF"}
    assert at("gateway") == set()


def test_a_gateway_that_is_gone(lab: Lab) -> None:
    network.run("gateway", ["ip", "link", "set", "intranet", "down"])
    network.run(lab.router, ["ip", "-6", "neigh", "flush", "dev", "intranet"])
    found = at(lab.router)
    assert "LIVE-NEXT-HOP" in found and "LIVE-FORWARDING" not in found
