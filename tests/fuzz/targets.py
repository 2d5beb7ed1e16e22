"""Every driver, by name."""

from __future__ import annotations

from tests.fuzz import (
    certificates,
    client_names,
    dns64,
    evidence,
    hosts,
    iphttps,
    isatap,
    site,
    translation,
    wire,
)
from tests.fuzz.engine import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (
        wire,
        isatap,
        iphttps,
        hosts,
        certificates,
        client_names,
        site,
        translation,
        dns64,
        evidence,
    )
    for target in module.TARGETS
}
