"""IP-HTTPS against ocserv with openconnect (TLS only), against one bare TLS stream, and its memory a client."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from functools import partial

from manageout.lab.process import wait_until
from tests.bench.report import Result, alternate, compared, say
from tests.tools.places.iphttps import GATEWAY_NAME, GATEWAY_V4, GATEWAY_V6, Pair, Running, sh
from tests.tools.places.iphttps_strangers import memory_of

NAMES = (
    "iphttps_down_vs_ocserv",
    "iphttps_up_vs_ocserv",
    "iphttps_own_framing_vs_raw_tls",
    "iphttps_own_beside_stock",
    "iphttps_client_bytes",
)
LIMITS = "max_per_source = 60000\nmax_handshakes = 60000\nmax_per_certificate = 60000"
RUNS = 5
SECONDS = 3
IDLE_CLIENTS = 2000
OCSERV_PORT, RAW_PORT = 4433, 4434
OCSERV_V4 = "10.99.0.1"
OCSERV_MTU = 1280 + 28
"""ocserv takes off what DTLS would need: the tunnel has 1,280 bytes then."""

_OCSERV = """auth = "certificate"
tcp-port = {port}
run-as-user = root
run-as-group = root
socket-file = {directory}/ocserv.sock
pid-file = {directory}/ocserv.pid
server-cert = {pki}/{name}.pem
server-key = {pki}/{name}.key
ca-cert = {pki}/ca.pem
cert-user-oid = 2.5.4.3
isolate-workers = false
max-clients = 4
keepalive = 3600
tls-priorities = "NORMAL"
compression = false
device = oc
mtu = {mtu}
ipv4-network = 10.99.0.0/24
route = default
"""
_VPNC = """#!/bin/sh
[ "$reason" = connect ] || exit 0
ip link set "$TUNDEV" mtu 1280 up
ip addr add "$INTERNAL_IP4_ADDRESS/24" dev "$TUNDEV"
"""
# One TLS stream as fast as OpenSSL takes it: big writes, big reads, nothing else.
_RAW = """
import os, socket, ssl, sys, time
role, address, port, pki, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
if role == "server":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki + "/gateway.corp.example.pem", pki + "/gateway.corp.example.key")
    with socket.create_server((address, port)) as listener:
        print("listening", flush=True)
        while True:
            accepted, _ = listener.accept()
            with context.wrap_socket(accepted, server_side=True) as tls:
                data, end = memoryview(os.urandom(65536)), time.monotonic() + seconds
                while time.monotonic() < end:
                    tls.write(data)
else:
    context = ssl.create_default_context(cafile=pki + "/ca.pem")
    connected = socket.create_connection((address, port))
    with context.wrap_socket(connected, server_hostname="gateway.corp.example") as tls:
        start, total, room = time.monotonic(), 0, memoryview(bytearray(1 << 18))
        while got := tls.recv_into(room):
            total += got
        print(total * 8 / (time.monotonic() - start) / 1e9)
"""


def measure(wanted: frozenset[str]) -> Iterator[Result]:
    """Whatever of :data:`NAMES` is wanted; throughput in Gbit/s, memory in bytes."""
    with Pair() as pair:
        gateway = pair.start_gateway(iphttps=LIMITS)
        down, up = "iphttps_down_vs_ocserv" in wanted, "iphttps_up_vs_ocserv" in wanted
        if down or up:
            yield from _stock(pair, down, up)
        if "iphttps_own_framing_vs_raw_tls" in wanted:
            yield from _own(pair)
        if "iphttps_own_beside_stock" in wanted:
            yield _beside_stock(pair)
        gateway.stop()
        if "iphttps_client_bytes" in wanted:
            yield _idle(pair)


def _stock(pair: Pair, down: bool, up: bool) -> Iterator[Result]:
    client = pair.start_client("laptop.corp.example", "--stock")
    pair.address()
    ocserv, openconnect = _start_ocserv(pair)
    ours, theirs = _iperf_server(pair, GATEWAY_V6), _iperf_server(pair, OCSERV_V4)
    for name, asked, reverse in (("down", down, True), ("up", up, False)):
        if not asked:
            continue
        say(f"IP-HTTPS, stock framing, {name}, Gbit/s")
        speed = alternate(
            RUNS, iphttps=partial(_iperf, GATEWAY_V6, reverse), ocserv=partial(_iperf, OCSERV_V4, reverse)
        )
        yield compared(
            f"iphttps_{name}_vs_ocserv", speed["iphttps"], speed["ocserv"], "Gbit/s", "ocserv, TLS"
        )
    for running in (openconnect, ocserv, client, ours, theirs):
        running.stop()


def _own(pair: Pair) -> Iterator[Result]:
    client = pair.start_client("laptop.corp.example")
    pair.address()
    iperf = _iperf_server(pair, GATEWAY_V6)
    script = pair.directory / "raw.py"
    script.write_text(_RAW)
    arguments = (str(script), "server", GATEWAY_V4, str(RAW_PORT), str(pair.ca.directory), str(SECONDS))
    server = pair.start("gw", sys.executable, *arguments)
    wait_until("the bare TLS server listens", lambda: "listening" in server.text())

    def raw() -> float:
        argv = [sys.executable, *arguments[:1], "client", *arguments[2:]]
        return float(_in_client(argv))

    say("IP-HTTPS, own framing, Gbit/s")
    speed = alternate(
        RUNS, down=partial(_iperf, GATEWAY_V6, True), up=partial(_iperf, GATEWAY_V6, False), raw=raw
    )
    # The slower of the two directions is what counts.
    slower = min(speed["down"], speed["up"])
    yield compared("iphttps_own_framing_vs_raw_tls", slower, speed["raw"], "Gbit/s", "one TLS stream")
    for running in (client, iperf, server):
        running.stop()


def _beside_stock(pair: Pair) -> Result:
    """An own client's download while a stock client is connected that does nothing."""
    pair.add_client("cl2")
    client = pair.start_client("laptop.corp.example")
    pair.address()
    iperf = _iperf_server(pair, GATEWAY_V6)

    def beside() -> float:
        stock = pair.start_client("tablet.corp.example", "--stock", namespace="cl2")
        pair.address("cl2")
        try:
            return _iperf(GATEWAY_V6, True)
        finally:
            stock.stop()

    say("IP-HTTPS, own framing beside a stock client, Gbit/s")
    speed = alternate(RUNS, beside=beside, alone=partial(_iperf, GATEWAY_V6, True))
    for running in (client, iperf):
        running.stop()
    return compared("iphttps_own_beside_stock", speed["beside"], speed["alone"], "Gbit/s", "without it")


