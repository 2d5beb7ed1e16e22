"""What a process asks of its roles."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from manageout.service.process import rows
from manageout.service.process.finding import Finding
from manageout.service.process.metrics import Metric
from manageout.site.plan import Plan
from manageout.site.tables.site import Site


class Role(ABC):
    """One job of a process. What a role has nothing of stays as it is here; None: it never has any."""

    name: str

    @cached_property
    def ready(self) -> asyncio.Event:
        """Set once it serves."""
        return asyncio.Event()

    @abstractmethod
    async def run(self) -> None:
        """Serve until cancelled; clean up in ``finally``. Raises :class:`ManageoutError` when it cannot."""

    def reload(self, site: Site, plan: Plan) -> None:  # noqa: B027 - a role may read nothing of it
        """Go on with another site file; :class:`ManageoutError` when that cannot be."""

    def recheck(self, changed: bool) -> None:  # noqa: B027 - a role may have put nothing there
        """Look whether what it has put into the kernel is there; ``changed``: links or addresses may be others."""

    def status(self) -> rows.RoleStatus:
        """For ``manageout status``: short and flat."""
        return {}

    def findings(self) -> Iterable[Finding]:
        """What somebody should look at."""
        return ()

    def drops(self) -> Iterable[rows.DropRow]:
        """What was refused, by reason and source."""
        return ()

    def drop_totals(self) -> Mapping[str, int]:
        """Exact counts by reason; they only grow."""
        return {}

    def metrics(self) -> Iterable[Metric]:
        """What does not follow from the above."""
        return ()

    def hosts(self) -> Iterator[rows.HostRow] | None:
        """ISATAP hosts."""
        return None

    def clients(self) -> Iterator[rows.ClientRow] | None:
        """Remote clients that are connected."""
        return None

    def leases(self) -> Iterator[rows.LeaseRow] | None:
        """IPv4 addresses of remote clients. Raises :class:`ManageoutError` when none are given."""
        return None

    def audit(self) -> Iterator[rows.LeasePeriod] | None:
        """Who held which of them from when to when. Raises :class:`ManageoutError` likewise."""
        return None

    def sessions(self) -> Iterator[rows.SessionRow | None] | None:
        """Who is connected to whom; None instead of a row: nothing to tell, and it took time."""
        return None

    def nat64(self) -> rows.Nat64Row | None:
        """The NAT64 prefixes that hold here, and who says so."""
        return None
