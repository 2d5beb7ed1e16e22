"""Rules that somebody takes away, a file that changes between two runs: nothing passes that they forbid, and nothing
that began without them lives on."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manageout.lab import network, process, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, HELPDESK
from manageout.service.policy.revision import REFUSED_MARK
from manageout.wire.address import rfc6052_embed
from tests.system.service.daemon.test_restart import running
from tests.system.service.policy.test_policy import calls, lease, session
from tests.tools.lab import Lab, drops, other_rules

pytestmark = pytest.mark.parametrize("lab", [("single", True)], indirect=True)

UNOWNED = """
import sys
from manageout.linux.nft import libnftables
libnftables.LIBRARY = "libnone.so"  # as on a machine without it
from manageout.cli.commands import main
main()
"""
# Eight at a time until told to end; whatever connects is kept, and asked at the end whether it still lives.
HAMMER = """
import socket, sys, threading
end, through = threading.Event(), []
def knock():
    while not end.is_set():
        one = socket.socket()
        one.settimeout(0.1)
        try:
            one.connect((sys.argv[1], 7777))
            through.append(one)
        except OSError:
            one.close()
workers = [threading.Thread(target=knock) for _ in range(8)]
[each.start() for each in workers]
print("knocking", flush=True)
sys.stdin.readline()
end.set()
[each.join() for each in workers]
living = 0
for one in through:
    try:
        one.settimeout(1)
        one.sendall(b"x")
        living += one.recv(1) == b"x"
    except OSError:
        pass
print(len(through), living, flush=True)
"""


@pytest.fixture
def unowned(lab: Lab) -> Iterator[None]:
    """The gateway runs without the library: anybody can remove its rules."""
    process.stop(running("gateway", "run"))
    directory = network.directory("gateway")
    files = ["--config", str(directory / "site.toml"), "--runtime-dir", str(directory)]
    daemon = process.start("gateway", "run", [sys.executable, "-c", UNOWNED, "run", *files])
    wait_until("the gateway is ready", lambda: site.ready("gateway"), site.READY_SECONDS, [daemon])
    wait_until("the laptop is back", lambda: calls("helpdesk", site.laptop_address(), 22), 40)
    yield
    process.stop(running("gateway", "run"))
    (directory / "torn").unlink(missing_ok=True)
    site.start_daemon("gateway")
    wait_until("the gateway is ready", lambda: site.ready("gateway"), site.READY_SECONDS)
    wait_until("the laptop is back", lambda: calls("helpdesk", site.laptop_address(), 22), 40)


@contextmanager
def program(node: str, code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python on a node, which has said that it is ready."""
    pipe = subprocess.PIPE
    command = network.command(node, [sys.executable, "-c", code, *arguments])
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as running:
        try:
            assert running.stdout and running.stdout.readline()
            yield running
        finally:
            running.kill()


def end(hammer: subprocess.Popen[str]) -> tuple[int, int]:
    """How many came through, and how many of them still live."""
    assert hammer.stdin and hammer.stdout
    print(file=hammer.stdin, flush=True)
    through, living = hammer.stdout.readline().split()
    return int(through), int(living)


def removed() -> int:
    """How often the daemon has found its tables gone."""
    rows = [row for row in site.ask("gateway", "status")["findings"] if row["code"] == "RULES-REMOVED"]
    return int(rows[0]["what"].rpartition(", ")[2].split()[0]) if rows else 0


HARM = ("flush ruleset", "delete table inet manageout", "flush table inet manageout")


def take_away(times: int = 21) -> None:
    """The rules, again and again, each time when they are back."""
    shared = "RULES-SHARED" in codes()
    for number in range(times):
        before = removed()
        command = HARM[number % 3]
        network.run("gateway", ["nft", command], check=False)
        if shared or command == "flush ruleset":
            wait_until("it is noticed", functools.partial(_more, before), 10)
        wait_until("the rules are back", back, 10)


def _more(before: int) -> bool:
    return removed() > before


def codes() -> list[str]:
    return [row["code"] for row in site.ask("gateway", "status")["findings"]]


def back() -> bool:
    """Rules are there, and what they allow passes."""
    chain = network.run("gateway", ["nft", "list", "chain", "inet", "manageout", "managers"], check=False)
    return chain.returncode == 0 and calls("helpdesk", site.laptop_address(), 22)


OPEN = '"tcp/22", "tcp/80"]', '"tcp/22", "tcp/80", "tcp/7777"]'


def test_owned_rules_cannot_be_taken_away(lab: Lab) -> None:
    with other_rules("gateway", *OPEN), session(lab) as (ask, _):
        assert ask("one") == "one"
        with program("app", HAMMER, str(lease("laptop"))) as hammer:
            before = drops("gateway").get(("policy", str(APP)), 0)
            take_away()
            wait_until("it is refused", lambda: drops("gateway").get(("policy", str(APP)), 0) > before, 10)
            assert end(hammer) == (0, 0)
        assert ask("two") == "two"


def test_where_they_can_nothing_passes_once_they_are_missed(lab: Lab, unowned: None) -> None:
    assert "RULES-SHARED" in codes()
    with other_rules("gateway", *OPEN), session(lab) as (ask, _):
        assert ask("one") == "one"
        with program("app", HAMMER, str(lease("laptop"))) as hammer:
            take_away()
            through, living = end(hammer)
        assert living == 0, "what began before the rules were missed is refused"
        # Were the devices up until the rules are back, eight callers would come through by hundreds.
        assert through <= len(HARM) * 7
        assert ask("two") == "two", "what was allowed goes on"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_permission_taken_between_two_runs_ends_its_sessions(lab: Lab, sign: signal.Signals) -> None:
    with other_rules("gateway", *OPEN), session(lab) as (ask, port):
        assert ask("one") == "one"
        restart(sign)
        assert not refused(port), "it is still allowed"
        wait_until("the session goes on", lambda: ask("two") == "two", 40)
        file = network.directory("gateway") / "site.toml"
        text = file.read_text()
        file.write_text(text.replace(f'from = ["{HELPDESK}"]', 'from = ["10.0.0.99"]'))
        restart(sign)
        assert refused(port), "before it says that it is ready"
        file.write_text(text)
        app = rfc6052_embed(site.gateway_plan().nat64, APP)
        wait_until("the laptop is back", lambda: calls("laptop", app, 80), 40)
        assert ask("three") == "cut off"


def restart(sign: signal.Signals) -> None:
    """The gateway, without a moment to come back in between."""
    process.stop(running("gateway", "run"), sign)
    daemon = site.start_daemon("gateway")
    wait_until("the gateway is ready", lambda: site.ready("gateway"), site.READY_SECONDS, [daemon])


def refused(port: str) -> bool:
    """Whether the session carries the mark."""
    argv = ["conntrack", "-L", "-f", "ipv6", "--mark", f"{REFUSED_MARK}/{REFUSED_MARK}"]
    return f"sport={port} dport=7777 " in network.run("gateway", argv).stdout
