"""Connections that began under other circumstances: a permission was taken, or an address changed hands.

The filter asks for permission once, when a connection begins. So the open ones are looked through again:

* at the start, before anything passes our devices, after a reload, and when rules that were gone are back, each is
  judged by the rules that are in force now. What would be refused carries :data:`REFUSED_MARK` from then on, and the
  filter refuses it, whoever speaks next. To forget it would not do: connection tracking picks up the middle of a TCP
  connection for the beginning of one, in either direction;
* when an address comes to another client than its last one, what others had open to it is forgotten.

There may be 250,000 of them: they are looked through in slices, between which packets are served.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

from manageout.errors import ManageoutError
from manageout.linux.netlink import conntrack_walk
from manageout.linux.netlink.conntrack import Ends
from manageout.linux.nft import program as nft
from manageout.service.policy.members import Members
from manageout.service.policy.verdicts import Verdicts
from manageout.site.plan import Plan
from manageout.site.tables.site import Site
from manageout.words import counted, said

REFUSED_MARK = 0x40000000
"""The bit in the mark of a connection that the filter shall refuse. Other bits are for others."""
AGAIN = 2.0
"""Seconds until a look that failed is tried again."""
_INHERITED = "forgotten: their addresses came to other clients"
_REFUSED = "refused from now on by the rules"

log = logging.getLogger(__name__)


class Revision:
    """Looks through the open connections when asked, one look at a time."""

    def __init__(self, members: Members) -> None:
        self.failure = ""
        """Why the open connections could not be looked through; empty when all is well."""
        self._members = members
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()
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
            try:
                if addresses:
                    await self._forget(addresses)
                if rules is not None:
                    await self.judge(*rules)
            except (ManageoutError, OSError) as error:
                self.failure = said(error)
                log.error("open connections cannot be looked through: %s", self.failure)
                self._inherited |= addresses
                self._rules = self._rules or rules
                await asyncio.sleep(AGAIN)
                self._wake.set()

    def judge_now(self, site: Site, plan: Plan) -> None:
        """Judge all at once: nothing passes yet. Raises :class:`ManageoutError`."""
        verdicts = Verdicts(nft.table_objects(nft.TABLE), site, plan, self._members.holds)
        self._tell(sum(_marked(verdicts, self._members.seen_open)), _REFUSED)

    async def judge(self, site: Site, plan: Plan) -> None:
        """Judge all by the rules in force, which are those of ``site``. Raises :class:`ManageoutError`."""
        async with self._one:
            objects = await asyncio.to_thread(nft.table_objects, nft.TABLE)
            verdicts = Verdicts(objects, site, plan, self._members.holds)
            await self._slices(_marked(verdicts), _REFUSED)

    async def _forget(self, addresses: set[bytes]) -> None:
        def chosen(ends: Ends) -> bool:
            return ends.source in addresses or ends.destination in addresses or ends.seen_as in addresses

        async with self._one:
            await self._slices(conntrack_walk.walk(chosen, conntrack_walk.FORGET), _INHERITED)

    async def _slices(self, walk: Iterator[int], outcome: str) -> None:
        found = 0
        for changed in walk:
            found += changed
            await asyncio.sleep(0)
        self._tell(found, outcome)

    def _tell(self, found: int, outcome: str) -> None:
        self.failure = ""
        if found:
            log.info("%s %s", counted(found, "connection"), outcome)


def _marked(verdicts: Verdicts, seen: Callable[[bytes], None] | None = None) -> Iterator[int]:
    def chosen(ends: Ends) -> bool:
        if seen is not None:
            seen(ends.source)
            seen(ends.destination)
        return verdicts.refused(ends)

    return conntrack_walk.walk(chosen, conntrack_walk.mark(REFUSED_MARK))
