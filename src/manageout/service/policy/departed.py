"""Forgets what clients that have gone have left in the kernel's table of connections.

There it would stand for hours, and nobody would pay for it. Reading a full table takes a second, in slices between
which packets are served; so it is read only when somebody has gone, and not more often than every :data:`LOOK`.

A new table of the rules counts from 0 what clients open. So after each load, what one has above the limit is forgotten.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from manageout.errors import ManageoutError
from manageout.linux.netlink import conntrack_walk
from manageout.linux.netlink.conntrack import Ends
from manageout.service.policy.charges import KEEP, Charges
from manageout.service.policy.filter_tracking import LIMIT
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.wire.address import bounds
from manageout.words import counted, said

LOOK = 10.0

log = logging.getLogger(__name__)


class Departed:
    """Goes by ``charges``, which is told of clients elsewhere."""

    def __init__(self, site: Site, plan: Plan, charges: Charges) -> None:
        self._charges = charges
        self.forgotten = 0
        """Connections so far."""
        self.recount = False
        """The rules count anew."""
        self._begun: float | None = time.monotonic()
        """Since when strangers are waited for; None: they are forgotten."""
        self.configure(site, plan)

    def configure(self, site: Site, plan: Plan) -> None:
        """Go on by another site file."""
        # Longer than its lease is held for a client, nothing of it is.
        self._keep = min(KEEP, site.translation.grace) if site.translation is not None else KEEP
        leases = plan.leases if site.translation is not None else None
        blocks = [each for each in (plan.client_prefix if site.gateway else None, leases) if each is not None]
        self._blocks = [bounds(each) for each in blocks]

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            await self.look(time.monotonic())

    async def look(self, now: float) -> None:
        """Forget what is due; what cannot be forgotten now is so at the next look."""
        due = self._charges.due(now, self._keep)
        if self._begun is not None and self._begun + self._keep <= now and await self._forget(self._strange):
            self._begun = None  # who was here before us, and has not come again
        if due and not await self._forget(due.__contains__):
            self._begun = now - self._keep  # nobody has these addresses, so they are found like those
        if self.recount:
            self.recount = False
            walk = conntrack_walk.walk(self._excess(), conntrack_walk.FORGET, conntrack_walk.BOTH)
            if not await self._count(walk, "more than one client may have"):
                self.recount = True

    def _strange(self, address: bytes) -> bool:
        """A client's, and no client has it."""
        ours = any(low <= address <= high for low, high in self._blocks if len(low) == len(address))
        return ours and not self._charges.holds(address)

    def _excess(self) -> Callable[[Ends], bool]:
        """Above the limit of who has begun it, in each family."""
        counts: Counter[tuple[str, int]] = Counter()

        def chosen(ends: Ends) -> bool:
            payer = self._charges.payer(ends.source)
            if payer is None:
                return False
            counts[payer, len(ends.source)] += 1
            return counts[payer, len(ends.source)] > LIMIT

        return chosen

    async def _forget(self, gone: Callable[[bytes], bool]) -> bool:
        return await self._count(conntrack_walk.forget_of(gone), "of clients that have left")

    async def _count(self, walk: Iterator[int], whose: str) -> bool:
        """Whether it came to its end."""
        found = 0
        try:
            for forgotten in walk:
                found += forgotten
                await asyncio.sleep(0)
        except ManageoutError as error:
            log.error("connections %s stay for now: %s", whose, said(error))
            return False
        self.forgotten += found
        if found:
            log.info("%s %s forgotten", counted(found, "connection"), whose)
        return True
