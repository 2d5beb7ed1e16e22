"""Addresses from zone files and lists; transfers are in tests/system/retire/census/test_census.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manageout.directory.dns import zone_records
from manageout.directory.dns.zone_records import ZoneRecord, bounded, from_file, listed
from manageout.errors import ManageoutError
from manageout.words import toml_of

ISATAP = "fd12:3456:789a:1:0:5efe:a00:11e"
ZONE = f"""$ORIGIN corp.example.
$TTL 3600
@ IN SOA ns admin 1 3600 600 86400 5
@ NS ns
ns A 10.0.0.10
Helpdesk [AGE:3690488] 1200 A 10.0.1.30
         [AGE:3690488] 1200 AAAA {ISATAP}
isatap CNAME manageout-isatap.corp.example.
_msdcs TXT "not an address"
"""


def test_a_zone_file_also_of_windows(tmp_path: Path) -> None:
    (tmp_path / "corp.dns").write_text(ZONE)
    assert list(from_file(tmp_path / "corp.dns", "corp.example")) == [
        ZoneRecord("ns.corp.example", "A", "10.0.0.10"),
        ZoneRecord("helpdesk.corp.example", "A", "10.0.1.30"),
        ZoneRecord("helpdesk.corp.example", "AAAA", ISATAP),
        ZoneRecord("isatap.corp.example", "CNAME", "manageout-isatap.corp.example"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"helpdesk.corp.example {ISATAP}",
        f"helpdesk {ISATAP}",
        f"HELPDESK.corp.example. 3600 IN AAAA {ISATAP}",
        f'"Helpdesk","AAAA","01:00:00","{ISATAP.upper()}"',
        f"helpdesk;{ISATAP}",
    ],
)
def test_lists_in_many_forms(line: str) -> None:
    assert list(listed(line, "corp.example")) == [ZoneRecord("helpdesk.corp.example", "AAAA", ISATAP)]


def test_bare_addresses_and_rubbish() -> None:
    text = f"{ISATAP}\n\nnothing here\n10.0.0.1 # a comment\n\x00\x01\n"
    assert [record[1:] for record in listed(text, "corp.example")] == [("AAAA", ISATAP), ("A", "10.0.0.1")]


def test_a_list_in_utf_16(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(f"helpdesk {ISATAP}\r\n".encode("utf-16"))
    assert [record.value for record in from_file(tmp_path / "list", "")] == [ISATAP]


@pytest.mark.parametrize(
    "text",
    [
        "@ IN SOA\n",
        "@ 60 SOA a b 1 2 3 4\n",
        f"@ 60 SOA a b 1 2 3 4 5\n$INCLUDE /etc/passwd\nx AAAA {ISATAP}\n",
    ],
)
def test_a_broken_zone_file_is_a_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "zone").write_text(text)
    with pytest.raises(ManageoutError, match="not a zone file"):
        list(from_file(tmp_path / "zone", "corp.example"))


def test_what_is_too_large_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ManageoutError, match="No such file"):
        list(from_file(tmp_path / "none", ""))
    monkeypatch.setattr(zone_records, "MAX_BYTES", 10)
    (tmp_path / "large").write_text("x" * 11)
    with pytest.raises(ManageoutError, match="more than"):
        list(from_file(tmp_path / "large", ""))
    monkeypatch.setattr(zone_records, "MAX_RECORDS", 2)
    record = ZoneRecord("x", "AAAA", ISATAP)
    assert list(bounded([record] * 2)) == [record] * 2
    with pytest.raises(ManageoutError, match="more than 2 records"):
        list(bounded([record] * 3))


def test_each_text_of_this_folder_is_said_and_each_that_is_said_is_there() -> None:
    folder = Path(zone_records.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    said = set(re.findall(r'(?:texts\(__package__, |_error\(|", code, )"([\w-]+)"', code))
    refusals = {"TSIG BADKEY", "TSIG BADSIG", "TSIG BADTIME", "REFUSED", "NOTAUTH", "NOTZONE"}
    assert said | refusals == set(toml_of("manageout.directory.dns", "texts.toml"))
