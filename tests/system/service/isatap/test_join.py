"""``manageout join`` against a router on the same wire: what goes wrong around it, and the two speeds mixed."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from manageout.errors import DaemonUnreachable
from manageout.lab.process import wait_until
from manageout.linux.host import netns
from manageout.service.process import client
from manageout.wire import ipv4, ipv6
from tests.tools.commands import MANAGEOUT

ROUTER, HOST, BEHIND = "mo-j-router", "mo-j-host", "mo-j-behind"
PREFIX = "fd12:3456:789a"
SERVER = f"{PREFIX}:1000::2"
SITE = f"""
[site]
prefix = "{PREFIX}::/48"
[isatap]
locators = ["10.0.0.1"]
hosts = ["10.0.0.0/24"]
advertise = ["{PREFIX}:1000::/59"]
[[policy.managers]]
from = ["10.0.0.0/24"]
services = ["any"]
[daemon]
metrics = "off"
"""
WIRES = (
    f"ip link add e0 netns {ROUTER} type veth peer name e0 netns {HOST}",
    f"ip link add e1 netns {ROUTER} type veth peer name e1 netns {BEHIND}",
    f"ip -n {ROUTER} address add 10.0.0.1/24 dev e0",
    f"ip -n {HOST} address add 10.0.0.30/24 dev e0",
    f"ip -n {ROUTER} address add {PREFIX}:1000::1/64 dev e1 nodad",
    f"ip -n {BEHIND} address add {SERVER}/64 dev e1 nodad",
    *(f"ip -n {name} link set {dev} up" for name in (ROUTER, HOST, BEHIND) for dev in ("lo", "e0", "e1")
      if (name, dev) not in ((HOST, "e1"), (BEHIND, "e0"))),
    f"ip -n {BEHIND} route add default via {PREFIX}:1000::1",
)  # fmt: skip


class Wire:
    """Router, host and a server behind the router, each in a namespace."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, name: str, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return netns.run(name, argv, check=check)

    def start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        log = (self.directory / f"{name}.log").open("ab")
        child = subprocess.Popen(netns.command(name, argv), stdout=log, stderr=log)
        self._started.append(child)
        return child

    def manageout(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        runtime = ["--runtime-dir", str(self.directory / name)]
        return self.start(name, *MANAGEOUT, *arguments, *runtime)

    def router(self, fast_path: bool = False, **isatap: int) -> subprocess.Popen[bytes]:
        site = self.directory / "site.toml"
        text = "".join(f"{key} = {str(value).lower()}\n" for key, value in isatap.items())
        text = SITE.replace("[[policy", text + "[[policy")
        site.write_text(
            f'{text}state_dir = "{self.directory / "state"}"\nfast_path = {str(fast_path).lower()}\n'
        )
        child = self.manageout(ROUTER, "run", "--config", str(site))
        wait_until("the router serves", lambda: self.ask(ROUTER, "status"), 20)
        return child

    def join(self, target: str, fast_path: bool = False) -> subprocess.Popen[bytes]:
        return self.manageout(HOST, "join", target, *([] if fast_path else ["--no-ebpf"]))

    def ask(self, name: str, command: str) -> Any:
        try:
            return client.ask(self.directory / name / "control.sock", command)
        except DaemonUnreachable:
            return None

    def host(self) -> dict[str, Any]:
        status = self.ask(HOST, "status")
        return dict(status["roles"]["isatap-host"]) if status else {}

    def reaches(self, *options: str) -> bool:
        return self.run(HOST, "ping", "-c", "1", "-W", "1", *options, SERVER, check=False).returncode == 0

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def stop(self) -> None:
        for child in reversed(self._started):
            child.kill()
            child.wait()


def wires(namespaces: Callable[[str], str], directory: Path) -> Iterator[Wire]:
    """The three namespaces, and an end of what was started in them."""
    for name in (ROUTER, HOST, BEHIND):
        namespaces(name)
    for command in WIRES:
        subprocess.run(command.split(), check=True)
    made = Wire(directory)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def wire(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Wire]:
    yield from wires(namespaces, tmp_path)


SPEEDS = pytest.mark.parametrize(
    ("router", "host"), [(False, False), (False, True), (True, False), (True, True)],
    ids=["slow-slow", "slow-fast", "fast-slow", "fast-fast"],
)  # fmt: skip


def stream(wire: Wire, direction: Sequence[str]) -> int:
    """Bytes that arrive when TCP sends 8 MiB."""
    server = wire.start(BEHIND, "iperf3", "--server", "--one-off", "--bind", SERVER)
    wait_until("iperf3 listens", lambda: ":5201" in wire.run(BEHIND, "ss", "-6ltn").stdout, 10)
    argv = ["iperf3", "--client", SERVER, "--bytes", "8M", "--json", *direction]
    result = wire.run(HOST, *argv)
    server.wait(20)
    return int(json.loads(result.stdout)["end"]["sum_received"]["bytes"])


@SPEEDS
def test_fast_and_slow_ends_understand_each_other(wire: Wire, router: bool, host: bool) -> None:
    """A fast end sends super-packets and leaves checksums open; a slow one must cope."""
    wire.router(router)
    wire.join("10.0.0.1", host)
    wait_until("the host reaches the server", wire.reaches, 20)
    assert wire.host()["fast_path"]["on"] is host
    assert wire.reaches("-s", "1232", "-M", "do")
    assert not wire.reaches("-s", "1233", "-M", "do")
    for direction in ((), ("--reverse",)):
        assert stream(wire, direction) >= 1_000_000  # what is still on its way at the end does not count
    assert wire.ask(HOST, "drops") == []


def test_another_ipv4_address_is_followed(wire: Wire) -> None:
    wire.router()
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    wire.run(HOST, "ip", "address", "delete", "10.0.0.30/24", "dev", "e0")
    wire.run(HOST, "ip", "address", "add", "10.0.0.31/24", "dev", "e0")
    wait_until("it has moved", lambda: wire.host().get("locators") == ["10.0.0.31"], 20)
    wait_until("the host reaches the server again", wire.reaches, 20)
    addresses = wire.run(HOST, "ip", "-6", "address", "show", "dev", "mo-isatap0").stdout
    assert "a00:1f" in addresses and "a00:1e" not in addresses
    wire.run(HOST, "ip", "address", "delete", "10.0.0.31/24", "dev", "e0")
    wait_until("it waits", lambda: wire.host().get("locators") == [], 20)
    wire.run(HOST, "ip", "address", "add", "10.0.0.32/24", "dev", "e0")
    wait_until("the host reaches the server once more", wire.reaches, 20)


@pytest.mark.parametrize("farewell", [False, True])
def test_only_a_farewell_takes_the_routes_away(wire: Wire, farewell: bool) -> None:
    router = wire.router(farewell=farewell)
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    router.terminate()
    assert router.wait(20) == 0
    if farewell:
        wait_until("the route is gone", lambda: wire.host()["routes"] == {}, 10)
    else:
        assert list(wire.host()["routes"]) == [f"{PREFIX}:1000::/59"]
        wire.router()
        wait_until("the host reaches the server again", wire.reaches, 20)


def test_drops_of_the_fast_path_outlive_a_change_of_address(wire: Wire) -> None:
    wire.router(True)
    wire.join("10.0.0.1", True)
    wait_until("the host reaches the server", wire.reaches, 20)
    # Protocol 41 from the router's other address, which is in no list, with a foreign IPv6 source.
    wire.run(ROUTER, "ip", "address", "add", "10.0.0.9/24", "dev", "e0")
    spoofed = ipv4.build(
        IPv4Address("10.0.0.9").packed, IPv4Address("10.0.0.30").packed, 41,
        ipv6.build(IPv6Address(SERVER).packed, IPv6Address(f"{PREFIX}:1:0:5efe:a00:1e").packed, 59, b""),
    )  # fmt: skip
    script = "import socket, sys; s = socket.socket(2, 3, 255); s.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 0))"
    wire.run(ROUTER, sys.executable, "-c", script, spoofed.hex(), "10.0.0.30")
    spoof = [("source-mismatch", "10.0.0.9", 1)]

    def dropped() -> list[tuple[str, str, int]]:
        return [(row["reason"], row["source"], row["count"]) for row in wire.ask(HOST, "drops")]

    wait_until("it is dropped by name", lambda: dropped() == spoof, 10)
    wire.run(HOST, "ip", "address", "delete", "10.0.0.30/24", "dev", "e0")
    wire.run(HOST, "ip", "address", "add", "10.0.0.31/24", "dev", "e0")
    wait_until("the host reaches the server again", wire.reaches, 20)
    assert dropped() == spoof


def test_it_waits_for_its_router(wire: Wire) -> None:
    """The router comes 4 s late: the next solicitation finds it."""
    wire.join("10.0.0.1")
    wait_until("the host runs", lambda: wire.host().get("locators") == ["10.0.0.30"], 20)
    wire.router()
    wait_until("the host reaches the server", wire.reaches, 20)


def test_a_router_that_does_not_answer_is_named(wire: Wire) -> None:
    """A host that the router refuses hears nothing: its own log must say where to look."""
    wire.join("10.0.0.1")
    wait_until("it says so", lambda: "does not answer" in wire.log(HOST), 40)
    (line,) = [line for line in wire.log(HOST).splitlines() if "does not answer" in line]
    assert "router 10.0.0.1" in line and "isatap.hosts has 10.0.0.30" in line


def test_an_unknown_name_is_one_line_and_no_end(wire: Wire) -> None:
    child = wire.join("nowhere.invalid")
    wait_until("it says so", lambda: "nowhere.invalid" in wire.log(HOST), 20)
    assert child.poll() is None
    assert wire.host()["name_state"] != "not yet resolved"
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    lines = [line for line in wire.log(HOST).splitlines() if "WARNING" in line]
    assert len(lines) == 1 and "trying on" in lines[0] and "Traceback" not in wire.log(HOST)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left(wire: Wire, sign: signal.Signals) -> None:
    wire.router()
    child = wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    child.send_signal(sign)
    child.wait(10)
    assert "mo-isatap0" not in wire.run(HOST, "ip", "link").stdout
    routes = wire.run(HOST, "ip", "-6", "route", "show", "table", "all").stdout
    assert "mo-" not in routes and "proto 61" not in routes


def test_a_device_that_someone_removes_ends_it_with_one_clear_line(wire: Wire) -> None:
    wire.router()
    child = wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    wire.run(HOST, "ip", "link", "delete", "mo-isatap0")
    assert child.wait(20) == 1
    assert "Traceback" not in wire.log(HOST)
    assert "mo-isatap0" in wire.log(HOST).splitlines()[-2]


def test_the_device_name_can_be_taken(wire: Wire) -> None:
    wire.run(HOST, "ip", "link", "add", "mo-isatap0", "type", "veth", "peer", "name", "other")
    child = wire.join("10.0.0.1")
    assert child.wait(20) == 1
    assert "the device name mo-isatap0 is taken" in wire.log(HOST)


def test_the_registry_survives_sigkill(wire: Wire) -> None:
    router = wire.router()
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    wait_until("the registry is on disk", lambda: _stored(wire) >= 1, 10)
    (before,) = wire.ask(ROUTER, "hosts")
    router.kill()
    router.wait()
    wire.router()
    (after,) = wire.ask(ROUTER, "hosts")
    assert (after["ipv4"], after["first_seen"]) == (before["ipv4"], before["first_seen"])
    assert after["rx_packets"] >= 1
    wait_until("the host reaches the server again", wire.reaches, 20)


def _stored(wire: Wire) -> int:
    with sqlite3.connect(wire.directory / "state" / "isatap-hosts.db") as db:
        return int(db.execute("SELECT coalesce(max(packets_in), 0) FROM hosts").fetchone()[0])


def test_a_host_that_is_there_learns_at_once_of_what_a_reload_adds_and_takes_away(wire: Wire) -> None:
    router = wire.router()
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    site, new = wire.directory / "site.toml", f"{PREFIX}:5000::/52"
    text = site.read_text()
    site.write_text(text.replace(f'["{PREFIX}:1000::/59"', f'["{PREFIX}:1000::/59", "{new}"'))
    router.send_signal(signal.SIGHUP)
    wait_until("the host has the new route", lambda: new in _routes(wire), 10)
    site.write_text(text)
    router.send_signal(signal.SIGHUP)
    wait_until("the host has it no more", lambda: new not in _routes(wire), 10)
    assert f"{PREFIX}:1000::/59" in _routes(wire) and wire.reaches()


def _routes(wire: Wire) -> str:
    return wire.run(HOST, "ip", "-6", "route", "show", "dev", "mo-isatap0").stdout


def test_a_reload_gives_the_fast_path_tables_of_the_new_size(wire: Wire) -> None:
    """Where they stayed as they were, one host too many was slow in silence."""
    router = wire.router(True, max_hosts=5001, max_drop_sources=5003)
    assert {5001, 5003} <= _sizes(router.pid)
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    site = wire.directory / "site.toml"
    site.write_text(site.read_text().replace("5001", "6001").replace("5003", "6003"))
    router.send_signal(signal.SIGHUP)
    wait_until("the tables are as large as wanted", lambda: {6001, 6003} <= _sizes(router.pid), 10)
    assert not {5001, 5003} & _sizes(router.pid)
    assert wire.reaches()
    status = wire.ask(ROUTER, "status")
    assert status["roles"]["isatap"]["fast_path"]["on"] and status["config"]["rejected"] is None
    assert not [row for row in status["findings"] if row["code"] == "ISATAP-FAST-PATH-FULL"]


def _sizes(pid: int) -> set[int]:
    """Of the eBPF maps that a process has open."""
    texts = []
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            texts.append(info.read_text())
    rows = [line.split() for text in texts if "map_type" in text for line in text.splitlines()]
    return {int(row[1]) for row in rows if row and row[0] == "max_entries:"}


def test_a_registry_that_forged_sources_have_filled_serves_the_newcomer_at_once(wire: Wire) -> None:
    wire.router(True, max_hosts=50)
    forge = (
        "import socket\n"
        "from tests.tools.machines.isatap import datagram, isatap, outer, solicitation, v4, v6\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)\n"
        "for last in range(100, 200):\n"
        "    source = v4(f'10.0.0.{last}')\n"
        f"    inner = datagram(isatap(source, v6('{PREFIX}:1::')), v6('{SERVER}'))\n"
        "    for packet in (outer(source, v4('10.0.0.1'), inner), solicitation(source)):\n"
        "        s.sendto(packet, ('10.0.0.1', 0))\n"
    )
    wire.run(HOST, sys.executable, "-c", forge)
    wait_until("the table is full", lambda: len(wire.ask(ROUTER, "hosts")) == 50, 10)
    wire.join("10.0.0.1")
    wait_until("the host reaches the server", wire.reaches, 20)
    rows = wire.ask(ROUTER, "hosts")
    assert "10.0.0.30" in {row["ipv4"] for row in rows} and len(rows) == 50
