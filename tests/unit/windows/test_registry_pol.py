"""Registry.pol: byte layout, round trips, what is refused; Samba's own reader agrees where it is installed."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.errors import WireError
from manageout.windows.registry_pol import HEADER, Kind, RegistryRecord, build, parse

KEY = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SAMBA = """
import sys
import sys
from samba.dcerpc import preg
from samba.ndr import ndr_unpack
for entry in ndr_unpack(preg.file, sys.stdin.buffer.read()).entries:
    print(entry.keyname, entry.valuename, entry.type, entry.data, sep="|")
"""


def test_the_layout_byte_by_byte() -> None:
    data = build([RegistryRecord.of("A", "b", 7)])
    assert data == (
        b"PReg\x01\0\0\0" b"[\0" b"A\0\0\0" b";\0" b"b\0\0\0" b";\0"
        b"\x04\0\0\0" b";\0" b"\x04\0\0\0" b";\0" b"\x07\0\0\0" b"]\0"
    )  # fmt: skip


def test_what_the_transition_policy_looks_like() -> None:
    records = [
        RegistryRecord.of(KEY, "ISATAP_State", "Enabled"),
        RegistryRecord.of(KEY, "ISATAP_RouterName", "r.corp.example"),
    ]
    assert records[0].data == "Enabled\0".encode("utf-16-le")
    assert parse(build(records)) == records
    assert [record.content() for record in parse(build(records))] == ["Enabled", "r.corp.example"]


def test_types_and_contents() -> None:
    assert RegistryRecord.of("k", "v", ["a", "b"]).data == "a\0b\0\0".encode("utf-16-le")
    assert RegistryRecord.of("k", "v", ["a", "b"]).content() == ("a", "b")
    assert RegistryRecord.of("k", "v", []).content() == ()
    assert RegistryRecord.of("k", "v", 4294967295).content() == 4294967295
    assert RegistryRecord("k", "v", Kind.QWORD, bytes(8)).content() == 0
    assert RegistryRecord("k", "v", Kind.DWORD, b"\1").content() == b"\1"
    assert RegistryRecord("k", "v", 99, b"\1\2").content() == b"\1\2"


@pytest.mark.parametrize("content", [-1, 1 << 32, "a\0b", ["a\0"]])
def test_what_the_registry_cannot_hold(content: str | int | list[str]) -> None:
    with pytest.raises(ValueError, match=r"DWORD|NUL"):
        RegistryRecord.of("k", "v", content)


def test_data_may_look_like_marks() -> None:
    record = RegistryRecord("k", "v", Kind.BINARY, "];[;]".encode("utf-16-le"))
    assert parse(build([record, record])) == [record, record]


def test_a_record_that_only_makes_a_key() -> None:
    assert parse(build([RegistryRecord("k", "", Kind.NONE, b"")])) == [
        RegistryRecord("k", "", Kind.NONE, b"")
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with PReg"),
        (b"PReg\x02\0\0\0", "version 2"),
        (b"PReg\x01\0", "truncated"),
        (HEADER + b"x\0", "'\\['"),
        (HEADER + b"[\0A\0", "truncated"),
        (HEADER + b"[\0\0\xd8\0\0", "not UTF-16"),
        (HEADER + b"[\0" + b"A\0" * 5000, "more than 4096"),
        (build([RegistryRecord.of("A", "b", 7)])[:-2] + b"}\0", "'\\]' is missing"),
        (build([RegistryRecord.of("A", "b", 7)])[:-1], "truncated"),
        (
            build([RegistryRecord.of("A", "b", 7)]).replace(b"\x04\0\0\0;\0\x07", b"\x05\0\0\0;\0\x07"),
            "missing|truncated",
        ),
        (
            build([RegistryRecord.of("A", "b", 7)]).replace(
                b";\0\x04\0\0\0;\0\x07", b";\0\x04\0\x01\0;\0\x07"
            ),
            "at most 65535",
        ),
    ],
)
def test_broken_files_are_told_apart(data: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        parse(data)


def test_too_much_for_one_value() -> None:
    with pytest.raises(ValueError, match="at most 65535"):
        build([RegistryRecord("k", "v", Kind.BINARY, bytes(65536))])


@given(
    st.lists(st.builds(RegistryRecord, TEXT, TEXT, st.integers(0, 11), st.binary(max_size=40)), max_size=4)
)
def test_round_trip(records: list[RegistryRecord]) -> None:
    assert parse(build(records)) == records


def test_samba_reads_what_we_write() -> None:
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import samba"], capture_output=True, check=False).returncode:
        pytest.skip("python3-samba is not installed")
    records = [RegistryRecord.of(KEY, "ISATAP_State", "Enabled"), RegistryRecord.of(KEY, "n", 5)]
    result = subprocess.run([python, "-c", SAMBA], input=build(records), capture_output=True, check=True)
    assert result.stdout.decode().splitlines() == [f"{KEY}|ISATAP_State|1|Enabled", f"{KEY}|n|4|5"]
