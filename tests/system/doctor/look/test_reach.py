"""`manageout doctor reach` in the lab: silent about the healthy site; right about names, permission, connection."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from manageout.lab import bind, network, process, servers, site
from manageout.lab.demo.names import await_registered
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, HELPDESK, ISATAP_NAME, LAPTOP_NAME, REMOTE
from manageout.service.state.usage import UsageFile
from manageout.service.tls import certificates
from manageout.service.tls.pki import Authority
from tests.system.doctor.look.test_live import records
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import AS_NOBODY, Lab, other_rules
from tests.tools.places.reach import codes, hops, reach, resolver

# --- Healthy --------------------------------------------------------------------------------------------


def test_nothing_fails_on_the_healthy_site(lab: Lab) -> None:
    await_registered("laptop")
    for node in ("gateway", "helpdesk"):
        assert codes(node) == [], node
    assert codes("gateway", "app", LAPTOP_NAME, "--port", "80/tcp") == []
    assert codes("app", "app", LAPTOP_NAME, "--port", "tcp/80") == []
    address, lease = str(site.laptop_address()), str(site.lease("laptop"))
    assert codes("gateway", str(HELPDESK), address, "--port", "22") == []
    assert codes("helpdesk", str(HELPDESK), lease, "--port", "22") == []


def test_what_each_place_sees(lab: Lab) -> None:
    gateway, manager = (reach(node, "helpdesk", "laptop", "--port", "80") for node in ("gateway", "helpdesk"))
    assert hops(gateway, "unseen") == set()
    assert {("lease", "client answers"), ("isatap", "client answers"), ("isatap", "protocol 41")} <= hops(
        gateway, "ok"
    )
    assert hops(manager, "unseen") == {("both", "policy"), ("both", "client connected")}
    assert {("lease", "client answers"), ("isatap", "client answers")} <= hops(manager, "ok")
    stranger = reach("dc", "helpdesk", "laptop", "--port", "80")
    assert {("lease", "client answers"), ("isatap", "ISATAP router")} <= hops(stranger, "unseen")


def test_its_questions_are_nobody_s_calls(lab: Lab) -> None:
    """A retirement is judged by who calls clients: asking in a manager's name must not count."""
    usage = UsageFile(network.directory("gateway") / "state")
    begin = time.time()

    def called() -> list[tuple[str, str, int]]:
        return [(row.manager, row.protocol, row.port) for row in usage.rows() if row.last >= begin]

    assert codes("gateway", "helpdesk", "laptop", "--port", "80") == []
    assert codes("gateway", "helpdesk", "laptop", "--port", "22") == []
    network.run("helpdesk", ["curl", "-s", "-o", "/dev/null", f"http://[{site.laptop_address()}]/"])
    wait_until("the real call is recorded", called, 10)
    assert called() == [(str(HELPDESK), "tcp", 80)]


def test_text_for_people(lab: Lab) -> None:
    argv = [*MANAGEOUT, "doctor", "reach", "helpdesk", "laptop", "--port", "3389"]
    result = network.run("gateway", argv, check=False)
    assert result.returncode == 1
    assert "  FAILS     policy                 tcp/3389 is not among helpdesk" in result.stdout
    assert "error REACH-POLICY-SERVICE" in result.stdout and "  remedy  add it to `services`" in result.stdout
    body = [line for line in result.stdout.splitlines() if not line.startswith("  remedy")]
    assert max(map(len, body)) <= 100


def test_without_privileges_it_says_what_it_cannot_see(lab: Lab) -> None:
    for node in ("helpdesk", "gateway"):
        argv = [
            *AS_NOBODY,
            sys.executable,
            "-m",
            "manageout",
            "doctor",
            "reach",
            "helpdesk",
            "laptop",
            "--json",
        ]
        result = network.run(node, argv, check=False)
        assert result.returncode == 0 and "Traceback" not in result.stderr
        found = json.loads(result.stdout)
        assert found["unseen"] and not found["findings"]
    answers = [hop["words"] for hop in found["hops"] if hop["what"] == "client answers"]
    assert answers == 2 * ["run this as root, or on the manager"]


# --- Names ----------------------------------------------------------------------------------------------


