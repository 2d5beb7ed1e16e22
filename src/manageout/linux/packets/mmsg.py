"""Many packets a system call: ``recvmmsg`` and ``sendmmsg`` over fixed slots.

For raw IPv4 sockets there are two ends, and for a UDP server over IPv6 one of questions and their answers.

The structures that the kernel wants are laid out once; a call then costs Python nothing for each packet.
"""

import ctypes as c
import mmap
import socket
import struct

_LARGEST = 65535
_HEADER = 20
_NAME6 = struct.Struct("=2xHI16sI")
"""``struct sockaddr_in6``: port, flow, address, zone; the first two in network order."""


class _Vector(c.Structure):
    _fields_ = (("base", c.c_void_p), ("length", c.c_size_t))


class _Header(c.Structure):
    """``struct msghdr``."""

    _fields_ = (
        ("name", c.c_void_p),
        ("name_length", c.c_uint32),
        ("vectors", c.c_void_p),
        ("vector_count", c.c_size_t),
        ("control", c.c_void_p),
        ("control_length", c.c_size_t),
        ("flags", c.c_int),
    )


class _Message(c.Structure):
    """``struct mmsghdr``."""

    _fields_ = (("header", _Header), ("length", c.c_uint32))


_libc = c.CDLL(None, use_errno=True)


class ReceiveBatch:
    """Receives up to ``slots`` packets a call. Those of at most ``size`` bytes lie ``size`` bytes apart."""

    def __init__(self, sock: socket.socket, size: int, slots: int) -> None:
        self._fd, self._size, self._slots = sock.fileno(), size, slots
        # Behind the slots, room for what does not fit into one: memory only when it is ever touched.
        rest = _LARGEST - size
        self._room = mmap.mmap(-1, slots * (size + rest))
        start = c.addressof(c.c_char.from_buffer(self._room))
        self.block = memoryview(self._room)[: slots * size]
        """What :meth:`receive` has received; good until it is called again."""
        self._rest = [
            memoryview(self._room)[at : at + rest] for at in range(slots * size, len(self._room), rest)
        ]
        self._vectors = (_Vector * (2 * slots))()
        self._messages = (_Message * slots)()
        for slot, message in enumerate(self._messages):
            self._vectors[2 * slot] = _Vector(start + slot * size, size)
            self._vectors[2 * slot + 1] = _Vector(start + slots * size + slot * rest, rest)
            message.header.vectors = c.addressof(self._vectors) + 2 * slot * c.sizeof(_Vector)
            message.header.vector_count = 2
        step, at = c.sizeof(_Message) // 4, _Message.length.offset // 4
        self._lengths = memoryview(self._messages).cast("B").cast("I")[at::step]

    def receive(self) -> list[int]:
        """Take what waits; the lengths, slot by slot. An error reads as nothing there: the next call has it."""
        count = _libc.recvmmsg(self._fd, self._messages, self._slots, socket.MSG_DONTWAIT, None)
        return self._lengths[:count].tolist() if count > 0 else []

    def packet(self, slot: int, length: int) -> bytes:
        """One packet of the last call."""
        start, size = slot * self._size, self._size
        if length <= size:
            return bytes(self.block[start : start + length])
        return b"".join((self.block[start : start + size], self._rest[slot][: length - size]))


