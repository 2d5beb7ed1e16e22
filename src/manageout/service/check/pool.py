"""The pool of leases as ``manageout check`` sees it: addresses that nobody else may have."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from pathlib import Path
from socket import AF_INET

from manageout.errors import ManageoutError, NotPermitted
from manageout.linux.netlink.links import Netlink
from manageout.linux.packets.arp import who_has
from manageout.protocol.leases.leases import machines_of
from manageout.service.check.found import Remark, remark
from manageout.service.state.leases import stored_leases
from manageout.service.translate.ipv4_side import ipv4_side
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

SAMPLE = 64
"""So many of the first addresses are asked for, which are those that clients get first."""
MAX_STORED = 256
WAIT = 0.5
"""Seconds to wait for answers."""
PROXIES = 4
"""One machine that answers for so many is a proxy for all of them."""


def pool(site: Site, plan: Plan, netlink: Netlink) -> Iterator[Remark]:
    """What makes the pool unfit on this machine. Changes nothing; asks the link for two seconds at most."""
    block = plan.leases
    if site.translation is None or block is None:
        return
    for number, manager in enumerate(site.policy.managers):
        for source in manager.source:
            if isinstance(source, IPv4Network) and source.overlaps(block):
                yield remark("pool-of-managers", number=number, source=source, block=block)
    for address in sorted({address.ip for address in netlink.addresses()}, key=str):
        if address in block:
            yield remark("pool-has-own", block=block, address=address)
    for route in netlink.routes(AF_INET, protocol=None):
        if route.via is not None and route.via in block:
            yield remark("pool-has-router", block=block, via=route.via, prefix=route.prefix)
    side = ipv4_side(netlink, site, plan)
    for dev, subnets in side.connected.items():
        for subnet in subnets:
            if block.overlaps(subnet) and not block.subnet_of(subnet):
                yield remark("pool-covers-subnet", block=block, subnet=subnet, dev=dev)
    asking = side.device_for(block)
    if asking is not None:
        yield from _in_use(site, block, asking, side.own)
    elif not site.translation.masquerade:
        yield remark("pool-needs-route", block=block)


def _in_use(site: Site, block: IPv4Network, dev: str, own: IPv4Address) -> Iterator[Remark]:
    """Ask by ARP for the addresses that clients have, had, or will get first."""
    asked = _sample(site, block)
    try:
        found = who_has(dev, own.packed, asked, WAIT)
    except NotPermitted:
        yield remark("pool-not-asked", dev=dev, block=block)
        return
    except ManageoutError as failure:
        yield Remark("note", failure.message, failure.hint)
        return
    by_machine: dict[bytes, list[bytes]] = {}
    for v4, hardware in sorted(found.items()):
        by_machine.setdefault(hardware, []).append(v4)
    for hardware, addresses in by_machine.items():
        name = hardware.hex(":")
        if len(addresses) > PROXIES:
            count, of = len(addresses), len(asked)
            yield remark("pool-proxied", name=name, dev=dev, count=count, asked=of, block=block)
            continue
        for v4 in addresses:
            yield remark("pool-in-use", address=IPv4Address(v4), name=name, dev=dev)


def _sample(site: Site, block: IPv4Network) -> frozenset[bytes]:
    chosen = {v4.packed for v4 in site.translation.fixed.values()} if site.translation else set()
    first, last = machines_of(block)
    chosen |= {number.to_bytes(4, "big") for number in range(first, min(first + SAMPLE, last + 1))}
    return frozenset(islice(sorted(chosen | _stored(site.daemon.state_dir, block)), MAX_STORED))


def _stored(directory: Path, block: IPv4Network) -> set[bytes]:
    """Addresses that clients have or lately had; none when the store cannot be read."""
    try:
        rows = list(islice(stored_leases(directory), MAX_STORED))
    except ManageoutError:
        return set()
    return {address.packed for row in rows if (address := IPv4Address(row["ipv4"])) in block}
