"""Taking over the resolver's file, and giving it back, however it was and whatever happens meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manageout.errors import ManageoutError
from manageout.service.resolver import resolv_conf
from manageout.service.resolver.resolv_conf import ResolvConf, servers_of

STUB = "127.0.0.153"
TEXT = "# by hand\nnameserver 192.168.1.1\nnameserver fe80::1%eth0\nsearch home.example\noptions ndots:2 rotate\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "resolv.conf"


def state(file: Path) -> object:
    if file.is_symlink():
        return os.readlink(file)
    return (file.read_bytes(), file.stat().st_mode & 0o777) if file.exists() else None


def effective(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def test_taken_and_given_back(file: Path) -> None:
    file.write_text(TEXT)
    file.chmod(0o640)
    before = state(file)
    ours = ResolvConf(file)
    ours.take(STUB, ["corp.example"])
    assert effective(file) == [
        f"nameserver {STUB}",
        "options ndots:2 rotate",
        "search corp.example home.example",
    ]
    assert ours.servers() == ["192.168.1.1", "fe80::1%eth0"]
    ours.give_back()
    assert state(file) == before
    ours.give_back()
    assert state(file) == before
    assert list(file.parent.iterdir()) == [file], "nothing is left beside it"


@pytest.mark.parametrize(
    "text", ["", "nameserver 192.168.1.1", "\n\n", "nameserver 10.0.0.1\n\n", "a\rb\n", "\udcff\n"]
)
def test_any_text_comes_back_to_the_byte(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = state(file)
    ResolvConf(file).take(STUB)
    other = ResolvConf(file)
    assert other.recover()
    assert state(file) == before


def test_a_symbolic_link_comes_back(file: Path) -> None:
    target = file.parent / "run.conf"
    target.write_text(TEXT)
    file.symlink_to("run.conf")
    ours = ResolvConf(file)
    ours.take(STUB)
    assert not file.is_symlink() and target.read_text() == TEXT
    target.write_text("nameserver 10.9.9.9\n")
    assert ours.servers() == ["10.9.9.9"], "what the network manager writes there is followed"
    ours.give_back()
    assert state(file) == "run.conf"


def test_a_link_to_nothing_and_nothing_at_all(file: Path) -> None:
    ours = ResolvConf(file)
    assert ours.servers() == []
    ours.take(STUB)
    ours.give_back()
    assert state(file) is None
    file.symlink_to("gone.conf")
    ours.take(STUB)
    assert effective(file) == [f"nameserver {STUB}"]
    ours.give_back()
    assert state(file) == "gone.conf"


def test_what_another_program_writes_is_kept(file: Path) -> None:
    file.write_text(TEXT)
    ours = ResolvConf(file)
    ours.take(STUB)
    assert not ours.changed()
    file.write_text("nameserver 10.9.9.9\n")
    ours.give_back()
    assert file.read_text() == "nameserver 10.9.9.9\n"


def test_what_another_program_writes_is_the_new_original(file: Path) -> None:
    file.write_text(TEXT)
    ours = ResolvConf(file)
    ours.take(STUB)
    file.write_text("nameserver 10.9.9.9\n")
    assert ours.changed() and not ours.changed()
    assert ours.servers() == ["10.9.9.9"]
    ours.take(STUB)
    assert effective(file) == [f"nameserver {STUB}"]
    ours.give_back()
    assert file.read_text() == "nameserver 10.9.9.9\n"


def test_it_is_written_only_when_something_changes(file: Path) -> None:
    file.write_text(TEXT)
    ours = ResolvConf(file)
    ours.take(STUB)
    inode = file.stat().st_ino
    ours.take(STUB)
    assert file.stat().st_ino == inode
    ours.take(STUB, ["corp.example"])
    assert "search corp.example home.example" in effective(file)


def test_what_a_killed_process_left_is_put_right(file: Path) -> None:
    file.write_text(TEXT)
    code = f"""if True:
        import os
        from pathlib import Path
        from manageout.service.resolver.resolv_conf import ResolvConf
        ResolvConf(Path({str(file)!r})).take({STUB!r})
        os.kill(os.getpid(), 9)
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert effective(file)[0] == f"nameserver {STUB}"
    assert ResolvConf(file).servers() == ["192.168.1.1", "fe80::1%eth0"], "its servers are known from there"
    assert ResolvConf(file).recover()
    assert file.read_text() == TEXT
    assert not ResolvConf(file).recover()


