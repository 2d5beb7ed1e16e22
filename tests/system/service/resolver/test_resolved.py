"""The name policy through a real systemd-resolved, on a bus of its own, in the client's namespace."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from tests.tools.commands import MANAGEOUT
from tests.tools.places.firewalls import BUS
from tests.tools.places.iphttps import URL, Pair, Running, sh
from tests.tools.places.names import APP_LITERAL, HOME_DNS, RESOLV_CONF, SITE_DNS, NamesPlace

BUILT = Path(__file__).parents[4] / "build" / "resolved"
ROOT = next((root for root in (Path("/"), BUILT) if (root / "lib/systemd/systemd-resolved").exists()), None)
# `ip netns exec` gives each process mounts of its own: the machine's /run and /etc stay as they are.
OWN_FILES = (
    'mkdir -p /run/systemd && mount --bind "$0/systemd" /run/systemd && mount --bind "$0/passwd" /etc/passwd '
    '&& mount --bind "$0/group" /etc/group && exec "$@"'
)


class ResolvedPlace(NamesPlace):
    """systemd-resolved serves the client, and asks the home's DNS server."""

    def start_resolved(self) -> None:
        directory = self.directory
        (directory / "systemd" / "resolve").mkdir(parents=True)
        for name, line in (
            ("passwd", "systemd-resolve:x:64053:64053::/:/bin/false"),
            ("group", "systemd-resolve:x:64053:"),
        ):
            text = Path(f"/etc/{name}").read_text()
            (directory / name).write_text(text if "systemd-resolve:" in text else f"{text}{line}\n")
        os.chmod(directory, 0o755)
        sh(f"chown 64053:64053 {directory}/systemd/resolve")
        (directory / "bus.conf").write_text(BUS.format(directory / "bus"))
        self.inside("dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork", "--nopidfile")
        wait_until("the bus", (directory / "bus").exists)
        self.inside(f"{ROOT}/lib/systemd/systemd-resolved")
        RESOLV_CONF.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
        wait_until("resolved", lambda: self.resolvectl("status"))
        for words in (f"dns eth0 {HOME_DNS}", "default-route eth0 yes", "llmnr eth0 no", "dnssec eth0 no"):
            assert self.resolvectl(words)
        wait_until("the home's DNS", lambda: self.dig("x.example.org", "A") == ["203.0.113.1"])

    def inside(self, *argv: str) -> Running:
        path = f"PATH={ROOT}/usr/bin:{os.environ['PATH']}"
        bus = f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self.directory}/bus"
        return self.pair.start("cl", "env", path, bus, "sh", "-c", OWN_FILES, str(self.directory), *argv)

    def resolvectl(self, words: str) -> bool:
        return self.inside("resolvectl", "--no-pager", *words.split()).process.wait(15) == 0

    def told(self) -> str:
        running = self.inside("resolvectl", "--no-pager", "status", "mo-iphttps0")
        running.process.wait(15)
        return running.text()

    def join(self, domain: str, *options: str) -> Running:
        certificate = self.pair.ca.issue("laptop.corp.example", server=False)
        argv = [*MANAGEOUT, "connect", URL, "--runtime-dir", f"{self.directory}/cl"]
        argv += ["--cert", str(certificate.certificate), "--key", str(certificate.key)]
        argv += ["--ca", str(self.pair.ca.certificate_path), "--dns", SITE_DNS, "--namespace", domain]
        running = self.inside(*argv, *options)
        self.pair.address()
        return running


@pytest.fixture
def place() -> Iterator[ResolvedPlace]:
    if ROOT is None:
        pytest.skip("needs systemd-resolved: scripts/resolved unpacks it")
    with contextlib.ExitStack() as stack:
        place = ResolvedPlace(stack.enter_context(Pair()))
        place.start_resolved()
        place.start_site()
        yield place


def test_it_is_found_and_told_and_forgets_with_the_device(place: ResolvedPlace) -> None:
    before = RESOLV_CONF.read_text()
    client = place.join("far.example")
    names = place.wait_policy("on")
    assert names["through"] == ["systemd-resolved"]
    assert place.dig("app.far.example") == [APP_LITERAL]
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]
    told = place.told()
    assert f"DNS Servers: {SITE_DNS}" in told and "~far.example" in told and "-DefaultRoute" in told
    assert RESOLV_CONF.read_text() == before, "which is not ours to change here"
    os.kill(client.pid, signal.SIGKILL)
    client.process.wait(10)
    wait_until("it is forgotten", lambda: place.dig("app.far.example", "A") == [])
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]


def test_exemptions_within_the_site(place: ResolvedPlace) -> None:
    # The gateway's own name is one of them.
    place.join("corp.example", "--exempt", "www.corp.example")
    names = place.wait_policy("on")
    assert names["through"][0] == "systemd-resolved" and names["through"][1].startswith("stub on fd12:")
    assert names["local_dns"] == [HOME_DNS]
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert place.dig("www.corp.example", "A") == ["203.0.113.80"]
    assert place.dig("x.example.org", "A") == ["203.0.113.1"]


def test_switched_off_it_is_as_before(place: ResolvedPlace) -> None:
    client = place.join("corp.example", "--location-url", "https://nls.inside.example:8443/")
    place.wait_policy("on")
    assert place.dig("app.corp.example") == [APP_LITERAL]
    assert client.stop() == 0
    assert place.dig("app.corp.example", "A") == ["192.168.1.66"]


def test_without_the_bus_it_says_so(place: ResolvedPlace) -> None:
    (place.directory / "bus").unlink()
    place.join("corp.example")
    wait_until("it says so", lambda: "resolvectl" in place.wait_policy("failed")["reason"], 20)
