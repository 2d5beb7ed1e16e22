"""Backups: whole while somebody writes, private, back to the same places; what is none is refused by name."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from manageout.cli.backup import backup, restore
from manageout.errors import ManageoutError
from manageout.service.process.runtime import RuntimeDir
from manageout.service.state import hosts
from manageout.service.state.backup import DATABASES
from tests.tools.commands import run


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A gateway's site file, with everything that it names and a state."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "holders").write_text('["00", "a"]\n')
    (tmp_path / "server.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "server.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "update.key").write_text('key "k" { secret "aa=="; };\n')
    file = tmp_path / "site.toml"
    file.write_text(
        f"""
        [site]
        prefix = "fd12:3456:789a::/48"
        [gateway]
        listen = ["0.0.0.0:443"]
        certificate = "{tmp_path}/server.pem"
        key = "{tmp_path}/server.key"
        client_ca = "{tmp_path}/ca.pem"
        [names]
        zone = "clients.corp.example"
        servers = ["10.0.0.10"]
        key_file = "{tmp_path}/update.key"
        [daemon]
        state_dir = "{tmp_path}/state"
        runtime_dir = "{tmp_path}/run"
        """
    )
    return file


def opened(site: Path) -> sqlite3.Connection:
    db = sqlite3.connect(site.parent / "state" / hosts.FILE, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    hosts.SCHEMA.bring_up(db)
    return db


def add(db: sqlite3.Connection, number: int) -> None:
    columns = len(hosts.SCHEMA.columns()["hosts"])
    values = [number.to_bytes(4, "big"), *[number] * (columns - 3), "text", 0]
    db.execute(f"INSERT INTO hosts VALUES ({', '.join('?' * columns)})", values)


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (found,) = db.execute("SELECT count(*) FROM hosts").fetchone()
        return int(found)


def archive(path: Path, members: Mapping[str, bytes]) -> str:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def take(site: Path, *options: str) -> Path:
    target = site.parent / "backup.tar"
    run(backup, "--config", str(site), str(target), *options)
    return target


def test_a_backup_comes_back_to_where_it_was(site: Path) -> None:
    with closing(opened(site)) as db:
        add(db, 1)
    target = take(site)
    assert target.stat().st_mode & 0o777 == 0o600
    before = {path: path.read_bytes() for path in site.parent.glob("*.*") if path != target}
    for path in (*before, site.parent / "state" / "holders", site.parent / "state" / hosts.FILE):
        path.unlink()
    run(restore, "--config", str(site), str(target))
    assert {path: path.read_bytes() for path in before} == before
    assert (site.parent / "server.key").stat().st_mode & 0o777 == 0o600
    assert (site.parent / "state" / "holders").read_text() == '["00", "a"]\n'
    assert count(site.parent / "state" / hosts.FILE) == 1


def test_a_database_is_whole_while_it_is_written(site: Path) -> None:
    """What is committed is in it, from the log too; what is not, is not."""
    with closing(opened(site)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        add(db, 1)
        db.execute("BEGIN IMMEDIATE")
        add(db, 2)
        target = take(site)
        db.execute("ROLLBACK")
    run(restore, "--config", str(site), str(target), "--force")
    assert count(site.parent / "state" / hosts.FILE) == 1


def test_no_backup_is_taken_of_what_would_not_be_brought_back(site: Path) -> None:
    with closing(opened(site)) as db:
        for number in range(1000):
            add(db, number)
    file = site.parent / "state" / hosts.FILE
    data = bytearray(file.read_bytes())
    data[2 * 4096 : 5 * 4096] = bytes([0xEE]) * (3 * 4096)
    file.write_bytes(data)
    with pytest.raises(ManageoutError, match=rf"{hosts.FILE}: (it is damaged|.* malformed)"):
        take(site)
    assert not (site.parent / "backup.tar").exists()


def test_what_was_written_after_the_backup_does_not_come_back_from_the_log(site: Path) -> None:
    with closing(opened(site)) as db:
        add(db, 1)
        target = take(site)
        add(db, 2)
        log = (site.parent / "state" / f"{hosts.FILE}-wal").read_bytes()
    (site.parent / "state" / f"{hosts.FILE}-wal").write_bytes(log)  # as of a killed daemon
    run(restore, "--config", str(site), str(target), "--force")
    assert count(site.parent / "state" / hosts.FILE) == 1


def test_without_secrets_no_key_is_in_it_and_those_here_stay(site: Path) -> None:
    target = take(site, "--without-secrets")
    with tarfile.open(target) as tar:
        names = {Path(name).name for name in tar.getnames()}
    assert names == {"site.toml", "holders", "server.pem"}
    run(restore, "--config", str(site), str(target))
    assert "PRIVATE KEY" in (site.parent / "server.key").read_text()


def test_others_are_replaced_only_by_force(site: Path) -> None:
    target = take(site)
    (site.parent / "server.pem").write_text("renewed")
    with pytest.raises(ManageoutError, match=r"others are there already: .*server\.pem"):
        run(restore, "--config", str(site), str(target))
    assert (site.parent / "server.pem").read_text() == "renewed"
    run(restore, "--config", str(site), str(target), "--force")
    assert (site.parent / "server.pem").read_text().startswith("-----BEGIN")


def test_nothing_is_brought_back_under_a_running_daemon(site: Path) -> None:
    target = take(site)
    with RuntimeDir(site.parent / "run"), pytest.raises(ManageoutError, match="already running"):
        run(restore, "--config", str(site), str(target), "--force")


def test_nor_below_a_daemon_of_the_site_file_that_would_be_replaced(site: Path) -> None:
    target = site.parent / "backup.tar"
    run(backup, "--config", str(site), str(target))
    other = site.read_text().replace(f"{site.parent}/run", f"{site.parent}/other")
    site.write_text(other)
    with RuntimeDir(site.parent / "other"), pytest.raises(ManageoutError, match="already running"):
        run(restore, "--config", str(site), str(target), "--force")
    assert site.read_text() == other


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "it has no site file"),
        ({"site.toml": b"x ="}, r"site.toml: 1 fault"),
        ({"files/etc/passwd": b""}, "its site file does not name 'files/etc/passwd'"),
        ({"state/../../x": b""}, r"its site file does not name 'state/\.\./\.\./x'"),
        ({"/site.toml": b""}, "its site file does not name '/site.toml'"),
        ({"state/leases.db": b"SQLite format 3\0" + b"\xff" * 500}, "state/leases.db"),
        ({"state/leases.db": b""}, "state/leases.db is no database"),
    ],
)
def test_what_is_no_backup_is_refused(site: Path, members: dict[str, bytes], why: str) -> None:
    if members and "site.toml" not in members:
        members = {"site.toml": site.read_bytes(), **members}
    with pytest.raises(ManageoutError, match=why):
        run(restore, "--config", str(site), archive(site.parent / "bad.tar", members))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_files_are_taken(site: Path, kind: bytes) -> None:
    with tarfile.open(site.parent / "bad.tar", "w") as tar:
        info = tarfile.TarInfo("state/holders")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ManageoutError, match="is no file"):
        run(restore, "--config", str(site), str(site.parent / "bad.tar"))


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\0" * 1024, b"\xff" * 1024])
def test_no_tar_is_refused(site: Path, data: bytes) -> None:
    (site.parent / "bad.tar").write_bytes(data)
    with pytest.raises(ManageoutError, match="no backup that can be used"):
        run(restore, "--config", str(site), str(site.parent / "bad.tar"))


def test_a_tar_cut_anywhere_is_refused_or_has_whole_files(site: Path) -> None:
    whole = take(site).read_bytes()
    before = (site.parent / "server.key").read_bytes()
    for size in range(0, len(whole), 100):
        (site.parent / "cut.tar").write_bytes(whole[:size])
        try:
            run(restore, "--config", str(site), str(site.parent / "cut.tar"))
        except ManageoutError as error:
            assert "no backup that can be used" in error.message
        assert (site.parent / "server.key").read_bytes() == before


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_of_a_newer_version_is_not_brought_back(site: Path, name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"PRAGMA user_version = {DATABASES[name].version + 1}")
        db.execute("CREATE TABLE later (x)")
        members = {"site.toml": site.read_bytes(), f"state/{name}": db.serialize()}
    with pytest.raises(ManageoutError, match="of a newer version"):
        run(restore, "--config", str(site), archive(site.parent / "new.tar", members))


def test_every_file_of_the_state_is_known(site: Path) -> None:
    """A store that is added later is not forgotten."""
    folder = Path(hosts.__file__).parent
    written = {
        line.split('"')[1]
        for path in folder.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith('FILE = "')
    }
    assert written == set(DATABASES)