def test_names(lab: Lab) -> None:
    address, lease = site.laptop_address(), site.lease("laptop")
    both = [f"{LAPTOP_NAME} 60 A {lease}", f"{LAPTOP_NAME} 60 AAAA {address}"]
    with records(*(f"delete {record}" for record in both)):
        assert codes("gateway") == ["NAME-MISSING"]
        assert codes("helpdesk") == ["NAME-MISSING"]
    with records(f"delete {both[0]}", f"add {LAPTOP_NAME} 60 A 10.0.0.200"):
        assert codes("gateway") == ["NAME-STALE"]
        assert codes("helpdesk") == ["LEASE-NO-WAY"]
    with records(f"add {LAPTOP_NAME} 60 AAAA fd12:3456:789a:1000::bad"):
        assert codes("gateway") == ["NAME-STALE"]
    assert codes("gateway", "nobody", "laptop") == ["HOST-UNKNOWN"]


def test_name_servers(lab: Lab) -> None:
    for node in ("gateway", "helpdesk"):
        assert codes(node, str(HELPDESK), "laptop", "--server", str(APP)) == ["DNS-SILENT"]
    wrong = bind._start("app", APP, {"example.net": []})
    try:
        with resolver("helpdesk", APP):
            assert codes("helpdesk") == codes("helpdesk", str(HELPDESK), "laptop") == ["DNS-WRONG"]
    finally:
        process.stop(wrong)


def test_the_router_s_name(lab: Lab) -> None:
    own = f"{ISATAP_NAME} 2 A 10.0.0.1"
    with records(f"delete {own}"):
        assert codes("gateway") == ["ROUTER-NAME"]
        assert codes("helpdesk") == ["ROUTER-NAME"]
    with records(f"delete {own}", f"add {ISATAP_NAME} 2 A 10.0.0.20"):
        assert codes("gateway") == ["ROUTER-ASTRAY"]
        assert codes("helpdesk") == []  # it still has its old router


def test_the_bare_name_is_blocked(lab: Lab) -> None:
    """A Windows DNS server says NXDOMAIN for `isatap`, whatever its zone has; from outside that is a missing name."""
    joined = process.find("helpdesk", "join")
    assert joined
    process.stop(joined)
    argv = [*MANAGEOUT, "join", "isatap.corp.example", "--force"]
    options = ["--runtime-dir", str(network.directory("helpdesk"))]
    try:
        bare = process.start("helpdesk", "join", [*argv, *options])
        process.wait_until("it runs", lambda: "isatap-host" in str(status("helpdesk")), 20, [bare])
        assert codes("helpdesk") == ["ROUTER-BLOCKED"]
        process.stop(bare)
    finally:
        site.join("helpdesk", fast_path=True)


def status(node: str) -> object:
    try:
        return site.ask(node, "status")
    except Exception:
        return {}


# --- Permission and connection --------------------------------------------------------------------------


def test_the_policy(lab: Lab) -> None:
    assert codes("gateway", "--port", "3389") == ["POLICY-SERVICE"]
    assert codes("helpdesk", "--port", "3389") == ["PROHIBITED"]
    assert codes("gateway", "kiosk", "laptop", "--port", "80") == ["POLICY-HOST"]
    assert codes("kiosk", "kiosk", "laptop", "--port", "80") == ["PROHIBITED"]
    with other_rules("gateway", f'to = ["{LAPTOP_NAME}"]', 'to = ["tablet.*"]'):
        assert codes("gateway", "app", "laptop", "--port", "80") == ["POLICY-CLIENT"]


def test_a_manager_that_isatap_does_not_allow(lab: Lab) -> None:
    with other_rules("gateway", f'hosts = ["{HELPDESK}/32"]', 'hosts = ["10.0.1.31/32"]'):
        assert codes("gateway", "--port", "80") == ["ISATAP-HOSTS"]
        assert codes("helpdesk", "--port", "80") == ["ROUTER-SILENT"]
    process.wait_until("helpdesk is back", lambda: not codes("helpdesk", "--port", "80"), 30)


