"""The retirement's database: what is recorded survives, in one piece, and a missing file is no fault."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.state.retire import FILE, KEEP, LoggedStep, Member, RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep

NOW = 1_700_000_000.0
PILOT = Member(IPv4Network("10.0.1.0/28"), "helpdesk", NOW)

_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.service.state.test_retire import NOW, PILOT, Phase, RetireStore, RetireStep
RetireStore(Path(sys.argv[1])).record(RetireStep.PILOT, Phase.PILOT, NOW, "root", members=[PILOT])
os.kill(os.getpid(), signal.SIGKILL)
"""

_KILLED_HALF_WAY = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("DELETE FROM members")
for number in range(200):
    db.execute("INSERT INTO kept VALUES (?, ?)", (str(number), "x" * 4000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def counted(store: RetireStore, at: float, **hosts: dict[str, object]) -> LoggedStep:
    return store.record(RetireStep.CENSUS, Phase.COUNTED, at, "root", found={"host": hosts})


def test_without_a_file_nothing_has_begun(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    assert (store.phase(), store.last(), store.entries()) == (Phase.NOT_BEGUN, None, [])
    assert (store.found("host"), store.members(), store.kept()) == ([], [], {})
    assert not (tmp_path / FILE).exists()


def test_a_step_is_read_as_it_was_recorded(tmp_path: Path) -> None:
    made = RetireStore(tmp_path).record(
        RetireStep.PILOT,
        Phase.PILOT,
        NOW,
        "anna@router",
        since=NOW - 5,
        forced=True,
        figures={"hosts": 3},
        members=[PILOT],
    )
    store = RetireStore(tmp_path)
    assert (
        store.last()
        == made
        == LoggedStep(1, RetireStep.PILOT, Phase.PILOT, NOW, NOW - 5, "anna@router", True, {"hosts": 3})
    )
    assert store.phase() is Phase.PILOT
    assert store.members() == [PILOT]


def test_the_last_of_some_steps(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    counted(store, NOW)
    store.record(RetireStep.JUDGE, Phase.JUDGED, NOW + 1, "root")
    found = store.last(RetireStep.CENSUS)
    assert found is not None
    assert found.at == NOW
    assert store.last(RetireStep.UNDO) is None


def test_what_was_found_is_kept_by_kind_and_the_latest_is_read(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    first = counted(store, NOW, a={"ipv4": "10.0.1.1"}, b={"ipv4": "10.0.1.2"})
    counted(store, NOW + 1, a={"ipv4": "10.0.1.1"})
    store.record(
        RetireStep.JUDGE, Phase.JUDGED, NOW + 2, "root", found={"verdict": {"a": {"class": "holds"}}}
    )
    assert store.found("host") == [{"ipv4": "10.0.1.1"}]
    assert len(store.found("host", first.number)) == 2
    assert store.found("verdict") == [{"class": "holds"}]
    assert store.found("policy") == []


def test_old_rows_go_but_the_first_and_the_figures_stay(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    numbers = [counted(store, NOW + number, a={"ipv4": "10.0.1.1"}).number for number in range(KEEP + 5)]
    with_rows = [number for number in numbers if store.found("host", number)]
    assert with_rows == [numbers[0], *numbers[-KEEP:]]
    assert len(store.entries()) == KEEP + 5


def test_the_latest_rows_of_each_kind_outlive_many_steps_of_another(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    counted(store, NOW, a={"ipv4": "10.0.1.1"})
    counted(store, NOW + 1, a={"ipv4": "10.0.1.9"})
    for number in range(KEEP + 3):
        store.record(RetireStep.FORWARD, Phase.PILOT, NOW + 2 + number, "root")
    assert store.found("host") == [{"ipv4": "10.0.1.9"}]


def test_members_stay_unless_they_are_told(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    store.record(RetireStep.PILOT, Phase.PILOT, NOW, "root", members=[PILOT])
    store.record(RetireStep.CENSUS, Phase.PILOT, NOW, "root")
    assert store.members() == [PILOT]
    store.record(RetireStep.UNDO, Phase.JUDGED, NOW, "root", members=[])
    assert store.members() == []


def test_a_member_knows_its_hosts() -> None:
    assert IPv4Address("10.0.1.3") in PILOT
    assert IPv4Address("10.0.1.30") not in PILOT
    assert "10.0.1.3" not in PILOT


def test_what_an_undo_needs_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    store.keep("dns/a", ["10.0.0.1"])
    store.keep("dns/b", None)
    store.keep("gpo/x", {"link": "y"})
    assert store.kept("dns/") == {"dns/a": ["10.0.0.1"], "dns/b": None}
    store.forget(["dns/a", "dns/b"])
    assert store.kept() == {"gpo/x": {"link": "y"}}


def test_a_step_survives_sigkill(tmp_path: Path) -> None:
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path)], cwd=root, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL
    assert RetireStore(tmp_path).members() == [PILOT]


def test_what_a_command_left_that_was_killed_while_it_wrote_is_taken_back(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    store.record(RetireStep.PILOT, Phase.PILOT, NOW, "root", members=[PILOT])
    code = [sys.executable, "-c", _KILLED_HALF_WAY, str(tmp_path / FILE)]
    assert subprocess.run(code, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / f"{FILE}-journal").exists()
    assert store.members() == [PILOT]
    assert store.kept() == {}


def test_a_step_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    with pytest.raises(TypeError):
        store.record(RetireStep.CENSUS, Phase.COUNTED, NOW, "root", found={"host": {"a": {"bad": object()}}})
    assert store.entries() == []


def test_the_file_is_not_for_everybody_and_belongs_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 12, 34)
    counted(RetireStore(tmp_path), NOW)
    found = (tmp_path / FILE).stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert (found.st_uid, found.st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)


def test_a_damaged_file_is_a_clear_line_and_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rubbish" * 1000)
    store = RetireStore(tmp_path)
    for call in (store.phase, store.members, lambda: counted(store, NOW)):
        with pytest.raises(ManageoutError, match=r"retire\.db: file is not a database"):
            call()
    assert (tmp_path / FILE).read_bytes().startswith(b"rubbish")


DAMAGE = {
    "figures": "UPDATE steps SET figures = ?",
    "row": "UPDATE found SET row = ?",
    "kept": "UPDATE kept SET value = ?",
    "step": "UPDATE steps SET step = ?",
    "phase": "UPDATE steps SET phase = ?",
    "network": "UPDATE members SET network = ?",
}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("text", ["{", "", "[" * 100_000])
def test_a_damaged_row_is_a_clear_line(tmp_path: Path, what: str, text: str) -> None:
    store = RetireStore(tmp_path)
    store.record(
        RetireStep.PILOT,
        Phase.PILOT,
        NOW,
        "root",
        members=[PILOT],
        figures={"hosts": 1},
        found={"hosts": {"a": {"b": 1}}},
    )
    store.keep("a", {"b": 1})
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(DAMAGE[what], (text,))
    db.close()
    reads: dict[str, Callable[[], object]] = {
        "row": lambda: store.found("hosts", 1),
        "kept": store.kept,
        "network": store.members,
    }
    with pytest.raises(ManageoutError, match=r"retire\.db: a row is damaged: ") as caught:
        reads.get(what, store.phase)()
    assert len(caught.value.message) < 300 and caught.value.hint


@pytest.mark.parametrize("text", ["[]", "5", "null"])
def test_what_is_no_object_is_damage_too(tmp_path: Path, text: str) -> None:
    store = RetireStore(tmp_path)
    store.record(RetireStep.PILOT, Phase.PILOT, NOW, "root", found={"hosts": {"a": {"b": 1}}})
    for statement, read in (
        (DAMAGE["figures"], store.phase),
        (DAMAGE["row"], lambda: store.found("hosts", 1)),
    ):
        with sqlite3.connect(tmp_path / FILE) as db:
            db.execute(statement, (text,))
        db.close()
        with pytest.raises(ManageoutError, match="is no JSON object"):
            read()


def test_a_reader_needs_no_right_to_write(tmp_path: Path) -> None:
    store = RetireStore(tmp_path)
    store.record(RetireStep.PILOT, Phase.PILOT, NOW, "root", members=[PILOT])
    with sqlite3.connect(f"{(tmp_path / FILE).as_uri()}?mode=ro&immutable=1", uri=True) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
