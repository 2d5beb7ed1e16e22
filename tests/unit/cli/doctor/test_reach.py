"""Words on the command line of `manageout doctor reach`."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.cli.commands import cli
from manageout.cli.doctor.doctor import doctor
from manageout.errors import ManageoutError
from tests.tools.commands import run


@pytest.mark.parametrize("port", ["x", "0", "70000", "tcp", "3389/sctp", "-1", "80/tcp/80"])
def test_what_is_no_port_is_refused(port: str) -> None:
    assert "port" in run(cli, "doctor", "reach", "helpdesk", "laptop", f"--port={port}", code=2).output


@pytest.mark.parametrize("port", ["80", "80/tcp", "tcp/80", "TCP/80", "icmp", "udp/161"])
def test_ports_are_read_in_every_usual_form(port: str, tmp_path: Path) -> None:
    arguments = [
        "doctor",
        "reach",
        "10.0.0.1",
        "10.0.0.2",
        "--port",
        port,
        "--config",
        str(tmp_path / "none"),
    ]
    with pytest.raises(ManageoutError, match="none"):  # the file is what it complains about
        run(cli, *arguments)


@pytest.mark.parametrize(
    "words", [[], ["helpdesk"], ["helpdesk", "laptop", "tablet"], ["", "laptop"], ["helpdesk", " "]]
)
def test_it_wants_two_machines(words: list[str]) -> None:
    run(cli, "doctor", "reach", *words, code=2)


def test_help_says_what_is_seen_from_where() -> None:
    text = run(cli, "doctor", "reach", "--help").output
    assert "doctor reach [OPTIONS] HOST CLIENT" in text
    for place in ("on the gateway", "on the ISATAP router", "on HOST itself"):
        assert place in " ".join(text.split())
    assert "doctor reach HOST CLIENT" in run(doctor, "--help").output


def test_a_file_of_that_name_is_evidence_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "reach"
    file.write_text("nothing that anybody knows")
    with pytest.raises(ManageoutError, match="nothing could be judged"):
        run(doctor, str(file))
