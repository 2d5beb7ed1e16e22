"""IP-HTTPS on the wire ([MS-IPHTTPS] 2, 4.1): one HTTP head each way, then IPv6 packets back to back.

Heads are written by hand, because HTTP libraries would chunk a body without end. The framing of our own
clients, which a stock client never meets, is at the end: records that may carry super-packets.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from manageout.errors import HeadError, WireError
from manageout.wire.virtio import VNET_HEADER

MAX_HEAD = 8192
"""Bytes of one HTTP head, its blank line included."""
MAX_SIZE_LINE = 256
"""Bytes of the line that says how long a chunk is, chunk extensions included."""
ENDLESS = 2**64 - 1
"""The Content-Length that means "without end" ([MS-IPHTTPS] 3.1.5.2)."""

Header = tuple[str, str]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/(1\.[0-9])")
_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) ([1-9][0-9]{2})(?: ([^\r\n]*))?")
_ABSOLUTE = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNFIT_FOR_HEADER = re.compile(r"[^\t\x20-\x7e]")


# --- Heads (RFC 9112) -----------------------------------------------------------------------------------


class RequestHead(NamedTuple):
    """Header names are lower case; repeated ones are joined by ", ". ``version`` is "1.0" or "1.1"."""

    method: str
    path: str
    version: str
    headers: dict[str, str]


class StatusHead(NamedTuple):
    """The same for an answer."""

    version: str
    status: int
    reason: str
    headers: dict[str, str]


class HeadParser:
    """Collects one head, of a request or an answer; ``head`` is None until its blank line was fed."""

    def __init__(self) -> None:
        self.head: RequestHead | StatusHead | None = None
        self.rest = b""
        """What followed the blank line."""
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Take a stretch of the stream.

        Raises :class:`HeadError` as soon as this cannot become a head; the parser is then of no more use.
        """
        if self.head is not None:
            self.rest += bytes(data)
            return
        buffer = self._buffer
        searched = max(0, len(buffer) - 3)
        buffer += data
        start = 2 if buffer.startswith(b"\r\n") else 0  # RFC 9112 2.2: ignore one empty line before it
        end = buffer.find(b"\r\n\r\n", max(start, searched))
        if _CONTROL.search(buffer, searched, end if end >= 0 else MAX_HEAD):
            raise HeadError("not HTTP: control character in the head")
        if end > MAX_HEAD - 4 or (end < 0 and len(buffer) >= MAX_HEAD):
            raise HeadError(f"HTTP head too long: more than {MAX_HEAD} bytes", 431)
        if end >= 0:
            self.head = _parse_head(buffer[start:end].decode("latin-1"))
            self.rest = bytes(buffer[end + 4 :])
            buffer.clear()


def _parse_head(text: str) -> RequestHead | StatusHead:
    first, *lines = text.split("\r\n")
    if status := _STATUS_LINE.fullmatch(first):
        return StatusHead(status[1], int(status[2]), status[3] or "", _parse_headers(lines))
    if request := _REQUEST_LINE.fullmatch(first):
        # RFC 9112 3.2.2: a server must accept the absolute form of a target.
        path = _ABSOLUTE.sub("", request[2]) or "/"
        return RequestHead(request[1], path, request[3], _parse_headers(lines))
    raise HeadError(f"not HTTP: {first[:60]!r}")


def _parse_headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # RFC 9112 5.1, 5.2: no white space before the colon, no folded lines; and no stray CR or LF (2.2).
        if not colon or not _TOKEN.fullmatch(name) or "\r" in value or "\n" in value:
            raise HeadError(f"broken HTTP header {line[:60]!r}")
        key, value = name.lower(), value.strip(" \t")
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def build_request(path: str, host: str, extra: Sequence[Header] = ()) -> bytes:
    """The client's POST with its endless body. Raises :class:`WireError` for what no head can hold."""
    headers = [("Host", host), ("Content-Length", str(ENDLESS)), *extra]
    return _build_head(f"POST {_target(path)} HTTP/1.1", headers)


def build_response(server: str, date: str, extra: Sequence[Header] = ()) -> bytes:
    """The server's 200 ([MS-IPHTTPS] 3.2.5.1), ``date`` as HTTP writes it; it ends with the stream."""
    return _build_head("HTTP/1.1 200 OK", [("Server", server), ("Date", date), *extra])


def build_refusal(status: int, reason: str, server: str, date: str) -> bytes:
    """An answer that ends the connection, such as 404 for another path."""
    headers = [("Server", server), ("Date", date), ("Content-Length", "0"), ("Connection", "close")]
    return _build_head(f"HTTP/1.1 {status} {reason}", headers)


def build_connect(host: str, port: int, basic: tuple[str, str] | None = None) -> bytes:
    """CONNECT to ``host:port`` through a proxy; ``basic``: user and password (RFC 9110 9.3.6, RFC 7617)."""
    authority = _target(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    headers = [("Host", authority)]
    if basic is not None:
        if ":" in basic[0]:
            raise WireError("a proxy user name cannot contain a colon")
        credentials = b64encode(":".join(basic).encode()).decode("ascii")
        headers.append(("Proxy-Authorization", f"Basic {credentials}"))
    return _build_head(f"CONNECT {authority} HTTP/1.1", headers)


def _target(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise WireError(f"{text[:60]!r} cannot stand in an HTTP request line")
    return text


def _build_head(first: str, headers: Iterable[Header]) -> bytes:
    lines = [first]
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _UNFIT_FOR_HEADER.search(value):
            raise WireError(f"{name!r}: {value[:60]!r} cannot be an HTTP header")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "", "")).encode("ascii")


