"""Other firewalls of this machine: what they drop that must pass is said while they do it.

Our table cannot overrule them: a packet passes when every table lets it. The kernel counts changes of the packet
filter; when the count has moved and rules of others are not what they were, the packets that this machine needs are
walked through them (:mod:`manageout.linux.nft.evaluate`), in a thread, and never for more than a fifth of the time;
so is whether rules bear that we leave our listeners untracked (:mod:`manageout.service.policy.untracked`).
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Literal

from manageout.errors import ManageoutError
from manageout.linux.nft.rules import NftRules
from manageout.linux.nft.tables import OURS
from manageout.service.policy import untracked
from manageout.service.probe.machine import filters
from manageout.service.probe.results import Judged, Kind
from manageout.service.process.finding import Board, Finding, finding, texts
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

log = logging.getLogger(__name__)

LOOK = 0.5
SHARE = 4
"""So many times what a look took it rests, and only changes make it look."""
NAMES = {table.partition(" ")[2] for table in OURS}
AGAIN = 60.0
"""Seconds until everything is walked again: members of sets change without their rules."""


class FilterWatch:
    """Shows on ``board`` what other tables drop."""

    def __init__(self, site: Site, plan: Plan, board: Board) -> None:
        self._site, self._plan, self._board = site, plan, board
        self._asked = True

    def reload(self, site: Site, plan: Plan) -> None:
        """Other packets must pass."""
        self._site, self._plan = site, plan
        self._asked = True

    async def run(self) -> None:
        """Until cancelled."""
        rules: NftRules | None = None
        generation = fingerprint = -1
        walked = 0.0
        try:
            while True:
                began = time.monotonic()
                try:
                    rules = rules or NftRules()
                    now = rules.generation()
                    if self._asked or now != generation or began - walked >= AGAIN:
                        seen = await asyncio.to_thread(rules.fingerprint, NAMES)
                        generation = now
                        if self._asked or seen != fingerprint or began - walked >= AGAIN:
                            self._asked, fingerprint, walked = False, seen, began
                            await self._walk()
                except ManageoutError:
                    self._asked = True  # `check` says what cannot be read; what is shown may be old meanwhile
                except Exception:  # others' rules may be of any kind: no reason to end who serves
                    log.exception("the rules of other tables cannot be judged")
                await asyncio.sleep(max(LOOK, (time.monotonic() - began) * SHARE))
        finally:
            if rules is not None:
                rules.close()

    async def _walk(self) -> None:
        judged = await asyncio.to_thread(filters, self._site, self._plan, ())
        self._board.show("filters", dropped(judged), time.monotonic())
        harm = await asyncio.to_thread(untracked.harm, self._site)
        self._board.show("untracked", harm, time.monotonic())


def dropped(judged: Iterable[Judged]) -> Iterator[Finding]:
    """A row for each rule or chain that drops what must pass."""
    for rule, kinds, packet in by_rule(judged, "drop"):
        remedies = "; ".join(dict.fromkeys(texts()[f"FILTER-BLOCKS.{kind}"]["remedy"] for kind in kinds))
        yield finding("FILTER-BLOCKS", rule, kinds=", ".join(kinds), packet=packet, remedies=remedies)


def by_rule(
    judged: Iterable[Judged], result: Literal["drop", "maybe"]
) -> Iterator[tuple[str, list[Kind], str]]:
    """Each rule or chain whose doing ``result`` is, the kinds of packets that it meets, and one of them."""
    rules: dict[str, list[Judged]] = {}
    for each in judged:
        if each.result == result:
            rules.setdefault(each.rule, []).append(each)
    for rule, found in rules.items():
        yield rule, list(dict.fromkeys(each.what for each in found)), found[0].packet
