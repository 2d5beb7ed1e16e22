"""IP-HTTPS heads and framing, at every place where a stream can be cut."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

import pytest

from manageout.errors import WireError
from manageout.wire.iphttps import (
    ENDLESS,
    KEEPALIVE,
    MAX_HEAD,
    PACKET,
    RETURN,
    SUPER_PACKET,
    DeChunker,
    HeadParser,
    OwnFramer,
    RequestHead,
    StatusHead,
    build_connect,
    build_record,
    build_refusal,
    build_request,
    build_response,
    build_return,
    parse_return,
)
from tests.vectors import vector

STREAM = vector("IPHTTPS_stream3")
REQUEST, RESPONSE = vector("IPHTTPS_request"), vector("IPHTTPS_response")
DATE = "Sun, 10 Aug 2008 03:51:52 GMT"


def parsed(data: bytes) -> HeadParser:
    parser = HeadParser()
    parser.feed(data)
    return parser


# --- Heads ----------------------------------------------------------------------------------------------


def test_we_write_the_specified_heads() -> None:
    assert build_request("/IPHTTPS", "da.example.com") == REQUEST
    assert build_response("Microsoft-HTTPAPI/2.0", DATE) == RESPONSE


def test_we_read_the_specified_request() -> None:
    wanted = {"host": "da.example.com", "content-length": str(ENDLESS)}
    assert parsed(REQUEST).head == RequestHead("POST", "/IPHTTPS", "1.1", wanted)


def test_we_read_the_specified_response() -> None:
    wanted = {"server": "Microsoft-HTTPAPI/2.0", "date": DATE}
    assert parsed(RESPONSE).head == StatusHead("1.1", 200, "OK", wanted)


@pytest.mark.parametrize("head", [REQUEST, RESPONSE, b"\r\n" + REQUEST])
def test_a_head_may_be_cut_anywhere(head: bytes) -> None:
    whole = parsed(head).head
    for cut in range(len(head) + len(STREAM) + 1):
        parser = HeadParser()
        parser.feed((head + STREAM)[:cut])
        assert (parser.head is not None) == (cut >= len(head))
        parser.feed(memoryview((head + STREAM)[cut:]))
        assert (parser.head, parser.rest) == (whole, STREAM)
    parser = HeadParser()
    for byte in head + STREAM:
        parser.feed(bytes((byte,)))
    assert (parser.head, parser.rest) == (whole, STREAM)


def test_extra_headers() -> None:
    head = parsed(build_request("/x", "h", [("X-A", "b\tc"), ("X-A", " d ")])).head
    assert head is not None and head.headers["x-a"] == "b\tc, d"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("POST https://gateway.example:443/IPHTTPS HTTP/1.1", "/IPHTTPS"),
        ("POST https://gateway.example HTTP/1.1", "/"),
        ("POST /IPHTTPS?at=http://x/ HTTP/1.0", "/IPHTTPS?at=http://x/"),
    ],
)
def test_targets(line: str, path: str) -> None:
    head = parsed(line.encode() + b"\r\n\r\n").head
    assert isinstance(head, RequestHead) and head.path == path


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"HTTP/1.0 407 Proxy Authentication Required", (407, "Proxy Authentication Required")),
        (b"HTTP/1.1 200 ", (200, "")),
        (b"HTTP/1.1 200", (200, "")),
    ],
)
def test_status_lines(line: bytes, wanted: tuple[int, str]) -> None:
    head = parsed(line + b"\r\n\r\n").head
    assert isinstance(head, StatusHead) and (head.status, head.reason) == wanted


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/2.0\r\n\r\n", "not HTTP"),
        (b"GET /\r\n\r\n", "not HTTP"),
        (b"GET  / HTTP/1.1\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 O\rK\r\n\r\n", "not HTTP"),
        (b"\r\n\r\n\r\n", "not HTTP"),
        (b"POST /\xc3\xa4 HTTP/1.1\r\n\r\n", "not HTTP"),
        (b"\x16\x03\x01\x02\x00\x01", "not HTTP: control character"),
        (STREAM, "not HTTP: control character"),
        (b"POST / HTTP/1.1\r\nHost : a\r\n\r\n", "broken HTTP header"),
        (b"POST / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "broken HTTP header"),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", "broken HTTP header"),
        (b"POST / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "broken HTTP header"),
        (b"POST / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "broken HTTP header"),
    ],
)
def test_refuses_broken_heads(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        parsed(data)


def test_a_control_character_is_found_at_once_and_only_within_the_head() -> None:
    parser = HeadParser()
    parser.feed(b"POST /")
    with pytest.raises(WireError, match="control character"):
        parser.feed(b"\0")
    assert parsed(REQUEST + b"\0\1\2").rest == b"\0\1\2"


def test_the_longest_head() -> None:
    start = b"POST / HTTP/1.1\r\nA: "
    fits = start + b"a" * (MAX_HEAD - len(start) - 4) + b"\r\n\r\n"
    assert len(fits) == MAX_HEAD and parsed(fits).head is not None
    with pytest.raises(WireError, match="too long"):
        parsed(start + b"a" + fits[len(start) :])
    parser = HeadParser()
    with pytest.raises(WireError, match="too long"):
        for _ in range(MAX_HEAD):
            parser.feed(b"a")


@pytest.mark.parametrize(
    ("host", "authority"), [("gateway.example", "gateway.example:443"), ("fd00::1", "[fd00::1]:443")]
)
def test_connect(host: str, authority: str) -> None:
    head = parsed(build_connect(host, 443)).head
    assert head == RequestHead("CONNECT", authority, "1.1", {"host": authority})


def test_connect_with_credentials() -> None:
    head = parsed(build_connect("gateway.example", 443, ("user", "pä:ss"))).head
    assert head is not None
    scheme, credentials = head.headers["proxy-authorization"].split()
    assert (scheme, b64decode(credentials).decode()) == ("Basic", "user:pä:ss")


def test_refusal() -> None:
    head = parsed(build_refusal(404, "Not Found", "s", DATE)).head
    assert isinstance(head, StatusHead) and head.status == 404
    assert head.headers["connection"] == "close" and head.headers["content-length"] == "0"


def test_nothing_can_be_smuggled_into_a_head() -> None:
    attempts: list[Callable[[], bytes]] = [
        lambda: build_request("/ HTTP/1.1\r\nX: y", "h"),
        lambda: build_request("", "h"),
        lambda: build_request("/", "h\r\nX: y"),
        lambda: build_request("/", "h", [("X:", "y")]),
        lambda: build_response("s\n", DATE),
        lambda: build_connect("a b", 443),
        lambda: build_connect("a", 443, ("us:er", "p")),
    ]
    for attempt in attempts:
        with pytest.raises(WireError):
            attempt()


# --- Chunks ---------------------------------------------------------------------------------------------

CHUNKED = (
    b"7;name=value\r\n" + STREAM[:7] + b"\r\n0002B\r\n" + STREAM[7:50] + b"\r\n5e\r\n" + STREAM[50:] + b"\r\n"
)


def test_chunks_cut_anywhere() -> None:
    for cut in range(len(CHUNKED) + 1):
        chunks = DeChunker()
        assert chunks.feed(CHUNKED[:cut]) + chunks.feed(memoryview(CHUNKED[cut:])) == STREAM
        assert not chunks.done


def test_nothing_comes_after_the_last_chunk() -> None:
    chunks = DeChunker()
    assert chunks.feed(CHUNKED + b"0\r\n\r\n") == STREAM
    assert chunks.done
    assert chunks.feed(b"5\r\nafter\r\n") == b""


def test_chunks_byte_by_byte() -> None:
    chunks = DeChunker()
    assert b"".join(chunks.feed(bytes((byte,))) for byte in CHUNKED) == STREAM


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"1" * 17 + b"\r\n",
        b"1\r\nab",
        b"1\r\na\rb",
        b"1" * 300,
        b"1;" + b"x" * 300,
    ],
)
def test_refuses_broken_chunks(data: bytes) -> None:
    with pytest.raises(WireError, match="chunk"):
        DeChunker().feed(data)
    chunks = DeChunker()
    with pytest.raises(WireError, match="chunk"):
        for byte in data:
            chunks.feed(bytes((byte,)))


# --- Our own framing ------------------------------------------------------------------------------------

ECHO = STREAM[88:]
SUPER = bytes(10) + ECHO
RECORDS = [
    (PACKET, ECHO),
    (KEEPALIVE, b""),
    (SUPER_PACKET, SUPER),
    (KEEPALIVE, b"\1\2"),
    (PACKET, STREAM[48:88]),
]
OWN = b"".join(build_record(kind, body) for kind, body in RECORDS)


def test_records_cut_anywhere() -> None:
    for cut in range(len(OWN) + 1):
        framer = OwnFramer()
        assert framer.feed(OWN[:cut]) + framer.feed(memoryview(OWN[cut:])) == RECORDS
        assert framer.pending == 0


def test_records_byte_by_byte() -> None:
    framer = OwnFramer()
    assert [record for byte in OWN for record in framer.feed(bytes((byte,)))] == RECORDS


def test_the_largest_records() -> None:
    packet = bytes.fromhex("60000000ffff3b40") + bytes(32 + 65535)
    for record in ((PACKET, packet), (SUPER_PACKET, bytes(10) + packet)):
        assert OwnFramer().feed(build_record(*record)) == [record]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (build_record(4, b"")[:5], "unknown record type 4"),
        (build_record(RETURN, b"")[:5], "record of type 3 with 0 bytes"),
        (build_record(PACKET, b"a" * 39)[:5], "record of type 0 with 39 bytes"),
        (b"\0\1\0\x28\0", "record of type 0 with 65576 bytes"),
        (build_record(SUPER_PACKET, b"a" * 49)[:5], "record of type 1 with 49 bytes"),
        (b"\0\1\0\x32\1", "record of type 1 with 65586 bytes"),
        (b"\0\0\0\x41\2", "record of type 2 with 65 bytes"),
        (build_record(PACKET, vector("IPHTTPS_bad_version")), "not IPv6: version 4"),
        (build_record(SUPER_PACKET, bytes(10) + vector("IPHTTPS_bad_version")), "not IPv6: version 4"),
        (build_record(PACKET, ECHO + b"x"), "differ"),
        (build_record(SUPER_PACKET, SUPER[:-1]), "differ"),
    ],
)
def test_refuses_broken_records(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        OwnFramer().feed(data)


def test_when_to_return() -> None:
    ((kind, body),) = OwnFramer().feed(build_return(1.0, 2.5))
    assert kind == RETURN and parse_return(body) == (1.0, 2.5)
