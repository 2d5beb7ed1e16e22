"""How findings look: within the width, commands in one piece."""

from __future__ import annotations

import pytest

from manageout.cli.show.findings import show
from manageout.cli.show.table import COLUMNS
from manageout.doctor.diagnosis import Diagnosis
from manageout.doctor.rules.catalogue import RULES

UNBROKEN = ("\\Services\\", "Set-GPPermission ")
"""Of commands that are wider in one piece."""


def shown(capsys: pytest.CaptureFixture[str], title: str, *remedy: str) -> list[str]:
    show([Diagnosis("CODE", "error", title, ("seen",), "cause", remedy, "pc")])
    return capsys.readouterr().out.splitlines()


def test_a_command_is_never_broken(capsys: pytest.CaptureFixture[str]) -> None:
    command = "nft add rule " + "x " * 60 + "accept"
    assert f"  remedy  {command}" in shown(capsys, "t", command)


def test_what_is_said_about_a_command_goes_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "t", "manageout drops   (" + "why " * 20 + "it is)")
    assert "  remedy  manageout drops" in lines
    assert "  remedy  a   (b)" in shown(capsys, "t", "a   (b)")


def test_every_rule_fits(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in RULES.values():
        lines = shown(capsys, rule.title, *rule.steps())
        whole = [line for line in lines if not any(word in line for word in UNBROKEN)]
        broad = [line for line in whole if len(line) > COLUMNS]
        assert not broad, (rule.code, broad)
