"""Texts as administrators paste them: the right cause, and nothing dropped in silence."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from textwrap import TextWrapper

import pytest

from manageout.cli.doctor.doctor import doctor
from manageout.doctor.console import ipconfig
from manageout.doctor.diagnosis import Diagnosis, diagnose
from manageout.doctor.read import bundle
from manageout.doctor.read.text import decode, lines
from tests.tools.commands import run
from tests.unit.doctor.read.test_pasted import SESSION

PASTES = Path(__file__).parents[1] / "pastes"


def judged(text: str) -> list[Diagnosis]:
    return diagnose(bundle.read_pasted(text))


def read(name: str) -> str:
    return decode((PASTES / f"{name}.txt").read_bytes())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("quoted-ipconfig", "ISATAP-LINK-LOCAL-ONLY"), ("ipconfig-without-indentation", "ISATAP-LINK-LOCAL-ONLY"),
        ("indented-paste-with-prompts", "ISATAP-LINK-LOCAL-ONLY"),
        ("ipconfig-before-and-after", "ISATAP-LINK-LOCAL-ONLY"), ("quote-as-it-stood", "ISATAP-LINK-LOCAL-ONLY"),
        ("route-print-is-no-prefix-table", "PREFER-STALE-A"), ("netsh-of-a-server", "SERVER-RESET"),
        ("iphttps-2af9-but-name-resolves", "IPHTTPS-PROXY"), ("reg-query-disabledcomponents", "TUNNELS-OFF"),
        ("table-says-isatap-disconnected", "ISATAP-DISCONNECTED"),
    ],
)  # fmt: skip
def test_the_one_cause(name: str, code: str) -> None:
    assert [one.code for one in judged(read(name)) if one.severity != "note"] == [code]


WHOLE = sorted((PASTES / "whole").glob("*.txt"))


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_the_cause_of_texts_that_strangers_wrote(path: Path) -> None:
    """They had never seen the doctor. Nothing else is wrong but what ``BESIDE`` has."""
    code = path.stem.partition(".")[2]
    found = {one.code for one in judged(decode(path.read_bytes())) if one.severity != "note"}
    assert found == {code} | BESIDE.get(path.stem, set())


BESIDE = {
    "a26.IPSEC-CREDENTIALS": {"CERTIFICATE-NONE"},
    "b12.TUNNELS-OFF": {"IPV6-WRONG-VALUE"},
}


def _wrapped(text: str) -> str:
    """As a mail program sends it: no line beyond 76 characters, broken at blanks."""
    fill = TextWrapper(76, break_long_words=False, break_on_hyphens=False)
    return "\n".join("\n".join(fill.wrap(line)) if len(line) > 76 else line for line in text.split("\n"))


def _each(text: str, change: Callable[[str], str]) -> str:
    return "\n".join(change(line) for line in text.split("\n"))


CHANGES: dict[str, Callable[[str], str]] = {
    "quoted": lambda text: _each(text, lambda line: f"> {line}"),
    "quoted twice, without blanks": lambda text: _each(text, lambda line: f">>{line}"),
    "bar": lambda text: _each(text, lambda line: f"| {line}"),
    "code block": lambda text: _each(text, lambda line: f"    {line}"),
    "tab": lambda text: _each(text, lambda line: f"\t{line}"),
    "fence": lambda text: f"Hello,\n\n```\n{text}\n```\n\nBye",
    "no indentation": lambda text: _each(text, str.strip),
    "single blanks": lambda text: _each(text, lambda line: re.sub(" +", " ", line).strip()),
    "no empty lines": lambda text: "\n".join(line for line in text.split("\n") if line.strip()),
    "empty line behind each": lambda text: text.replace("\n", "\n\n"),
    "mailed": _wrapped,
    "mailed and quoted": lambda text: _each(_wrapped(text), lambda line: f"> {line}"),
    "carriage returns": lambda text: text.replace("\n", "\r\r\n"),
    "non-breaking": lambda text: text.replace("  ", "\u00a0 "),
    "web page": lambda text: f"<pre>{html.escape(text, quote=False)}</pre>",
    "tabs for indentation": lambda text: re.sub("^   ", "\t", text, flags=re.MULTILINE),
    "console of 80": lambda text: _each(text, lambda line: re.sub("(.{80})(?=.)", r"\1\n", line)),
    "padded": lambda text: _each(text, lambda line: line.ljust(100)),
}
TEXTS = {path.stem: read(path.stem) for path in sorted(PASTES.glob("*.txt"))} | {"session": SESSION}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", TEXTS)
def test_what_mails_and_pages_do_changes_nothing(name: str, change: str) -> None:
    changed = decode(CHANGES[change](TEXTS[name]).encode())
    assert [one.code for one in judged(changed)] == [one.code for one in judged(TEXTS[name])]


def test_the_name_is_found_without_indentation() -> None:
    (finding,) = judged(read("ipconfig-without-indentation"))
    assert finding.computer == "HELP7"


def test_the_later_output_counts_and_that_is_said() -> None:
    found = judged(read("ipconfig-before-and-after"))
    assert [one.code for one in found] == ["ISATAP-LINK-LOCAL-ONLY", "EVIDENCE-TWICE"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("C:\\>netsh interface isatap show state\nISATAP State : {}\n", ("disabled", "enabled")),
        ("C:\\>sc query iphlpsvc\nSERVICE_NAME: iphlpsvc\n    STATE : {}\n", ("1  STOPPED", "4  RUNNING")),
        ("Role : client\nURL : https://g.example/IPHTTPS\nLast Error Code : {}\nStatus : x\n\n", ("0x103", "0x0")),
    ],
)  # fmt: skip
def test_so_it_is_of_other_commands(text: str, code: tuple[str, str]) -> None:
    found = judged("".join(text.format(one) for one in code))
    assert [one.code for one in found] == ["EVIDENCE-TWICE"]
    assert code[0] in found[0].seen[0] and code[1] in found[0].seen[0]


def test_the_same_output_twice_needs_no_word() -> None:
    text = read("quote-as-it-stood")
    assert [one.code for one in judged(text + "\n" + text)] == ["ISATAP-LINK-LOCAL-ONLY"]


def test_neither_does_a_state_that_policy_sets() -> None:
    text = "C:\\>netsh interface isatap show state\nISATAP State : disabled (Group Policy)\n"
    assert [one.code for one in judged(text * 2)] == ["ISATAP-DISABLED"]


def test_quotes_show_what_the_machine_printed() -> None:
    (finding,) = judged(read("quote-as-it-stood"))
    assert finding.seen == ("Tunnel adapter isatap.corp.example: fe80::200:5efe:203.0.113.27%55",)


def test_a_gateway_is_no_own_address() -> None:
    *_, tunnel = ipconfig.parse(lines(read("6to4-gateway-is-no-own-address")))
    assert tunnel.ipv6 == [IPv6Address("2002:c633:6407::c633:6407")]
    assert tunnel.gateways == [IPv6Address("2002:c633:6402::c633:6402")]


def test_rows_of_route_print_are_no_prefix_policies() -> None:
    (finding,) = judged(read("route-print-is-no-prefix-table"))
    assert finding.seen[1:] == ("35      4  ::ffff:0:0/96", "3     13  fc00::/7")


def test_what_was_dropped_is_named_and_nothing_is_called_well(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(
        "C:\\>netsh interface isatap show state\nISATAP State : enabled\n\nC:\\>tasklist\nsmss.exe  360 Services\n"
    )
    done = run(doctor, str(file), code=None)
    assert "seen    tasklist" in done.output
    assert "nothing wrong" not in done.output and "one part was not" in done.output


def test_what_stands_behind_a_known_output_is_not_dropped() -> None:
    text = "C:\\>netsh interface isatap show state\nISATAP State : enabled\n\nProto  Local\nTCP    a:1   x\n"
    (finding,) = judged(text)
    assert finding.code == "EVIDENCE" and "Proto" in finding.seen[0]


@pytest.mark.parametrize(
    "mail", ["From: a@corp.example\nTo: b@corp.example\nSubject: help\n\nHello,\n\n", "Hi!\n\n"]
)
def test_prose_is_not_called_unread(mail: str) -> None:
    assert [one.code for one in judged(mail + read("quote-as-it-stood") + "\nRegards\nBob\n")] == [
        "ISATAP-LINK-LOCAL-ONLY"
    ]
