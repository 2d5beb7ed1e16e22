"""ufw and firewalld of Debian, on a node of the lab, with files and a bus of their own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence

from manageout.lab import network, process
from manageout.lab.process import Process, wait_until

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy></busconfig>
"""
# Each command has mounts of its own: the machine's files stay as they are.
_UFW = (
    'mount --bind "$0/etc-ufw" /etc/ufw && mount --bind "$0/default-ufw" /etc/default/ufw '
    '&& mount --bind "$0/lib-ufw" /lib/ufw && exec "$@"'
)
_FIREWALLD = 'mount --bind "$0/etc-firewalld" /etc/firewalld && exec "$@"'


class Ufw:
    """On ``node``; not yet enabled."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._directory = network.directory(node) / "ufw"
        self._directory.mkdir()
        shutil.copytree("/etc/ufw", self._directory / "etc-ufw")
        shutil.copy("/etc/default/ufw", self._directory / "default-ufw")
        shutil.copytree("/lib/ufw", self._directory / "lib-ufw")

    def __call__(self, words: str, check: bool = True) -> str:
        """``ufw WORDS``."""
        argv = ["sh", "-c", _UFW, str(self._directory), "ufw", *words.split()]
        return network.run(self._node, argv, check=check).stdout

    def stop(self) -> None:
        """As it was."""
        self("--force disable", check=False)
        shutil.rmtree(self._directory)


class Firewalld:
    """Runs on ``node``."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._directory = network.directory(node) / "firewalld"
        self._directory.mkdir()
        shutil.copytree("/etc/firewalld", self._directory / "etc-firewalld")
        (self._directory / "bus.conf").write_text(BUS.format(self._directory / "bus"))
        bus = ["dbus-daemon", f"--config-file={self._directory}/bus.conf", "--nofork", "--nopidfile"]
        self._started: list[Process] = [process.start(node, "bus", bus)]
        wait_until("the bus", (self._directory / "bus").exists, 10, self._started)
        self._started.append(process.start(node, "firewalld", self._argv("firewalld", "--nofork", "--nopid")))
        wait_until("firewalld runs", lambda: self("--state", check=False) == "running\n", 20, self._started)

    def _argv(self, *argv: str) -> Sequence[str]:
        bus = f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self._directory}/bus"
        return ["env", bus, "sh", "-c", _FIREWALLD, str(self._directory), *argv]

    def __call__(self, words: str, check: bool = True) -> str:
        """``firewall-cmd WORDS``."""
        return network.run(self._node, self._argv("firewall-cmd", *words.split()), check=check).stdout

    def stop(self) -> None:
        """As it was."""
        for each in reversed(self._started):
            process.stop(each)
        shutil.rmtree(self._directory)


def programs() -> list[str]:
    """Those that these tests need, and are not here."""
    return [
        name for name in ("ufw", "firewalld", "firewall-cmd", "dbus-daemon") if shutil.which(name) is None
    ]


@contextlib.contextmanager
def ufw(node: str) -> Iterator[Ufw]:
    """ufw on ``node`` while the block runs."""
    made = Ufw(node)
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def firewalld(node: str) -> Iterator[Firewalld]:
    """firewalld on ``node`` while the block runs."""
    made = Firewalld(node)
    try:
        yield made
    finally:
        made.stop()


def rules(node: str) -> str:
    """Our chain of forwarded packets."""
    argv = ["nft", "list", "chain", "inet", "manageout", "forward"]
    return network.run(node, argv, check=False).stdout
