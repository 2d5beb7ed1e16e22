"""The translator's slow path on its TUN device: packets, or super-packets, in; translated ones back into it.

What the translator says itself, and what bears its own address, leaves by raw sockets: arriving on a device, a packet
from an address of this machine would be taken for a forgery (RFC 1812 5.3.7).
"""

import socket
import sys
import time
from typing import Self

from manageout.linux.packets import raw
from manageout.linux.packets.tun import Tun
from manageout.protocol.core.drop_table import DropTable
from manageout.protocol.core.drops import Drop, Verdict
from manageout.protocol.translate.rules import Translator
from manageout.protocol.translate.whole import HEAD, HEADER4, HEADER6, Translation, segments
from manageout.service.process.tun_link import TunLink
from manageout.wire.virtio import PLAIN, VNET_HEADER

FRONT = VNET_HEADER + HEAD
MAX_SOURCES = 4096
"""Sources of drops that are remembered by address."""


class TranslatorIo(TunLink):
    """Serves ``tun`` with ``translator`` on the loop from ``with`` to its end.

    Raises :class:`NotPermitted` or :class:`KernelError` on entry.
    """

    def __init__(self, translator: Translator, tun: Tun) -> None:
        super().__init__(tun, self._on_timer)
        self.translator = translator
        self.drops = DropTable(MAX_SOURCES)
        self.packets = {4: 0, 6: 0}
        """Translated here, by the family they came in."""
        self.octets = {4: 0, 6: 0}
        self.errors = 0
        """ICMP errors sent."""
        self.refused = 0
        """Packets that the kernel would not take."""
        self._ident = 0
        """The IPv4 identification used last; the kernel counts on from it when it takes a super-packet apart."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._raw = {4: raw.opened(socket.AF_INET), 6: raw.opened(socket.AF_INET6)}
        self.read(self.tun.fd, self._from_tun)
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for sender in self._raw.values():
            sender.close()

    def _from_tun(self) -> None:
        now = time.monotonic()
        for data in self.tun.read_batch():
            self._translate(data, now)
        self.timer.at(self.translator.timer())

    def _translate(self, data: bytes, now: float) -> None:
        """One packet, or one super-packet, of which only the headers are looked at."""
        size = len(data) - VNET_HEADER
        header, head = data[:VNET_HEADER], data[VNET_HEADER:FRONT]
        ident, piece = self._ident, int.from_bytes(header[4:6], sys.byteorder)
        self._ident = (ident + 1 + (size // piece if header[1] and piece else 0)) % 0xFFFF
        result = self.translator.translate_gso(header, head, ident + 1, size)
        if result.verdict is Verdict.FORWARD:
            version = head[0] >> 4
            self.packets[version] += 1
            self.octets[version] += size
            if not self.tun.write(memoryview(data)[FRONT:], result.packet):
                self.refused += 1
        elif result.verdict is Verdict.DROP:
            self._count(result, head, now)
        else:
            packet = data[VNET_HEADER:]
            for each in segments(header, packet) if header != PLAIN else (packet,):
                self._slowly(each, now)

    def _slowly(self, packet: bytes, now: float) -> None:
        if packet[0] >> 4 == 6:
            self._ident = (self._ident + 1) % 0xFFFF
            results = self.translator.to_ipv4(packet, self._ident + 1, now)
        else:
            results = self.translator.to_ipv6(packet, now)
        for result in results:
            if result.verdict is Verdict.FORWARD:
                self._note(packet)
                self._send(result.packet)
            else:
                self._count(result, packet, now)

    def _note(self, packet: bytes) -> None:
        version = packet[0] >> 4
        self.packets[version] += 1
        self.octets[version] += len(packet)

    def _send(self, packet: bytes) -> None:
        """A translated packet, back into the kernel."""
        if packet[0] >> 4 == 4 and packet[12:16] == self.translator.mappings.own4:
            self._say(packet)
        elif not self.tun.write(packet):
            self.refused += 1

    def _count(self, result: Translation, packet: bytes, now: float) -> None:
        assert result.reason is not None, "a drop has a reason"
        # What a timer has thrown away was not this packet's fault.
        source = b"" if result.reason is Drop.FRAGMENT_INCOMPLETE else _source(packet)
        self.drops.count(result.reason, source, now)
        if result.error is not None:
            self.errors += 1
            self._say(result.error)

    def _say(self, packet: bytes) -> None:
        """Send a packet of our own."""
        version = packet[0] >> 4
        if version == 4:
            to: tuple[object, ...] = (socket.inet_ntoa(packet[16:20]), 0)
        else:
            to = (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0, 0, 0)
        try:
            self._raw[version].sendto(packet, to)
        except OSError:  # no route, no room, a firewall: errors may be lost (RFC 1812 4.3.2.1)
            self.refused += 1

    def _on_timer(self) -> None:
        now = time.monotonic()
        for result in self.translator.on_timer(now):
            self._count(result, b"", now)
        self.timer.at(self.translator.timer())


def _source(packet: bytes) -> bytes:
    """IPv4 or IPv6; nothing of what is too short to have one."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= HEADER4:
        return packet[12:16]
    return packet[8:24] if version == 6 and len(packet) >= HEADER6 else b""
