"""HAProxy before the gateway: client -> haproxy (mode tcp, send-proxy-v2) -> gateway; strangers beside it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.wire import proxy
from manageout.wire.iphttps import build_request
from tests.tools.packets.proxy import proxy_header
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4, Pair, Running, in_namespace, sh

REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)
CONFIG = """
global
    maxconn 200
    stats socket {directory}/haproxy.sock mode 600
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend iphttps
    bind {balancer}:443
    default_backend gateways
backend gateways
    server one {gateway}:443 send-proxy-v2 check inter 300ms
"""


class Place(Pair):
    """The balancer is in the namespace ``lb``, ``cl2`` is a second client; the gateway's name leads to the balancer."""

    def __enter__(self) -> Place:
        super().__enter__()
        self.balancer, self.second = self.add_client("lb"), self.add_client("cl2")
        self.first = f"198.51.100.{int(self.balancer.rpartition('.')[2]) - 1}"
        # The bridge between clients and balancer stands for the Internet: no rules of ours there.
        sh("ip netns exec gw sysctl -qe -w net.bridge.bridge-nf-call-iptables=0 || true")
        for name in ("cl", "cl2"):
            (Path("/etc/netns") / name / "hosts").write_text(f"{self.balancer} {GATEWAY_NAME}\n")
        limits = f'proxies = ["{self.balancer}/32"]\nmax_per_source = 2\nhandshake_timeout = 1.5'
        pool = '[translation]\npool = "10.99.0.0/24"\n'
        self.start_gateway(iphttps=limits, policy='intranet = ["10.98.0.0/24"]', tables=pool)
        return self

    def balance(self) -> None:
        """Start HAProxy, and wait until it finds the gateway alive."""
        file = self.directory / "haproxy.cfg"
        text = CONFIG.format(balancer=self.balancer, gateway=GATEWAY_V4, directory=self.directory)
        file.write_text(text)
        haproxy = self.start("lb", "haproxy", "-db", "-f", str(file))
        wait_until("haproxy listens", lambda: self._up(haproxy))

    def _up(self, haproxy: Running) -> bool:
        assert haproxy.process.poll() is None, haproxy.text()
        try:
            self.plain("cl").close()
        except OSError:
            return False
        return True

    def plain(self, namespace: str, address: str = "") -> socket.socket:
        """A TCP connection to the balancer, or to ``address``."""
        place = (address or self.balancer, 443)
        sock = in_namespace(namespace, lambda: _connect(place))
        if isinstance(sock, OSError):
            raise sock
        sock.settimeout(10)
        return sock

    def through(
        self, namespace: str, name: str = "laptop.corp.example", first: bytes = b"", address: str = ""
    ) -> bytes:
        """What a client gets; ``first`` goes before its TLS. The connection stays open."""
        if not (self.ca.directory / f"{name}.pem").exists():
            self.ca.issue(name, server=False)
        context = ssl.create_default_context(cafile=str(self.ca.certificate_path))
        context.load_cert_chain(self.ca.directory / f"{name}.pem", self.ca.directory / f"{name}.key")
        sock = self.plain(namespace, address)
        try:
            if first:
                sock.sendall(first)
            tls = context.wrap_socket(sock, server_hostname=GATEWAY_NAME)
            tls.sendall(REQUEST)
            self.open.append(tls)
            return tls.recv(4096)
        except (OSError, EOFError):
            return b""

    open: list[ssl.SSLSocket]

    def rows(self, reason: str) -> dict[str, int]:
        """Source -> count of one reason in ``drops``."""
        return {row["source"]: row["count"] for row in self.ask("drops") if row["reason"] == reason}


def _connect(place: tuple[str, int]) -> socket.socket | OSError:
    try:
        return socket.create_connection(place, 10)
    except OSError as error:
        return error


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as place:
        place.open = []
        yield place
        for tls in place.open:
            tls.close()


def counted(place: Place, count: int) -> bool:
    return place.rows("proxy-header") == {place.balancer: count}


def all_is_read() -> bool:
    """Whether nothing waits for the gateway in its connections; who leaves before that is not even accepted."""
    rows = sh("ip netns exec gw ss -Htn state established sport = :443").splitlines()
    return bool(rows) and all(row.split()[0] == "0" for row in rows)


def header(source: str) -> bytes:
    return proxy_header(
        proxy.Proxied(IPv4Address(source), 40000), proxy.Proxied(IPv4Address(GATEWAY_V4), 443)
    )


def test_clients_behind_haproxy_are_known_by_their_own_address(place: Place) -> None:
    place.balance()
    client = place.start_client("laptop.corp.example", namespace="cl")
    place.address("cl")
    (row,) = place.ask("clients")
    assert row["peer"].startswith(f"{place.first}:") and row["name"] == "laptop.corp.example"
    told = f"client laptop.corp.example from {place.first} connected"
    wait_until("it is told", lambda: told in place.gateway.text())
    assert wait_until("the audit has it", lambda: place.ask("audit"))[0]["peer"] == row["peer"]
    assert client.stop() == 0
    # Limits count by client, not by balancer.
    assert [place.through("cl", f"c{number}.corp.example")[:12] for number in range(2)] == [
        b"HTTP/1.1 200"
    ] * 2
    assert place.through("cl", "c2.corp.example") == b""
    assert place.rows("too-many-from-source") == {place.first: 1}
    assert place.through("cl2", "c3.corp.example").startswith(b"HTTP/1.1 200")
    # Health checks have come several times a second, and are nobody's failure.
    for reason in ("proxy-header", "tls-failed", "handshake-timeout"):
        assert place.balancer not in place.rows(reason)


