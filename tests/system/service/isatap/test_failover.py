"""Two ISATAP routers in one list: the preferred one carries, the other takes over when it dies."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from manageout.lab import network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import HELPDESK, topology
from tests.tools.lab import Lab, host, ping, set_router

ROUTERS = {"gateway": IPv4Address("10.0.0.1"), "isatap": IPv4Address("10.0.0.2")}
SECONDS = 60.0


@pytest.fixture(params=[True, False], ids=["ebpf", "python"])
def two_routers(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The node isatap is preferred; the gateway is a router as well. The name has both."""
    wanted = topology("external-router")
    try:
        network.up(wanted)
        servers.start_all(wanted)
        set_router(*ROUTERS.values())
        files = {node: site.write_site_file(wanted, node, fast_path=request.param) for node in ROUTERS}
        text = files["gateway"].read_text()
        files["gateway"].write_text(
            "".join(line for line in text.splitlines(True) if not line.startswith("isatap_router"))
            + f'\n[isatap]\nlocators = ["{ROUTERS["gateway"]}"]\nhosts = ["{HELPDESK}/32"]\n'
            + f'routers = ["{ROUTERS["isatap"]}"]\npreference = "low"\n'
        )
        text = files["isatap"].read_text()
        more = f'[isatap]\nrouters = ["{ROUTERS["gateway"]}"]\npreference = "high"\n'
        files["isatap"].write_text(text.replace("[isatap]\n", more))
        daemons = [site.start_daemon(node) for node in ROUTERS]
        for daemon in daemons:
            wait_until("ready", functools.partial(site.ready, daemon.node), site.READY_SECONDS, daemons)
        site.connect()
        site.join("helpdesk", fast_path=request.param)
        yield Lab(wanted, request.param)
    finally:
        network.down()


def carried(node: str) -> int:
    """Packets from helpdesk that the router on ``node`` took."""
    row = host(node, HELPDESK)
    return int(row["rx_packets"]) if row else 0


def test_the_other_router_takes_over(two_routers: Lab) -> None:
    laptop, address = site.laptop_address(), site.host_address("helpdesk")

    def preferred() -> bool:
        before = carried("isatap")
        return ping("helpdesk", laptop, "-c", "5", "-i", "0.05").returncode == 0 and (
            carried("isatap") - before >= 5
        )

    wait_until("the preferred router carries", preferred, SECONDS)
    dead = process.find("isatap", "run")
    assert dead
    process.stop(dead, signal.SIGKILL)
    before = carried("gateway")
    wait_until("the other takes over", lambda: ping("helpdesk", laptop, "-W", "1").returncode == 0, SECONDS)
    wait_until("it has counted", lambda: carried("gateway") > before, 10)
    assert site.host_address("helpdesk") == address