def test_what_a_living_process_has_taken_is_left(file: Path) -> None:
    file.write_text(TEXT)
    ResolvConf(file).take(STUB)
    other = resolv_conf._owner(os.getppid())
    text = file.read_text().replace(f"process {resolv_conf._owner(os.getpid())},", f"process {other},")
    assert other in text
    file.write_text(text)
    with pytest.raises(ManageoutError, match="another `manageout connect`") as caught:
        ResolvConf(file).recover()
    assert "--resolver off" in caught.value.hint
    assert file.read_text() == text


@pytest.mark.parametrize("second", ["#= file 999999999999", "#= file 8", "#= what", "nameserver 1.2.3.4", ""])
def test_a_mark_alone_is_not_believed(file: Path, second: str) -> None:
    text = f"# Written by `manageout connect`, process 1, which\n{second}\n"
    file.write_text(text)
    ResolvConf(file).recover()
    assert "#= file 9" in second or file.read_text() == text


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ManageoutError) as caught:
        ResolvConf(tmp_path / "none" / "resolv.conf").take(STUB)
    assert "--resolver off" in caught.value.hint


def test_another_process_with_the_number_of_a_dead_one_is_not_taken_for_it(file: Path) -> None:
    file.write_text(TEXT)
    ResolvConf(file).take(STUB)
    mine = resolv_conf._owner(os.getpid())
    file.write_text(file.read_text().replace(mine, f"{os.getppid()}/1"))
    assert ResolvConf(file).recover()
    assert file.read_text() == TEXT


def test_the_guard_outlives_the_killed_and_does_nothing_for_the_others(file: Path) -> None:
    file.write_text(TEXT)
    code = f"""if True:
        import os, sys
        from pathlib import Path
        from manageout.service.resolver.resolv_conf import Guard, ResolvConf
        path = Path({str(file)!r})
        guard = Guard(path)
        ResolvConf(path).take({STUB!r})
        guard.dismiss() if sys.argv[1:] else os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", code, "well"], check=True)
    assert effective(file)[0] == f"nameserver {STUB}", "dismissed: nobody gives it back"
    file.write_text(TEXT)
    subprocess.run([sys.executable, "-c", code], check=False)
    for _ in range(200):
        if file.read_text() == TEXT:
            break
        time.sleep(0.05)
    assert file.read_text() == TEXT


def test_servers() -> None:
    text = "nameserver 10.0.0.1\n nameserver ::1 # x\nnameserver\nnameserver name\n#nameserver 1.1.1.1\nserver 2.2.2.2"
    assert servers_of(text) == ["10.0.0.1", "::1"]


def test_a_file_that_is_too_long_to_be_kept_stays_as_it_is(file: Path) -> None:
    """What replaces it would be longer than what is read, and so could never be given back."""
    file.write_text("nameserver 192.168.1.1\n" + "#\n" * resolv_conf.MAX_ORIGINAL)
    before = state(file)
    ours = ResolvConf(file)
    with pytest.raises(ManageoutError, match="longer than 8 KB"):
        ours.take(STUB)
    assert state(file) == before and not ours.taken


@pytest.mark.parametrize("line", ["#", "x" * 70, "search a b c", "options ndots:2"])
def test_the_longest_that_is_taken_is_given_back(file: Path, line: str) -> None:
    text = (f"{line}\n" * resolv_conf.MAX_ORIGINAL)[: resolv_conf.MAX_ORIGINAL]
    file.write_text(text)
    ResolvConf(file).take(STUB, ["corp.example"])
    assert len(file.read_text()) < resolv_conf.MAX_SIZE
    ours = ResolvConf(file)
    assert ours.servers() == []
    ours.take(STUB, ["other.example"])
    assert not ours.changed()
    ours.give_back()
    assert file.read_text() == text
