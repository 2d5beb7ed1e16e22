"""Evidence -> findings by their codes."""

from __future__ import annotations

import manageout.doctor.rules
from manageout.doctor.facts import Facts
from manageout.doctor.findings import Finding, diagnose
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.bundles import Bundle, facts

assert manageout.doctor.rules.__all__  # importing it registers them


def found(case: Bundle | Facts) -> dict[str, Finding]:
    return {one.code: one for one in diagnose([case if isinstance(case, Facts) else facts(case)])}


def pasted(text: str) -> dict[str, Finding]:
    machine = Facts("(pasted)")
    read_text.read(machine, text.splitlines())
    return found(machine)
