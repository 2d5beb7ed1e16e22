"""Every complaint has a cause that the doctor knows, or words on why it cannot know; the page follows the table."""

from __future__ import annotations

import re

import pytest

from complaints import PAGE, complaints, page
from manageout.cli.commands import COMMANDS
from manageout.doctor.complaints import about
from manageout.doctor.rules.catalogue import RULES

ALL = [complaint for rows in complaints().values() for complaint in rows]
THREADS = set(range(1, 25)) - {9}
"""Of the article, those of which a fault or a question is known."""


def test_the_page_is_as_the_table_is() -> None:
    assert PAGE.read_text() == page(), "python scripts/complaints.py"


@pytest.mark.parametrize("complaint", ALL, ids=lambda one: one.words[:40])
def test_each_has_a_cause_or_a_reason(complaint) -> None:  # type: ignore[no-untyped-def]
    codes = complaint.codes
    assert codes or complaint.instead
    assert set(codes) <= set(RULES)
    assert complaint.instead == "" or complaint.instead.endswith(".")
    for name in re.findall(r"manageout ([a-z]+)", complaint.instead):
        assert name in COMMANDS


def test_every_thread_of_the_article_is_there() -> None:
    assert {thread for one in ALL for thread in one.threads} == THREADS


def test_every_cause_on_windows_is_somebodys_complaint() -> None:
    named = {code for one in ALL for code in one.codes}
    ours = {code for code in RULES if not code.startswith(("LIVE-", "REACH-"))}
    assert ours - named == {"EVIDENCE", "EVIDENCE-TWICE"}


def test_complaints_of_a_cause() -> None:
    assert about("IPHTTPS-CERTIFICATE") == [
        "IP-HTTPS error 0x103",
        "IP-HTTPS error 0x90320: the gateway asks for a certificate",
    ]
    assert about("EVIDENCE") == []
