"""Whether Windows Server knows DirectAccess as a feature."""

from __future__ import annotations

import pytest

from manageout.doctor.console.features import read
from manageout.doctor.facts import Facts
from manageout.doctor.pasted.segments import Part

LIST = ["[ ] Remote Access    RemoteAccess   Available", "    [ ] Routing    Routing   Available"]


@pytest.mark.parametrize(
    ("command", "lines", "gone"),
    [
        ("Get-WindowsFeature", LIST, True),
        (
            "Get-WindowsFeature",
            [*LIST, "    [ ] DirectAccess and VPN (RAS)  DirectAccess-VPN  Available"],
            False,
        ),
        ("Get-WindowsFeature RemoteAccess,Routing", LIST, False),
        ("Get-WindowsFeature *rout*", LIST[1:], False),
        ("dism /online /enable-feature /featurename:DirectAccess-VPN", ["Error: 0x800f080c"], True),
        ("dism /online /enable-feature /featurename:Telnet", ["Error: 0x800f080c"], False),
    ],
)
def test_a_list_or_an_error(command: str, lines: list[str], gone: bool) -> None:
    facts = Facts("x")
    read(facts, Part(command, lines))
    assert bool(facts.no_feature) == gone
