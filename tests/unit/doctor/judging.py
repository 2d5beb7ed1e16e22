"""Evidence -> findings by their codes."""

from __future__ import annotations

from manageout.doctor.diagnosis import Diagnosis, diagnose
from manageout.doctor.facts import Facts
from manageout.doctor.read import bundle
from manageout.doctor.read import pasted as read_text
from tests.unit.doctor.bundles import Bundle, facts


def found(case: Bundle | Facts) -> dict[str, Diagnosis]:
    return {one.code: one for one in diagnose([case if isinstance(case, Facts) else facts(case)])}


def pasted_all(text: str) -> dict[str, Diagnosis]:
    """The same of every machine in a text, as it comes."""
    return {one.code: one for one in diagnose(bundle.read_pasted(text))}


def pasted(text: str) -> dict[str, Diagnosis]:
    machine = Facts("(pasted)")
    read_text.read(machine, text.splitlines())
    return found(machine)
