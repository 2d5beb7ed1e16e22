"""Clients connected to a gateway: packets, take-over, proxies, hairpin, reload, and a clean end."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manageout.lab.process import wait_until
from manageout.wire.iphttps import build_request
from tests.tools.places.iphttps import (
    GATEWAY_NAME,
    GATEWAY_V4,
    GATEWAY_V6,
    SITE,
    URL,
    Pair,
    in_namespace,
    sh,
)

REQUEST = build_request("/IPHTTPS", GATEWAY_NAME)
PROXY_PORT = 3128
# An HTTP proxy as small as one can be: Basic authentication, CONNECT, bytes both ways.
PROXY = """
import base64, select, socket, sys
wanted = b"Basic " + base64.b64encode(b"user:pass word")
listener = socket.create_server(("", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        head += client.recv(4096)
    if wanted not in head:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\\r\\nProxy-Authenticate: Basic realm=x\\r\\n\\r\\n")
        print("407", flush=True)
        client.close()
        continue
    host, port = head.split(b" ")[1].decode().rsplit(":", 1)
    print("CONNECT", host, port, flush=True)
    server = socket.create_connection((sys.argv[2], int(port)))
    client.sendall(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
    other = {client: server, server: client}
    while True:
        for ready in select.select([client, server], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                sys.exit()
            other[ready].sendall(data)
"""


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


def ping(namespace: str, target: str, count: int = 1) -> bool:
    """Whether every one of ``count`` pings is answered."""
    argv = ["ip", "netns", "exec", namespace, "ping", "-n", "-i", "0.2", "-c", str(count), "-W", "2", target]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def closed(sock: socket.socket) -> bool:
    """The gateway ends the connection within ten seconds."""
    sock.settimeout(10)
    try:
        while sock.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    return True


def counts(pair: Pair, client: str, gateway: str) -> bool:
    """Whether both ends of the tunnel have counted the same packets and bytes."""
    (row,) = pair.ask("clients")
    status = pair.ask("status", "cl")["roles"]["iphttps-client"]
    return all(status[f"{client}_{unit}"] == row[f"{gateway}_{unit}"] for unit in ("packets", "bytes"))


@pytest.mark.parametrize("framing", ["own", "stock"])
def test_a_client_gets_an_address_and_routes_and_leaves_nothing_behind(pair: Pair, framing: str) -> None:
    before = sh("ip -n cl -o link; ip -n cl -o addr; ip -n cl -6 route")
    pair.start_gateway()
    client = pair.start_client("laptop.corp.example", *(["--stock"] if framing == "stock" else []))
    address = pair.address()
    assert ping("cl", GATEWAY_V6) and ping("gw", address)
    assert f"{SITE}:/48 dev mo-iphttps0" in sh("ip -n cl -6 route")
    (row,) = pair.ask("clients")
    assert (row["name"], row["framing"]) == ("laptop.corp.example", framing)
    assert address in row["addresses"]
    status = pair.ask("status", "cl")["roles"]["iphttps-client"]
    assert status["state"] == "link up" and status["addresses"][-1] == address
    wait_until("both ends count alike", lambda: counts(pair, "tx", "rx") and counts(pair, "rx", "tx"))
    assert client.stop() == 0
    assert sh("ip -n cl -o link; ip -n cl -o addr; ip -n cl -6 route") == before
    wait_until("the gateway forgets the client", lambda: not pair.ask("clients"))


@pytest.mark.parametrize("framing", ["own", "stock"])
def test_bulk_data_arrives_whole_both_ways(pair: Pair, framing: str) -> None:
    pair.start_gateway()
    pair.start_client("laptop.corp.example", *(["--stock"] if framing == "stock" else []))
    address = pair.address()
    # Big and small writes, so that segments of all lengths occur; the server sends back what it gets.
    wait_until("the tunnel carries", lambda: ping("cl", GATEWAY_V6))
    data = bytes(range(256)) * 40000
    listener = in_namespace("gw", lambda: socket.create_server((GATEWAY_V6, 9999), family=socket.AF_INET6))
    sender = in_namespace("cl", lambda: socket.create_connection((GATEWAY_V6, 9999), 10))
    accepted, (peer, *_) = listener.accept()
    assert peer == address
    for source, sink in ((sender, accepted), (accepted, sender)):
        assert carried(source, sink, data) == data
    for sock in (listener, sender, accepted):
        sock.close()


def carried(source: socket.socket, sink: socket.socket, data: bytes) -> bytes:
    """What ``sink`` receives of ``data``, written in pieces of many lengths."""
    received = bytearray()
    source.setblocking(False)
    sink.settimeout(10)
    at, size = 0, 1
    while len(received) < len(data):
        if at < len(data):
            with contextlib.suppress(BlockingIOError):
                at += source.send(data[at : at + size])
            size = size * 3 % 100_003 or 1
            sink.settimeout(0.0 if at < len(data) else 10)
        try:
            received += sink.recv(1 << 20)
        except BlockingIOError:
            continue
    source.settimeout(10)
    return bytes(received)


def test_a_client_that_comes_back_takes_its_address_over(pair: Pair) -> None:
    pair.add_client("cl2")
    pair.start_gateway()
    first = pair.start_client()
    address = pair.address()
    first.process.send_signal(signal.SIGSTOP)  # gone without a word: its TCP connection stands
    pair.start_client(namespace="cl2")
    assert pair.address("cl2") == address
    wait_until("packets go to the new place", lambda: ping("gw", address))
    first.process.send_signal(signal.SIGCONT)


def test_a_client_finds_a_restarted_gateway_when_its_network_changes(pair: Pair) -> None:
    gateway = pair.start_gateway()
    pair.start_client()
    address = pair.address()
    assert gateway.stop() == 0
    wait_until(
        "the client notices",
        lambda: pair.ask("status", "cl")["roles"]["iphttps-client"]["state"] == "link down",
    )
    pair.start_gateway()
    sh("ip -n cl addr add 198.51.100.77/24 dev eth0")  # it would wait half a minute otherwise
    wait_until("the client is back", lambda: pair.ask("clients"))
    wait_until("it has its old address", lambda: ping("gw", address))


@pytest.mark.parametrize("allowed", [False, True])
def test_clients_reach_each_other_only_if_policy_says_so(pair: Pair, allowed: bool) -> None:
    pair.add_client("cl2")
    pair.start_gateway(policy=f"hairpin = {str(allowed).lower()}")
    pair.start_client("one.corp.example")
    pair.start_client("two.corp.example", "--stock", namespace="cl2")
    there = pair.address("cl2")
    wait_until("both tunnels carry", lambda: ping("cl", GATEWAY_V6) and ping("cl2", GATEWAY_V6))
    assert ping("cl", there) == allowed
    assert bool(pair.drops().get("hairpin")) != allowed


def test_a_proxy_that_wants_a_password(pair: Pair) -> None:
    script = pair.directory / "proxy.py"
    script.write_text(PROXY)
    proxy = pair.start("gw", sys.executable, str(script), str(PROXY_PORT), GATEWAY_V4)
    wait_until("the proxy listens", lambda: f":{PROXY_PORT} " in sh("ip netns exec gw ss -Hltn"))
    pair.start_gateway()
    without = pair.start_client("laptop.corp.example", "--proxy", f"http://{GATEWAY_V4}:{PROXY_PORT}")
    wait_until("it is refused", lambda: "wants a user name and password" in without.text())
    assert "407" in proxy.text()
    without.stop()
    pair.start_client("laptop.corp.example", "--proxy", f"http://user:pass%20word@{GATEWAY_V4}:{PROXY_PORT}")
    pair.address()
    assert ping("cl", GATEWAY_V6)
    assert f"CONNECT {GATEWAY_NAME} 443" in proxy.text()


def test_a_gateway_with_another_name_or_authority_is_not_believed(pair: Pair) -> None:
    pair.start_gateway()
    client = pair.start_client(url=f"https://{GATEWAY_V4}/IPHTTPS")
    wait_until("the name differs", lambda: "certificate: made for another address" in client.text())
    client.stop()
    client = pair.start_client(
        "laptop.corp.example", "--ca", str(pair.ca.directory / "laptop.corp.example.pem")
    )
    wait_until(
        "the authority differs", lambda: "certificate: self-signed authority in its chain" in client.text()
    )
    client.stop()
    client = pair.start_client(url="https://nowhere.invalid/IPHTTPS")
    wait_until("there is no such name", lambda: "gateway nowhere.invalid:" in client.text())


def test_a_refused_client_is_told_why(pair: Pair) -> None:
    pair.start_gateway()
    pair.ca.issue("lost.corp.example", server=False)
    pair.ca.revoke("lost.corp.example")
    wait_until("the list is read", lambda: "read again" in pair.gateway.text())
    client = pair.start_client("lost.corp.example")
    wait_until("the reason is shown", lambda: "403 client certificate is revoked" in client.text())
    wait_until("and what to do", lambda: "the gateway does not let us in" in client.text())


def test_a_fixed_address_is_for_its_owner(pair: Pair) -> None:
    fixed = f"{SITE}1000::cafe"
    pair.start_gateway(gateway=f'fixed = {{ "LapTop.corp.example" = "{fixed}" }}')
    pair.start_client()
    assert pair.address() == fixed


def test_a_reload_ends_only_who_is_no_longer_allowed(pair: Pair) -> None:
    gateway = pair.start_gateway(gateway='allow = ["*.corp.example"]')
    with pair.tls("one.corp.example") as one, pair.tls("two.corp.example") as two:
        for tls in (one, two):
            tls.sendall(REQUEST)
            assert tls.recv(4096).startswith(b"HTTP/1.1 200")
        pair.write_site(gateway='allow = ["TWO.*"]')
        gateway.process.send_signal(signal.SIGHUP)
        assert closed(one)
        assert [row["name"] for row in pair.ask("clients")] == ["two.corp.example"]
        assert pair.drops()["certificate-unlisted"] == 1


def test_several_listeners_which_a_reload_changes(pair: Pair) -> None:
    first = 'listen = ["0.0.0.0:443", "[::]:443", "127.0.0.1:8443"]'
    gateway = pair.start_gateway(gateway=first)
    for address, port in (("127.0.0.1", 443), ("::1", 443), ("127.0.0.1", 8443)):
        assert connects(address, port)
    pair.write_site(gateway='listen = ["0.0.0.0:443", "[::]:444"]')
    gateway.process.send_signal(signal.SIGHUP)
    listening = ["0.0.0.0:443", "[::]:444"]
    wait_until(
        "the listeners are others", lambda: pair.ask("status")["roles"]["iphttps"]["listen"] == listening
    )
    assert connects("::1", 444) and not connects("127.0.0.1", 8443)


def connects(address: str, port: int) -> bool:
    """Whether something listens there in the gateway's namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with in_namespace("gw", lambda: socket.socket(family, socket.SOCK_STREAM)) as sock:
        return sock.connect_ex((address, port)) == 0


def test_nmap_takes_us_for_an_ip_https_server(pair: Pair) -> None:
    script = "/usr/share/nmap/scripts/ip-https-discover.nse"
    if not Path(script).exists():
        pytest.skip("nmap with its script ip-https-discover is not installed")
    pair.start_gateway(gateway='authentication = "none"')
    found = sh(f"ip netns exec cl nmap -Pn -n -p 443 --script ip-https-discover {GATEWAY_V4}")
    assert "IP-HTTPS is supported" in found


def test_faults_of_the_command_line_are_one_clear_line(pair: Pair) -> None:
    for options, code, words in (
        (("--cert", "/nowhere.pem"), 1, "/nowhere.pem: No such file or directory"),
        (("--ca", str(pair.directory / "site.toml")), 1, "holds no PEM certificate"),
        (("--iid", "hello"), 2, "is no interface identifier"),
        (("--proxy", "ftp://proxy"), 2, "is no http URL"),
        (("--proxy", "foo"), 2, "the proxy 'foo' has no port"),
    ):
        pair.write_site()
        client = pair.start_client("laptop.corp.example", *options)
        assert client.process.wait(20) == code
        lines = client.text().splitlines()
        assert len(lines) == 2 and lines[0].startswith("manageout: ") and words in lines[0], lines


def test_a_device_name_or_port_that_is_taken_is_one_clear_line(pair: Pair) -> None:
    sh("ip -n cl link add mo-iphttps0 type dummy 2>/dev/null || ip -n cl link add mo-iphttps0 type bridge")
    client = pair.start_client()
    assert client.process.wait(20) == 1
    assert client.text().splitlines()[0] == "manageout: the device name mo-iphttps0 is taken"
    taken = in_namespace("gw", lambda: socket.create_server(("0.0.0.0", 443)))
    with (
        taken,
        pytest.raises(
            AssertionError, match=r"manageout: cannot listen on 0\.0\.0\.0:443: Address already in use"
        ),
    ):
        pair.start_gateway()


def test_a_device_that_is_set_down_and_up_carries_again(pair: Pair) -> None:
    pair.start_gateway()
    pair.start_client()
    address = pair.address()
    sh("ip -n gw link set mo-iphttps0 down")
    assert not ping("cl", GATEWAY_V6)
    sh("ip -n gw link set mo-iphttps0 up")
    sh(f"ip -n gw addr replace {GATEWAY_V6}/64 dev mo-iphttps0 nodad")  # Linux forgets it at "down"
    wait_until("it carries again", lambda: ping("gw", address))


def test_a_device_that_somebody_removes_ends_the_client_with_a_clear_line(pair: Pair) -> None:
    pair.start_gateway()
    client = pair.start_client()
    pair.address()
    sh("ip -n cl link delete mo-iphttps0")
    assert client.process.wait(20) == 1
    assert "manageout: device mo-iphttps0: " in client.text()


def test_a_client_that_does_not_read_costs_bounded_memory_and_recovers(pair: Pair) -> None:
    gateway = pair.start_gateway()
    client = pair.start_client()
    address = pair.address()
    wait_until("the tunnel carries", lambda: ping("gw", address))
    sender = in_namespace("gw", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    before = memory(gateway.pid)
    client.process.send_signal(signal.SIGSTOP)
    with sender:
        for _ in range(40):  # 48 MB, in steps that the TUN's queue holds
            for _ in range(1000):
                sender.sendto(bytes(1200), (address, 9))
            wait_until("the gateway has read them", lambda: pair.ask("status") is not None)
    assert pair.drops()["queue-full"] > 0
    assert memory(gateway.pid) - before < 16 << 20
    client.process.send_signal(signal.SIGCONT)
    wait_until("it carries again", lambda: ping("gw", address))


def memory(pid: int) -> int:
    """Bytes of resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_old_drops_of_connect_are_not_recent_ones(pair: Pair) -> None:
    pair.start_gateway()
    pair.ca.issue("laptop.corp.example", server=False)
    hurried = (
        "import manageout.service.process.overview as overview; overview.HISTORY, overview.SAMPLE = 1.0, 0.2\n"
        "from manageout.cli.commands import cli; cli()"
    )
    files = pair.ca.directory / "laptop.corp.example"
    argv = ["connect", URL, "--cert", f"{files}.pem", "--key", f"{files}.key"]
    argv += ["--ca", str(pair.ca.certificate_path), "--runtime-dir", str(pair.directory / "cl")]
    pair.start("cl", sys.executable, "-c", hurried, *argv, name="connect")
    pair.address()

    def status() -> Any:
        return pair.ask("status", "cl") or {}

    wait_until("it runs for a while", lambda: status() and time.time() - status()["since"] > 5)
    assert status()["recent_drops"]["seconds"] < 4, "since the oldest sample, not since the start"
