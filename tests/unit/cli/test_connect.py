"""``manageout connect``: what it refuses before anything is made."""

from __future__ import annotations

import pytest

from manageout.cli.connect import connect
from manageout.errors import BadArgument
from tests.tools.commands import run

URL = "https://gateway.example.com/IPHTTPS"
WRONG = ("--dns", "10.0.0.10")
"""With this nothing is ever begun."""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["ftp://gateway.example.com/", *WRONG], "ftp"),
        ([URL, "--proxy", "proxy.example.com", *WRONG], "has no port"),
        ([URL, "--iid", "::1", *WRONG], "is kept for gateways"),
        ([URL, *WRONG], "--dns: '10.0.0.10' is no IPv6 address"),
    ],
)
def test_what_cannot_be_is_named(options: list[str], says: str) -> None:
    with pytest.raises(BadArgument, match=says) as refused:
        run(connect, *options)
    assert refused.value.hint and refused.value.exit_code == 2


@pytest.mark.parametrize("options", [["--dns", "10.0.0.10"], ["--proxy", "x"], ["--iid", "::1"]])
def test_a_dry_run_names_what_cannot_be_and_reads_no_certificate(options: list[str]) -> None:
    files = [URL, "--dry-run", "--cert", "/none.pem", "--ca", "/none.pem", "--runtime-dir", "/proc/none"]
    assert run(connect, *files).output == ""
    with pytest.raises(BadArgument):
        run(connect, *files, *options)


@pytest.mark.parametrize(
    ("given", "used"), [([], "the.environment"), (["--proxy", "the.option"], "the.option")]
)
def test_the_environments_proxy_is_taken_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: list[str], used: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "the.environment")
    with pytest.raises(BadArgument, match=used):
        run(connect, URL, "--proxy-from-env", *given, *WRONG)
