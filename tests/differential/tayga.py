"""TAYGA, a stateless translator that shares no line with ours, on a TUN device of its own.

Each packet is followed by an echo that TAYGA surely translates; when that has come back, all that TAYGA makes of the
packet before has come back as well.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import pytest

from manageout.linux.host import sysctl
from manageout.protocol.translate.mappings import Mappings
from manageout.wire import ipv4
from tests.tools.packets.icmpv4 import echo4
from tests.tools.packets.translation import HOSTS4

NAME = "tayga0"
MARK = 0xBEEF
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_HOST = 3, 0x0800, 0x86DD, 0


class Tayga:
    """A context manager. The device is of this thread's network namespace; ``directory`` takes its files."""

    def __init__(self, maps: Mappings, mtu: int, directory: Path) -> None:
        if shutil.which("tayga") is None:
            pytest.skip("tayga is not installed")
        self._stack = ExitStack()
        file = directory / "tayga.conf"
        lines = [
            f"tun-device {NAME}",
            f"ipv4-addr {ip_address(maps.own4)}",
            f"ipv6-addr {ip_address(maps.own6)}",
        ]
        lines += [f"prefix {maps.pref64}", f"data-dir {directory}"]
        lines += [f"map {ip_address(v4)} {ip_address(v6)}" for v6, v4 in maps.leases.items()]
        file.write_text("\n".join(lines) + "\n")
        subprocess.run(["tayga", "--config", file, "--mktun"], check=True, stdout=subprocess.DEVNULL)
        sysctl.set(f"net/ipv6/conf/{NAME}/disable_ipv6", 1)  # or the kernel sends reports of its own
        subprocess.run(["ip", "link", "set", NAME, "mtu", str(mtu), "up"], check=True)
        argv = ["tayga", "--config", str(file), "--nodetach"]
        self._process = self._stack.enter_context(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
        self._stack.callback(self._process.terminate)
        self._socket = self._stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
        self._socket.bind((NAME, ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._lease = next(iter(maps.leases.values()))
        self._number = 0
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def translate(self, packet: bytes) -> list[bytes]:
        """All that comes back for one packet, errors too."""
        self._send(packet)
        return self._until_mark(50)

    def _wait(self) -> None:
        """Until the process serves the device."""
        for _ in range(50):
            try:
                self._until_mark(1)
            except TimeoutError:
                continue
            return
        raise TimeoutError("tayga does not answer")

    def _send(self, packet: bytes) -> None:
        self._socket.sendto(packet, (NAME, ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP))

    def _until_mark(self, patience: int) -> list[bytes]:
        self._number = self._number + 1 & 0xFFFF
        echo = echo4(MARK, self._number, b"")
        self._send(ipv4.build(HOSTS4[0], self._lease, 1, echo, dont_fragment=True))
        mark = MARK.to_bytes(2, "big") + self._number.to_bytes(2, "big")
        came: list[bytes] = []
        while True:
            try:
                data, (_, _, direction, _, _) = self._socket.recvfrom(1 << 16)
            except TimeoutError:
                patience -= 1
                if not patience:
                    raise
                continue
            if direction != PACKET_HOST:
                continue
            if data[0] >> 4 == 6 and data[6] == 58 and data[44:48] == mark and len(data) == 48:
                return came
            came.append(data)
