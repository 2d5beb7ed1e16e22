"""A client's own IPv4 address in the intranet, as its gateway tells it; shown as the role ``lease``."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from manageout.protocol.dns import lease_name
from manageout.service.process import role, rows
from manageout.service.process.finding import Finding, finding
from manageout.service.resolver.stub import ask

FIRST, EVERY = 1.0, 30.0
"""Seconds between two questions: at first, doubling until there is an answer, and then."""
PATIENCE = 2.0

log = logging.getLogger(__name__)


class OwnLease(role.Role):
    """Asks the site's DNS again and again, from the address ``source()``; "" while there is nothing to ask with."""

    name = "lease"

    def __init__(self, device: str, servers: Callable[[], Sequence[str]], source: Callable[[], str]) -> None:
        self.known: str | None = None
        """The lease, :data:`~manageout.protocol.dns.lease_name.NONE`, or None while nobody says."""
        self._device, self._servers, self._source = device, servers, source

    async def run(self) -> None:
        """Until cancelled."""
        self.ready.set()
        wait = FIRST
        while True:
            servers = self._servers() if self._source() else ()
            known = await self._ask(servers) if servers else None
            if known == lease_name.NONE != self.known:  # it may be on its way
                await asyncio.sleep(FIRST)
                known = await self._ask(servers)
            if known != self.known:
                self._note(known)
            wait = FIRST if not servers else EVERY if known else min(EVERY, 2 * wait)
            await asyncio.sleep(wait)

    async def _ask(self, servers: Sequence[str]) -> str | None:
        source, question, read = self._source(), lease_name.question, lease_name.read
        return await ask(servers, self._device, question, read, PATIENCE, source)

    def _note(self, known: str | None) -> None:
        self.known = known
        if known == lease_name.NONE:
            log.warning("the gateway has no IPv4 address for us; see `manageout status`")
        elif known is not None:
            log.info("our IPv4 address in the intranet is %s", known)

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """Short and flat."""
        return {"ipv4": self.known or "not told by the gateway"}

    def findings(self) -> list[Finding]:
        """The want of one."""
        return [finding("NO-LEASE")] if self.known == lease_name.NONE else []
