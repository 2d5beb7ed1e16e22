"""Netlink itself: one blocking socket, requests and their answers (netlink(7), rtnetlink(7)).

Written out rather than taken from pyroute2: docs/adr/0003 has the figures.
"""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from manageout.errors import KernelError, NotPermitted
from manageout.words import toml_of

NEWLINK, GETLINK = 16, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30

_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _INTERRUPTED, _DUMP = 0x001, 0x004, 0x010, 0x300
CREATE_OR_REPLACE = 0x100 | 0x400

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000  # NLA_F_NESTED
_TYPE_MASK = 0x3FFF  # without it and NLA_F_NET_BYTEORDER

GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS = 0x1, 0x10, 0x100
GROUP_IPV4_ROUTE, GROUP_IPV6_ROUTE = 0x40, 0x400
GROUP_IPV4_NETCONF, GROUP_IPV6_NETCONF = 1 << 23, 1 << 24

_SOL_NETLINK, _STRICT = 270, 12
_SO_ATTACH_FILTER = 26

Instruction = tuple[int, int, int, int]
"""struct sock_filter: what to do, where to go on if so and if not, with what."""

TRIES = 5
"""For a list that changes while it is read."""


class Message(NamedTuple):
    """One answer: its type and what follows the netlink header."""

    type: int
    body: bytes


class Request(NamedTuple):
    """One question of a batch."""

    kind: int
    body: bytes
    flags: int = 0

    def pack(self, sequence: int, acknowledged: bool) -> bytes:
        """With its header; ``acknowledged``: the kernel is to say how it went."""
        flags = _REQUEST | self.flags | (_ACK if acknowledged else 0)
        return _HEADER.pack(16 + len(self.body), self.kind, flags, sequence, 0) + self.body


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *inside: bytes) -> bytes:
    """One attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(inside))


def text(kind: int, value: str) -> bytes:
    """One attribute that is a C string."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in ``data`` by type; the last of a repeated type wins."""
    return dict(attribute_list(data))


