"""A disk that is full, read-only, or gives back something damaged or newer: the gateway starts, serves and heals.

Every store of the daemon lies on a filesystem of its own here, filled to the last byte.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from manageout.lab.process import wait_until
from tests.tools.machines.isatap import solicitation
from tests.tools.places.iphttps import GATEWAY_V4, Pair, Running, in_namespace, sh

LAPTOP, TABLET = "laptop.corp.example", "tablet.corp.example"
FILES = ("leases.db", "usage.db", "isatap-hosts.db", "names.db")
CODES = ("LEASES", "USAGE", "HOSTS", "NAMES")
NOT_STORED = {f"{code}-NOT-STORED" for code in CODES}
TABLES = """
[translation]
pool = "10.77.0.0/28"
grace = 600
quarantine = 600
[isatap]
locators = ["198.51.100.10"]
hosts = ["198.51.100.0/24"]
[names]
authentication = "none"
servers = ["127.0.0.1"]
zone = "corp.example"
reverse = false
"""


class Place(Pair):
    """A gateway whose state lies on a small filesystem."""

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def mount(self) -> None:
        self.state.mkdir()
        sh(f"mount -t tmpfs -o size=1m state {self.state}")

    def fill(self) -> None:
        """To the last byte: nothing more can be written, nor a file be made longer."""
        with (self.state / "filler").open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def free(self) -> None:
        (self.state / "filler").unlink()

    def read_only(self, on: bool, pid: int | None = None) -> None:
        """Of everybody, or in the eyes of one process."""
        inside = f"nsenter -t {pid} -m -r " if pid else ""
        sh(f"{inside}mount -o remount,{'ro' if on else 'rw'} {self.state}")

    def serve(self) -> Running:
        return self.start_gateway(tables=TABLES)

    def codes(self) -> set[str]:
        status = self.ask("status")
        return {found["code"] for found in status["findings"]} if status else set()

    def not_stored(self) -> set[str]:
        return self.codes() & NOT_STORED

    def lease(self, name: str) -> str | None:
        rows = self.ask("leases") or []
        return next((row["ipv4"] for row in rows if (row["name"], row["state"]) == (name, "held")), None)

    def served(self, name: str) -> str:
        return str(wait_until(f"{name} has a lease", lambda: self.lease(name), 40))

    def audit(self) -> list[tuple[str, str, bool]]:
        return [(row["name"], row["ipv4"], row["until"] is not None) for row in self.ask("audit")]


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as place:
        place.mount()
        try:
            yield place
        finally:
            for running in reversed(place._running):
                if running.process.poll() is None:
                    running.process.kill()
                    running.process.wait(10)
            sh(f"umount {place.state}")


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def solicit(v4: str) -> None:
    """The client's machine becomes known to the ISATAP router as a host, by one packet."""
    packet = solicitation(IPv4Address(v4).packed, IPv4Address(GATEWAY_V4).packed)
    raw = in_namespace("cl", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 41))
    with raw:
        raw.sendto(packet[20:], (GATEWAY_V4, 0))


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_gateway_starts_on_a_disk_that_refuses_and_everything_heals(
    place: Place, sign: signal.Signals, how: str
) -> None:
    gateway = place.serve()
    client = place.start_client(LAPTOP)
    address = place.served(LAPTOP)
    wait_until("the name is noted", lambda: rows(place.state / "names.db", "SELECT name FROM entries"))
    if how == "full":
        place.fill()
    gateway.process.send_signal(sign)
    gateway.process.wait(30)
    if how == "full":
        place.fill()  # what an orderly stop has tidied up
    else:
        place.read_only(True)

    gateway = place.serve()
    assert place.served(LAPTOP) == address, "who had a lease has it still"
    place.add_client("c2")
    place.start_client(TABLET, namespace="c2")
    place.address("c2")
    solicit("198.51.100.21")
    wait_until("every store says so", lambda: place.not_stored() == NOT_STORED, 60)
    assert place.lease(TABLET) is None, "an address that nobody could name later is not given"

    place.free() if how == "full" else place.read_only(False, gateway.pid)
    place.served(TABLET)
    wait_until("nothing is wrong any more", lambda: not place.not_stored(), 60)
    entries = {(LAPTOP, address, True), (LAPTOP, address, False), (TABLET, place.lease(TABLET), False)}
    assert set(place.audit()) == entries
    assert client.process.poll() is None
    gateway.process.kill()
    gateway.process.wait(10)
    assert {name for (name,) in rows(place.state / "leases.db", "SELECT identity FROM leases")} == {
        LAPTOP,
        TABLET,
    }
    names = {name for (name,) in rows(place.state / "names.db", "SELECT name FROM entries")}
    assert {LAPTOP, TABLET} <= names
    assert os.listdir(place.state).count("leases.unreadable") == 0


def test_a_gateway_starts_for_the_first_time_on_a_full_disk(place: Place) -> None:
    place.fill()
    place.serve()
    place.start_client(LAPTOP)
    place.address()
    solicit("198.51.100.21")
    wait_until("every store says so", lambda: place.not_stored() == NOT_STORED, 60)
    place.free()
    place.served(LAPTOP)
    wait_until("nothing is wrong any more", lambda: not place.not_stored(), 60)
    assert {path.name for path in place.state.glob("*.db")} == set(FILES)


def test_newer_files_stay_as_they_are_and_the_gateway_serves_beside_them(place: Place) -> None:
    gateway = place.serve()
    place.start_client(LAPTOP)
    address = place.served(LAPTOP)
    wait_until("the name is noted", lambda: rows(place.state / "names.db", "SELECT name FROM entries"))
    gateway.stop()
    for name in FILES:
        with closing(sqlite3.connect(place.state / name, isolation_level=None)) as db:
            db.execute("PRAGMA user_version = 99")
    before = {name: (place.state / name).read_bytes() for name in FILES}
    place.serve()
    assert place.served(LAPTOP) == address, "what the file says is known"
    assert {f"{code}-NOT-KEPT" for code in CODES} <= place.codes()
    place.gateway.stop()
    assert {name: (place.state / name).read_bytes() for name in FILES} == before


def test_damaged_files_are_set_aside_and_the_gateway_serves(place: Place) -> None:
    place.serve().stop()
    for name in FILES:
        (place.state / name).write_bytes(b"what the disk gave back " * 500)
    place.serve()
    place.start_client(LAPTOP)
    assert place.served(LAPTOP) == "10.77.0.14", "from the end: nobody remembers it as another's"
    assert {f"{code}-UNREADABLE" for code in CODES} | {"LEASES-LOST"} <= place.codes()
    for name in FILES:
        aside = (place.state / name).with_suffix(".unreadable")
        assert aside.read_bytes().startswith(b"what the disk gave back")
