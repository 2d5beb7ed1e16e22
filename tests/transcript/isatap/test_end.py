"""Many packets of one flow at once: counted one by one, or given back to come one by one."""

from __future__ import annotations

from manageout.protocol.isatap.end import TUN, UNDERLAY
from manageout.protocol.isatap.host import IsatapHost
from manageout.wire import ipv4
from tests.tools.machines.isatap import (
    HOST,
    KIOSK,
    LAPTOP,
    ROUTER,
    RouterSite,
    datagram,
    isatap,
    outer,
    solicitation,
)

COUNT, OCTETS = 52, 52 * 1280


def test_a_router_counts_them_all() -> None:
    site = RouterSite()
    site.underlay(solicitation())
    site.passes(1)
    before = site.registry.record(HOST)
    inner = datagram(isatap(HOST), LAPTOP)
    first, back = outer(HOST, ROUTER, inner), datagram(LAPTOP, isatap(HOST))
    assert site.router.receive_run(first, UNDERLAY, COUNT, OCTETS, site.now) == inner
    packet = site.router.receive_run(back, TUN, COUNT, OCTETS, site.now)
    assert packet is not None and ipv4.parse(packet)[1] == back
    after = site.registry.record(HOST)
    assert before is not None and after is not None
    assert (after.packets_in - before.packets_in, after.bytes_in - before.bytes_in) == (COUNT, OCTETS)
    assert (after.packets_out - before.packets_out, after.bytes_out - before.bytes_out) == (COUNT, OCTETS)


def test_a_router_wants_what_needs_a_closer_look_one_by_one() -> None:
    site = RouterSite()
    unknown = outer(HOST, ROUTER, datagram(isatap(HOST), LAPTOP))
    refused = outer(KIOSK, ROUTER, datagram(isatap(KIOSK), LAPTOP))
    spoofed = outer(HOST, ROUTER, datagram(isatap(KIOSK), LAPTOP))
    for first in (unknown, refused, spoofed):
        assert site.router.receive_run(first, UNDERLAY, COUNT, OCTETS, site.now) is None
    assert site.router.receive_run(datagram(LAPTOP, isatap(KIOSK)), TUN, COUNT, OCTETS, site.now) is None
    assert HOST not in site.registry and not site.router.transmit()


def test_a_host_without_a_router_takes_none() -> None:
    host = IsatapHost(lambda: 0.5, 1280)
    first = outer(ROUTER, HOST, datagram(LAPTOP, isatap(HOST)))
    assert host.receive_run(first, UNDERLAY, COUNT, OCTETS, 1.0) is None
    assert host.receive_run(datagram(isatap(HOST), LAPTOP), TUN, COUNT, OCTETS, 1.0) is None
