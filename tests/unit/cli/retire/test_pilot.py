"""``manageout retire pilot``, ``forward`` and ``undo``: whom they mean, and what is refused before the first step."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.cli.retire.pilot import _words_of
from manageout.cli.retire.retire import retire
from manageout.errors import ManageoutError
from tests.tools.commands import run


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("pilot 10.0.1.30", "pilot cannot follow here: the site is not counted yet"),
        ("forward --all", "forward cannot follow here: the site is not counted yet"),
        ("undo", "nothing to undo"),
    ],
)
def test_a_step_out_of_its_order_is_refused(file: str, step: str, says: str) -> None:
    with pytest.raises(ManageoutError, match=says):
        run(retire, *step.split(), "--config", file)


def test_forward_wants_to_know_whom(file: str) -> None:
    assert (
        "groups that are left: none of the site file"
        in run(retire, "forward", "--config", file, code=2).output
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_stands_for_its_lines(tmp_path: Path, encoding: str) -> None:
    """As an administrator saves it, on Linux or from PowerShell."""
    file = tmp_path / "wave"
    file.write_text("10.0.1.30\n\n# the second\nhelpdesk \n", encoding=encoding)
    assert _words_of(("first", f"@{file}")) == ["first", "10.0.1.30", "helpdesk"]
    with pytest.raises(ManageoutError, match="No such file"):
        _words_of((f"@{file}.absent",))
