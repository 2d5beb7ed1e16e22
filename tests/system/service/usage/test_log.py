"""Who calls clients, recorded in the lab: by ISATAP and by lease, over a restart and a kill, by a router apart."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from manageout.lab import network, site
from manageout.lab.process import wait_until
from manageout.lab.topology import HELPDESK, LAPTOP_NAME
from manageout.linux.host import netns
from manageout.service.process.clock import SteadyClock
from manageout.service.state.usage import DAY, Usage, UsageFile
from manageout.service.usage.log import UsageLog
from manageout.site.contradictions import read_site
from tests.tools.lab import Lab
from tests.tools.places.daemon import NAME, PREFIX, ROUTE, ROUTER, Place

CLIENT = f"{PREFIX}:1001::5"
SEND = f"import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('{CLIENT}', PORT))"


def state(node: str) -> Path:
    return network.directory(node) / "state"


def calls(node: str, **wanted: object) -> list[Usage]:
    rows = UsageFile(state(node)).rows()
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def call(node: str, address: object, port: int) -> None:
    network.run(node, ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"])


@pytest.mark.parametrize("lab", [("single", True), ("external-router", False)], indirect=True)
def test_calls_by_isatap(lab: Lab) -> None:
    laptop = site.laptop_address()
    call("helpdesk", laptop, 22)
    rdp: dict[str, Any] = {"manager": str(HELPDESK), "way": "ISATAP", "protocol": "tcp", "port": 22}
    (row,) = wait_until("the call is recorded", lambda: calls("gateway", **rdp), 10)
    assert (row.client, row.calls, row.unanswered) == (LAPTOP_NAME, 1, 0)
    assert 0 <= row.last - row.first < 1
    if lab.router != "gateway":  # which does not know the clients' names
        (row,) = wait_until("the call is recorded", lambda: calls(lab.router, **rdp), 10)
        assert row.client == str(laptop)


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_calls_by_lease_and_what_clients_do(lab: Lab) -> None:
    lease = wait_until("a lease", lambda: site.lease("laptop"), 20)
    call("app", lease, 80)
    (row,) = wait_until("the call is recorded", lambda: calls("gateway", port=80, protocol="tcp"), 10)
    assert (row.way, row.client, row.calls) == ("NAT46", LAPTOP_NAME, 1)


@pytest.mark.parametrize("lab", [("single", True)], indirect=True)
def test_bytes_come_with_the_end_and_unanswered_calls_are_told(lab: Lab) -> None:
    network.run("helpdesk", ["ping", "-c", "2", str(site.laptop_address())])
    network.run("gateway", ["conntrack", "-D", "-f", "ipv6", "-p", "icmpv6"])
    (row,) = wait_until("its bytes", lambda: [row for row in calls("gateway", port=0) if row.bytes], 10)
    assert (row.protocol, row.calls, row.unanswered) == ("icmp", 1, 0)
    assert row.bytes >= 4 * 104
    laptop = site.laptop_address()
    assert laptop
    stranger = laptop + 0x1234
    network.run("helpdesk", ["ping", "-c", "1", "-W", "1", str(stranger)], check=False)
    network.run("gateway", ["conntrack", "-D", "-f", "ipv6", "-p", "icmpv6"])
    (row,) = wait_until("the miss", lambda: calls("gateway", client=str(stranger), unanswered=1), 10)
    assert row.calls == 1


def send(place: Place, port: int) -> None:
    """A call of a client that nobody answers."""
    place.run([sys.executable, "-c", SEND.replace("PORT", str(port))])


def ports(place: Place) -> dict[int, int]:
    """Calls by port."""
    return {row.port: row.calls for row in UsageFile(place.directory / "state").rows()}


def test_a_killed_daemon_forgets_nothing_and_counts_nothing_twice(place: Place) -> None:
    """In between nothing passes a link of ours, and without our rules the kernel follows no connection."""
    place.write(ROUTER, ROUTE)
    daemon = place.start()
    send(place, 1001)
    wait_until("the first call", lambda: ports(place) == {1001: 1}, 10)
    place.stop(daemon, signal.SIGKILL)
    daemon = place.start()
    send(place, 1002)
    wait_until("all calls", lambda: ports(place) == {1001: 1, 1002: 1}, 10)
    place.stop(daemon)
    file = UsageFile(place.directory / "state")
    assert len(file.runs()) == 1, "a restart at once is no gap"
    assert {(row.manager, row.way, row.client) for row in file.rows()} == {("fd99::1", "IPv6", CLIENT)}


def test_a_clock_that_is_set_makes_no_evidence_and_forgets_nothing(place: Place) -> None:
    """Ninety days ahead while it watches: two runs, seconds long, and what is recorded stays."""
    place.write(ROUTER, ROUTE)
    ahead = 0.0
    described: list[object] = []

    def wall() -> float:
        return time.time() + ahead

    async def main() -> None:
        nonlocal ahead
        made = read_site(place.file)
        role = UsageLog(*made, place.directory / "state", described.append)
        role._clock = SteadyClock(wall)
        task = asyncio.create_task(role.run())  # noqa: TID251 - ended below
        async with asyncio.timeout(30):
            await role.ready.wait()
            role._rows.began(("10.0.1.30", "ISATAP", "laptop", "tcp", 22), time.time())
            while not file.path.exists() or not list(file.rows()):  # noqa: ASYNC110 - a thread's doing
                await asyncio.sleep(0.05)
            ahead = 90 * DAY
            while len(file.runs()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [finding.code for finding in role.findings()] == ["CLOCK-JUMPED"]
        task.cancel()
        await asyncio.wait([task])

    file = UsageFile(place.directory / "state")
    begun = time.time()
    with netns.inside(NAME):
        asyncio.run(main())
    assert file.watched(wall()) <= time.time() - begun
    assert file.watched(wall(), begun + 100) <= time.time() - begun
    assert [row.port for row in file.rows()] == [22]


def test_lost_events_are_made_good_by_the_table(place: Place) -> None:
    place.write(ROUTER, ROUTE)
    daemon = place.start()
    daemon.send_signal(signal.SIGSTOP)
    burst = SEND.replace("PORT", "port").replace(
        "; socket.socket", "\nfor port in range(1000, 21000): socket.socket"
    )
    place.run([sys.executable, "-c", burst])
    daemon.send_signal(signal.SIGCONT)
    wait_until("all calls", lambda: sum(ports(place).values()) >= 20000, 20)
    assert "internal error" not in place.log()


def test_the_record_can_be_switched_off_and_on(place: Place) -> None:
    place.write(ROUTER, ROUTE)
    daemon = place.start()
    send(place, 1001)
    wait_until("the call", lambda: 1001 in ports(place), 10)
    place.write(ROUTER, ROUTE, daemon="usage_days = 0\n")
    status = place.reload(daemon)
    assert "usage_days is 0" in status["roles"]["usage"]["calls"]
    wait_until("nothing is kept", lambda: not ports(place), 30)
    send(place, 1002)
    place.write(ROUTER, ROUTE)
    place.reload(daemon)
    send(place, 1003)
    wait_until("the call after that", lambda: 1003 in ports(place), 10)
    assert ports(place) == {1003: 1}, "what began while it was off, or before, is not taken up"
