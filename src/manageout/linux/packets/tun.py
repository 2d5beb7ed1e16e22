"""A TUN device: the link that a protocol of ours serves from its file descriptor.

``Tun.open`` creates the device (it vanishes with the descriptor, unless :meth:`Tun.persist` says not) and sets it
up so that the kernel sends nothing of its own into it: no generated link-local address, no router solicitation.
Bringing it up, its addresses and its routes belong to netlink.

With ``vnet_hdr`` every packet has a 10-byte ``virtio_net_hdr`` in front. When offloads are on as well, the
kernel hands over and accepts super-packets: up to 64 KiB of one TCP (or UDP) flow as a single packet.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from manageout.errors import KernelError, NotPermitted
from manageout.wire.virtio import PLAIN, VNET_HEADER

QUEUE, SUPER_QUEUE = 5000, 500
"""Packets, or super-packets, that wait in the kernel while this process is busy: 6 or 32 MB at most."""
MAX_PACKET = 65535 + 40
READ_SIZE = VNET_HEADER + MAX_PACKET
BATCH = 64
TURN = 256 * 1024
"""Bytes of packets after which no further one is read: 128 super-packets would be 8 MB, and all else would wait."""

# include/uapi/linux/if_tun.h
_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_IFF_TUN_EXCL = 0x8000
_F_CSUM, _F_TSO4, _F_TSO6, _F_USO4, _F_USO6 = 0x01, 0x02, 0x04, 0x20, 0x40


class Tun:
    """An open TUN device. The descriptor is non-blocking."""

    def __init__(self, fd: int, name: str, ifindex: int, vnet_hdr: bool, mtu: int) -> None:
        self.mtu = mtu
        """When it was opened; that of :meth:`read_blocks`."""
        block = 65536 // mtu * mtu
        room = bytearray(2 * block if vnet_hdr else 0)
        self.blocks = memoryview(room)
        """What :meth:`read_blocks` has read; good until it is called again."""
        self.oversize: list[bytes] = []
        """What :meth:`read_blocks` has read that is longer: the device's MTU was raised."""
        header, self._rest = (
            bytearray(VNET_HEADER),
            memoryview(bytearray(MAX_PACKET - mtu if vnet_hdr else 0)),
        )
        self._slots = [
            [(header, self.blocks[at : at + mtu], self._rest) for at in range(start, start + block, mtu)]
            for start in range(0, len(room), block)
        ]
        self.fd = fd
        self.name = name
        self.ifindex = ifindex
        self.vnet_hdr = vnet_hdr
        self.offloads = 0
        self.persistent = False

    @classmethod
    def open(cls, name: str, mtu: int, vnet_hdr: bool = False, adopt: bool = False) -> Tun:
        """Create the device ``name`` with ``mtu`` bytes, down and without addresses.

        ``adopt``: one that an earlier process has left is taken as it is. Raises :class:`NotPermitted` without
        CAP_NET_ADMIN, :class:`KernelError` when the name is taken or the kernel has no TUN driver.
        """
        if not 0 < len(name.encode()) < 16:
            raise KernelError(f"device name {name!r} is not of 1 to 15 characters", "choose a shorter one")
        flags = _IFF_TUN | _IFF_NO_PI
        flags |= (0 if adopt else _IFF_TUN_EXCL) | (_IFF_VNET_HDR if vnet_hdr else 0)
        try:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _open_error(error) from None
        try:
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            if vnet_hdr:
                fcntl.ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", VNET_HEADER))
            tun = cls(fd, name, socket.if_nametoindex(name), vnet_hdr, mtu)
            tun.persistent = adopt
            if not adopt:
                _quieten(name, mtu)
        except OSError as error:
            os.close(fd)
            raise _create_error(name, error) from None
        return tun

    @classmethod
    def remove(cls, name: str) -> None:
        """Remove a device that a process has left. Raises :class:`KernelError` while another one holds it."""
        cls.open(name, 1280, vnet_hdr=True, adopt=True).close()

    def set_offloads(self, on: bool = True) -> bool:
        """Let the kernel pass super-packets (TSO, and USO where the kernel knows it); needs ``vnet_hdr``.

        Returns whether UDP super-packets (USO, Linux 6.2) are among them.
        """
        base = _F_CSUM | _F_TSO4 | _F_TSO6
        for offloads in (base | _F_USO4 | _F_USO6, base) if on else (0,):
            try:
                fcntl.ioctl(self.fd, _TUNSETOFFLOAD, offloads)
            except OSError:
                continue
            self.offloads = offloads
            _set_queue(self.name, SUPER_QUEUE if on else QUEUE)
            break
        else:
            raise KernelError(f"device {self.name}: offloads refused", "Linux 5.4 or later is needed")
        return bool(self.offloads & _F_USO6)

    def fileno(self) -> int:
        """For selectors and ``loop.add_reader``."""
        return self.fd

    def read_batch(self, limit: int = BATCH) -> list[bytes]:
        """Waiting packets, up to ``limit`` or about :data:`TURN` bytes (each with its ``virtio_net_hdr`` if asked for).

        Empty when none waits. Raises :class:`KernelError` when the device has gone.
        """
        packets: list[bytes] = []
        append, read, fd, room = packets.append, os.read, self.fd, TURN
        try:
            while room > 0 and len(packets) < limit:
                packet = read(fd, READ_SIZE)
                append(packet)
                room -= len(packet)
        except BlockingIOError:
            pass
        except OSError as error:
            if not packets:
                raise self._gone(error) from None
        return packets

    def read_blocks(self) -> list[tuple[int, int]]:
        """Waiting packets into :attr:`blocks`, one behind the other, without their headers.

        For a device with ``vnet_hdr`` and offloads off, where headers say nothing. Returns stretches (start,
        end) of ``blocks``: each is packets of MTU bytes, of which the last may be shorter, up to 64 KiB. Raises
        :class:`KernelError` when the device has gone.
        """
        spans: list[tuple[int, int]] = []
        mtu, full, readv, fd = self.mtu, self.mtu + VNET_HEADER, os.readv, self.fd
        start = at = 0
        self.oversize = []
        try:
            for slots in self._slots:
                for into in slots:
                    size = readv(fd, into)
                    at += mtu
                    if size != full:
                        end = at - mtu
                        if size > full:
                            self.oversize.append(b"".join((into[1], self._rest[: size - full])))
                        else:
                            end += size - VNET_HEADER
                        if start < end:
                            spans.append((start, end))
                        start = at
                if start < at:
                    spans.append((start, at))
                    start = at
        except BlockingIOError:
            pass
        except OSError as error:
            if not at:
                raise self._gone(error) from None
        if start < at:
            spans.append((start, at))
        return spans

    def write(self, packet: bytes | memoryview, header: bytes = PLAIN) -> bool:
        """Hand one packet to the kernel, as received on the link. ``header`` is used with ``vnet_hdr`` only.

        False when the kernel refuses it (device down, no room, or bytes that are no IP packet).
        """
        try:
            if self.vnet_hdr:
                os.writev(self.fd, (header, packet))
            else:
                os.write(self.fd, packet)
        except OSError as error:
            return self._refused(error)
        return True

    def write_raw(self, data: bytes) -> bool:
        """Like :meth:`write`; with ``vnet_hdr``, ``data`` begins with the packet's header."""
        try:
            os.write(self.fd, data)
        except OSError as error:
            return self._refused(error)
        return True

    def require(self) -> None:
        """Raise :class:`KernelError` when the device has gone: its descriptor alone may stay silent about it."""
        try:
            socket.if_indextoname(self.ifindex)
        except OSError as error:
            raise self._gone(error) from None

    def persist(self, on: bool) -> None:
        """Whether the device stays, without carrier but up, with addresses and routes, when this process ends."""
        if self.fd >= 0 and on != self.persistent:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.fd, _TUNSETPERSIST, int(on))
                self.persistent = on

    def close(self) -> None:
        """Close the descriptor; the device goes with it. May be called twice."""
        self.persist(False)
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __enter__(self) -> Tun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refused(self, error: OSError) -> bool:
        # EIO: device down. EINVAL: not IP, or a header that does not fit. ENOBUFS/ENOMEM/EAGAIN: no room.
        if error.errno in (errno.EIO, errno.EINVAL, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN):
            return False
        raise self._gone(error) from None

    def _gone(self, error: OSError) -> KernelError:
        return KernelError(
            f"device {self.name}: {error.strerror}", "someone removed the device: start this command again"
        )


