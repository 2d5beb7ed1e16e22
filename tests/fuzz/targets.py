"""Every driver, by name."""

from __future__ import annotations

from tests.fuzz import hosts, iphttps, isatap, site, translation, wire
from tests.fuzz.engine import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (wire, isatap, iphttps, hosts, site, translation)
    for target in module.TARGETS
}
