"""What a process asks of its roles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from manageout.service.process.metrics import Metric
from manageout.site.plan import Plan
from manageout.site.tables.site import Site


class Shown(Protocol):
    """What is shown of one job of this machine.

    It may also have ``hosts()``, ``clients()``, ``leases()``, and ``findings()``: what somebody should look at, each a
    :class:`~manageout.service.process.finding.Finding`.
    """

    name: str
    ready: asyncio.Event
    """Set once it serves."""

    def status(self) -> dict[str, Any]:
        """For ``manageout status``: short and flat."""

    def drops(self) -> list[dict[str, Any]]:
        """Rows of reason, source, count, last."""

    def drop_totals(self) -> Mapping[str, int]:
        """Count by reason; only grows."""

    def metrics(self) -> Iterable[Metric]:
        """What the daemon does not derive from the above."""


class Role(Shown, Protocol):
    """One job of this machine, run by the daemon."""

    async def run(self) -> None:
        """Serve until cancelled; clean up in ``finally``. Raises :class:`ManageoutError` when it cannot."""

    def reload(self, site: Site, plan: Plan) -> None:
        """Go on with another site file; :class:`ManageoutError` when that cannot be."""
