"""The daemon's life: start, reload, kill, stop; and that it leaves the machine as it was."""

from __future__ import annotations

import ctypes.util
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.linux.host import netns
from tests.tools.places.daemon import NAME, PREFIX, ROUTE, ROUTER, Place


def test_a_stop_leaves_what_was_there_and_nothing_else(place: Place) -> None:
    place.write(ROUTER, ROUTE, place.gateway)
    place.run(["nft", "add table inet theirs"])
    before = place.state()
    daemon = place.start()
    serving = place.state()
    assert all(serving[part] != before[part] for part in ("links", "routes6", "nft", "sysctls"))
    assert place.stop(daemon) == 0
    assert place.state() == before
    assert [path.name for path in place.runtime.iterdir()] == ["lock"]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_is_a_clean_stop(place: Place, sign: signal.Signals) -> None:
    assert place.stop(place.start(), sign) == 0
    assert place.log().rstrip().endswith("stopped")


def test_a_stop_in_the_middle_of_the_start_leaves_nothing(place: Place) -> None:
    before = place.state()
    for line in ("create device", "load the packet filter", "bring mo-isatap0 up"):
        daemon = subprocess.Popen(place.argv(), stderr=subprocess.PIPE, text=True)
        assert daemon.stderr
        for text in daemon.stderr:
            if line in text:
                break
        assert place.stop(daemon) == 0
        daemon.stderr.close()
        assert place.state() == before


def test_a_forwarding_machine_stays_one(place: Place) -> None:
    place.run(["sysctl", "-q", "net.ipv6.conf.all.forwarding=1"])
    before = place.state()
    place.stop(place.start())
    assert place.state() == before


def test_one_device_that_forwarded_before_still_does(place: Place) -> None:
    place.run(["sysctl", "-q", "net.ipv6.conf.e0.forwarding=1"])
    before = place.state()
    place.stop(place.start())
    assert place.state() == before


def test_dry_run_says_what_and_does_nothing(place: Place) -> None:
    place.write(ROUTER, ROUTE, place.gateway)
    before = place.state()
    command = place.argv("--dry-run")
    steps = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert place.state() == before
    assert not place.runtime.exists()
    words = [step.split(maxsplit=1)[1] for step in steps]
    assert words == [
        "create device mo-isatap0, MTU 1280",
        "create device mo-iphttps0, MTU 1280",
        "create device mo-iphttps1, MTU 1280",
        "load the packet filter tables inet manageout, inet manageout_guard, inet manageout_timeouts",
        "set net.ipv6.conf.all.forwarding = 1 (now 0)",
        "set net.netfilter.nf_conntrack_acct = 1 (now 0)",
        "set net.netfilter.nf_conntrack_timestamp = 1 (now 0)",
        "add address fe80::5efe:a00:1/64 to mo-isatap0",
        f"add address {PREFIX}:1:0:5efe:a00:1/64 to mo-isatap0",
        "bring mo-isatap0 up, MTU 1280",
        "add address fe80::1/64 to mo-iphttps0",
        f"add address {PREFIX}:1000::1/64 to mo-iphttps0",
        "bring mo-iphttps0 up, MTU 1280",
        "bring mo-iphttps1 up, MTU 1280",
        f"add route {PREFIX}:1001::/64 via fd99::2",
    ]


def test_dry_run_beside_a_daemon_shows_what_a_reload_would_do(place: Place) -> None:
    place.start()
    place.write(ROUTER.replace('["10.0.0.1"]', '["10.0.0.1", "10.0.0.9"]'), ROUTE)
    steps = subprocess.run(place.argv("--dry-run"), capture_output=True, text=True, check=True).stdout
    assert "create device" not in steps
    assert "add address fe80::5efe:a00:9/64 to mo-isatap0" in steps
    assert "a00:1/64" not in steps
    assert f"add route {PREFIX}:1001::/64 via fd99::2" in steps


def test_reload_takes_what_changed(place: Place) -> None:
    daemon = place.start()
    place.write(ROUTER.replace("10.0.1.30/32", "10.0.1.0/24"), ROUTE)
    status = place.reload(daemon)
    assert status["config"]["rejected"] is None
    assert status["roles"]["isatap"]["allowed"] == ["10.0.1.0/24"]
    assert f"{PREFIX}:1001::/64 via fd99::2" in place.run(["ip", "-6", "route"]).stdout
    place.write(ROUTER)
    place.reload(daemon)
    assert "fd99::2" not in place.run(["ip", "-6", "route"]).stdout
    assert place.stop(daemon) == 0


