"""``manageout sessions`` in the lab: who is connected to whom, seen by a gateway and by a router apart."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from manageout.lab import network, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, HELPDESK, LAPTOP_NAME
from manageout.wire.address import rfc6052_embed
from tests.tools.commands import manageout
from tests.tools.lab import Lab

Row = dict[str, Any]


@contextmanager
def held(node: str, address: object, port: int) -> Iterator[None]:
    """A TCP connection that stays until the block ends."""
    script = f"exec 3<>/dev/tcp/{address}/{port} && echo connected && exec sleep 60"
    argv = network.command(node, ["bash", "-c", script])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "connected\n"
        yield
        process.kill()


def session(node: str, wanted: Callable[[Row], bool]) -> Row:
    """The one row that fits, once it is there."""

    def look() -> list[Row]:
        return [row for row in site.ask(node, "sessions") if wanted(row)]

    rows = wait_until("the session is listed", look, 10)
    assert len(rows) == 1, rows
    return rows[0]


def to_port(port: int, peer: object) -> Callable[[Row], bool]:
    return lambda row: (row["port"], row["peer"], row["state"]) == (port, str(peer), "established")


@pytest.mark.parametrize("lab", [("single", True), ("external-router", False)], indirect=True)
def test_a_manager_by_isatap(lab: Lab) -> None:
    with held("helpdesk", site.laptop_address(), 22):
        row = session("gateway", to_port(22, HELPDESK))
        assert row["client"] == LAPTOP_NAME
        assert row["client_address"] == str(site.laptop_address())
        assert (row["begun_by"], row["protocol"], row["through"]) == ("manager", "tcp", "ISATAP")
        assert row["tx_packets"] >= 2 and row["rx_packets"] >= 1  # the greeting of sshd comes from the client
        assert row["tx_bytes"] >= 40 and row["since"] > 1e9
        wait_until("its name", lambda: session("gateway", to_port(22, HELPDESK))["peer_name"], 10)
        if lab.router != "gateway":  # which does not know the clients' names
            row = session(lab.router, to_port(22, HELPDESK))
            assert (row["client"], row["client_address"]) == ("", str(site.laptop_address()))


@pytest.mark.parametrize("lab", [("single", True), ("single", False)], indirect=True)
def test_a_manager_by_lease_and_a_client_that_calls(lab: Lab) -> None:
    lease = wait_until("a lease", lambda: site.lease("laptop"), 20)
    app = rfc6052_embed(site.gateway_plan().nat64, IPv4Address(APP))
    with held("app", lease, 80), held("laptop", app, 80):
        rows = [row for row in site.ask("gateway", "sessions") if row["port"] == 80]
        assert {(row["client"], row["peer"], row["begun_by"], row["through"]) for row in rows} == {
            (LAPTOP_NAME, str(APP), "manager", "NAT46"),
            (LAPTOP_NAME, str(APP), "client", "NAT64"),
        }
        text = manageout("sessions", "--runtime-dir", str(network.directory("gateway"))).stdout
        assert len([line for line in text.splitlines() if "tcp/80" in line]) == len(rows)


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_lines_of_json(lab: Lab) -> None:
    directory = str(network.directory("gateway"))
    with held("helpdesk", site.laptop_address(), 22):
        rows = json.loads(manageout("sessions", "--json", "--runtime-dir", directory).stdout)
    assert any(row["port"] == 22 for row in rows)


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_what_the_gateway_itself_is_asked_is_no_session(lab: Lab) -> None:
    network.run("laptop", ["ping", "-c", "1", str(site.gateway_plan().gateway_address)])
    own = str(site.gateway_plan().gateway_address)
    assert all(row["peer"] != own for row in site.ask("gateway", "sessions"))
