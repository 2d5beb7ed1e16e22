"""The gate in a namespace: closed, no device of ours comes up, whoever repairs; open, all is as before."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from manageout.lab.process import wait_until
from manageout.linux.netlink.links import Netlink
from manageout.service.daemon.desired import DesiredRoute
from manageout.service.daemon.reconcile import Reconciler
from tests.system.service.daemon.test_reconcile import DEVICE, ROUTE, WANTED, reconciler
from tests.tools.lab import machine_state
from tests.tools.places.daemon import ROUTER, Place

__all__ = ["reconciler"]
INTO = DesiredRoute(ROUTE.prefix, dev=DEVICE.name)


def up() -> bool:
    with Netlink() as netlink:
        return any(link.up for link in netlink.links() if link.name == DEVICE.name)


def test_closed_nothing_comes_up_and_open_all_is_as_before(reconciler: Reconciler) -> None:
    wanted = replace(WANTED, routes=(INTO,))
    reconciler.apply(wanted)
    before = machine_state()
    reconciler.gate.close(reconciler.tuns)
    assert not up()
    reconciler.apply(wanted)
    assert not up(), "a repair leaves it closed"
    reconciler.gate.open()
    reconciler.apply(wanted)
    assert machine_state() == before
    reconciler.undo()


UNOWNED = """
from manageout.linux.nft import libnftables
libnftables.LIBRARY = "libnone.so"  # as on a machine without it
from manageout.cli.commands import main
main()
"""
NFT = """#!/bin/sh
[ -e "$(dirname "$0")/broken" ] && [ "$1" = -f ] && { echo "Error: broken" >&2; exit 1; }
exec /usr/sbin/nft "$@"
"""


def test_while_the_rules_cannot_be_loaded_it_stays_closed(place: Place, tmp_path: Path) -> None:
    place.write(ROUTER, place.gateway)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nft").write_text(NFT)
    (tools / "nft").chmod(0o755)
    path = f"PATH={tools}:{os.environ['PATH']}"
    daemon = place.start("env", path, sys.executable, "-c", UNOWNED, "run", *place.options(), whole=True)

    def codes() -> set[str]:
        return {row["code"] for row in place.ask("status")["findings"]}

    def devices_up() -> int:
        return place.run(["ip", "-o", "link", "show", "up"]).stdout.count("mo-")

    before = place.state()
    assert "RULES-SHARED" in codes() and devices_up() == 3
    (tools / "broken").touch()
    place.run(["nft", "flush", "ruleset"])
    wait_until("it is told", lambda: "RULES-MISSING" in codes(), 10)
    assert devices_up() == 0
    daemon.send_signal(signal.SIGHUP)
    wait_until("a reload fails", lambda: "reload rejected" in place.log(), 10)
    assert devices_up() == 0, "nor does a reload open it"
    (tools / "broken").unlink()
    wait_until("all is well", lambda: "RULES-MISSING" not in codes() and devices_up() == 3, 20)
    after = place.state()
    assert {part for part in before if after[part] != before[part]} <= {"nft"}
    assert place.stop(daemon) == 0


def test_nothing_is_left_of_rules_that_were_not_owned(place: Place) -> None:
    place.write(ROUTER, place.gateway)
    before = place.state()
    daemon = place.start(sys.executable, "-c", UNOWNED, "run", *place.options(), whole=True)
    place.stop(daemon, signal.SIGKILL)
    assert "table inet manageout {" in place.state()["nft"]
    place.stop(place.start())
    assert place.state() == before