def _idle(pair: Pair) -> Result:
    gateway = pair.start_gateway(iphttps=LIMITS)
    name = "laptop.corp.example"
    if not (pair.ca.directory / f"{name}.pem").exists():
        pair.ca.issue(name, server=False)
    before = memory_of(gateway.pid)
    argv = (sys.executable, "-m", "tests.bench.iphttps_idle", str(pair.ca.directory), name, str(IDLE_CLIENTS))
    loader = pair.start("cl", *argv)
    wait_until("all are connected", lambda: "connected" in loader.text() or loader.process.poll(), 120)
    assert loader.process.poll() is None, loader.text()
    wait_until("the gateway counts them", lambda: len(pair.ask("clients")) == IDLE_CLIENTS)
    value = (memory_of(gateway.pid) - before) / IDLE_CLIENTS
    loader.stop()
    gateway.stop()
    return Result("iphttps_client_bytes", value, "bytes")


def _start_ocserv(pair: Pair) -> tuple[Running, Running]:
    pki, directory = pair.ca.directory, pair.directory
    config = directory / "ocserv.conf"
    config.write_text(
        _OCSERV.format(port=OCSERV_PORT, directory=directory, pki=pki, name=GATEWAY_NAME, mtu=OCSERV_MTU)
    )
    script = directory / "vpnc-script"
    script.write_text(_VPNC)
    script.chmod(0o755)
    ocserv = pair.start("gw", "ocserv", "-f", "-c", str(config))
    wait_until("ocserv listens", lambda: f":{OCSERV_PORT} " in sh("ip netns exec gw ss -Hltn"))
    client = pki / "laptop.corp.example"
    openconnect = pair.start(
        "cl",
        *("openconnect", "--no-dtls", "--interface", "oc0", "--script", str(script)),
        *("--certificate", f"{client}.pem", "--sslkey", f"{client}.key", "--cafile", f"{pki}/ca.pem"),
        f"https://{GATEWAY_NAME}:{OCSERV_PORT}",
    )
    wait_until("openconnect is up", lambda: "10.99" in sh("ip -n cl addr") or openconnect.process.poll())
    assert openconnect.process.poll() is None, openconnect.text() + ocserv.text()
    return ocserv, openconnect


def _iperf_server(pair: Pair, address: str) -> Running:
    running = pair.start("gw", "iperf3", "--server", "--forceflush", "--bind", address)
    wait_until("iperf3 listens", lambda: "listening" in running.text() or running.process.poll())
    assert running.process.poll() is None, running.text()
    return running


def _iperf(address: str, reverse: bool) -> float:
    argv = ["iperf3", "--client", address, "--time", str(SECONDS), "--omit", "1", "--json"]
    for _ in range(20):
        report = json.loads(_in_client([*argv, "--reverse"] if reverse else argv, (0, 1)))
        if "sum_received" in report["end"]:
            return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9
        time.sleep(0.25)  # the server is still busy with the end of the last test
    raise AssertionError(report.get("error"))


def _in_client(argv: list[str], well: Collection[int] = (0,)) -> str:
    done = subprocess.run(["ip", "netns", "exec", "cl", *argv], capture_output=True, text=True, check=False)
    assert done.returncode in well, done.stdout + done.stderr
    return done.stdout
