"""Whatever zones, policies and reports hold, readers of them end with our own error or with rows."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from manageout.directory.dns.zone_records import listed
from manageout.errors import ManageoutError
from manageout.retire.census.hosts import ZoneAddresses, combined
from manageout.windows.gpo_read import of_files, of_report

WORDS = st.sampled_from(
    ["isatap", "AAAA", "fd00::5efe:a00:1", "10.0.0.1", "<GPO>", "</GPO>", "<Policy>", "\0", ",", "\n"]
)
TEXT = st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=30).map(" ".join)


@given(TEXT, TEXT)
def test_lists(text: str, zone: str) -> None:
    addresses = ZoneAddresses()
    for record in addresses.add(listed(text, zone)):
        assert record.kind in ("A", "AAAA")
    for host in combined({}, addresses, []).values():
        assert host["records"]


@given(
    st.one_of(
        st.binary(max_size=300), TEXT.map(str.encode), st.binary(max_size=100).map(b"PReg\1\0\0\0".__add__)
    )
)
def test_policies_and_reports(data: bytes) -> None:
    for name in ("Machine/Registry.pol", "a.xml", "b.cmd", "c"):
        assert len(of_files("x", "{1}", {name: data})) <= 300
    with contextlib.suppress(ManageoutError):
        of_report(data)
