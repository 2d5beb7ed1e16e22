"""The troubleshooting page follows the rules."""

from __future__ import annotations

import re
from pathlib import Path

from manageout.cli.commands import COMMANDS
from manageout.cli.rollout.rollout import rollout
from manageout.doctor.report.page import troubleshooting_text
from manageout.doctor.rules.catalogue import RULES

PAGE = Path(__file__).parents[4] / "docs" / "guide" / "troubleshooting.md"


def test_the_page_is_as_the_rules_are() -> None:
    assert PAGE.read_text() == troubleshooting_text(), (
        "manageout doctor --rules --markdown > docs/guide/troubleshooting.md"
    )


def test_every_command_of_ours_that_a_remedy_names_is_there() -> None:
    for rule in RULES.values():
        for step in rule.remedy:
            for name, sub in re.findall(r"manageout ([a-z-]+)(?: ([a-z-]+))?", step):
                assert name in COMMANDS, f"{rule.code}: {step}"
                if name == "rollout" and sub:
                    assert sub in rollout.commands, f"{rule.code}: {step}"


def test_every_rule_is_on_it() -> None:
    text = troubleshooting_text()
    assert all(f"### {code}:" in text for code in RULES)
