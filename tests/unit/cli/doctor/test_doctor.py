"""``manageout doctor``: what it says, in which form, and of what it wants nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from manageout.cli.doctor.doctor import doctor
from manageout.errors import ManageoutError
from tests.tools import commands
from tests.unit.doctor.bundles import CLIENT, MANAGER, changed
from tests.unit.doctor.console.test_ipconfig import ENGLISH, GERMAN

run = partial(commands.run, doctor, code=None)


@pytest.fixture
def healthy(tmp_path: Path) -> str:
    file = tmp_path / "helpdesk1.json"
    file.write_text(json.dumps(MANAGER), encoding="utf-8-sig")
    return str(file)


def test_a_healthy_machine(healthy: str) -> None:
    done = run(healthy)
    assert done.exit_code == 0
    assert done.output == "nothing wrong that can be seen from HELPDESK1 (manager)\n"


def test_a_finding_in_words(tmp_path: Path) -> None:
    file = tmp_path / "laptop1.json"
    bundle = changed(CLIENT, "iphttps", [{"InterfaceStatus": "failed to connect", "LastErrorCode": 0x103}])
    file.write_bytes(json.dumps(bundle).encode("utf-16"))
    done = run(str(file))
    assert done.exit_code == 1
    assert (
        "error IPHTTPS-CERTIFICATE on LAPTOP1: IP-HTTPS finds no usable certificate (0x103)\n" in done.output
    )
    assert "  seen    IP-HTTPS last error 0x103\n" in done.output
    assert "  remedy  certutil -store my" in done.output


def test_a_finding_for_programs(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(GERMAN.encode("cp850"))
    done = run(str(tmp_path / "x.txt"), "--json")
    assert [row["code"] for row in json.loads(done.output)] == ["ISATAP-LINK-LOCAL-ONLY"]
    assert done.exit_code == 1


def test_pasted_text() -> None:
    for arguments in ((), ("-",)):
        done = run(*arguments, pasted=ENGLISH)
        wanted = "nothing wrong that can be seen from HELPDESK1 (role unknown)\n"
        assert (done.exit_code, done.output) == (0, wanted)


def test_the_last_line_tells_of_notes_and_is_folded() -> None:
    some = "".join(
        f"=== MACHINE{number} ===\nnetsh interface isatap show state\nISATAP State : default\n"
        for number in range(5)
    )
    done = run(pasted=some)
    assert "note ISATAP-DEFAULT" in done.output and done.output.endswith("see the notes above\n")
    assert all(len(line) <= 100 for line in done.output.splitlines())


def test_a_file_of_the_collector_without_sections_is_not_called_healthy(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(MANAGER | {"sections": {}}))
    with pytest.raises(ManageoutError, match="nothing could be judged"):
        run(str(tmp_path / "x.json"))


def test_nothing_pasted() -> None:
    with pytest.raises(ManageoutError, match="nothing to look at"):
        run(pasted="")


def test_something_else_pasted() -> None:
    with pytest.raises(ManageoutError, match="nothing could be judged"):
        run(pasted="lorem ipsum\n")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        run(str(tmp_path / "missing"))


def test_the_collector_and_the_rules_are_printed() -> None:
    assert "ConvertTo-Json" in run("--collector").output
    assert "ISATAP-LINK-LOCAL-ONLY" in run("--rules").output
    assert len(json.loads(run("--rules", "--json").output)) >= 40
