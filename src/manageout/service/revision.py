"""Connections that began under other circumstances: a permission was taken, or an address changed hands.

The filter asks for permission once, when a connection begins. So the open ones are looked through again:

* after a reload, each is judged by the rules that are in force now. What would be refused carries
  :data:`REFUSED_MARK` from then on, and the filter refuses it, whoever speaks next. To forget it would not do:
  connection tracking picks up the middle of a TCP connection for the beginning of one, in either direction;
* when an address comes to another client than its last one, what others had open to it is forgotten.

Both may take a second with a full table, and so have a thread of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache, partial
from ipaddress import IPv6Address

from manageout.config import Site
from manageout.doctor.filter_walk import ICMPV6, Packet, Ruleset
from manageout.errors import ManageoutError
from manageout.linux import conntrack_change, nft
from manageout.linux.conntrack import Connection
from manageout.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, XLAT_DEVICE, Plan
from manageout.words import counted

REFUSED_MARK = 0x40000000
"""The bit in the mark of a connection that the filter shall refuse. Other bits are for others."""
_ECHO_REQUEST = 128

log = logging.getLogger(__name__)


class Revision:
    """Looks through the open connections when asked, one look at a time."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._inherited: set[bytes] = set()
        self._rules: tuple[Site, Plan] | None = None

    def inherited(self, addresses: set[bytes]) -> None:
        """``addresses`` have come to other clients than their last ones."""
        if addresses:
            self._inherited |= addresses
            self._wake.set()

    def rules_changed(self, site: Site, plan: Plan) -> None:
        """The rules of ``site`` are in force now."""
        self._rules = site, plan
        self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            addresses, self._inherited = self._inherited, set()
            rules, self._rules = self._rules, None
            if addresses:
                await self._look(
                    "forgotten: their addresses came to other clients", partial(_forget, addresses)
                )
            if rules is not None:
                await self._look("refused from now on: the rules are others", partial(_judge, *rules))

    async def _look(self, outcome: str, look: Callable[[], int]) -> None:
        try:
            found = await asyncio.to_thread(look)
        except ManageoutError as error:
            log.error("open connections cannot be looked through: %s (%s)", error.message, error.hint)
            return
        if found:
            log.info("%s %s", counted(found, "connection"), outcome)


def _forget(addresses: set[bytes]) -> int:
    return conntrack_change.forget(
        lambda each: each.source in addresses or each.destination in addresses or each.seen_as in addresses
    )


def _judge(site: Site, plan: Plan) -> int:
    objects, _ = nft.ruleset()
    rules = Ruleset(objects)
    devices = _devices(site, plan)

    @cache
    def refused(packet: Packet) -> bool:
        return rules.judge("forward", packet).result == "drop"

    def chosen(connection: Connection) -> bool:
        packet = _first_packet(connection, devices)
        return packet is not None and refused(packet)

    return conntrack_change.mark(chosen, REFUSED_MARK)


def _devices(site: Site, plan: Plan) -> list[tuple[bytes, bytes, str]]:
    """Which addresses are behind which link of ours: the first, the last, the device."""
    prefixes = []
    if site.gateway is not None:
        prefixes.append((plan.client_prefix, IPHTTPS_DEVICE))
    if site.isatap is not None:
        prefixes.append((plan.isatap_prefix, ISATAP_DEVICE))
    if site.translation is not None:
        prefixes.append((plan.nat64, XLAT_DEVICE))
    return [
        (prefix.network_address.packed, prefix.broadcast_address.packed, name) for prefix, name in prefixes
    ]


def _first_packet(connection: Connection, devices: list[tuple[bytes, bytes, str]]) -> Packet | None:
    """The packet that began the connection; None when no link of ours is concerned."""

    def device(address: bytes) -> str:
        return next((name for low, high, name in devices if low <= address <= high), "")

    iif, oif = device(connection.source), device(connection.destination)
    if not iif and not oif:
        return None
    return Packet(
        src=str(IPv6Address(connection.source)),
        dst=str(IPv6Address(connection.destination)),
        protocol=connection.protocol,
        dport=connection.port or None,
        iif=iif or "another link",
        oif=oif or "another link",
        icmp_type=_ECHO_REQUEST if connection.protocol == ICMPV6 else None,
    )
