"""The gate in a namespace: closed, no device of ours comes up, whoever repairs; open, all is as before."""

from __future__ import annotations

from dataclasses import replace

from manageout.linux.netlink import Netlink
from manageout.service.desired import WantedRoute
from manageout.service.reconcile import Reconciler
from tests.system.support import machine_state
from tests.system.test_reconcile import DEVICE, ROUTE, WANTED, reconciler

__all__ = ["reconciler"]
INTO = WantedRoute(ROUTE.prefix, dev=DEVICE.name)


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
