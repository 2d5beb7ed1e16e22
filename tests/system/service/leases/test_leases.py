"""Leases of real clients: they keep them over reconnects, kills and restarts, and nobody gets them too soon."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from manageout.lab.process import wait_until
from manageout.service.state.leases import LOST
from tests.tools.commands import manageout
from tests.tools.places.iphttps import Pair, Running, sh

LAPTOP, TABLET, KIOSK = "laptop.corp.example", "tablet.corp.example", "kiosk.corp.example"
POOL = "10.77.0"
TRANSLATION = '[translation]\npool = "{pool}"\ngrace = {grace}\nquarantine = {quarantine}\n'


def translation(pool: str = f"{POOL}.0/29", grace: float = 600, quarantine: float = 600) -> str:
    return TRANSLATION.format(pool=pool, grace=grace, quarantine=quarantine)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


def lease(pair: Pair, name: str, state: str = "held") -> dict[str, Any] | None:
    rows = pair.ask("leases") or []
    return next((row for row in rows if row["name"] == name and row["state"] == state), None)


def connected(pair: Pair, name: str, namespace: str = "cl") -> tuple[Running, str]:
    """A client that holds a lease, and that lease."""
    client = pair.start_client(name, namespace=namespace)
    return client, wait_until(f"{name} has a lease", lambda: lease(pair, name), 30)["ipv4"]


def leave(pair: Pair, client: Running, name: str) -> None:
    client.stop()
    wait_until(f"{name} is in grace", lambda: lease(pair, name, "grace"))


def gateway(pair: Pair, **options: Any) -> Running:
    return pair.start_gateway(tables=translation(**options))


def audit(pair: Pair) -> list[tuple[str, str, bool]]:
    return [(row["name"], row["ipv4"], row["until"] is not None) for row in pair.ask("audit")]


def test_a_client_that_returns_gets_the_same_lease_and_another_waits_for_quarantine(pair: Pair) -> None:
    gateway(pair, pool=f"{POOL}.0/30", grace=1, quarantine=8)
    pair.add_client("c2")
    tablet, second = connected(pair, TABLET, "c2")
    laptop, first = connected(pair, LAPTOP)
    assert {first, second} == {f"{POOL}.1", f"{POOL}.2"}
    leave(pair, laptop, LAPTOP)
    laptop, again = connected(pair, LAPTOP)
    assert again == first
    laptop.stop()
    wait_until("it is in quarantine", lambda: lease(pair, LAPTOP, "quarantine"))
    kiosk = pair.start_client(KIOSK)
    waiting = wait_until("kiosk waits", lambda: lease(pair, KIOSK, "waiting"), 6)
    assert waiting["ipv4"] is None and waiting["address"]
    status = pair.ask("status")
    assert [found["code"] for found in status["findings"]] == ["POOL-EXHAUSTED"]
    assert status["roles"]["leases"]["waiting"] == 1
    got = wait_until("kiosk gets what was the laptop's", lambda: lease(pair, KIOSK), 20)
    assert got["ipv4"] == first
    assert pair.ask("status")["findings"] == []
    assert lease(pair, TABLET)
    for client in (kiosk, tablet):
        client.stop()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_of_the_gateway_keeps_every_lease(pair: Pair, sign: signal.Signals) -> None:
    running = gateway(pair)
    pair.add_client("c2")
    _, second = connected(pair, TABLET, "c2")
    _, first = connected(pair, LAPTOP)
    before = lease(pair, LAPTOP)
    assert before
    running.process.send_signal(sign)
    running.process.wait(15)
    pair.start_gateway(tables=translation())
    after = wait_until("the laptop is back", lambda: lease(pair, LAPTOP), 60)
    assert (after["ipv4"], after["address"]) == (first, before["address"])
    assert wait_until("the tablet is back", lambda: lease(pair, TABLET), 60)["ipv4"] == second
    ends = {row["ended"] for row in pair.ask("audit") if row["until"]}
    assert ends == {LOST if sign == signal.SIGKILL else "the gateway stopped"}
    assert sorted(audit(pair)) == sorted(
        (name, ipv4, done) for name, ipv4 in ((TABLET, second), (LAPTOP, first)) for done in (True, False)
    )


def test_a_killed_client_is_missed_and_its_second_connection_takes_over(pair: Pair) -> None:
    gateway(pair)
    laptop, first = connected(pair, LAPTOP)
    before = lease(pair, LAPTOP) or {}
    laptop.process.kill()
    laptop.process.wait(10)
    again, second = connected(pair, LAPTOP)
    wait_until(
        "it is told from its new place", lambda: (lease(pair, LAPTOP) or {}).get("peer") != before["peer"]
    )
    assert second == first
    again.stop()


def test_fixed_leases_and_a_reload_that_makes_one(pair: Pair) -> None:
    running = gateway(pair)
    _, first = connected(pair, LAPTOP)
    assert first == f"{POOL}.1"
    pair.write_site(tables=translation() + f'fixed = {{ "{LAPTOP}" = "{POOL}.5" }}\n')
    running.process.send_signal(signal.SIGHUP)
    moved = wait_until("it moves", lambda: (lease(pair, LAPTOP) or {}).get("fixed") and lease(pair, LAPTOP))
    assert moved["ipv4"] == f"{POOL}.5"
    assert (lease(pair, LAPTOP, "quarantine") or {})["ipv4"] == first


def test_without_certificates_there_is_no_lease_and_a_finding(pair: Pair) -> None:
    pair.start_gateway('authentication = "none"', tables=translation())
    pair.start_client(LAPTOP)
    pair.address()
    status = wait_until("a finding", lambda: (s := pair.ask("status"))["findings"] and s)
    assert [found["code"] for found in status["findings"]] == ["CLIENTS-WITHOUT-NAME"]
    assert pair.ask("leases") == []


def test_the_command_with_and_without_the_daemon(pair: Pair) -> None:
    running = gateway(pair)
    _, first = connected(pair, LAPTOP)
    runtime = ("--runtime-dir", str(pair.directory / "gw"))
    shown = manageout("leases", *runtime).stdout
    assert LAPTOP in shown and first in shown and "held" in shown
    (row,) = json.loads(manageout("leases", "--audit", "--json", *runtime).stdout)
    assert (row["name"], row["ipv4"], row["until"], row["transport"]) == (LAPTOP, first, None, "ip-https")
    assert "POOL-EXHAUSTED" not in manageout("status", *runtime).stdout
    running.process.kill()
    running.process.wait(10)
    state = ("--state-dir", str(pair.directory / "state"))
    (row,) = json.loads(manageout("leases", "--json", *state).stdout)
    assert (row["name"], row["state"]) == (LAPTOP, "held")
    assert first in manageout("leases", "--audit", *state).stdout


def test_a_full_disk_is_a_finding_and_heals(pair: Pair) -> None:
    state = pair.directory / "state"
    state.mkdir()
    sh(f"mount -t tmpfs -o size=512k state {state}")
    try:
        gateway(pair)
        pair.add_client("c2")
        connected(pair, TABLET, "c2")
        filler = state / "filler"
        sh(f"dd if=/dev/zero of={filler} bs=4k 2>/dev/null || true")
        pair.start_client(LAPTOP)
        pair.address()
        codes = wait_until(
            "a finding", lambda: [found["code"] for found in pair.ask("status")["findings"]], 30
        )
        assert "LEASES-NOT-STORED" in codes
        assert lease(pair, LAPTOP, "held") is None, "what is not on the disk is not told"
        assert lease(pair, TABLET), "who is here stays"
        filler.unlink()
        wait_until("it heals", lambda: lease(pair, LAPTOP), 30)
        codes = [found["code"] for found in pair.ask("status")["findings"]]
        assert "LEASES-NOT-STORED" not in codes
    finally:
        pair.gateway.stop()
        sh(f"umount {state}")


def test_a_client_sees_its_lease_and_the_want_of_one(pair: Pair) -> None:
    tables = translation(pool=f"{POOL}.0/30") + '[dns64]\nupstreams = ["127.0.0.1:1"]\n'
    fixed = f'[translation.fixed]\n"{LAPTOP}" = "{POOL}.1"\n"{TABLET}" = "{POOL}.2"\n'
    pair.start_gateway(tables=tables + fixed)
    laptop, held = connected(pair, LAPTOP)

    def own() -> str | None:
        status = pair.ask("status", "cl")
        return status["roles"]["lease"]["ipv4"] if status else None

    wait_until("the laptop knows its lease", lambda: own() == held)
    assert pair.ask("status", "cl")["findings"] == []
    laptop.stop()
    kiosk = pair.start_client(KIOSK)
    wait_until("the kiosk knows that it has none", lambda: own() == "none")
    (finding,) = pair.ask("status", "cl")["findings"]
    assert finding["code"] == "NO-LEASE" and "POOL-EXHAUSTED" in finding["remedy"]
    assert "no IPv4 address for us" in kiosk.text()
