"""The conformance page names tests that exist, and every test that is named after a clause stands on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "reference" / "conformance.md").read_text()
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
# Second looks at a clause; the page names the first.
MORE = {
    "test_rfc6147_5_3_1_names_are_below_a_prefix_whichever_ipv4_addresses_it_is_for",
    "test_rfc1812_4_3_2_3_errors_stay_within_576",
    "test_rfc1812_4_3_2_7_about_a_query",
    "test_rfc1812_4_3_2_7_never_about",
    "test_rfc4443_2_4_errors_stay_within_1280",
    "test_rfc4443_2_4_f_rate",
    "test_rfc4884_4_an_extension_of_another_version_is_one",
    "test_rfc4884_5_5_without_an_extension_all_is_quotation",
    "test_rfc4884_8_without_a_checksum_it_can",
    "test_rfc5837_4_1_interface_information",
    "test_rfc6052_3_1_private_under_the_well_known_prefix",
    "test_rfc6147_5_5_a_bogus_a_answer_stays_an_error",
    "test_rfc6147_5_5_one_answer_that_was_not_validated_makes_both_so",
    "test_rfc6147_5_5_signatures_of_a_records_are_not_those_of_synthetic_ones",
    "test_rfc6147_5_5_who_does_not_want_validation_is_not_checked_for",
    "test_rfc6147_5_5_with_cd_and_do_excluded_names_are_as_they_came",
    "test_rfc6147_5_5_with_cd_and_do_the_well_known_name_has_no_addresses",
    "test_rfc6936_udp_over_ipv6_without_a_checksum_stays_without",
    "test_rfc7757_figure_7_without_a_mapping",
    "test_rfc7915_4_3_no_error_about_an_error",
    "test_rfc8767_5_the_servers_are_asked_again_after_thirty_seconds",
}


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    assert len(named) > 60
    assert not {name for name in named if f"def {name}(" not in TESTS}


def test_every_clause_that_is_tested_is_named() -> None:
    files = [
        path
        for folder in ("translate", "dns")
        for path in (ROOT / "tests").rglob(f"protocol/{folder}/test_*.py")
    ]
    files += (ROOT / "tests").glob("transcript/dns/test_*.py")
    source = "\n".join(path.read_text() for path in files)
    tested = set(re.findall(r"def (test_rfc\d+_[a-z0-9_]+)\(", source))
    tested |= set(re.findall(r"def (test_rfc5214_[a-z0-9_]+)\(", TESTS))
    assert not {name for name in tested if f"`{name}`" not in PAGE} - MORE


def rows() -> Iterator[list[str]]:
    """Of the tables that judge clauses."""
    judging = False
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            judging = False
        elif line.startswith("| clause |"):
            judging = True
        elif judging and not line.startswith("|---"):
            yield line.split(" | ")


def test_every_row_has_a_verdict() -> None:
    judged = list(rows())
    assert len(judged) > 60
    for row in judged:
        assert re.match(r"yes|choice|no\b", row[2]), row
        assert row[2].startswith("no") or "`test_" in row[3], row
