"""Backups of group policies: which one is undone, what is not a backup."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.directory.ad.domain import Domain
from manageout.errors import ManageoutError
from manageout.rollout import publish as gpo_publish

DOMAIN = Domain("corp.example")


def test_without_a_backup_there_is_nothing_to_undo(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="nothing to undo: no backup of corp"):
        gpo_publish.undo(DOMAIN, tmp_path, print)


def test_a_backup_of_another_domain_or_an_undone_one_is_not_taken(tmp_path: Path) -> None:
    text = '{"domain": "%s", "before": {}, "after": {}, "undone": %s}'
    (tmp_path / "gpo-1.json").write_text(text % ("other.example", "null"))
    (tmp_path / "gpo-2.json").write_text(text % ("corp.example", '"2026-01-01T00:00:00Z"'))
    with pytest.raises(ManageoutError, match="nothing to undo"):
        gpo_publish.undo(DOMAIN, tmp_path, print)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"domain": 1', "\0"])
def test_what_is_no_backup_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "gpo-1.json").write_text(text)
    with pytest.raises(ManageoutError, match=r"gpo-1\.json: no backup"):
        gpo_publish.undo(DOMAIN, tmp_path, print)
