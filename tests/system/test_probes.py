"""Each probe by itself: against real servers, routers, filters and clocks, healthy and broken."""

from __future__ import annotations

import http.server
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from manageout.doctor.filter_walk import UDP, Packet
from manageout.errors import KernelError
from manageout.lab.process import wait_until
from manageout.linux import netns, nft
from manageout.service import (
    probe_certificate,
    probe_clock,
    probe_dns,
    probe_filter,
    probe_path,
    probe_router,
)
from manageout.service.pki import Authority
from tests.system import dns_place

SERVER = f"{dns_place.ADDRESS}:{dns_place.PORT}"
NEAR, FAR, FAR6 = IPv4Address("10.1.0.1"), IPv4Address("10.2.0.2"), IPv6Address("fd02::2")
NOBODY, NOBODY_NEAR = IPv4Address("10.2.0.99"), IPv4Address("10.1.0.99")


# --- Name servers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("bind")
    many = "".join(f"many A 10.9.0.{n}\n" for n in range(90))
    records = f"router A 10.0.0.1\nalias CNAME router\n{many}"
    with dns_place.bind(directory, update='key "manageout"', records=records):
        yield directory


@pytest.fixture
def mute() -> Iterator[str]:
    """A port where somebody listens and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_answers_of_each_server_by_itself(bind: Path, mute: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{gone.getsockname()[1]}"
    name = f"router.{dns_place.ZONE}"
    begin = time.monotonic()
    found = probe_dns.ask_all([(name, "A"), (f"no.{dns_place.ZONE}", "A")], [SERVER, mute, closed], 0.4)
    assert time.monotonic() - begin < 3
    assert [(a.rcode, a.records, a.authoritative) for a in found[::3]] == [
        ("NOERROR", ("10.0.0.1",), True),
        ("NXDOMAIN", (), True),
    ]
    assert found[1].error == "no answer in 0.4 s" and not found[1].rcode
    assert found[2].error == "Connection refused" and not found[2].rcode


def test_aliases_long_answers_and_other_zones(bind: Path) -> None:
    assert probe_dns.ask(f"alias.{dns_place.ZONE}", "A", SERVER).records == ("10.0.0.1",)
    assert len(probe_dns.ask(f"many.{dns_place.ZONE}", "A", SERVER).records) == probe_dns.MAX_RECORDS
    assert probe_dns.ask("example.org", "A", SERVER).rcode == "REFUSED"
    assert probe_dns.ask("a" * 70 + ".example.org", "A", SERVER).error
    assert probe_dns.ask("example.org", "A", "nonsense").error


def test_servers_of_resolv_conf(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver 9.9.9.9\nsearch corp.example. b\nnameserver 10.0.0.10\nnameserver\n\x00\nnameserver fd00::1\n"
    )
    assert probe_dns.system_servers(file) == ["10.0.0.10", "fd00::1"]
    assert probe_dns.search_domain(file) == "corp.example"
    assert probe_dns.system_servers(tmp_path / "none") == [] and not probe_dns.search_domain(
        tmp_path / "none"
    )


def test_names_as_programs_find_them() -> None:
    assert "127.0.0.1" in probe_dns.resolve("localhost")[0]
    assert probe_dns.resolve("a" * 64)[1]


# --- Clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0.0, 4000.0, -4000.0])
def test_the_clock_of_a_server_that_signs(bind: Path, monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    found = probe_clock.tsig(SERVER, dns_place.ZONE, bind / "key")
    assert not found.error and found.ahead is not None and abs(found.ahead - ahead) < 3


def test_a_key_that_the_server_does_not_know(bind: Path, tmp_path: Path, mute: str) -> None:
    key = tmp_path / "key"
    key.write_text(dns_place.KEY.replace('"manageout"', '"other"'))
    assert probe_clock.tsig(SERVER, dns_place.ZONE, key).error == "the answer is not signed with our key"
    assert probe_clock.tsig(mute, dns_place.ZONE, bind / "key", 0.2).error == "no answer in 0.2 s"
    assert "holds no key" in probe_clock.tsig(SERVER, dns_place.ZONE, bind / "corp.example.zone").error


def test_no_domain_controller() -> None:
    assert probe_clock.kerberos("127.0.0.1", "corp.example", 0.2).error == "Connection refused"


# --- Paths: near - middle - far, with a narrow link behind the middle -----------------------------------


@pytest.fixture(scope="module")
def path() -> Iterator[None]:
    """``pa`` - ``pm`` - ``pb``; the second link has an MTU of 1400 bytes."""
    names = ("mo-pa", "mo-pm", "mo-pb")
    scripts = {
        "mo-pa": """
            ip link add near0 type veth peer name mid0 netns mo-pm
            ip address add 10.1.0.2/24 dev near0
            ip address add fd01::2/64 dev near0 nodad
            ip link set near0 up
            ip route add default via 10.1.0.1
            ip route add default via fd01::1
        """,
        "mo-pb": """
            ip link add far0 mtu 1400 type veth peer name mid1 netns mo-pm
            ip address add 10.2.0.2/24 dev far0
            ip address add fd02::2/64 dev far0 nodad
            ip link set far0 up
            ip route add default via 10.2.0.1
            ip route add default via fd02::1
        """,
        "mo-pm": """
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
            sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
            ip link set mid1 mtu 1400
            ip address add 10.1.0.1/24 dev mid0
            ip address add fd01::1/64 dev mid0 nodad
            ip address add 10.2.0.1/24 dev mid1
            ip address add fd02::1/64 dev mid1 nodad
            ip link set mid0 up
            ip link set mid1 up
        """,
    }
    for name in names:
        netns.create(name)
    try:
        for name, script in scripts.items():
            netns.run(name, ["sh", "-e", "-c", script])
        ping = ["ping", "-c1", "-W1", str(FAR6)]
        wait_until("the path is up", lambda: netns.run("mo-pa", ping, check=False).returncode == 0, 10)
        yield
    finally:
        for name in names:
            netns.delete(name)


@contextmanager
def rules(name: str, body: str) -> Iterator[None]:
    with netns.inside(name):
        nft.replace_table("inet test", body)
    try:
        yield
    finally:
        with netns.inside(name):
            nft.delete_table("inet test")


@pytest.mark.parametrize(("target", "router"), [(FAR, "10.1.0.1"), (FAR6, "fd01::1")])
def test_the_width_of_a_path_and_who_tells_it(
    path: None, target: IPv4Address | IPv6Address, router: str
) -> None:
    with netns.inside("mo-pa"):
        found = probe_path.path_mtu(target)
        again = probe_path.path_mtu(target)
    assert (found.first, found.mtu, found.told, found.black_hole) == (1500, 1400, ((router, 1400),), False)
    assert again.mtu == 1400


@pytest.mark.parametrize("target", [FAR, FAR6])
def test_a_black_hole(path: None, target: IPv4Address | IPv6Address) -> None:
    hole = "chain o { type filter hook output priority 0; policy accept;\n icmp type destination-unreachable drop\n"
    hole += "icmpv6 type packet-too-big drop\n }"
    with rules("mo-pm", hole), netns.inside("mo-pa"):
        found = probe_path.path_mtu(target)
    assert (found.mtu, found.told, found.black_hole) == (1400, (), True)


def test_nobody_there(path: None) -> None:
    with netns.inside("mo-pa"):
        echo, tcp = probe_path.echo(NOBODY_NEAR, 0.3), probe_path.tcp(NOBODY_NEAR, 22, 0.3)
        mtu, far = probe_path.path_mtu(NOBODY), probe_path.next_hop(FAR)
        near = probe_path.next_hop(NOBODY_NEAR, 0.3)
    assert echo.seconds is None and echo.error
    assert tcp.result == "silent"
    assert mtu.mtu is None and mtu.error and not mtu.black_hole
    assert far.via == str(NEAR) and far.neighbour and far.neighbour.state == "reachable"
    assert near.neighbour and near.neighbour.state in ("incomplete", "failed")


def test_a_neighbour_that_is_only_remembered(path: None) -> None:
    """The kernel would believe in it for long; it is made to ask."""
    entry = [
        "ip",
        "neigh",
        "replace",
        str(NOBODY_NEAR),
        "lladdr",
        "02:00:00:00:00:99",
        "dev",
        "near0",
        "nud",
        "stale",
    ]
    netns.run("mo-pa", entry)
    with netns.inside("mo-pa"):
        found = probe_path.next_hop(NOBODY_NEAR)
    assert found.neighbour and found.neighbour.state == "failed"


def test_no_route(namespaces: Callable[[str], str]) -> None:
    with netns.inside(namespaces("mo-alone")):
        assert probe_path.next_hop(FAR).error and not probe_path.next_hop(FAR).dev
        assert probe_path.tcp(FAR, 22, 0.3).result == "unreachable"
        assert probe_path.echo(FAR, 0.2).by == "this machine"
        with pytest.raises(KernelError):
            probe_path.path_mtu(FAR)


def test_an_address_that_is_not_ours(path: None) -> None:
    with netns.inside("mo-pa"), pytest.raises(KernelError, match="ping from"):
        probe_path.echo(FAR, 0.2, NOBODY)


@pytest.mark.parametrize("target", [FAR, FAR6])
def test_ports_that_are_open_closed_and_forbidden(path: None, target: IPv4Address | IPv6Address) -> None:
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    with netns.inside("mo-pb"):
        server = socket.create_server((str(target), 7777), family=family)
    forbid = "chain f { type filter hook forward priority 0; policy accept;\n tcp dport %s reject with %s\n }"
    with server, netns.inside("mo-pa"):
        assert probe_path.echo(target).seconds is not None
        assert probe_path.tcp(target, 7777).result == "open"
        assert probe_path.tcp(target, 7778).result == "refused"
    for how in ("icmpx admin-prohibited", "icmpx port-unreachable"):
        with rules("mo-pm", forbid % (7777, how)), netns.inside("mo-pa"):
            found = probe_path.tcp(target, 7777)
        router = "10.1.0.1" if target.version == 4 else "fd01::1"
        assert (found.result, found.by) == ("prohibited", router)


def test_routers_that_cannot_answer(path: None) -> None:
    with netns.inside("mo-pa"):
        off, own, none = probe_router.solicit([FAR, IPv4Address("10.1.0.2"), NOBODY_NEAR], wait=1.0)
    assert off.error == "10.2.0.2 says: it does not speak protocol 41"
    assert own.error == "it is this machine"
    assert none.error


def test_protocol_41_that_a_router_in_between_prohibits(path: None) -> None:
    rule = ["pref", "10", "ipproto", "41", "prohibit"]
    netns.run("mo-pm", ["ip", "rule", "add", *rule])
    try:
        with netns.inside("mo-pa"):
            (found,) = probe_router.solicit([FAR], wait=0.6)
    finally:
        netns.run("mo-pm", ["ip", "rule", "del", *rule])
    assert found.error == "10.1.0.1 says: prohibited (a packet filter refuses)"


@pytest.mark.parametrize("verdict", ["drop", "reject with icmpx admin-prohibited"])
def test_nftables_says_nothing_about_protocol_41(path: None, verdict: str) -> None:
    """Linux checks the upper checksum before it rejects, and finds none that it knows: even reject is silent."""
    body = f"chain f {{ type filter hook forward priority 0; policy accept;\n meta l4proto 41 {verdict}\n }}"
    with rules("mo-pm", body), netns.inside("mo-pa"):
        (found,) = probe_router.solicit([FAR], wait=0.3)
    assert found.error == "no answer in 0.3 s" and found.advertisement is None


# --- The packet filter: the walk and the kernel agree ---------------------------------------------------

_MATCHES = (
    (
        "udp dport 7001", "udp dport != 7001", "udp dport { 7000-7002, 7009 }", "udp dport 7003-7009", "udp sport 9",
        "tcp dport 7001", "th dport 7002", "udp dport @ports", "meta l4proto udp", "meta l4proto { tcp, icmp }",
        "ip protocol udp",
    ),
    (
        "ip saddr 127.0.0.0/8", "ip saddr { 127.0.0.2, 127.0.0.4-127.0.0.9 }", "ip daddr 127.0.0.1",
        "ip daddr != 127.0.0.1", "ip saddr @hosts", "ip6 saddr ::1", "meta nfproto ipv4",
    ),
    ('iifname "lo"', 'iifname != "lo"', 'iifname "l*"', "ct state new", "ct state established,related"),
)  # fmt: skip
_PAIRS = "ip saddr . udp dport @pairs"
_VMAP = "udp dport vmap @where"
_VERDICTS = ("accept", "drop", "jump side", "goto side", "return", "counter", "reject", _VMAP)
_SETS = """
set pairs { type ipv4_addr . inet_service; elements = { 127.0.0.1 . 7001, 127.0.0.2 . 7003 }; }
set hosts { type ipv4_addr; flags interval; elements = { 127.0.0.0/30 }; }
set ports { type inet_service; flags interval; elements = { 7002-7004 }; }
map where { type inet_service : verdict; elements = { 7001 : drop, 7002 : jump side, 7003 : accept }; }
"""


def _chain(dice: random.Random, verdicts: tuple[str, ...]) -> str:
    lines = []
    for _ in range(dice.randint(1, 6)):
        verdict = dice.choice(verdicts)
        groups = dice.sample(_MATCHES[verdict == _VMAP :], dice.randint(0, 2))  # nft refuses contradictions
        matches = [dice.choice(group) for group in groups] if dice.random() < 0.8 else [_PAIRS]
        lines.append(" ".join((*matches, verdict)))
    return "\n".join(lines)


def _ruleset(dice: random.Random) -> str:
    plain = tuple(verdict for verdict in _VERDICTS if "side" not in verdict and "vmap" not in verdict)
    policies = [dice.choice(("accept", "accept", "drop")) for _ in range(2)]
    base = "type filter hook input priority %d; policy %s;\n"
    return (
        f"{_SETS}\nchain side {{\n{_chain(dice, plain)}\n}}\n"
        f"chain one {{ {base % (0, policies[0])}{_chain(dice, _VERDICTS)}\n}}\n"
        f"chain two {{ {base % (5, policies[1])}{_chain(dice, _VERDICTS)}\n}}"
    )


def _arrives(source: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 6009))
            sender.sendto(b"x", ("127.0.0.1", port))
        try:
            return bool(receiver.recv(10, socket.MSG_DONTWAIT))  # loopback delivers within the call
        except BlockingIOError:
            return False


@pytest.mark.parametrize("seed", range(60))
def test_the_walk_says_what_the_kernel_does(path: None, seed: int) -> None:
    dice = random.Random(seed)
    body = _ruleset(dice)
    with rules("mo-pb", body), netns.inside("mo-pb"):
        ruleset = probe_filter.ruleset()
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.7"):
            for port in (7001, 7002, 7003, 7009):
                judged = ruleset.judge("input", Packet(source, "127.0.0.1", UDP, port, 6009, iif="lo"))
                assert judged.result != "maybe", body
                assert (judged.result == "accept") == _arrives(source, port), (judged, source, port, body)


def test_what_cannot_be_seen_from_outside_is_left_open(path: None) -> None:
    body = "chain i { type filter hook input priority 0; policy accept;\n meta mark 5 drop\n }"
    packet = Packet("127.0.0.1", "127.0.0.1", UDP, 7001, iif="lo")
    with rules("mo-pb", body), netns.inside("mo-pb"):
        found = probe_filter.ruleset().judge("input", packet)
    assert found.result == "maybe"
    assert found.rule == "nft table inet test, chain i: meta mark 0x00000005 drop"


# --- Certificates -------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "pki", "Test CA")


@contextmanager
def https(certificate: Path, key: Path, ahead: float = 0.0, address: str = "127.0.0.1") -> Iterator[int]:
    """A web server whose clock is ``ahead`` of ours."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + ahead)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer((address, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_gateway_as_clients_see_it(authority: Authority) -> None:
    written = authority.issue("gw.corp.example", server=True)
    with https(written.certificate, written.key, ahead=-900) as port:
        url = f"https://gw.corp.example:{port}/IPHTTPS"
        good = probe_certificate.gateway(url, authority.certificate_path, "127.0.0.1")
        stranger = probe_certificate.gateway(url, written.certificate, "127.0.0.1")
        other = probe_certificate.gateway(
            f"https://gw2.corp.example:{port}/", authority.certificate_path, "127.0.0.1"
        )
    assert good.certificate and good.certificate.names == ("gw.corp.example",)
    assert (good.verify, good.error, good.status) == ("", "", 404)
    assert good.ahead is not None and 895 < good.ahead < 905
    assert "made for another name" in other.verify
    assert stranger.certificate and "issuer" in stranger.verify