class SendBatch:
    """Sends packets of ``size`` bytes that lie ``size`` bytes apart in ``block``, one IPv4 header in front of each."""

    def __init__(self, sock: socket.socket, block: memoryview, size: int) -> None:
        self._fd = sock.fileno()
        self._header = c.create_string_buffer(_HEADER)
        self._name = c.create_string_buffer(16)
        start = c.addressof(c.c_char.from_buffer(block))
        slots = len(block) // size
        self._vectors = (_Vector * (2 * slots))()
        self._messages = (_Message * slots)()
        for slot, message in enumerate(self._messages):
            self._vectors[2 * slot] = _Vector(c.addressof(self._header), _HEADER)
            self._vectors[2 * slot + 1] = _Vector(start + slot * size, size)
            message.header.vectors = c.addressof(self._vectors) + 2 * slot * c.sizeof(_Vector)
            message.header.vector_count = 2
            message.header.name, message.header.name_length = c.addressof(self._name), len(self._name)

    def send(self, header: bytes, slot: int, count: int) -> int:
        """How many of ``count`` packets from ``slot`` on the kernel took.

        It puts total length, identification and checksum of the IPv4 header in, packet by packet (raw(7)).
        """
        self._header.raw = header[:4] + bytes(2) + header[6:]
        self._name.raw = struct.pack("=HH4s8x", socket.AF_INET, 0, header[16:20])
        first = c.addressof(self._messages) + slot * c.sizeof(_Message)
        return max(0, int(_libc.sendmmsg(self._fd, c.c_void_p(first), count, socket.MSG_DONTWAIT)))


class Datagrams:
    """A UDP socket over IPv6 whose answers go out of the slots that their questions have come into."""

    def __init__(self, sock: socket.socket, size: int, slots: int) -> None:
        """Questions of more than ``size`` bytes are cut off there; answers have ``size`` at most."""
        self._fd, self._size, self._slots = sock.fileno(), size, slots
        self._block = memoryview(bytearray(slots * size))
        self._names = memoryview(bytearray(slots * _NAME6.size))
        self._vectors, self._messages = (_Vector * slots)(), (_Message * slots)()
        block, names = (c.addressof(c.c_char.from_buffer(room)) for room in (self._block, self._names))
        for slot, message in enumerate(self._messages):
            self._vectors[slot] = _Vector(block + slot * size, size)
            message.header.vectors = c.addressof(self._vectors) + slot * c.sizeof(_Vector)
            message.header.vector_count = 1
            message.header.name, message.header.name_length = names + slot * _NAME6.size, _NAME6.size
        step, at = c.sizeof(_Message) // 4, _Message.length.offset // 4
        self._received = memoryview(self._messages).cast("B").cast("I")[at::step]
        self._room = memoryview(self._vectors).cast("B").cast("L")[1::2]
        self._full = memoryview(struct.pack("L", size) * slots).cast("L")

    def receive(self) -> list[bytes]:
        """The questions that wait, slot by slot. An error reads as nothing there: the next call has it."""
        self._room[:] = self._full
        count = _libc.recvmmsg(self._fd, self._messages, self._slots, socket.MSG_DONTWAIT, None)
        lengths = self._received[: max(0, count)].tolist()
        block, size = self._block, self._size
        return [
            bytes(block[start : start + length])
            for start, length in zip(range(0, len(block), size), lengths, strict=False)
        ]

    def source(self, slot: int) -> bytes:
        """The 16 bytes of the address that a question came from."""
        return bytes(self._names[slot * _NAME6.size + 8 : slot * _NAME6.size + 24])

    def name(self, slot: int) -> tuple[str, int, int, int]:
        """The same as ``recvfrom`` tells it."""
        port, flow, address, zone = _NAME6.unpack_from(self._names, slot * _NAME6.size)
        return socket.inet_ntop(socket.AF_INET6, address), socket.ntohs(port), socket.ntohl(flow), zone

    def answer(self, slot: int, message: bytes) -> None:
        """Have this ready in place of the question."""
        start, length = slot * self._size, len(message)
        self._block[start : start + length] = message
        self._room[slot] = length

    def send(self, start: int, end: int) -> int:
        """Send the answers of these slots; how many the kernel did not take."""
        refused = 0
        while start < end:
            first = c.addressof(self._messages) + start * c.sizeof(_Message)
            sent = _libc.sendmmsg(self._fd, c.c_void_p(first), end - start, socket.MSG_DONTWAIT)
            if sent <= 0:  # the first one failed: its client has gone, or the device is full
                refused, sent = refused + 1, 1
            start += sent
        return refused