def test_reload_takes_another_locator_and_another_port(place: Place) -> None:
    place.write(ROUTER, place.gateway)
    daemon = place.start()
    place.run(["ip", "address", "add", "10.0.0.9/24", "dev", "e0"])
    moved = place.gateway.replace("10.0.0.1:443", "10.0.0.9:8443")
    place.write(ROUTER.replace('["10.0.0.1"]', '["10.0.0.9"]'), moved)
    roles = place.reload(daemon)["roles"]
    assert roles["isatap"]["locators"] == ["10.0.0.9"]
    assert roles["isatap"]["fast_path"]["on"] is True
    assert roles["iphttps"]["listen"] == ["10.0.0.9:8443"]
    addresses = place.run(["ip", "-6", "-o", "address", "show", "dev", "mo-isatap0"]).stdout
    assert "a00:9/64" in addresses and "a00:1/64" not in addresses
    listening = place.run(["ss", "-ltn"]).stdout
    assert "10.0.0.9:8443" in listening and "10.0.0.1:443" not in listening
    assert place.stop(daemon) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[isatap]\nlocators = []\nhots = []\n", "isatap.hots: there is no such option"),
        ("", "(file): no role"),
    ],
)
def test_a_bad_file_leaves_the_old_one_running_and_says_so(place: Place, text: str, said: str) -> None:
    daemon = place.start()
    before = place.state()
    place.write(text)
    rejected = place.reload(daemon)["config"]["rejected"]
    assert said in rejected["message"] + " ".join(fault["what"] for fault in rejected["faults"])
    assert "reload rejected" in place.log() and said in place.log()
    after = place.state()
    assert {**after, "nft": ""} == {**before, "nft": ""}
    place.write(ROUTER)
    assert place.reload(daemon)["config"]["rejected"] is None


def test_a_rejected_reload_is_taken_back_although_a_certificate_broke_meanwhile(place: Place) -> None:
    certificate = place.directory / "gateway.pem"
    here = re.sub(r'certificate = "(.*)"', f'certificate = "{certificate}"', place.gateway)
    certificate.write_bytes(Path(re.findall(r'certificate = "(.*)"', place.gateway)[0]).read_bytes())
    place.write(ROUTER, here)
    daemon = place.start()
    before = place.state()
    certificate.write_text("half of a certificate")
    place.write(ROUTER.replace("10.0.1.30/32", "10.0.1.0/24"), ROUTE, here)
    status = place.reload(daemon)
    assert "not a PEM certificate" in status["config"]["rejected"]["message"]
    assert status["roles"]["isatap"]["allowed"] == ["10.0.1.30/32"]
    after = place.state()
    assert {**after, "nft": ""} == {**before, "nft": ""}


def test_a_role_cannot_be_added_by_reload(place: Place) -> None:
    daemon = place.start()
    place.write(ROUTER, place.gateway, daemon='metrics = "off"\n')
    rejected = place.reload(daemon)["config"]["rejected"]
    assert "[gateway] table was added" in rejected["message"]
    assert "daemon.metrics changed" in rejected["message"]
    assert rejected["remedy"] == "systemctl restart manageout"


def test_after_a_kill_the_next_one_cleans_up(place: Place) -> None:
    place.write(ROUTER, ROUTE)
    before = place.state()
    place.stop(place.start(), signal.SIGKILL)
    assert place.state() != before
    assert (place.runtime / "control.sock").exists()
    undo = place.undo()
    assert undo["filter"] is True
    assert undo["routes"] == [[f"{PREFIX}:1001::/64", "fd99::2", None]]
    place.write(ROUTER)  # the route is no longer wanted
    daemon = place.start()
    assert "fd99::2" not in place.run(["ip", "-6", "route"]).stdout
    assert place.stop(daemon) == 0
    assert place.state() == before


def test_metrics_on_loopback(place: Place) -> None:
    place.write(ROUTER, place.gateway)
    place.start()
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    text = place.run(["python3", "-c", code]).stdout
    for name in (
        "manageout_isatap_hosts 0.0",
        "manageout_certificate_expiry_seconds{",
        "manageout_build_info{",
    ):
        assert name in text


def test_privileges_are_given_up(place: Place) -> None:
    daemon = place.start()
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    wanted = "000000c000003400"
    assert (status["CapEff"], status["CapPrm"], status["CapBnd"]) == (wanted,) * 3
    assert status["NoNewPrivs"] == "1"
    for task in Path(f"/proc/{daemon.pid}/task").iterdir():
        assert f"CapEff:\t{wanted}" in (task / "status").read_text()
    shown = place.ask("status")["privileges"]
    assert shown["no_new_privs"] is True
    assert "CAP_NET_ADMIN" in shown["capabilities"] and "CAP_SYS_ADMIN" not in shown["capabilities"]


def test_what_it_keeps_is_closed_to_others(place: Place) -> None:
    """Whatever the umask of who starts it; only the way to the control socket is open."""
    place.write(ROUTER, place.gateway, '\n[translation]\npool = "10.0.8.0/24"\n')
    place.stop(place.start("sh", "-c", 'umask 0; exec "$@"', "sh"))
    state = place.directory / "state"
    kept = [state, *state.rglob("*")]
    assert len(kept) > 2
    assert not [str(each) for each in kept if each.stat().st_mode & 0o007]
    assert place.runtime.stat().st_mode & 0o777 == 0o755


