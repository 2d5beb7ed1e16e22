"""Each role's row, as its maker makes it, through a real control socket to who reads it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.cli.reading import leases, status, tables
from manageout.linux.bpf.fast_path import FastPath
from manageout.linux.netlink.conntrack import ConntrackEntry
from manageout.linux.netlink.links import Netlink
from manageout.linux.nft.sets import Counted
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop
from manageout.protocol.iphttps.session import Neighbour, Session
from manageout.protocol.iphttps.values import Peer
from manageout.protocol.isatap.registry import U_BIT, HostRecord
from manageout.service.iphttps import report
from manageout.service.iphttps.refusals import Refusals
from manageout.service.policy.report import drop_rows
from manageout.service.policy.sessions import Sessions
from manageout.service.process import client
from manageout.service.process.control import ControlServer
from manageout.service.process.fast_path import RoleFastPath
from manageout.service.process.finding import Finding
from manageout.service.process.overview import Overview
from manageout.service.process.role import Role
from manageout.service.process.rows import (
    ANSWERS,
    ClientRow,
    DropRow,
    HostRow,
    LeasePeriod,
    Nat64Row,
    RoleStatus,
    SessionRow,
)
from manageout.service.state.hosts import host_row
from manageout.service.state.leases import stored_periods
from tests.tools.answers import faults
from tests.unit.service.leases.test_keeper import A, Scene
from tests.unit.service.state.test_leases import fill

ROOT = Path(__file__).parents[4]
V4 = b"\x0a\0\0\1"
MANAGER, LAPTOP = b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2"


class Everything(Role):
    """A role that has a row of each kind, made by those who make them."""

    name = "everything"

    def __init__(self, directory: Path) -> None:
        self.ready = asyncio.Event()
        self._directory = directory

    async def run(self) -> None:
        """Serves nothing."""

    def status(self) -> RoleStatus:
        return {"fast_path": {"on": True, "reason": ""}, "hosts": 1}

    def findings(self) -> list[Finding]:
        return [Finding("A-CODE", "warning", "what", "remedy")]

    def hosts(self) -> Iterator[HostRow]:
        yield host_row(HostRecord(V4, U_BIT, 1, 2, 3, 4, 5, 6, 7, "a.example", 8), bytes(8), True)

    def clients(self) -> Iterator[ClientRow]:
        now = time.monotonic()
        peer = Peer("2001:db8::1", 5, "laptop")
        session = Session(1, 1, peer, now)
        session.addresses[LAPTOP] = Neighbour(LAPTOP, session, now)
        return report.clients([session])

    def audit(self) -> Iterator[LeasePeriod]:
        return stored_periods(self._directory, 9)

    def drops(self) -> Iterator[DropRow]:
        table, refused = DropTable(9), Refusals()
        table.count(Drop.LOOP, V4, time.monotonic())
        refused.count(Drop.CERTIFICATE_MISSING, "192.0.2.1")
        yield from RoleFastPath[FastPath]("isatap", table, lambda: None).drops()
        yield from report.refusals(refused)
        yield from report.packet_drops([(Drop.HAIRPIN, "laptop", 3)])
        pair = MANAGER + LAPTOP + bytes([6, 0, 0, 0]) + (3389).to_bytes(2, "big") + b"\0\0"
        sets = {"refused_policy_to6": [Counted(pair, 5, None)]}
        yield from drop_rows(lambda name: sets.get(name, []), bytes.hex, 100.0)

    def sessions(self) -> Iterator[SessionRow | None]:
        found = Sessions(*Scene.site(), lambda address: None, lambda address: "")
        yield None
        yield found.row(ConntrackEntry(6, MANAGER, 1, LAPTOP, 22, MANAGER, "established", None, 1, 2, 3, 4))

    def nat64(self) -> Nat64Row:
        return {"prefixes": ["64:ff9b::/96"], "from": "the site file"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the socket says to every command."""
    stored, directory = tmp_path_factory.mktemp("stored"), tmp_path_factory.mktemp("keeper")
    fill(stored)
    scene = Scene(directory)
    scene.make('pool = "10.0.8.0/30"')
    path = directory / "control.sock"

    async def main() -> dict[str, Any]:
        async with scene.running():
            for number in range(3):
                scene.arrive(number, f"c{number}.corp.example", A[:-1] + bytes((number,)))
            await scene.quiet()
            roles = {"everything": Everything(stored), "leases": scene.keeper}
            overview = Overview(roles, Netlink(), lambda: {"site": "corp", "metrics": "off"})
            async with ControlServer(path, overview.handlers()):
                return {command: await asyncio.to_thread(client.ask, path, command) for command in ANSWERS}

    return asyncio.run(main())


@pytest.mark.parametrize("command", ANSWERS)
def test_an_answer_is_as_published(command: str, answers: dict[str, Any]) -> None:
    assert answers[command] and faults(command, answers[command]) == []


@pytest.mark.parametrize(
    ("command", "render"),
    [
        ("status", status.render),
        ("hosts", tables.render_hosts),
        ("clients", tables.render_clients),
        ("leases", leases.render),
        ("audit", leases.render_audit),
        ("drops", tables.render_drops),
        ("sessions", tables.render_sessions),
    ],
)
def test_an_answer_is_read(command: str, render: Callable[[Any], str], answers: dict[str, Any]) -> None:
    assert len(render(answers[command]).splitlines()) > 1


def test_a_field_that_nobody_published_is_found(answers: dict[str, Any]) -> None:
    row = answers["hosts"][0]
    assert faults("hosts", [row | {"odd": 1}]) == ["hosts[0]: odd is not in the schema"]
    assert faults("hosts", [row | {"retires": 1}]) and faults("hosts", [row | {"rx_bytes": True}])
    assert faults("hosts", [{}]) and faults("hosts", row)


def test_what_is_published_is_made_from_the_rows() -> None:
    argv = [sys.executable, str(ROOT / "scripts" / "control.py"), "--check"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
