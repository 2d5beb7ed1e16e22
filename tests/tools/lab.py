"""What the system tests do again and again: run commands, capture packets, compare the machine's state."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from manageout.lab import bind, network, process, site
from manageout.lab.topology import DNS_INTRANET, ISATAP_NAME, Topology
from manageout.linux.host import netns

# Somebody without any privilege but to read: a checkout below /root is closed to others.
_READ = "-all,+dac_read_search"
AS_NOBODY = ("setpriv", "--reuid=65534", "--clear-groups", f"--inh-caps={_READ}", f"--ambient-caps={_READ}")


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    topology: Topology
    fast_path: bool | None
    """None in a bare lab."""

    @property
    def router(self) -> str:
        """The node that is the ISATAP router."""
        return self.topology.router


def machine_state(prefix: Sequence[str] = ()) -> dict[str, str]:
    """Links, addresses, routes, rules and namespaces, as text; ``prefix`` enters a namespace."""
    commands = {
        "links": ["ip", "-o", "link"],
        "addresses": ["ip", "-o", "address"],
        "routes": ["ip", "route", "show", "table", "all"],
        "routes6": ["ip", "-6", "route", "show", "table", "all"],
        "rules": ["ip", "rule"],
        "nft": ["nft", "list", "ruleset"],
    }
    state = {name: _output([*prefix, *argv]) for name, argv in commands.items()}
    state["namespaces"] = "\n".join(netns.names())
    return state


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def capture(node: str, device: str, what: str) -> Iterator[Path]:
    """Capture the packets that match ``what`` while the block runs; the file is complete after it."""
    file = network.directory(node) / f"{device}.pcap"
    argv = ["tcpdump", "--immediate-mode", "-U", "-n", "-i", device, "-w", str(file), what]
    tcpdump = process.start(node, "tcpdump", argv)
    process.wait_until("tcpdump listens", lambda: "listening on" in tcpdump.tail(), 10, [tcpdump])
    try:
        yield file
        _settle(file)
    finally:
        process.stop(tcpdump, signal.SIGINT)


def _settle(file: Path) -> None:
    """Wait until nothing has been written for a while: tcpdump may be behind."""
    sizes = [-1]
    for _ in range(100):
        sizes.append(file.stat().st_size)
        if sizes[-10:] == [sizes[-1]] * 10:
            return
        time.sleep(0.02)


def frames(file: Path) -> list[bytes]:
    """The frames of a capture file of this machine's byte order."""
    data, found, at = file.read_bytes(), [], 24
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at + 8)
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return found


def tshark(file: Path, *arguments: str) -> list[str]:
    """What tshark prints of a capture file."""
    argv = ["tshark", "-n", "-r", str(file), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def ping(node: str, target: object, *options: str) -> subprocess.CompletedProcess[str]:
    """Ping ``target`` from ``node``; once unless ``options`` say more."""
    return network.run(node, ["ping", "-n", "-c", "1", "-W", "2", *options, str(target)], check=False)


def host(node: str, ipv4: object) -> dict[str, Any] | None:
    """The row of ``ipv4`` in ``manageout hosts``."""
    rows = site.ask(node, "hosts")
    return next((row for row in rows if row["ipv4"] == str(ipv4)), None)


def drops(node: str) -> dict[tuple[str, str | None], int]:
    """(reason, source) -> count in ``manageout drops``."""
    totals: Counter[tuple[str, str | None]] = Counter()
    for row in site.ask(node, "drops"):
        totals[row["reason"], row.get("source")] += row["count"]
    return dict(totals)


def reload(node: str, text: str) -> None:
    """Give the daemon on ``node`` another site file, and wait until it goes by it."""
    (network.directory(node) / "site.toml").write_text(text)
    daemon = process.find(node, "run")
    assert daemon, f"no daemon runs on {node}"
    loaded = site.ask(node, "status")["config"]["loaded"]
    os.kill(daemon.pid, signal.SIGHUP)
    process.wait_until(
        "reloaded", lambda: site.ask(node, "status")["config"]["loaded"] > loaded, 10, [daemon]
    )


@contextlib.contextmanager
def other_rules(node: str, old: str, new: str) -> Iterator[None]:
    """While the block runs, the site file of ``node`` has ``new`` in place of ``old``."""
    text = (network.directory(node) / "site.toml").read_text()
    assert old in text
    reload(node, text.replace(old, new))
    try:
        yield
    finally:
        reload(node, text)


def set_router(*addresses: IPv4Address) -> None:
    """Replace the A records of the ISATAP router's name in the lab, by dynamic update."""
    lines = [f"server {DNS_INTRANET}", f"update delete {ISATAP_NAME} A"]
    lines += [f"update add {ISATAP_NAME} {bind.ROUTER_TTL} A {address}" for address in addresses]
    network.run("dc", ["nsupdate"], text="\n".join([*lines, "send"]) + "\n")