class DeChunker:
    """Takes chunked transfer coding off a stream (RFC 9112 7.1), should a server use it against the rule."""

    def __init__(self) -> None:
        self.done = False
        """The last chunk was seen: the other side has ended the stream."""
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the present chunk still to come."""
        self._before = b""
        """What stands before the next size: the line end behind a chunk."""

    def feed(self, data: bytes | memoryview) -> bytes:
        """The content in ``data``. Raises :class:`WireError` for broken framing."""
        content, buffer = bytearray(), self._buffer
        if not self.done:
            buffer += data
        while buffer and not self.done:
            if self._left:
                stretch = buffer[: self._left]
                content += stretch
                self._left -= len(stretch)
                del buffer[: len(stretch)]
                continue
            start = len(self._before)
            if not buffer.startswith(self._before[: len(buffer)]):
                raise WireError("chunk does not end with a line end")
            end = buffer.find(b"\r\n", start, start + MAX_SIZE_LINE)
            if end < 0:
                if len(buffer) - start >= MAX_SIZE_LINE:
                    raise WireError("chunk size line too long")
                break
            self._left, self._before = _chunk_size(bytes(buffer[start:end])), b"\r\n"
            self.done = not self._left
            del buffer[: end + 2]
        return bytes(content)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b" \t")
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits):
        raise WireError(f"broken chunk size {line[:40]!r}")
    return int(digits, 16)


# --- Our own framing ------------------------------------------------------------------------------------

PACKET, SUPER_PACKET, KEEPALIVE, RETURN = 0, 1, 2, 3
MAX_IPV6 = 40 + 65535
MAX_KEEPALIVE = 64

_RECORD = Struct("!IB")
_RETURN = Struct("!II")
_BOUNDS = {
    PACKET: (40, MAX_IPV6),
    SUPER_PACKET: (VNET_HEADER + 40, VNET_HEADER + MAX_IPV6),
    KEEPALIVE: (0, MAX_KEEPALIVE),
    RETURN: (_RETURN.size, _RETURN.size),
}
"""Bytes of a record's body, by its type."""


class OwnFramer:
    """Splits a stream into records: u32 length of the body, u8 type, body.

    Type 0 is an IPv6 packet; 1 a virtio_net_hdr and an IPv6 packet of up to 64 KiB; 2 a keepalive, to be
    echoed; 3, to clients that asked for it, when to come back after the end that follows.
    """

    __slots__ = ("_pending", "_wanted")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._wanted = 0

    @property
    def pending(self) -> int:
        """Bytes held of a record that is not yet whole."""
        return len(self._pending)

    def feed(self, data: bytes | memoryview) -> list[tuple[int, bytes]]:
        """The records (type, body) that ``data`` completes.

        Raises :class:`WireError`; the stream cannot be followed behind it.
        """
        view, start, end = memoryview(data), 0, len(data)
        pending = self._pending
        records: list[tuple[int, bytes]] = []
        while True:
            if pending:
                after = min(end, start + self._wanted - len(pending))
                pending += view[start:after]
                start = after
                if len(pending) < self._wanted:
                    break
                if self._wanted == _RECORD.size and (size := _size_of(pending, 0)) > _RECORD.size:
                    self._wanted = size
                    continue
                kind, body = pending[4], bytes(memoryview(pending)[_RECORD.size :])
                pending.clear()
            elif end - start < _RECORD.size:
                self._wanted = _RECORD.size
                pending += view[start:]
                break
            else:
                size = _size_of(view, start)
                if end - start < size:
                    self._wanted = size
                    pending += view[start:]
                    break
                kind, body = view[start + 4], bytes(view[start + _RECORD.size : start + size])
                start += size
            _check_packet(kind, body)
            records.append((kind, body))
        return records


def _size_of(data: bytearray | memoryview, start: int) -> int:
    """Bytes of the record that begins at ``start``, its header included."""
    length, kind = _RECORD.unpack_from(data, start)
    _check_length(kind, length)
    return _RECORD.size + int(length)


def _check_length(kind: int, length: int) -> None:
    if kind not in _BOUNDS:
        raise WireError(f"unknown record type {kind}")
    least, most = _BOUNDS[kind]
    if not least <= length <= most:
        raise WireError(f"record of type {kind} with {length} bytes")


def _check_packet(kind: int, body: bytes) -> None:
    if kind in (KEEPALIVE, RETURN):
        return
    start = VNET_HEADER if kind == SUPER_PACKET else 0
    if body[start] >> 4 != 6:
        raise WireError(f"not IPv6: version {body[start] >> 4} in a record")
    if len(body) - start != 40 + (body[start + 4] << 8 | body[start + 5]):
        raise WireError("record length and IPv6 payload length differ")


def build_record(kind: int, body: bytes) -> bytes:
    """One record of our own framing."""
    return _RECORD.pack(len(body), kind) + body


def build_return(after: float, spread: float) -> bytes:
    """Come back ``after`` seconds after the end of the connection, and up to ``spread`` more by chance."""
    return build_record(RETURN, _RETURN.pack(round(after * 1000), round(spread * 1000)))


def parse_return(body: bytes) -> tuple[float, float]:
    """The two of :func:`build_return`."""
    after, spread = _RETURN.unpack(body)
    return after / 1000, spread / 1000
