"""Every rule of the doctor: the functions of the modules here, joined with their texts."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from manageout.doctor.reach import rules as reach
from manageout.doctor.rules import (
    dns,
    firewall,
    iphttps,
    isatap,
    live_certificates,
    live_host,
    live_isatap,
    live_names,
    location,
    machine,
    nrpt,
    outputs,
    preference,
    prefixes,
    server,
)
from manageout.doctor.rules.evidence import Way, meant
from manageout.doctor.rules.rule import Rule, Severity, Variant

MODULES = {
    "isatap": isatap.rule,
    "dns": dns.rule,
    "preference": preference.rule,
    "iphttps": iphttps.rule,
    "nrpt": nrpt.rule,
    "location": location.rule,
    "firewall": firewall.rule,
    "server": server.rule,
    "prefixes": prefixes.rule,
    "machine": machine.rule,
    "outputs": outputs.rule,
    "live_host": live_host.rule,
    "live_names": live_names.rule,
    "live_isatap": live_isatap.rule,
    "live_certificates": live_certificates.rule,
    "reach": reach.rule,
}
"""Themes: each a module and its text; in the order in which rules are listed."""
Groups = Mapping[str, Sequence[str]]
"""Name -> codes, or names of other groups."""


def _rules() -> Iterator[Rule]:
    folder = files("manageout.doctor.rules").joinpath("texts")
    texts = {name: tomllib.loads(folder.joinpath(f"{name}.toml").read_text("utf-8")) for name in MODULES}
    groups: dict[str, list[str]] = {}
    for text in texts.values():
        groups |= text.pop("groups", {})
    for theme, text in texts.items():
        for code, words in text.items():
            yield _rule(code, theme, groups, **words)


def _rule(
    code: str,
    theme: str,
    groups: Groups,
    *,
    severity: Severity,
    title: str,
    cause: str,
    remedy: Sequence[str],
    hides: Sequence[str] = (),
    variants: Mapping[str, Mapping[str, Any]] = {},
    when: Sequence[Way] = (),
    symptom: bool = False,
) -> Rule:
    hidden = frozenset(_codes(hides, groups)) - {code}
    worded = {name: _variant(**each) for name, each in variants.items()}
    if when:
        MODULES[theme](code)(meant(when))
    look = MODULES[theme].look(code)
    return Rule(code, severity, title, _line(cause), tuple(remedy), hidden, look, worded, theme, symptom)


def _variant(cause: str = "", remedy: Sequence[str] = (), severity: Severity | None = None) -> Variant:
    return Variant(_line(cause), tuple(remedy), severity)


def _line(text: str) -> str:
    """Where a text was broken into lines does not matter."""
    return " ".join(text.split())


def _codes(names: Iterable[str], groups: Groups) -> Iterator[str]:
    """Codes as they are, and those of groups, which are lower case."""
    for name in names:
        if name.isupper():
            yield name
        else:
            yield from _codes(groups[name], groups)


RULES = {rule.code: rule for rule in _rules()}
"""Every rule by its code."""
