"""A site file as a whole: read, derive the plan, and hold the one against the other."""

from __future__ import annotations

from pathlib import Path

from manageout import config, plan
from manageout.config import Site
from manageout.errors import ConfigError, Fault
from manageout.plan import Plan


def read_site(file: Path) -> tuple[Site, Plan]:
    """The site in ``file`` and its plan. Raises :class:`ConfigError` with every fault of either."""
    site = config.load(file)
    derived = plan.plan(site)
    faults = list(contradictions(site, derived))
    if faults:
        raise ConfigError(str(file), faults)
    return site, derived


def contradictions(site: Site, derived: Plan) -> list[Fault]:
    """What cannot be together although each value is right by itself."""
    return []
