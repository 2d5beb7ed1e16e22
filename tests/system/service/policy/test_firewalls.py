"""Beside ufw and firewalld of Debian: our rules stand through their reloads, and what they drop is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from manageout.lab import network, site
from manageout.lab.process import wait_until
from tests.tools.lab import Lab
from tests.tools.places import firewalls
from tests.tools.places.outage import Flow, flows, now

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)
DEVICES = ("mo-iphttps0", "mo-isatap0", "mo-xlat0")
TOLD = 20.0
"""Seconds until a firewall's doing is told; it is walked in a thread beside the packets."""


@pytest.fixture
def running(lab: Lab) -> Iterator[list[Flow]]:
    assert not firewalls.programs(), "scripts/packages test"
    with flows() as opened:
        yield opened


def blocked() -> list[str]:
    """What other firewalls drop, as the daemon says it."""
    return [
        row["what"] for row in site.ask("gateway", "status")["findings"] if row["code"] == "FILTER-BLOCKS"
    ]


def tells(*words: str) -> bool:
    """A firewall comes up in several steps."""
    found = "\n".join(blocked())
    return all(each in found for each in words)


def traffic_survives(running: list[Flow], reload: Callable[[], object]) -> None:
    """Once it carries at all, no reload is felt."""
    reload()
    for flow in running:
        flow.carries()
    for _ in range(3):
        since = now()
        reload()
        for flow in running:
            flow.flows(since)


def test_ufw(running: list[Flow]) -> None:
    before = firewalls.rules("gateway")
    with firewalls.ufw("gateway") as ufw:
        ufw("--force enable")
        wait_until("it is told", lambda: tells("ip6 filter, chain FORWARD", "TLS in"), TOLD)
        assert (
            "FILTER-BLOCKS" in network.run("gateway", ["curl", "-s", "http://127.0.0.1:9464/metrics"]).stdout
        )
        for words in (
            "allow in proto tcp to any port 443",
            "allow in proto ipv6 from 10.0.1.0/24",
            *(f"route allow {way} on {device}" for way in ("in", "out") for device in DEVICES),
        ):
            ufw(words)
        wait_until("nothing is dropped", lambda: not blocked(), TOLD + 2)
        traffic_survives(running, partial(ufw, "reload"))
        assert firewalls.rules("gateway") == before
    wait_until("nothing is dropped", lambda: not blocked(), TOLD)


def test_firewalld(running: list[Flow]) -> None:
    before = firewalls.rules("gateway")
    with firewalls.firewalld("gateway") as firewalld:
        # Of firewalld 1.3 the zone's chain rejects, of 2.3 filter_FORWARD_POLICIES.
        wait_until("it is told", lambda: tells("inet firewalld, chain filter_F", "TLS in"), TOLD)
        for words in (
            "--zone=public --add-port=443/tcp",
            "--zone=public --add-protocol=ipv6",
            *(f"--zone=trusted --add-interface={device}" for device in DEVICES),
            "--new-policy=out",
            "--policy=out --set-target=ACCEPT",
            "--policy=out --add-ingress-zone=trusted",
            "--policy=out --add-egress-zone=ANY",
            "--new-policy=in",
            "--policy=in --set-target=ACCEPT",
            "--policy=in --add-ingress-zone=ANY",
            "--policy=in --add-egress-zone=trusted",
        ):
            firewalld(f"--permanent {words}")
        traffic_survives(running, partial(firewalld, "--reload"))
        wait_until("nothing is dropped", lambda: not blocked(), TOLD)
        assert firewalls.rules("gateway") == before
    wait_until("nothing is dropped", lambda: not blocked(), TOLD)
