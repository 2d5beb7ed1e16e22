"""Why a daemon does not start: one line what, one line how to mend it, the right exit code, nothing left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manageout.linux.host import netns
from tests.tools.places.daemon import NAME, Place


def expect(result: tuple[int, list[str]], code: int, message: str) -> None:
    """Two lines, the second a hint; ``message`` in the first."""
    exit_code, lines = result
    assert len(lines) == 2, lines
    assert lines[0].startswith("manageout: ") and message in lines[0], lines
    assert lines[1].startswith("  ") and len(lines[1]) > 10, lines
    assert exit_code == code


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Somebody else has the port."""
    code = f"import socket; s = socket.create_server(('{address}', {port})); print('on', flush=True); input()"
    argv = netns.command(NAME, [sys.executable, "-c", code])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "on\n"
        yield
        process.communicate("\n")


@pytest.fixture(autouse=True)
def untouched(place: Place) -> Iterator[None]:
    """After a start that failed the machine is as before."""
    before = place.state()
    yield
    place.end_all()
    if (place.runtime / "undo.json").exists():
        place.stop(place.start())
    assert place.state() == before


def test_a_second_daemon(place: Place) -> None:
    first = place.start()
    expect(place.fails(), 1, f"already running in {place.runtime}")
    assert str(first.pid) in place.fails()[1][0]
    assert place.ready(), "the first one goes on"
    place.stop(first)


def test_a_second_daemon_in_another_directory(place: Place) -> None:
    first = place.start()
    rules = place.run(["nft", "list", "ruleset"]).stdout
    expect(place.fails(runtime=place.directory / "other"), 1, "mo-isatap0 is taken")
    assert place.run(["nft", "list", "ruleset"]).stdout == rules, "the first one keeps its rules"
    place.stop(first)


def test_a_device_name_that_is_taken(place: Place) -> None:
    place.run(["ip", "link", "add", "mo-isatap0", "type", "veth", "peer", "name", "e9"])
    expect(place.fails(), 1, "mo-isatap0 is taken")
    place.run(["ip", "link", "delete", "mo-isatap0"])


def test_a_listening_port_that_is_taken(place: Place) -> None:
    place.write(place.gateway)
    with listening("10.0.0.1", 443):
        expect(place.fails(), 1, "10.0.0.1:443")


def test_a_metrics_port_that_is_taken(place: Place) -> None:
    with listening("127.0.0.1", 9464):
        expect(place.fails(), 1, "127.0.0.1:9464")


def test_an_address_that_this_machine_does_not_have(place: Place) -> None:
    place.write(place.gateway.replace("10.0.0.1:443", "10.0.0.7:443"))
    expect(place.fails(), 1, "10.0.0.7:443")


@pytest.mark.parametrize("missing", ["-net_admin", "-all"])
def test_a_missing_privilege(place: Place, missing: str) -> None:
    failed = place.fails("setpriv", f"--bounding-set={missing}", f"--inh-caps={missing}")
    expect(failed, 4, "CAP_NET_ADMIN")


def test_a_certificate_that_is_not_there(place: Place) -> None:
    place.write(place.gateway.replace("gateway.corp.example.pem", "absent.pem"))
    expect(place.fails(), 1, "absent.pem")


def test_a_state_directory_that_cannot_be(place: Place) -> None:
    """It serves, says what it cannot keep, and leaves alone what stands there."""
    (place.directory / "state").write_text("a file")
    daemon = place.start()
    found = [finding for finding in place.ask("status")["findings"] if finding["code"] == "HOSTS-NOT-STORED"]
    assert found and "state" in found[0]["what"] + found[0]["remedy"], place.ask("status")["findings"]
    assert place.stop(daemon) == 0
    assert (place.directory / "state").read_text() == "a file"
    assert "Traceback" not in place.log()


def test_a_runtime_directory_that_cannot_be(place: Place) -> None:
    expect(place.fails(runtime=place.file / "run"), 1, str(place.file))


def test_no_nft(place: Place) -> None:
    expect(place.fails("env", "PATH=/nowhere"), 1, "nft is not installed")