def cut_off(node: str) -> None:
    connected = process.find(node, "connect")
    assert connected
    process.stop(connected, signal.SIGKILL)
    absent = lambda: not site.ask("gateway", "clients")  # noqa: E731
    process.wait_until(f"{node} is gone", absent, 15)


def test_a_client_that_is_away(lab: Lab) -> None:
    cut_off("laptop")
    try:
        assert codes("gateway", "--port", "80") == ["CLIENT-OFFLINE"]
        assert codes("gateway", "helpdesk", "tablet") == ["CLIENT-UNKNOWN"]
        revoked_certificate()
        expired_gateway(lab)
    finally:
        site.connect()
        await_registered("laptop")
    assert codes("gateway", "--port", "80") == []


def revoked_certificate() -> None:
    """The client comes with a certificate that is revoked."""
    pki = servers.pki_directory()
    kept = {file: file.read_bytes() for file in (pki / "crl.pem", pki / "index.json")}
    Authority(pki).revoke(LAPTOP_NAME)
    with other_rules("gateway", "[daemon]", '[daemon]\nlog_level = "info"'):  # it reads the list again
        try:
            trying = start_connect("laptop")
            process.wait_until("it is refused", lambda: "certificate-revoked" in reasons(), 15, [trying])
            assert codes("gateway", "--port", "80") == ["CLIENT-CERTIFICATE"]
            process.stop(trying)
        finally:
            for file, data in kept.items():
                file.write_bytes(data)


def start_connect(node: str) -> process.Process:
    certificate, ca = servers.pki_directory() / REMOTE[node], servers.pki_directory() / "ca.pem"
    files = ["--cert", f"{certificate}.pem", "--key", f"{certificate}.key", "--ca", str(ca)]
    options = [*files, "--runtime-dir", str(network.directory(node))]
    return process.start(node, "connect", [*MANAGEOUT, "connect", site.URL, *options])


def reasons() -> set[str]:
    return {row["reason"] for row in site.ask("gateway", "drops")}


def expired_gateway(lab: Lab) -> None:
    """A certificate that expired while the daemon ran: by the clock of the one who looks."""
    config = network.directory("gateway") / "site.toml"
    text, old = config.read_text(), network.STATE / "old.pem"
    key = certificates.new_key(False)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.corp.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(9), now - timedelta(2))
    old.write_bytes(certificates.pem(builder.sign(key, hashes.SHA256())))
    other = network.STATE / "expired.toml"
    other.write_text(text.replace(str(servers.pki_directory() / "gateway.corp.example.pem"), str(old)))
    options = ["--config", str(other), "--runtime-dir", str(network.directory("gateway"))]
    assert codes("gateway", *options) == ["GATEWAY-CERTIFICATE"]


# --- The daemon, and who asks ---------------------------------------------------------------------------


def test_no_daemon(lab: Lab, tmp_path: Path) -> None:
    config = str(network.directory("gateway") / "site.toml")
    assert codes("gateway", "--config", config, "--runtime-dir", str(tmp_path)) == ["DAEMON-DOWN"]


def test_a_daemon_that_hangs_is_no_healthy_site(lab: Lab) -> None:
    daemon = process.find("gateway", "run")
    assert daemon
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        assert codes("gateway") == ["DAEMON-DOWN"]
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


def test_the_router_s_daemon_is_down(lab: Lab) -> None:
    daemon = process.find("gateway", "run")
    assert daemon
    process.stop(daemon)
    try:
        config = str(network.directory("gateway") / "site.toml")
        assert codes("gateway", "--config", config) == ["DAEMON-DOWN"]
        assert "ROUTER-OFF" in codes("helpdesk", str(HELPDESK), "10.0.0.129", "--port", "80")
    finally:
        started = site.start_daemon("gateway")
        process.wait_until("it is back", lambda: site.ready("gateway"), 60, [started])


def test_usage(lab: Lab) -> None:
    for arguments in (
        ["a"],
        ["a", "b", "--port", "x"],
        ["a", "b", "--port", "70000"],
        ["a", "b", "--server", "x"],
    ):
        argv = [*MANAGEOUT, "doctor", "reach", *arguments]
        result = network.run("helpdesk", argv, check=False)
        assert result.returncode in (1, 2) and "Traceback" not in result.stderr and result.stderr
