"""Files, folders and archives of evidence, hostile ones too."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from manageout.doctor.read import bundle
from manageout.errors import ManageoutError
from tests.unit.doctor.bundles import CLIENT, MANAGER
from tests.unit.doctor.console.test_ipconfig import ENGLISH


def test_each_file_of_the_collector_is_a_machine(tmp_path: Path) -> None:
    for name, content in (("a.json", MANAGER), ("b.json", CLIENT)):
        (tmp_path / name).write_text(json.dumps(content))
    assert [facts.computer for facts in bundle.read([tmp_path])] == ["HELPDESK1", "LAPTOP1"]


def test_texts_of_a_folder_are_one_machine(tmp_path: Path) -> None:
    (tmp_path / "ipconfig.txt").write_text(ENGLISH)
    (tmp_path / "state.txt").write_text("ISATAP State                   : enabled\n")
    (facts,) = bundle.read([tmp_path])
    assert facts.computer == "HELPDESK1"
    assert facts.isatap_state is not None and facts.isatap_state.value == "enabled"


def test_an_archive_whose_names_are_paths(tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../etc/evil.json", json.dumps(MANAGER))
        archive.writestr("/absolute.json", json.dumps(CLIENT))
    assert sorted(facts.computer for facts in bundle.read([file])) == ["HELPDESK1", "LAPTOP1"]
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.zip"]


def test_too_many_files(tmp_path: Path) -> None:
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(bundle.MAX_FILES + 1):
            archive.writestr(f"{number}.txt", "x")
    with pytest.raises(ManageoutError, match="too much evidence"):
        bundle.read([file])


def test_a_broken_archive(tmp_path: Path) -> None:
    file = tmp_path / "broken.zip"
    file.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ManageoutError, match="not a readable archive"):
        bundle.read([file])


@pytest.mark.parametrize(
    "text", ['{"collector": "manageout"', '{"collector": "manageout", "version": 9, "sections": {}}',
             '{"collector": "manageout", "version": 1, "sections": []}', '{"collector":"manageout","x":' + "[" * 100000]
)  # fmt: skip
def test_files_of_the_collector_that_are_not(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ManageoutError, match="collector"):
        bundle.read([file])


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError, match="no evidence"):
        bundle.read([tmp_path])


def test_rubbish_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)) * 50)
    with pytest.raises(ManageoutError, match="nothing could be judged"):
        bundle.read([tmp_path / "x"])


def test_rubbish_beside_evidence_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH)
    (tmp_path / "b.txt").write_bytes(bytes(range(256)) * 50)
    (facts,) = bundle.read([tmp_path])
    assert facts.computer == "HELPDESK1"