def test_gateways_that_do_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        found = probe_certificate.gateway(f"https://gw.corp.example:{port}/", None, "127.0.0.1", 0.3)
        assert found.error and found.certificate is None
    found = probe_certificate.gateway(f"https://gw.corp.example:{port}/", None, "127.0.0.1", 0.3)
    assert found.error == "Connection refused"
    found = probe_certificate.gateway(f"https://{'a' * 64}.example/", None, wait=1.0)
    assert found.error and not found.address


def test_certificates_and_lists_in_files(authority: Authority, tmp_path: Path) -> None:
    written = authority.issue("gw.corp.example", server=True)
    leaf, root = probe_certificate.from_file(written.certificate), authority.certificate_path
    assert leaf.names == ("gw.corp.example",) and not leaf.chain and not leaf.error
    assert datetime.fromtimestamp(leaf.not_after, UTC) > datetime.now(UTC) + timedelta(days=300)
    authority.revoke("gw.corp.example")
    crl = probe_certificate.crl_from_file(authority.directory / "crl.pem", root)
    assert crl.signed and leaf.serial in crl.revoked and crl.issuer == leaf.issuer
    stranger = Authority.create(tmp_path / "other", "Other CA")
    assert not probe_certificate.crl_from_file(
        authority.directory / "crl.pem", stranger.certificate_path
    ).signed
    broken = tmp_path / "chain.pem"
    broken.write_bytes(written.certificate.read_bytes() + stranger.certificate_path.read_bytes())
    assert "was not issued by" in probe_certificate.from_file(broken).chain
    assert probe_certificate.from_file(tmp_path / "none").error == "No such file or directory"
    assert probe_certificate.from_file(written.key).error == "not a PEM certificate"
    assert probe_certificate.crl_from_file(written.key).error == "not a revocation list"
    assert probe_certificate.crl_from_file(tmp_path / "none").error == "No such file or directory"
    assert probe_certificate.revocation_points(written.certificate) == []


def test_lists_behind_a_url(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = str(authority.directory)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=directory)  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # not for us: clients have none either
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}"
        good = probe_certificate.crl_from_url(f"{base}/crl.pem", authority.certificate_path)
        missing = probe_certificate.crl_from_url(f"{base}/none.crl")
        server.shutdown()
        thread.join()
    assert good.signed and not good.error
    assert missing.error == "File not found"
    assert probe_certificate.crl_from_url(f"{base}/crl.pem", wait=0.5).error
    assert probe_certificate.crl_from_url("file:///etc/passwd").error == "not an http URL"
