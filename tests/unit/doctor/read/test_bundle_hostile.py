"""Evidence that wants to do harm: a clear line or a finding, no traceback, bounded memory and time.

Each case runs the command in a process that may use 512 MB of addresses and 20 seconds.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.commands import MANAGEOUT
from tests.unit.doctor.bundles import CLIENT, MANAGER
from tests.unit.doctor.console.test_ipconfig import ENGLISH
from tests.unit.doctor.languages import ipconfig

MEMORY = 512 << 20
SECONDS = 20


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def doctor(*paths: Path, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*MANAGEOUT, "doctor", *map(str, paths), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, errors="strict")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    return done


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return made.getvalue()


def claims_gigabytes() -> bytes:
    """LZMA whose dictionary is 4 GB, by its properties."""
    data = bytearray(archive({"a.txt": b"x" * 1000}, zipfile.ZIP_LZMA))
    place = data.index(b"a.txt") + 5 + 4  # behind the version and the length of the properties
    data[place + 1 : place + 5] = struct.pack("<I", 0xFFFFFFFF)
    return bytes(data)


def flipped() -> bytes:
    data = bytearray(archive({"a.txt": ENGLISH.encode() * 20}))
    for place in range(60, 200, 3):
        data[place] ^= 0xFF
    return bytes(data)


def many_members() -> bytes:
    return archive({f"{number:0200d}": b"" for number in range(12_000)}, zipfile.ZIP_STORED)


def rows(section: str, row: object, count: int) -> bytes:
    """About 4 MB of a section, which is whole JSON."""
    return json.dumps(MANAGER | {"sections": {section: [row] * count}}).encode()


def nested() -> bytes:
    return b'{"collector": "manageout", "version": 1, "sections": {"a": ' + b"[" * 3_000_000


HUNDRED = 100 << 20
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "rubbish": (lambda: random.Random(1).randbytes(3_000_000), "nothing could be judged"),
    "zeros": (lambda: bytes(5_000_000), "nothing could be judged"),
    "empty": (lambda: b"", "nothing could be judged"),
    "one long line": (lambda: b"a . " * (1 << 20), "nothing could be judged"),
    "dots": (lambda: b"   " + b". " * (2 << 20), "nothing could be judged"),
    "cut lines": (lambda: (b"x" * 80 + b"\n") * 50_000, "nothing could be judged"),
    "prompts": (lambda: b"C:\\>dir\nx\n" * 400_000, "nothing could be judged"),
    "colons": (lambda: b" : : : :\n" * 400_000, "nothing could be judged"),
    "bomb": (lambda: archive({str(n): bytes(8 << 20) for n in range(16)}), "too much evidence"),
    "bomb of one": (lambda: archive({"a": bytes(200 << 20)}), "nothing could be judged"),
    "bomb in a bomb": (lambda: archive({"a.zip": archive({"b": bytes(8 << 20)})}), "nothing could be judged"),
    "many members": (many_members, "too much evidence"),
    "lzma": (claims_gigabytes, "not a readable archive"),
    "bzip2": (lambda: archive({"a": bytes(9)}, zipfile.ZIP_BZIP2), "not a readable archive"),
    "flipped": (flipped, "not a readable archive"),
    "cut archive": (lambda: archive({"a": ENGLISH.encode() * 9})[:-30], "not a readable archive"),
    "nested": (nested, "not whole, or not from the collector"),
    "cut JSON": (lambda: json.dumps(CLIENT).encode()[:-200], "not whole, or not from the collector"),
    "digits": (
        lambda: json.dumps(CLIENT).encode().replace(b"1700000000", b"9" * 100_000),
        "not whole, or not from the collector",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_a_clear_line(tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]
    (tmp_path / "evidence").write_bytes(make())
    done = doctor(tmp_path / "evidence")
    assert done.returncode == 1 and words in done.stderr and done.stdout == ""
    assert len(done.stderr.splitlines()) == 2, "a line, and a hint"
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


INTERFACE_ROW = b"%3d          25        1500  connected     isatap.%d\n"
JUDGED: dict[str, Callable[[], bytes]] = {
    "interfaces": lambda: b"".join(INTERFACE_ROW % (n, n) for n in range(60_000)),
    "routes": lambda: b"Yes      Manual    256  fd12:3456::/64  15  isatap.corp.example\n" * 60_000,
    "adapters": lambda: b"".join(
        b"Tunnel adapter isatap.%d:\n   A. . . : fe80::1%%1(P)\n\n" % n for n in range(90_000)
    ),
    "addresses": lambda: b"Tunnel adapter isatap.x:\n\n" + b"   A. . . : fe80::1%1(P)\n" * 150_000,
    "JSON adapters": lambda: rows("adapters", {"Name": "isatap.x", "ifIndex": 1}, 90_000),
    "JSON lookups": lambda: rows("lookups", {"Name": "a", "Addresses": ["fd12::1"] * 90}, 3_000),
    "JSON text": lambda: rows("isatap", {"State": "x" * 2_000_000, "Router": "\u001b[31m" * 200_000}, 1),
}


@pytest.mark.parametrize("name", JUDGED)
def test_too_much_of_it_is_judged_in_part(tmp_path: Path, name: str) -> None:
    (tmp_path / "evidence").write_bytes(JUDGED[name]())
    done = doctor(tmp_path / "evidence")
    assert "\x1b" not in done.stdout and len(done.stdout) < 200_000


def test_a_hundred_megabytes_of_text(tmp_path: Path) -> None:
    """What stands at the beginning is judged, and it is told that the rest is not."""
    with (tmp_path / "huge.txt").open("wb") as file:
        file.write(ipconfig("en", stranded=True).encode())
        for _ in range(HUNDRED >> 20):
            file.write(b"lorem ipsum dolor sit amet\r\n" * 37_450)
    done = doctor(tmp_path / "huge.txt")
    assert "ISATAP-LINK-LOCAL-ONLY on HELPDESK1" in done.stdout
    assert "huge.txt: longer than 4 MB, the rest was not looked at" in done.stdout


def test_a_folder_of_as_much_as_is_read(tmp_path: Path) -> None:
    route = b"Yes      Manual    256  fd12:3456::/64  15  isatap.corp.example\n"
    for number in range(190):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "x.txt").write_bytes(route * 1100)
    told = " ".join(doctor(tmp_path).stdout.split())
    assert told.startswith("nothing wrong that can be seen from")
    assert not [number for number in range(190) if f"{tmp_path.name}/{number} (" not in told]


def test_paths_in_an_archive_are_only_names(tmp_path: Path) -> None:
    inside = {
        "/etc/manageout-evil.json": MANAGER,
        "../../evil.json": CLIENT,
        "C:\\evil\x1b[2J.json": CLIENT | {"computer": ""},
    }
    (tmp_path / "e.zip").write_bytes(
        archive({name: json.dumps(one).encode() for name, one in inside.items()})
    )
    done = doctor(tmp_path / "e.zip")
    assert "HELPDESK1" in done.stdout and "LAPTOP1" in done.stdout and "\x1b" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["e.zip"]
    assert (
        not Path("/etc/manageout-evil.json").exists() and not (tmp_path.parent.parent / "evil.json").exists()
    )


def test_a_folder_with_a_way_out_of_it(tmp_path: Path) -> None:
    """Links are not followed; what nobody may read is named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "x.txt").write_text(ENGLISH)
    assert "HELPDESK1" in doctor(tmp_path / "a").stdout


