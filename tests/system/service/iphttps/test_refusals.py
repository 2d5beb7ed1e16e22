"""Who and what the gateway's listener refuses, each for a reason that has a name."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from manageout.lab.process import wait_until
from manageout.service.tls import certificates
from manageout.service.tls.pki import Authority
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4, Pair

LIMITS = (
    "handshake_timeout = 1.5\nhead_timeout = 1.5\nmax_handshakes = 4\nmax_per_source = 6\nmax_connections = 8"
)
REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        pair.add_client("cl2")
        pair.start_gateway(gateway='allow = ["*.corp.example"]', iphttps=LIMITS)
        yield pair


def closed(sock: socket.socket) -> bool:
    """The gateway ends the connection within ten seconds."""
    sock.settimeout(10)
    try:
        while sock.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    return True


def counted(pair: Pair, reason: str, before: dict[str, int]) -> bool:
    """The reason is counted once more than before."""
    return bool(wait_until(reason, lambda: pair.drops().get(reason, 0) == before.get(reason, 0) + 1))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_tls_versions_are_served_without_alpn_and_without_resumption(
    pair: Pair, version: ssl.TLSVersion
) -> None:
    with pair.tls(version=version) as tls:
        tls.sendall(REQUEST)
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 OK\r\nServer: Microsoft-HTTPAPI/2.0\r\nDate: ")
        assert tls.selected_alpn_protocol() is None
        assert not (tls.session and tls.session.has_ticket)


def test_no_certificate(pair: Pair) -> None:
    before = pair.drops()
    with pytest.raises((ssl.SSLError, ConnectionResetError)), pair.tls(None) as tls:
        tls.sendall(REQUEST)
        tls.recv(100)
    assert counted(pair, "certificate-missing", before)


def test_an_expired_certificate(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "now", lambda: datetime(2024, 1, 1, tzinfo=UTC))
        pair.ca.issue("late.corp.example", server=False, days=1)
        pair.ca.write_crl()
    pair.ca.write_crl()
    before = pair.drops()
    with pytest.raises((ssl.SSLError, ConnectionResetError)), pair.tls("late.corp.example") as tls:
        tls.sendall(REQUEST)
        tls.recv(100)
    assert counted(pair, "certificate-expired", before)


def test_a_certificate_of_another_authority(pair: Pair) -> None:
    other = Authority.create(pair.directory / "other", "Other CA")
    files = other.issue("stranger.corp.example", server=False)
    before = pair.drops()
    context = ssl.create_default_context(cafile=str(pair.ca.certificate_path))
    context.load_cert_chain(*files)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        tls = context.wrap_socket(pair.tcp(), server_hostname=GATEWAY_NAME)
        tls.sendall(REQUEST)
        tls.recv(100)
    assert counted(pair, "certificate-invalid", before)


def test_a_server_certificate_is_no_client_certificate(pair: Pair) -> None:
    before = pair.drops()
    with pytest.raises((ssl.SSLError, ConnectionResetError)), pair.tls(GATEWAY_NAME) as tls:
        tls.sendall(REQUEST)
        tls.recv(100)
    assert counted(pair, "certificate-invalid", before)


def test_a_name_that_is_not_on_the_allow_list(pair: Pair) -> None:
    before = pair.drops()
    with pair.tls("laptop.elsewhere.example") as tls:
        assert tls.recv(4096).startswith(b"HTTP/1.1 403 client certificate is not in gateway.allow\r\n")
        assert closed(tls)
    assert counted(pair, "certificate-unlisted", before)


def test_a_revoked_certificate_ends_the_session_and_the_next_attempt(pair: Pair) -> None:
    with pair.tls("lost.corp.example") as tls, pair.tls("kept.corp.example") as kept:
        for connection in (tls, kept):
            connection.sendall(REQUEST)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        before = pair.drops()
        pair.ca.revoke("lost.corp.example")  # the file is read again within seconds
        assert closed(tls)
        assert counted(pair, "certificate-revoked", before)
        before = pair.drops()
        with pair.tls("lost.corp.example") as again:
            assert closed(again)
        assert counted(pair, "certificate-revoked", before)
        assert "kept.corp.example" in {row["name"] for row in pair.ask("clients")}


def test_plain_http_and_rubbish(pair: Pair) -> None:
    for said in (REQUEST, bytes(300)):
        before = pair.drops()
        with pair.tcp() as tcp:
            tcp.sendall(said)
            assert closed(tcp)
        assert counted(pair, "tls-failed", before)


def test_a_handshake_that_does_not_end(pair: Pair) -> None:
    before = pair.drops()
    with pair.tcp() as tcp:
        assert closed(tcp)
    assert counted(pair, "handshake-timeout", before)


def test_a_head_that_does_not_end(pair: Pair) -> None:
    with pair.tls() as tls:
        tls.sendall(REQUEST[:20])
        assert tls.recv(4096).startswith(b"HTTP/1.1 408")
    with pair.tls() as tls:
        tls.sendall(b"POST /IPHTTPS HTTP/1.1\r\n" + b"X-Long: " + b"x" * 9000)
        assert tls.recv(4096).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (build_request("/other", GATEWAY_NAME), b"404"),
        (b"GET /IPHTTPS HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"rubbish\r\n\r\n", b"400"),
    ],
)
def test_requests_that_are_none_of_ours(pair: Pair, request_head: bytes, status: bytes) -> None:
    with pair.tls() as tls:
        tls.sendall(request_head)
        assert tls.recv(4096).startswith(b"HTTP/1.1 " + status)
        assert closed(tls)


def test_a_stream_that_is_not_ipv6_ends_the_session(pair: Pair) -> None:
    before = pair.drops()
    with pair.tls() as tls:
        tls.sendall(REQUEST)
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
        tls.sendall(b"\x45" + bytes(40))
        assert closed(tls)
    assert counted(pair, "not-ipv6", before)


def established(pair: Pair, namespace: str = "cl", name: str = "laptop.corp.example") -> ssl.SSLSocket:
    """A connection that has sent its head."""
    tls = pair.tls(name, namespace=namespace)
    tls.sendall(REQUEST)
    assert tls.recv(4096).startswith(b"HTTP/1.1 200 OK")
    return tls


def half_begun(pair: Pair, namespace: str = "cl") -> socket.socket:
    """A connection that never comes to the end of its TLS handshake; the kernel shows it to the gateway at once."""
    tcp = pair.tcp(namespace)
    tcp.sendall(b"\x16")
    return tcp


def handshakes(pair: Pair) -> int:
    """On their way in."""
    return int(pair.ask("status")["roles"]["iphttps"]["handshakes"])


def test_unfinished_handshakes_do_not_lock_out_newcomers(pair: Pair) -> None:
    wait_until("nobody is on the way", lambda: not handshakes(pair))
    before = pair.drops()
    silent = [half_begun(pair, namespace) for namespace in ("cl", "cl2", "cl", "cl2")]
    wait_until("all places are taken", lambda: handshakes(pair) == 4)
    for _ in range(3):
        established(pair).close()
    assert pair.drops()["too-many-handshakes"] > before.get("too-many-handshakes", 0)
    for tcp in silent:
        tcp.close()


def test_unfinished_heads_do_not_lock_out_newcomers(pair: Pair) -> None:
    wait_until("nobody is on the way", lambda: not handshakes(pair))
    before = pair.drops()
    half_open = [pair.tls(f"{name}.corp.example", namespace="cl2") for name in "abcd"]
    wait_until("all places are taken", lambda: handshakes(pair) == 4)
    for _ in range(3):
        established(pair).close()
    assert pair.drops()["too-many-handshakes"] > before.get("too-many-handshakes", 0)
    for tls in half_open:
        tls.close()


def test_unfinished_handshakes_take_no_place_of_clients(pair: Pair) -> None:
    """Neither of those that are allowed in all, nor of those of one source."""
    wait_until("nobody is there", lambda: not pair.ask("clients"))
    wait_until("nobody is on the way", lambda: not handshakes(pair))
    clients = [established(pair, name=f"{name}.corp.example") for name in "abcd"]
    silent = [half_begun(pair) for _ in range(2)]
    wait_until("they are on the way", lambda: handshakes(pair) == 2)
    clients.append(established(pair, name="e.corp.example"))
    silent += [half_begun(pair, "cl2") for _ in range(2)]
    wait_until("they are on the way", lambda: handshakes(pair) >= 3)
    clients += [established(pair, "cl2", f"{name}.corp.example") for name in "fgh"]
    assert len(pair.ask("clients")) == 8
    for tcp in (*clients, *silent):
        tcp.close()


def test_too_many_connections_and_connections_of_one_source(pair: Pair) -> None:
    wait_until("nobody is there", lambda: not pair.ask("clients"))
    wait_until("nobody is on the way", lambda: not handshakes(pair))
    before = pair.drops()
    clients = [established(pair, name=f"{name}.corp.example") for name in "abcdef"]
    wait_until("all are counted as clients", lambda: not handshakes(pair))
    with refused(pair) as tcp:
        assert closed(tcp)
    assert counted(pair, "too-many-from-source", before)
    clients += [established(pair, "cl2", f"{name}.corp.example") for name in "gh"]
    wait_until("all are counted as clients", lambda: not handshakes(pair))
    with refused(pair, "cl2") as tcp:
        assert closed(tcp)
    assert counted(pair, "too-many-connections", before)
    for client in clients:
        client.close()


def test_one_certificate_takes_no_more_than_its_share(pair: Pair) -> None:
    wait_until("nobody is there", lambda: not pair.ask("clients"))
    clients = [established(pair, name="greedy.corp.example") for _ in range(6)]
    assert closed(clients[0]) and closed(clients[1])
    assert [row["name"] for row in pair.ask("clients")] == ["greedy.corp.example"] * 4
    assert pair.drops()["too-many-of-certificate"] == 2
    clients[-1].sendall(b"\x60")  # still there
    for client in clients:
        client.close()


def refused(pair: Pair, namespace: str = "cl") -> socket.socket:
    """A connection that begins to speak, which the gateway may have reset by then."""
    tcp = pair.tcp(namespace)
    with contextlib.suppress(ConnectionError):
        tcp.sendall(b"\x16")
    return tcp


def test_a_renegotiation_is_refused_at_once(pair: Pair) -> None:
    """The alert comes by itself, not with the next packet that the gateway has for the client."""
    key = pair.ca.directory / "laptop.corp.example.key"
    if not key.exists():
        pair.ca.issue("laptop.corp.example", server=False)
    argv = ["openssl", "s_client", "-connect", f"{GATEWAY_V4}:443", "-tls1_2", "-key", str(key)]
    argv += ["-cert", str(key.with_suffix(".pem")), "-CAfile", str(pair.ca.certificate_path)]
    request = pair.directory / "request"
    request.write_bytes(REQUEST)
    said = f"(cat {request}; sleep 1; echo R; sleep 20)"
    client = pair.start("cl", "sh", "-c", f"{said} | {' '.join(argv)}", name="s_client")
    wait_until("the alert", lambda: "no renegotiation" in client.text())
    client.stop()
