"""What both looks at this machine begin with: whom they may ask, what the daemon answers, what could not be seen."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from manageout.errors import DaemonUnreachable, ManageoutError
from manageout.service.process.rows import RoleStatus, Status
from manageout.site.plan import Plan
from manageout.site.tables.site import Site

T = TypeVar("T")
WORKERS = 16
Ask = Callable[[str], Any]
"""A control socket's answer to a command: one of :mod:`manageout.service.process.rows`."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The machine as its user says, and its site file. ``servers``: name servers to ask instead of the usual ones."""

    ask: Ask
    site: Site | None = None
    plan: Plan | None = None
    servers: tuple[str, ...] = ()


class Gatherer:
    """Asks the daemon once. What cannot be looked at is told in ``unseen`` and does not keep the others."""

    def __init__(self, scope: Scope) -> None:
        self._site, self._plan = scope.site, scope.plan
        self._unseen: list[str] = []
        self._status: Status | None = None
        self._silence: ManageoutError | None = None
        """Why there is no status."""
        try:
            answer = scope.ask("status")
        except ManageoutError as error:
            self._silence = error
        else:
            if isinstance(answer, dict):
                self._status = answer  # type: ignore[assignment]
            else:
                self._silence = DaemonUnreachable("the daemon's answer is no status")

    def _role(self, name: str) -> RoleStatus:
        """What a role says of itself; empty when there is no such role."""
        found = self._status.get("roles", {}).get(name) if self._status is not None else None
        return found if isinstance(found, Mapping) else {}

    def _joined(self) -> tuple[str, list[str]]:
        """As an ISATAP host (`manageout join`): the router's name and its addresses; empty on any other machine."""
        role = self._role("isatap-host")
        routers = role.get("routers")
        return str(role.get("name") or ""), list(map(str, routers)) if isinstance(
            routers, Mapping | list
        ) else []

    def _locators(self) -> tuple[str, ...]:
        """Where the router's name may lead to, as far as the site file says."""
        isatap = self._site.isatap if self._site is not None else None
        return tuple(map(str, (*isatap.locators, *isatap.routers))) if isatap is not None else ()

    def _side_by_side(self, looks: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """Field -> what its look found; a look: the arguments of :meth:`_tried`."""
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            jobs = {field: pool.submit(self._tried, *look) for field, look in looks.items()}
            return {field: job.result() for field, job in jobs.items()}

    def _tried(self, what: str, nothing: T, function: Callable[..., T], *arguments: object) -> T:
        try:
            return function(*arguments)
        except ManageoutError as error:
            if error.exit_code == 2:  # what the user gave is wrong
                raise
            self._unseen.append(f"{what}: {error.message}")
            return nothing