def attribute_list(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in ``data`` in their order."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        yield kind & _TYPE_MASK, data[offset + 4 : offset + length]
        offset += length + 3 & ~3


class Refused(KernelError):
    """A negative answer of the kernel; ``number`` is its errno."""

    def __init__(self, number: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.number = number


class Interrupted(KernelError):
    """What was listed changed meanwhile: objects may be missing, or be there twice (NLM_F_DUMP_INTR)."""


def refused(number: int, what: str) -> Refused | NotPermitted:
    """The exception for errno ``number`` in answer to ``what``."""
    if number in (errno.EPERM, errno.EACCES):
        return NotPermitted(f"{what}: not permitted", "run as root, or with CAP_NET_ADMIN")
    hints = toml_of("manageout.linux", "hints.toml")["netlink"]
    hint = hints.get(errno.errorcode.get(number, ""), "")
    return Refused(number, f"{what}: {os.strerror(number)}", hint)


@contextlib.contextmanager
def absent(*numbers: int) -> Iterator[None]:
    """Let the kernel's "no such thing" pass: ``numbers`` of errno."""
    try:
        yield
    except Refused as error:
        if error.number not in numbers:
            raise


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What the system says of the socket itself is told as what the kernel answers is."""
    try:
        yield
    except OSError as error:
        raise refused(error.errno or 0, what) from None


class Socket:
    """A netlink socket that sends one request at a time and reads its whole answer. A context manager.

    Every method raises :class:`KernelError`, or :class:`NotPermitted`, and never :class:`OSError`.
    """

    def __init__(self, groups: int = 0, protocol: int = 0, shared: int | None = None) -> None:
        """``protocol``: of netlink; rtnetlink unless told. ``shared``: the descriptor of a socket to use instead."""
        self._sequence = 0
        self.lost = 0
        """Times that notifications were lost, because nobody read them soon enough."""
        with _told("listen to the kernel" if groups else "open a netlink socket"):
            if shared is not None:
                self._socket = socket.socket(fileno=os.dup(shared))
                return
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            try:
                self._socket.bind((0, groups))
            except OSError:
                self._socket.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def be_strict(self) -> None:
        """Let the kernel choose what a dump holds by the header of the request (Linux 4.20), not send everything."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _STRICT, 1)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def fileno(self) -> int:
        """For an event loop that waits for notifications."""
        return self._socket.fileno()

    def request(self, kind: int, body: bytes, what: str, flags: int = 0) -> None:
        """Ask for a change and wait for the acknowledgement; raises :func:`refused` naming ``what``."""
        for _ in self._exchange(kind, body, what, _ACK | flags):
            pass

    def get(self, kind: int, body: bytes, what: str) -> Message:
        """Ask for one object."""
        return next(self._exchange(kind, body, what, 0))

    def dump(self, kind: int, body: bytes, what: str) -> list[Message]:
        """Ask for all objects of a kind; again when they change meanwhile, :data:`TRIES` times.

        What changes without end (the routes of a large router) is then as the last try has found it.
        """
        for _ in range(TRIES):
            found: list[Message] = []
            try:
                for message in self.each(kind, body, what):
                    found.append(message)
            except Interrupted:
                continue
            break
        return found

    def each(self, kind: int, body: bytes, what: str) -> Iterator[Message]:
        """The same one by one, as they are read: nothing else may be asked of this socket before the end.

        Raises :class:`Interrupted` at the end when they have changed.
        """
        return self._exchange(kind, body, what, _DUMP)

    def batch(self, begin: Request, changes: Sequence[Request], end: Request, what: str) -> None:
        """Ask for all ``changes`` or none, between ``begin`` and ``end``; raises :func:`refused`."""
        first = self._sequence + 1
        data = b""
        for request in (begin, *changes, end):
            self._sequence += 1
            data += request.pack(self._sequence, acknowledged=request not in (begin, end))
        self._send(data, what)
        waiting = set(range(first + 1, self._sequence))
        while waiting:
            for sequence, _, message in _split(self._receive(what)):
                if message.type != _ERROR or not first <= sequence <= self._sequence:
                    continue
                waiting.discard(sequence)
                if number := _error(message):
                    self.notifications()  # the answers to the other requests are there by now
                    raise refused(number, what)

    def option(self, number: int, value: bytes | int) -> None:
        """Set an option of the socket (SOL_SOCKET)."""
        with _told("prepare a netlink socket"):
            self._socket.setsockopt(socket.SOL_SOCKET, number, value)

    def narrow(self, program: Iterable[Instruction]) -> None:
        """Have the kernel leave out the messages that ``program`` drops."""
        code = b"".join(struct.pack("=HBBI", *each) for each in program)
        kept = ctypes.create_string_buffer(code, len(code))
        self.option(_SO_ATTACH_FILTER, struct.pack("@HP", len(code) // 8, ctypes.addressof(kept)))

    def notifications(self, limit: int = sys.maxsize) -> list[Message]:
        """What arrived on the subscribed groups since the last call, about ``limit`` at most; never waits."""
        found: list[Message] = []
        while len(found) < limit:
            try:
                data = self._socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise refused(error.errno or 0, "listen to the kernel") from None
                self.lost += 1  # the caller looks at the whole state
                continue
            found += [message for _, _, message in _split(data)]
        return found

    def _send(self, data: bytes, what: str) -> None:
        with _told(what):
            self._socket.send(data)

    def _receive(self, what: str) -> bytes:
        with _told(what):
            return self._socket.recv(1 << 17)

    def _exchange(self, kind: int, body: bytes, what: str, flags: int) -> Iterator[Message]:
        self._sequence += 1
        header = _HEADER.pack(16 + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self._send(header + body, what)
        seen = 0
        while True:
            for sequence, flagged, message in _split(self._receive(what)):
                if sequence != self._sequence:
                    continue
                seen |= flagged
                if message.type == _DONE:
                    if seen & _INTERRUPTED:
                        raise Interrupted(f"{what}: it changes too fast")
                    return
                if message.type == _ERROR:
                    if number := _error(message):
                        raise refused(number, what)
                    return
                yield message


def _error(message: Message) -> int:
    """The errno of an acknowledgement; 0 when all is well."""
    return -int.from_bytes(message.body[:4], sys.byteorder, signed=True)


def _split(data: bytes) -> Iterator[tuple[int, int, Message]]:
    """(sequence number, flags, message)."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < 16:
            return
        yield sequence, flags, Message(kind, data[offset + 16 : offset + length])
        offset += length + 3 & ~3
