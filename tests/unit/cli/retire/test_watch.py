"""What `retire watch` prints for a tired administrator."""

from __future__ import annotations

from typing import Any

import click

from manageout.cli.retire.retire import retire
from manageout.cli.retire.watch import render
from manageout.retire.watch import Flow, HostState, Watched
from tests.tools.commands import run

NOW = 1_700_000_000.0
LONG = "a-rather-long-name-of-a-machine.branch-office.corp.example"


def host(number: int, **changes: Any) -> Watched:
    made = Watched(
        f"10.0.1.{number}", LONG, "everybody", NOW - 9, HostState.LET_GO, 0, NOW - 999, (), (), (), (), 0
    )
    return made._replace(**changes)


def flow(way: str, unanswered: int = 0) -> Flow:
    return Flow(way, "laptop.corp.example", "tcp", 3389, 4, unanswered, NOW - 60)


def test_a_record_that_is_not_there_is_no_finding(file: str) -> None:
    """Exit code 1 would say that a host still sends."""
    result = run(retire, "watch", "--config", file, "--usage", "/nowhere/usage.db", code=2)
    assert "'/nowhere/usage.db' does not exist" in result.output


def test_nobody_retires() -> None:
    assert "Nobody retires" in render([], "", NOW)
    assert render([], "nothing answers", NOW).startswith("The router cannot be asked")


def test_what_is_wrong_stands_first_and_is_told() -> None:
    found = [
        *(host(number) for number in range(1, 60)),
        host(200, state=HostState.SENDS, still=(flow("ISATAP"),)),
        host(201, fails=(flow("NAT46", 4),), refused=("loop (3)",)),
    ]
    lines = render(found, "", NOW).splitlines()
    assert lines[0].startswith("61 hosts: 60 let go, 0 being told, 1 still send, 0 not heard;")
    assert [line.split()[0] for line in lines[4:6]] == ["10.0.1.200", "10.0.1.201"]
    text = "\n".join(lines)
    assert "and 31 more: --all" in text
    assert "  10.0.1.200 still opens tcp/3389 to laptop.corp.example by ISATAP, 60 s ago" in text
    assert "  10.0.1.201 FAILS: tcp/3389 to laptop.corp.example by NAT46, 4 of 4 without an answer" in text
    assert "10.0.1.201 is refused: loop (3)" in text
    assert len(render(found, "", NOW, everybody=True).splitlines()) > 61


def test_it_fits_a_terminal_unless_wide() -> None:
    found = [host(1, wave="x" * 60, state=HostState.SENDS, packets=123456789)]
    lines = render(found, "", NOW).splitlines()
    assert max(len(click.unstyle(line)) for line in lines) <= 100
    assert LONG in render(found, "", NOW, wide=True)


def test_names_of_others_move_no_cursor() -> None:
    text = render([host(1, name="a\x1b[2Jb", still=(flow("ISATAP"),), state=HostState.SENDS)], "", NOW)
    assert "\x1b[2J" not in text


def test_one_is_one() -> None:
    assert render([host(1)], "", NOW).startswith("1 host: 1 let go")


def test_before_the_first_step_and_without_a_router(file: str) -> None:
    told = run(retire, "watch", "--config", file, code=3).output
    assert told.startswith("The router cannot be asked") and "Nobody retires" in told
