"""Lines of a site file: tables, arrays of tables, quoted keys, what stands within a value, and what is no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.site.lines import line_of, lines

TEXT = """# a site
[site]
prefix = "fd12:3456:789a::/48"   # = not a key

[ gateway ]
allow = [
  "*.corp.example",
]
[gateway.fixed]
"lap1.corp.example" = "fd12::10"
[[policy.managers]]
from = ["10.0.1.0/24"]
[[policy.managers]]  # the second
to = ["a"]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("site", 2),
        ("site.prefix", 3),
        ("gateway.allow", 6),
        ("gateway.allow.0", 6),
        ("gateway.fixed.lap1.corp.example", 10),
        ("policy.managers.0.from", 12),
        ("policy.managers.0.to", 11),
        ("policy.managers.1.to.0", 14),
        ("translation", 0),
        ("(file)", 0),
        ("", 0),
    ],
)
def test_a_path_has_its_line(tmp_path: Path, path: str, line: int) -> None:
    file = tmp_path / "site.toml"
    file.write_text(TEXT)
    assert line_of(file, path) == line


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    assert line_of(tmp_path / "none", "site") == 0
    (tmp_path / "x").write_bytes(b"\xff\xfe[site]")
    assert line_of(tmp_path / "x", "site") == 0
    assert lines("]]\n[[\n= 5\n[a=b]\n") == {}
