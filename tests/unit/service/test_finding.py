"""What a role finds reaches `status` and `doctor --live` word for word, through the real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

from manageout.cli import client
from manageout.linux.netlink import Netlink
from manageout.service.control import ControlServer
from manageout.service.finding import Finding
from manageout.service.live import Wanted, _Look
from manageout.service.overview import Overview
from tests.unit.service.test_lease_keeper import A, Scene

FULL = Finding("LEASES-NOT-STORED", "error", "leases cannot be stored: the disk is full", "make room")


def test_a_row_of_another_process_is_taken_as_it_is() -> None:
    assert Finding.of(FULL._asdict()) == FULL
    odd: object
    for odd in (None, [], "x", {"code": 7}):
        assert all(isinstance(field, str) for field in Finding.of(odd))


def test_a_role_s_finding_reaches_the_doctor_through_the_socket(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.make('pool = "10.0.8.0/30"')
    path = tmp_path / "control.sock"

    async def main() -> dict[str, object]:
        async with scene.running():
            for number in range(3):
                scene.arrive(number, f"c{number}.corp.example", A[:-1] + bytes((number,)))
            await scene.quiet()
            overview = Overview({"leases": scene.keeper}, Netlink(), dict)
            async with ControlServer(path, overview.handlers()):
                answer = await asyncio.to_thread(client.ask, path, "status")
        assert isinstance(answer, dict)
        return answer

    status = asyncio.run(main())
    found = Finding.of(status["findings"][0])  # type: ignore[index]
    assert (found.code, status["findings"]) == ("POOL-EXHAUSTED", [found._asdict()])
    live = _Look(Wanted(ask=lambda command: status))._daemon(status)
    assert live is not None and live.findings == (tuple(found),)
    assert found.what and found.remedy
