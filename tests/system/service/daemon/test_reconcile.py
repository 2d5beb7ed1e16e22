"""Desired state against the kernel of a namespace: steps, repetition, partial failure, undoing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from manageout.errors import KernelError
from manageout.linux.host import netns
from manageout.linux.netlink.links import Netlink
from manageout.service.daemon.desired import Desired, DesiredRoute, Device
from manageout.service.daemon.reconcile import Leftovers, Reconciler
from manageout.service.process.runtime import RuntimeDir
from tests.tools.lab import machine_state

DEVICE = Device("mo-test0", 1280, False, (IPv6Interface("fe80::1/64"), IPv6Interface("fd00:1::1/64")))
ROUTE = DesiredRoute(IPv6Network("fd00:2::/64"), IPv6Address("fd00:1::2"))
RULES = "  chain forward { type filter hook forward priority 0; policy accept; \n }"
WANTED = Desired((DEVICE,), (ROUTE,), (("net.ipv6.conf.all.forwarding", "1"),), RULES)
REPEATED = ["load the packet filter table inet manageout"]


@pytest.fixture
def reconciler(namespaces: Callable[[str], str], tmp_path: Path) -> Iterator[Reconciler]:
    with netns.inside(namespaces("mo-test-reconcile")), RuntimeDir(tmp_path) as runtime, Netlink() as netlink:
        yield Reconciler(netlink, runtime)


def texts(reconciler: Reconciler, wanted: Desired) -> list[str]:
    return [step.text for step in reconciler.steps(wanted)]


def test_once_applied_only_the_rules_are_repeated(reconciler: Reconciler) -> None:
    before = machine_state()
    assert len(texts(reconciler, WANTED)) == 7
    reconciler.apply(WANTED)
    assert texts(reconciler, WANTED) == REPEATED
    applied = machine_state()
    reconciler.apply(WANTED)
    assert machine_state() == applied
    reconciler.undo()
    reconciler.undo()
    assert machine_state() == before


def test_what_somebody_removed_is_put_back(reconciler: Reconciler) -> None:
    reconciler.apply(WANTED)
    with Netlink() as netlink:
        netlink.delete_address("mo-test0", DEVICE.addresses[1])
        netlink.delete_route(ROUTE.prefix, via=ROUTE.via)
    assert texts(reconciler, WANTED)[1:] == [
        "add address fd00:1::1/64 to mo-test0",
        "add route fd00:2::/64 via fd00:1::2",
    ]
    reconciler.apply(WANTED)
    assert texts(reconciler, WANTED) == REPEATED
    reconciler.undo()


def test_what_is_no_longer_wanted_goes(reconciler: Reconciler) -> None:
    reconciler.apply(WANTED)
    less = replace(WANTED, devices=(DEVICE._replace(addresses=DEVICE.addresses[:1], mtu=1400),), routes=())
    assert texts(reconciler, less)[1:] == [
        "remove address fd00:1::1/64 from mo-test0",
        "bring mo-test0 up, MTU 1400",
        "remove route fd00:2::/64 via fd00:1::2",
    ]
    reconciler.apply(less)
    assert texts(reconciler, less) == REPEATED
    reconciler.undo()


def test_a_failure_half_way_is_undone(reconciler: Reconciler) -> None:
    before = machine_state()
    with pytest.raises(KernelError):
        reconciler.apply(replace(WANTED, routes=(ROUTE._replace(via=None, dev="absent"),)))
    reconciler.undo()
    assert machine_state() == before


def test_somebody_elses_change_of_a_parameter_stays(reconciler: Reconciler) -> None:
    from manageout.linux.host import sysctl

    reconciler.apply(replace(WANTED, sysctls=(("net.ipv6.conf.all.hop_limit", "70"),)))
    sysctl.set("net.ipv6.conf.all.hop_limit", 80)
    reconciler.undo()
    assert sysctl.get("net.ipv6.conf.all.hop_limit") == "80"


def test_the_note_for_the_next_process(tmp_path: Path) -> None:
    runtime = RuntimeDir(tmp_path)
    left = Leftovers({"net.ipv6.conf.all.forwarding": ("0", "1")}, {ROUTE}, True)
    left.write(runtime)
    assert Leftovers.read(runtime) == left
    Leftovers().write(runtime)
    assert not list(tmp_path.iterdir())
    damaged_notes: list[dict[str, Any]] = [
        {"routes": 1},
        {"routes": [["x", "y"]], "sysctls": {}, "filter": 1},
        {"sysctls": []},
    ]
    for damaged in damaged_notes:
        runtime.remember(damaged)
        assert Leftovers.read(runtime) == Leftovers()