def test_who_is_refused_behind_a_balancer_is_told_by_its_own_address(place: Place) -> None:
    place.balance()
    place.ca.issue("lost.corp.example", server=False)
    place.ca.revoke("lost.corp.example")
    wait_until("the list is read", lambda: "read again" in place.gateway.text())
    assert place.through("cl2", "lost.corp.example").startswith(b"HTTP/1.1 403")
    assert wait_until("counted", lambda: place.rows("certificate-revoked")) == {place.second: 1}
    told = f"client {place.second} refused: client certificate: revoked"
    wait_until("it is told", lambda: told in place.gateway.text())


def test_a_stranger_who_sends_a_header_is_refused(place: Place) -> None:
    place.balance()
    for first in (
        header("203.0.113.5"),
        b"PROXY TCP4 203.0.113.5 198.51.100.10 40000 443\r\n",
        proxy_header(None),
    ):
        assert place.through("cl2", first=first, address=GATEWAY_V4) == b""
    assert wait_until("counted", lambda: place.rows("proxy-stranger").get(place.second) == 3)
    assert place.through("cl2", first=header("203.0.113.5")) == b""  # through the balancer, behind its header
    assert wait_until("counted", lambda: place.rows("proxy-stranger").get(place.second) == 4)
    assert place.through("cl2", address=GATEWAY_V4).startswith(b"HTTP/1.1 200")  # who sends none is a client
    assert "203.0.113.5" not in place.gateway.text()


def test_a_balancer_must_say_whom_it_connects_for(place: Place) -> None:
    version_1 = b"PROXY TCP4 203.0.113.5 198.51.100.10 40000 443\r\n"
    firsts = (b"", version_1, header("0.0.0.0"))
    for count, first in enumerate(firsts, 1):
        assert place.through("lb", first=first, address=GATEWAY_V4) == b""
        wait_until("counted", partial(counted, place, count))
    with place.plain("lb", GATEWAY_V4) as cut:
        cut.sendall(header("203.0.113.5")[:20])
        wait_until("the gateway has read it", all_is_read)
        cut.shutdown(socket.SHUT_WR)
        assert cut.recv(10) == b""
    wait_until("counted", partial(counted, place, 4))
    with place.plain("lb", GATEWAY_V4) as slow:  # it ends after handshake_timeout
        slow.sendall(header("203.0.113.5")[:20])
        assert slow.recv(10) == b""
    wait_until("counted", partial(counted, place, 5))
    for check in (b"", proxy_header(None)):  # a health check of either kind
        with place.plain("lb", GATEWAY_V4) as sock:
            sock.sendall(check)
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):  # it has left before it was accepted
                assert sock.recv(10) == b""
    with place.plain("lb", GATEWAY_V4) as silent:  # it ends after handshake_timeout
        silent.sendall(proxy_header(None))
        assert silent.recv(10) == b""
    assert counted(place, 5)
    answer = place.through("lb", first=header("203.0.113.5"), address=GATEWAY_V4)
    assert answer.startswith(b"HTTP/1.1 200")
    assert [row["peer"] for row in place.ask("clients")] == ["203.0.113.5:40000"]


def test_a_balancer_that_speaks_for_itself_is_met_like_anybody(place: Place) -> None:
    """LOCAL, and then TLS: a health check that wants more than an open port."""
    answer = place.through("lb", "check.corp.example", proxy_header(None), GATEWAY_V4)
    assert answer.startswith(b"HTTP/1.1 200")
    assert place.ask("clients")[0]["peer"].partition(":")[0] == place.balancer
    sock = place.plain("lb", GATEWAY_V4)
    sock.sendall(proxy_header(None))
    context = ssl.create_default_context(cafile=str(place.ca.certificate_path))
    with contextlib.suppress(OSError), context.wrap_socket(sock, server_hostname=GATEWAY_NAME) as tls:
        assert tls.recv(1) == b""
    assert wait_until(
        "it has no certificate", lambda: place.rows("certificate-missing") or place.rows("tls-failed")
    )
    assert not place.rows("proxy-header")


def test_a_header_may_come_byte_by_byte(place: Place) -> None:
    sock = place.plain("lb", GATEWAY_V4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header("203.0.113.9"):
        sock.send(bytes((byte,)))
    context = ssl.create_default_context(cafile=str(place.ca.certificate_path))
    place.ca.issue("slow.corp.example", server=False)
    context.load_cert_chain(
        place.ca.directory / "slow.corp.example.pem", place.ca.directory / "slow.corp.example.key"
    )
    with context.wrap_socket(sock, server_hostname=GATEWAY_NAME) as tls:
        tls.sendall(REQUEST)
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
    wait_until("it is told", lambda: "from 203.0.113.9 connected" in place.gateway.text())


def test_a_reload_says_who_is_a_balancer(place: Place) -> None:
    assert place.through("cl2", address=GATEWAY_V4).startswith(b"HTTP/1.1 200")
    text = (place.directory / "site.toml").read_text()
    (place.directory / "site.toml").write_text(text.replace(f"{place.balancer}/32", f"{place.second}/32"))
    loaded = place.ask("status")["config"]["loaded"]
    place.gateway.process.send_signal(1)
    wait_until("reloaded", lambda: place.ask("status")["config"]["loaded"] > loaded)
    assert place.through("cl2", address=GATEWAY_V4) == b""
    assert place.through("cl2", first=header("203.0.113.5"), address=GATEWAY_V4).startswith(b"HTTP/1.1 200")