def _set_queue(name: str, length: int) -> None:
    # A matter of speed only; the device may be in another namespace by now.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8943, struct.pack("16si20x", name.encode(), length))  # SIOCSIFTXQLEN


def _quieten(name: str, mtu: int) -> None:
    """Set MTU and queue; no kernel-made addresses, no acceptance of router advertisements."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8922, struct.pack("16si20x", name.encode(), mtu))  # SIOCSIFMTU
    _set_queue(name, QUEUE)
    conf = Path("/proc/sys/net/ipv6/conf") / name
    # The kernel would otherwise solicit routers and report multicast into the tunnel by itself. In a container that
    # may not write parameters it does so, which harms less than no device.
    for key, value in (("addr_gen_mode", "1"), ("accept_ra", "0"), ("router_solicitations", "0")):
        with contextlib.suppress(OSError):
            (conf / key).write_text(value)


def _open_error(error: OSError) -> KernelError | NotPermitted:
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted("not permitted to open /dev/net/tun", "run as root, or grant CAP_NET_ADMIN")
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return KernelError("no TUN driver: /dev/net/tun is missing", "run: modprobe tun")
    return KernelError(f"/dev/net/tun: {error.strerror}", "see `dmesg`")


def _create_error(name: str, error: OSError) -> KernelError | NotPermitted:
    if error.errno in (errno.EACCES, errno.EPERM):
        what = f"not permitted to create the device {name}"
        return NotPermitted(what, "run as root, or grant CAP_NET_ADMIN")
    if error.errno in (errno.EBUSY, errno.EEXIST, errno.EINVAL):
        hint = f"another manageout runs here, or remove it: ip link delete {name}"
        return KernelError(f"the device name {name} is taken", hint)
    return KernelError(f"device {name} cannot be created: {error.strerror}", "see `dmesg`")
