"""The scripts of a retirement: each parses by PowerShell's grammar, and names what it takes away."""

from __future__ import annotations

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from manageout.retire.script import ScriptRecord, ScriptValue, remove, restore

PARSER = Parser(Language(tree_sitter_powershell.language()))
RECORDS = [
    ScriptRecord("manageout-isatap.corp.example", "A", "10.0.0.1"),
    ScriptRecord("it's.corp.example", "AAAA", "fd12:3456:789a:1:0:5efe:a00:11e"),
]
VALUES = [ScriptValue("{31B2F340-016D-11D2-945F-00C04FB984F9}", "Old 'DirectAccess'", "ISATAP_State")]
SCRIPTS = {
    "remove": remove(RECORDS, VALUES, ["a line\nof\x1b another", "one more"], block=True),
    "remove nothing": remove([], [], [], block=False),
    "restore": restore(),
}


def faults(node: Node) -> list[str]:
    found = [f"{node.type} at {node.start_point}"] if node.type == "ERROR" or node.is_missing else []
    return found + [fault for child in node.children for fault in faults(child)]


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_powershell(name: str) -> None:
    assert faults(PARSER.parse(SCRIPTS[name].encode()).root_node) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_can_be_tried_first(name: str) -> None:
    assert "SupportsShouldProcess" in SCRIPTS[name] and "ShouldProcess(" in SCRIPTS[name]
    assert "@@" not in SCRIPTS[name]


def test_it_names_every_record_and_value() -> None:
    text = SCRIPTS["remove"]
    assert ",@('manageout-isatap.corp.example', 'A', '10.0.0.1')" in text
    assert ",@('it''s.corp.example', 'AAAA', 'fd12:3456:789a:1:0:5efe:a00:11e')" in text
    assert ",@('{31B2F340-016D-11D2-945F-00C04FB984F9}', 'Old ''DirectAccess''', 'ISATAP_State')" in text
    assert "$block = $true" in text


def test_nothing_is_an_empty_list() -> None:
    text = SCRIPTS["remove nothing"]
    assert "$records = @()" in text and "$values = @()" in text and "$block = $false" in text


def test_what_it_leaves_alone_stays_a_comment() -> None:
    assert "#   a line of  another\n#   one more\n" in SCRIPTS["remove"]


def test_each_kind_that_is_taken_away_comes_back() -> None:
    for kind in ("record", "value", "block"):
        assert f"Kind = '{kind}'" in SCRIPTS["remove"]
    assert SCRIPTS["remove"].count("Save-Removed\n") == 3
    for command in ("Add-DnsServerResourceRecordA", "Add-DnsServerResourceRecordAAAA", "Set-GPRegistryValue"):
        assert command in SCRIPTS["restore"]
    assert "New-TimeSpan -Seconds $item.Seconds" in SCRIPTS["restore"]
