"""The translator's program on a real TUN device, for what BPF_PROG_TEST_RUN does not know: ``virtio_net_hdr``.

A packet socket sends into the device, and sees what comes back by its ingress; what is left to the slow path comes
out of the device's descriptor.
"""

from __future__ import annotations

import errno
import select
import socket
import subprocess
from contextlib import ExitStack
from typing import Self

import pytest

from manageout.errors import FastPathUnavailable
from manageout.linux.bpf.xlat import XlatFastPath, XlatSetup
from manageout.linux.host import sysctl
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.mappings import Mappings
from manageout.protocol.translate.whole import Mtus, Translation
from manageout.wire.virtio import VNET_HEADER

NAME = "mo-xlat0"
SOL_PACKET, PACKET_VNET_HDR, PACKET_HOST = 263, 15, 0
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD


class XlatDevice:
    """A context manager; answers as the twin's ``translate_gso`` does."""

    def __init__(self, maps: Mappings, mtus: Mtus) -> None:
        self._stack = ExitStack()
        self.tun = self._stack.enter_context(Tun.open(NAME, 1500, vnet_hdr=True))
        self.tun.set_offloads()
        sysctl.set(f"net/ipv6/conf/{NAME}/disable_ipv6", 1)  # or the kernel sends reports of its own
        subprocess.run(["ip", "link", "set", NAME, "up"], check=True)
        try:
            self.path = self._stack.enter_context(XlatFastPath(XlatSetup(tun=self.tun.ifindex), maps, mtus))
        except FastPathUnavailable as error:
            self._stack.close()
            pytest.skip(f"fast path: {error.message}")
        self._sending, self._seeing = self._socket(0), self._socket(ETH_P_ALL)
        self._seeing.bind((NAME, ETH_P_ALL))
        self._totals: dict[Drop, int] = {}
        self._drain()

    def _socket(self, protocol: int) -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        self._stack.enter_context(made)
        made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        made.setblocking(False)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def translate(self, header: bytes, packet: bytes) -> Translation | None:
        """None when the kernel takes no such packet."""
        protocol = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
        try:
            self._sending.sendto(header + packet, (NAME, protocol))
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # that is how a packet socket is told of a drop
                return None
        return self._result()

    def _result(self) -> Translation:
        for _ in range(100):
            left = self.tun.read_batch()
            came = self._arrived()
            totals = self.path.totals()
            if totals != self._totals:
                reason = next(why for why, count in totals.items() if count != self._totals.get(why, 0))
                self._totals = totals
                return Translation(Verdict.DROP, reason, b"")
            if came:
                return Translation(Verdict.FORWARD, None, came)
            if left:
                return Translation(Verdict.SLOW, None, b"")
            select.select([self._seeing.fileno(), self.tun.fd], [], [], 0.1)
        raise AssertionError("a packet that went into the device did not come out of it")

    def _arrived(self) -> bytes:
        """What has come in by the device; not what went out by it, which the socket sees as well."""
        while True:
            try:
                data, (_, _, direction, _, _) = self._seeing.recvfrom(VNET_HEADER + (1 << 17))
            except BlockingIOError:
                return b""
            if direction == PACKET_HOST:
                return data

    def _drain(self) -> None:
        """What the kernel sent by itself when the device came up."""
        self.tun.read_batch()
        self._arrived()
        self._totals = self.path.totals()
