"""The command line of ``manageout join``; what it does is in ``tests/system/service/isatap/test_join.py``."""

from __future__ import annotations

import subprocess

import pytest

from manageout.cli.join import join
from manageout.errors import ManageoutError
from tests.tools.commands import MANAGEOUT, run


@pytest.mark.parametrize("name", ["isatap", "ISATAP", "isatap.corp.example", "isatap."])
def test_the_bare_name_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(ManageoutError) as refused:
        run(join, name)
    assert "everybody's router" in refused.value.message
    assert "--force" in refused.value.hint


def test_the_command_line_shows_two_lines() -> None:
    argv = [*MANAGEOUT, "join", "isatap"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 2 and "Traceback" not in result.stderr


def test_a_dry_run_makes_nothing() -> None:
    assert run(join, "10.0.0.1", "--dry-run", "--runtime-dir", "/proc/none").output == ""
    assert "is not the address of a host" in run(join, "0.0.0.0", "--dry-run", code=2).output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("300.1.1.1", "'300.1.1.1' is not an IPv4 address"),
        ("10.0.0", "'10.0.0' is not an IPv4 address"),
        ("10", "'10' is not an IPv4 address"),
        ("fd12::1", "fd12::1 is an IPv6 address; a router of an ISATAP link is reached over IPv4"),
        ("224.0.0.1", "224.0.0.1 is not the address of a host"),
        ("0.0.0.0", "0.0.0.0 is not the address of a host"),
    ],
)
def test_a_wrong_address_is_not_taken_for_a_name(name: str, message: str) -> None:
    result = run(join, name, code=2)
    assert message in " ".join(result.stderr.split())


def test_help_says_what_it_is() -> None:
    result = run(join, "--help")
    for option in ("--no-ebpf", "--force", "--device", "--runtime-dir"):
        assert option in result.output
