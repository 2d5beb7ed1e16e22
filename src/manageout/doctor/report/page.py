"""The troubleshooting page of the guide, from the rules: never out of date."""

from collections.abc import Sequence
from importlib.resources import files

from manageout.doctor.rules.catalogue import RULES
from manageout.doctor.rules.rule import Rule
from manageout.words import toml_of


def troubleshooting_text() -> str:
    """Markdown: every rule by theme, with severity, cause, remedy and what it hides."""
    told = toml_of("manageout.doctor.report", "page.toml")
    parts = [files("manageout.doctor.report").joinpath("page.md").read_text("utf-8")]
    for title, themes in told["themes"].items():
        parts.append(f"## {title}\n")
        parts += [_rule(rule, told["programs"]) for rule in RULES.values() if rule.theme in themes]
    return "\n".join(parts)


def _rule(rule: Rule, programs: Sequence[str]) -> str:
    steps = "\n".join(f"- {_code(step, programs)}" for step in rule.steps())
    hides = f"\nHides {', '.join(f'`{code}`' for code in sorted(rule.hides))}.\n" if rule.hides else ""
    return f"### {rule.code}: {rule.title}\n\n*{rule.severity}.* {rule.cause}\n\n{steps}\n{hides}"


def _code(step: str, programs: Sequence[str]) -> str:
    """A command in code style, with what is said about it behind."""
    command, _, words = step.partition("   (")
    word = command.split(" ")[0]
    cmdlet = "-" in word and word[0].isupper()
    shown = f"`{command}`" if cmdlet or word in programs else command
    return f"{shown} ({words}" if words else shown
