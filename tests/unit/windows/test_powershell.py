"""The PowerShell scripts: each parses by the language's grammar, and says what it should."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from manageout.windows import powershell
from manageout.windows.policies import isatap_managers, remote_clients
from manageout.windows.powershell import Target

PARSER = Parser(Language(tree_sitter_powershell.language()))
TARGETS = [
    Target(
        isatap_managers("Manageout: managers", "r.corp.example"), "ISATAP Managers", "OU=W,DC=corp,DC=example"
    ),
    Target(
        remote_clients(
            "Manageout: clients", "https://g.corp.example:443/IPHTTPS", ["corp.example"], "fd12::1"
        ),
        "Remote 'Field' Clients",
        "OU=L,DC=corp,DC=example",
    ),
]
LINES = ["10.0.0.1 manageout-isatap.corp.example"]
SCRIPTS = {
    "isatap on": powershell.script(powershell.isatap_on("r.corp.example"), [], "about\nit"),
    "isatap off": powershell.script(powershell.isatap_off(), [], "about"),
    "isatap on many": powershell.script(powershell.isatap_on("r.corp.example"), ["pc1", "pc'2"], "about"),
    "hosts on": powershell.script(powershell.hosts_on(LINES), [], "about"),
    "hosts off": powershell.script(powershell.hosts_off(), ["pc1"], "about"),
    "domain": powershell.domain(TARGETS, "corp.example"),
    "name rules": powershell.name_rules(),
    "server reset": powershell.server_reset(),
    "domain undo": powershell.domain_undo(TARGETS, "corp.example"),
}


def faults(node: Node) -> list[str]:
    found = [f"{node.type} at {node.start_point}"] if node.type == "ERROR" or node.is_missing else []
    return found + [fault for child in node.children for fault in faults(child)]


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_powershell(name: str) -> None:
    assert faults(PARSER.parse(SCRIPTS[name].encode()).root_node) == []


def test_a_group_that_is_written_with_its_domain_keeps_its_policy() -> None:
    """CORP\\Managers is set, and the domain tells it as Managers of CORP: it is no other group, to be taken out."""
    written = '@($entry.Trustee.Name, "$($entry.Trustee.Domain)\\$($entry.Trustee.Name)")'
    assert written in SCRIPTS["domain"] and "$Group -notin $written" in SCRIPTS["domain"]


def test_the_collector_is_powershell() -> None:
    text = files("manageout.windows").joinpath("scripts", "collect.ps1").read_bytes()
    assert faults(PARSER.parse(text).root_node) == []


def test_the_parser_finds_faults() -> None:
    assert faults(PARSER.parse(b"if ($x { 'a' ").root_node) != []


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_can_be_tried_first(name: str) -> None:
    assert "SupportsShouldProcess" in SCRIPTS[name] and "ShouldProcess(" in SCRIPTS[name]


@pytest.mark.parametrize(
    ("text", "literal"), [("a", "'a'"), ("it's", "'it''s'"), ("$x `n", "'$x `n'"), ("a’b", "'a’’b'")]
)
def test_texts_stay_texts(text: str, literal: str) -> None:
    assert powershell.quoted(text) == literal


def test_it_names_the_router_and_keeps_what_was_before() -> None:
    assert "$router = 'r.corp.example'" in SCRIPTS["isatap on"]
    assert r"'HKLM:\SOFTWARE\Manageout\Rollout'" in SCRIPTS["isatap on"]
    assert r"'HKLM:\SOFTWARE\Manageout\Rollout'" in SCRIPTS["isatap off"]


def test_every_machine_of_a_list() -> None:
    assert "'pc1',\n    'pc''2'" in SCRIPTS["isatap on many"]


def test_values_of_all_types() -> None:
    text = SCRIPTS["domain"]
    assert "'IPHTTPS_ClientState', 'DWord', 2)" in text
    assert "'ISATAP_State', 'String', 'Enabled')" in text
    assert "'Name', 'MultiString', @('.corp.example'))" in text
    assert "-Group 'Remote ''Field'' Clients'" in text


def test_the_inverse_removes_what_is_ours_only() -> None:
    assert "-notlike 'Manageout:*'" in SCRIPTS["domain undo"]
    assert "'Manageout: managers'" in SCRIPTS["domain undo"]


def test_a_policy_keeps_nothing_that_is_no_longer_wanted() -> None:
    """Neither values, nor groups, nor links: a port that is no longer asked for would stay open on the clients."""
    text = SCRIPTS["domain"]
    for command in ("Remove-GPRegistryValue", "Remove-GPLink", "-PermissionLevel None"):
        assert text.index("ShouldProcess($Name") < text.index(command)
    assert text.index("Remove-GPRegistryValue") < text.index("        Set-GPRegistryValue")


def test_each_value_of_a_policy_is_a_list_of_its_own() -> None:
    lines = [
        line
        for line in SCRIPTS["domain"].splitlines()
        if re.match(r"    ,?@\('Software", line, re.IGNORECASE)
    ]
    assert len(lines) == sum(len(target.policy.values) for target in TARGETS)
    assert all(line.startswith("    ,@(") for line in lines)


@pytest.mark.parametrize("name", ["domain", "domain undo"])
def test_policies_of_ours_that_the_file_does_not_name_are_told(name: str) -> None:
    assert "-notin" in SCRIPTS[name] and "Remove-GPO removes it" in SCRIPTS[name]
