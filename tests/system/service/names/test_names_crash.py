"""What a killed process leaves in the DNS: never a record that no start knows of. Real processes, SIGKILL, BIND."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import dns.message
import dns.rdataclass
import dns.update
import pytest

from manageout.protocol.names import registrar as machine
from tests.system.service.names.test_names import NAME, running, service, until
from tests.tools.places.bind import ZONE, answers, bind
from tests.tools.programs.dns_between import between, passed_on

pytestmark = pytest.mark.system
NAMES = [NAME, *(f"c{number}.{ZONE}" for number in range(1, 9))]
CHILD = """
import asyncio, sys
from pathlib import Path
from tests.system.service.names.test_names_crash import NAMES
from tests.system.service.names.test_names import CLIENT, running, service

async def main():
    async with running(service(Path(sys.argv[1]), server=sys.argv[2])) as role:
        for number, name in enumerate(NAMES):
            address = CLIENT.address[:-1] + bytes([number])
            role.connected.present(CLIENT._replace(identity=name, address=address, lease=None))
        print("present", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def child(state: Path, server: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", CHILD, str(state), server]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


def noted(state: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(state / "names.db")) as db:
        return {str(row[0]) for row in db.execute("SELECT name FROM entries")}


def adds(wire: bytes) -> bool:
    """On condition that nobody uses the name."""
    update = dns.message.from_wire(wire)
    assert isinstance(update, dns.update.UpdateMessage)
    return any(row.deleting == dns.rdataclass.NONE for row in update.prerequisite)


def standing() -> set[str]:
    return {name for name in NAMES if answers(name, "AAAA")}


@pytest.mark.parametrize("slow_disk", [False, True])
def test_a_kill_as_an_update_leaves_is_known_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_disk: bool
) -> None:
    """The process dies while its first update is on the way. ``slow_disk``: its note cannot be written at first."""
    state, killed = tmp_path / "state", threading.Event()

    def kill_at_the_first(wire: bytes) -> bytes:
        if adds(wire) and not killed.is_set():
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed.set()
        return passed_on(wire)

    async def sweep() -> None:
        async with running(service(state)) as role:
            await until(lambda: not standing() and role.status()["waiting"] == 0)

    with bind(tmp_path / "named"), between(kill_at_the_first) as server:
        service(state)._store.close()  # makes the file
        with contextlib.closing(sqlite3.connect(state / "names.db", isolation_level=None)) as disk:
            if slow_disk:
                disk.execute("BEGIN IMMEDIATE")
            process = child(state, server)
            try:
                assert process.stdout is not None and process.stdout.readline() == "present\n"
                killed.wait(1)
                if slow_disk:
                    disk.execute("ROLLBACK")
                assert killed.wait(20)
            finally:
                process.kill()
                process.communicate()
        asyncio.run(until(standing))
        assert standing() <= noted(state)
        monkeypatch.setattr(machine, "SWEEP_AFTER", 0.1)
        asyncio.run(sweep())