def test_what_the_systemd_unit_grants_is_enough(place: Place) -> None:
    unit = Path(__file__).parents[4] / "packaging" / "systemd" / "manageout.service"
    (line,) = (line for line in unit.read_text().splitlines() if line.startswith("CapabilityBoundingSet="))
    granted = ",".join("+" + name.removeprefix("CAP_").lower() for name in line.split("=")[1].split())
    place.write(ROUTER, place.gateway)
    daemon = place.start("setpriv", f"--bounding-set=-all,{granted}", "--inh-caps=-all", "--no-new-privs")
    assert place.ask("status")["roles"]["isatap"]["fast_path"]["on"] is True
    before = place.ask("status")["config"]["loaded"]
    assert place.reload(daemon)["config"]["loaded"] > before
    assert place.stop(daemon) == 0


def test_without_libbpf_it_goes_on_and_says_so_once(place: Place) -> None:
    found = ctypes.util.find_library("bpf")
    if found is None:
        pytest.skip("libbpf is not installed")
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = next(line.split("=> ")[1] for line in listed.splitlines() if "libbpf.so.1 " in line)
    hide = ["unshare", "--mount", "sh", "-c", f'mount --bind /dev/null "{path}"; exec "$@"', "sh"]
    daemon = place.start(*hide)
    fast = place.ask("status")["roles"]["isatap"]["fast_path"]
    assert fast["on"] is False
    assert "libbpf" in fast["reason"]
    assert place.log().count("no fast path") == 1
    assert place.stop(daemon) == 0


def test_without_the_privilege_of_arithmetic_with_pointers_it_goes_on_and_names_it(place: Place) -> None:
    place.write(ROUTER, place.gateway, '[translation]\npool = "10.0.8.0/24"\n')
    daemon = place.start("setpriv", "--bounding-set=-perfmon", "--inh-caps=-perfmon")
    roles = place.ask("status")["roles"]
    for fast in (roles["isatap"]["fast_path"], roles["translation"]["fast_path"]):
        assert not fast["on"] and "without CAP_PERFMON" in fast["reason"], fast
    assert place.stop(daemon) == 0


def test_systemd_hears_when_it_serves_and_when_it_stops(place: Place) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place.directory / "notify"))
        listener.settimeout(10)
        daemon = place.start("env", f"NOTIFY_SOCKET={place.directory / 'notify'}")

        def heard() -> str:
            while (message := listener.recv(1000).decode()) == "WATCHDOG=1":
                pass
            return message

        assert heard().startswith("READY=1")
        daemon.send_signal(signal.SIGHUP)
        assert heard().startswith("RELOADING=1")
        assert heard() == "READY=1"
        place.stop(daemon)
        assert heard() == "STOPPING=1"


BUGGY = """
import sys
from manageout.cli.commands import main
from manageout.service.usage.log import UsageLog

def reload(self, site, plan):
    raise RuntimeError(f"of {site.daemon.usage_days} days")

UsageLog.reload = reload
main()
"""


def test_a_bug_in_a_reload_rejects_the_file_and_systemd_hears_of_the_end(place: Place) -> None:
    """Also when the way back meets it again."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place.directory / "notify"))
        listener.settimeout(10)
        env = ["env", f"NOTIFY_SOCKET={place.directory / 'notify'}"]
        daemon = place.start(*env, sys.executable, "-c", BUGGY, "run", *place.options(), whole=True)
        before = place.state()
        place.write(ROUTER.replace("10.0.1.30/32", "10.0.1.0/24"), daemon="usage_days = 7\n")
        status = place.reload(daemon)
        while (message := listener.recv(1000).decode()) != "READY=1":
            assert not message.startswith("STOPPING")
        assert status["config"]["rejected"]["message"] == "internal error: RuntimeError: of 7 days"
        assert "report" in status["config"]["rejected"]["remedy"]
        assert status["roles"]["isatap"]["allowed"] == ["10.0.1.30/32"]
        assert {**place.state(), "nft": ""} == {**before, "nft": ""}
        assert "reload rejected, the old configuration runs on: internal error: RuntimeError" in place.log()
        assert "not wholly back: internal error: RuntimeError: of 90 days" in place.log()
        assert "Traceback" not in place.log()
        assert place.stop(daemon) == 0


def test_a_device_that_somebody_removes_ends_the_daemon_with_one_line(place: Place) -> None:
    daemon = place.start()
    netns.run(NAME, ["ip", "link", "delete", "mo-isatap0"])
    assert daemon.wait(30) == 1
    assert "manageout: device mo-isatap0" in place.log()
    assert "Traceback" not in place.log()
