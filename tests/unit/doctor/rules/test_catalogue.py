"""Texts and rules belong together: every rule has its text, every text its rule, every field its value."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from manageout.doctor.diagnosis import own_names
from manageout.doctor.facts import Facts
from manageout.doctor.rules import catalogue
from manageout.doctor.rules.catalogue import MODULES, RULES
from manageout.doctor.rules.rule import FIELD, Rule

FOLDER = Path(catalogue.__file__).parent
OWN = set(own_names(Facts("x")))
"""Fields of every remedy, which no rule need give."""


def remedies(rule: Rule) -> Iterator[tuple[str, ...]]:
    """The rule's own, and those of its variants."""
    yield rule.remedy
    yield from (variant.remedy for variant in rule.variants.values() if variant.remedy)


def trees() -> Iterator[tuple[str, ast.Module]]:
    """The modules of rules; those of the way between two machines are the hops'."""
    for name in MODULES.keys() - {"reach"}:
        yield name, ast.parse((FOLDER / f"{name}.py").read_text())


def functions() -> dict[str, ast.FunctionDef]:
    """By the code that each is decorated with."""
    return {
        str(mark.args[0].value): node
        for _, tree in trees()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.args[0], ast.Constant)
    }


def strings(node: ast.AST) -> set[str]:
    return {str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)}


def fields(function: ast.FunctionDef) -> Iterator[set[str]]:
    """The names that each ``Case`` of a function gives."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Case":
            names = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
            assert isinstance(names, ast.Dict), f"{function.name}: write the fields where the case is made"
            yield {str(key.value) for key in names.keys if isinstance(key, ast.Constant)}


def test_every_rule_has_its_text_and_every_text_its_rule() -> None:
    """Of the way from a manager to a client the hops name the codes: test_hops has a case for each text."""
    for name, rules in MODULES.items():
        text = (FOLDER / "texts" / f"{name}.toml").read_text()
        codes = set(re.findall(r"(?m)^\[([A-Z0-9-]+)\]", text))
        assert codes and (codes == rules.codes() or name == "reach"), name
    assert {path.stem for path in (FOLDER / "texts").iterdir()} == set(MODULES)


def test_each_field_is_given_with_every_case() -> None:
    """Or its word would stand in a command that somebody copies."""
    judges = functions()
    assert judges.keys() <= RULES.keys() and len(judges) > 100
    for code, rule in RULES.items():
        wanted = {
            field for remedy in remedies(rule) for step in remedy for field in FIELD.findall(step)
        } - OWN
        given = list(fields(judges[code])) if code in judges else []
        assert all(each == wanted for each in given), (code, wanted, given)
        assert given or not wanted, f"{code}: yield a Case with {wanted}"


def test_each_variant_is_chosen_somewhere() -> None:
    for name, tree in trees():
        variants = {variant for code in MODULES[name].codes() for variant in RULES[code].variants}
        assert variants - LEFT <= strings(tree), name


LEFT = {"open", "role"}
"""Of EVIDENCE, chosen where all rules have been asked: in diagnosis."""


def test_texts_keep_their_form() -> None:
    for code, rule in RULES.items():
        words = [rule.title, rule.cause, *(variant.cause for variant in rule.variants.values())]
        assert not any(FIELD.search(text) for text in words), f"{code}: fields stand in remedies alone"
        assert rule.severity in ("error", "warning", "note")
        assert rule.hides <= set(RULES), f"{code} hides {rule.hides - set(RULES)}"
        for step in (step for remedy in remedies(rule) for step in remedy):
            assert step == step.strip() and "\n" not in step, step


def test_the_texts_are_loaded_by_whom_they_serve_alone() -> None:
    code = "import sys, manageout.cli.reading.status; print('manageout.doctor.rules' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded == "False\n"
