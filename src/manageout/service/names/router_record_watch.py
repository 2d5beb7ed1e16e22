"""The role ``router-name``: whether the ISATAP router's own name still stands in the DNS as it was published.

``manageout rollout dns`` writes it, from wherever the keys are; the daemon only looks, hourly, and tells when what was
there is gone or lies. A name that nobody has published yet is no trouble.
"""

import asyncio
import logging
from collections.abc import Iterator

from manageout.directory.dns.router_record import RouterRecord
from manageout.errors import ManageoutError
from manageout.service.names.names import zones_of
from manageout.service.names.router_dns import addresses_of, complete, mark_of
from manageout.service.process import loops, role, rows
from manageout.service.process.finding import Finding, finding
from manageout.service.process.metrics import Metric
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

LOOK_AGAIN = 3000.0
RETRY = 60.0
"""Seconds after a look that nobody answered, or that found something wrong."""

log = logging.getLogger(__name__)


class RouterRecordWatch(role.Role):
    """The role, where the file has ``[isatap]`` with a name, and ``[names]``."""

    name = "router-name"

    def __init__(self, site: Site, plan: Plan) -> None:
        self._site = site
        self._published = False
        """It has been seen since the start."""
        self._fault = ""
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        self.ready.set()
        while True:
            try:
                wrong = await asyncio.to_thread(self._look, self._site)
            except ManageoutError as error:
                log.info("the router's name could not be looked at: %s", error.message)
                wait = RETRY
            else:
                if wrong and wrong != self._fault:
                    log.warning("%s", wrong)
                self._fault, wait = wrong, RETRY if wrong else LOOK_AGAIN
            self._wake.clear()
            await loops.woken(self._wake, wait)

    def reload(self, site: Site, plan: Plan) -> None:
        """Another name, perhaps; looks at once."""
        if site.isatap is None or self._site.isatap is None or site.isatap.name != self._site.isatap.name:
            self._published, self._fault = False, ""
        self._site = site
        self._wake.set()

    def _look(self, site: Site) -> str:
        """What is wrong, or nothing. Blocks. Raises :class:`ManageoutError`."""
        if site.isatap is None or not site.isatap.name or site.names is None:
            return ""
        name = complete(site, site.isatap.name)
        standing = RouterRecord(zones_of(site), None, mark_of(site), 1, name).look()
        if standing.ours is not None:
            self._published = True
        if not self._published:
            return ""
        if standing.ours is None:
            return f"{name}, the ISATAP router's name, is not in the DNS any more"
        missing = sorted(addresses_of(site) - standing.addresses)
        if missing:
            return f"{name}, the ISATAP router's name, lacks {', '.join(map(str, missing))} in the DNS"
        return ""

    # --- What is shown ----------------------------------------------------------------------------------

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``."""
        return {"published_by_us": self._published and not self._fault}

    def findings(self) -> list[Finding]:
        """What an administrator should know."""
        return [finding("ROUTER-NAME-LOST", what=self._fault)] if self._fault else []

    def metrics(self) -> Iterator[Metric]:
        """For Prometheus."""
        yield Metric("router_name_lost", bool(self._fault))
