"""Probes of name servers, clocks and certificates, each by itself against real servers, healthy and broken."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from manageout.service.probe import certificate as probe_certificate
from manageout.service.probe import clock as probe_clock
from manageout.service.probe import dns as probe_dns
from manageout.service.tls.pki import Authority
from tests.tools.places import bind as dns_place

SERVER = f"{dns_place.ADDRESS}:{dns_place.PORT}"


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
    (crl,) = probe_certificate.crls_from_file(authority.directory / "crl.pem", root)
    assert crl.signed and leaf.serial in crl.revoked and crl.issuer == leaf.issuer
    stranger = Authority.create(tmp_path / "other", "Other CA")
    (foreign,) = probe_certificate.crls_from_file(authority.directory / "crl.pem", stranger.certificate_path)
    assert not foreign.signed
    several = tmp_path / "several.pem"
    several.write_bytes(b"".join(each.crl_path.read_bytes() for each in (authority, stranger)))
    roots = tmp_path / "roots.pem"
    roots.write_bytes(root.read_bytes() + stranger.certificate_path.read_bytes())
    both = probe_certificate.crls_from_file(several, roots)
    assert len(both) == 2 and all(each.signed and "CN=" in each.place for each in both)
    assert [each.signed for each in probe_certificate.crls_from_file(several, root)].count(True) == 1
    assert len(probe_certificate.all_from_file(roots)) == 2
    broken = tmp_path / "chain.pem"
    broken.write_bytes(written.certificate.read_bytes() + stranger.certificate_path.read_bytes())
    assert "was not issued by" in probe_certificate.from_file(broken).chain
    assert probe_certificate.from_file(tmp_path / "none").error == "No such file or directory"
    assert probe_certificate.from_file(written.key).error == "not a PEM certificate"
    assert probe_certificate.crls_from_file(written.key)[0].error == "not a revocation list"
    assert probe_certificate.crls_from_file(tmp_path / "none")[0].error == "No such file or directory"
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