def test_words_that_no_terminal_can_show(tmp_path: Path) -> None:
    made = json.dumps(MANAGER | {"computer": "\x1b]0;evil\x07\ud800"})
    (tmp_path / "x.json").write_text(made)
    assert "\x1b" not in doctor(tmp_path / "x.json").stdout
    assert json.loads(doctor(tmp_path / "x.json", arguments=("--json",)).stdout) == []


def test_mixed_hosts_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH)
    (tmp_path / "b.txt").write_text(ipconfig("de", stranded=True).replace("HELPDESK1", "HELPDESK2"))
    done = doctor(tmp_path)
    assert "ISATAP-LINK-LOCAL-ONLY on HELPDESK2" in done.stdout
    assert done.stdout.endswith("looked at HELPDESK1 (role unknown), HELPDESK2 (role unknown)\n")


def test_one_broken_file_of_several(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(MANAGER))
    (tmp_path / "bad.json").write_text(json.dumps(CLIENT)[:-100])
    done = doctor(tmp_path)
    assert done.returncode == 0
    assert (
        "note EVIDENCE on" in done.stdout and "bad.json: not whole, or not from the collector" in done.stdout
    )


@pytest.mark.parametrize(
    "taken", [-1, 0, 1e300, 4e9, 1e12, "yesterday", True, None, [], float("inf"), float("nan")]
)
def test_clocks_that_are_none(tmp_path: Path, taken: object) -> None:
    (tmp_path / "x.json").write_text(json.dumps(MANAGER | {"taken": taken}))
    done = doctor(tmp_path / "x.json")
    number = isinstance(taken, int | float) and not isinstance(taken, bool)
    assert ("EVIDENCE-CLOCK" in done.stdout) == number
