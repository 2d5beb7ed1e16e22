"""Who is meant by words."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from manageout.errors import ManageoutError
from manageout.retire.members import Index, chosen, everybody, groups_left, joined
from manageout.service.state.retire import Member
from manageout.site.tables.site import Site, parse

SITE = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1"]
hosts = ["10.0.1.0/24", "10.0.2.7/32"]
[[policy.managers]]
name = "helpdesk"
from = ["10.0.1.30", "10.0.1.31", "seen.corp.example"]
services = ["any"]
[[policy.managers]]
name = "everything"
from = ["10.0.0.0/16", "fd12::/64"]
services = ["any"]
[[policy.managers]]
name = "elsewhere"
from = ["10.9.0.0/16"]
services = ["any"]
"""
NAMES = {"seen.corp.example": "10.0.1.44", "seen": "10.0.1.44"}


@pytest.fixture(scope="module")
def site() -> Site:
    return parse(SITE)


def networks(*texts: str) -> list[IPv4Network]:
    return [IPv4Network(text) for text in texts]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("helpdesk", networks("10.0.1.30/32", "10.0.1.31/32", "10.0.1.44/32")),
        ("everything", networks("10.0.1.0/24", "10.0.2.7/32")),
        ("10.0.1.64/26", networks("10.0.1.64/26")),
        ("10.0.2.7", networks("10.0.2.7/32")),
        ("SEEN", networks("10.0.1.44/32")),
        ("seen.corp.example.", networks("10.0.1.44/32")),
        ("0.0.0.0/0", networks("10.0.1.0/24", "10.0.2.7/32")),
    ],
)
def test_a_word_means(site: Site, word: str, meant: list[IPv4Network]) -> None:
    assert chosen(site, [word], NAMES) == {word: meant}


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("elsewhere", "not in isatap.hosts"),
        ("10.3.0.0/16", "not in isatap.hosts"),
        ("127.0.0.1", "not in isatap.hosts"),
        ("10.0.1.30/24", "has host bits set"),
        ("10.0.1.300", "10.0.1.300"),
        ("no such host!", "no host that was seen"),
        ("x" * 300, "no host that was seen"),
    ],
)
def test_a_word_that_means_nobody_is_refused(site: Site, word: str, says: str) -> None:
    with pytest.raises(ManageoutError, match=says) as refusal:
        chosen(site, [word], NAMES)
    assert refusal.value.hint


def test_everybody_is_whom_the_router_allows(site: Site) -> None:
    assert everybody(site) == networks("10.0.1.0/24", "10.0.2.7/32")


def test_who_retires_already_keeps_wave_and_time() -> None:
    before = [Member(IPv4Network("10.0.1.30"), "helpdesk", 5.0)]
    wanted = {"everybody": networks("10.0.1.30/32", "10.0.1.0/24")}
    after = joined(before, wanted, 9.0)
    assert after == [*before, Member(IPv4Network("10.0.1.0/24"), "everybody", 9.0)]
    index = Index(after)
    assert index.get("10.0.1.30") == before[0]
    assert index.get("10.0.1.31") == after[1]
    assert index.get("10.0.3.1") is None and index.get("fd12::1") is None


def test_the_earliest_counts_whatever_its_size() -> None:
    wide, narrow = Member(IPv4Network("10.0.0.0/8"), "w", 1.0), Member(IPv4Network("10.0.1.30"), "n", 2.0)
    assert Index([narrow, wide]).get("10.0.1.30") == wide
    assert Index([narrow, wide._replace(since=3.0)]).get("10.0.1.30") == narrow
    assert Index([Member(IPv4Network("0.0.0.0/0"), "all", 1.0)]).get("192.0.2.1") is not None


def test_groups_that_are_left(site: Site) -> None:
    assert groups_left(site, []) == ["helpdesk", "everything"]
    members = [Member(network, "w", 1.0) for network in networks("10.0.1.30/31", "10.0.2.7/32")]
    assert groups_left(site, members) == ["everything"]
    assert groups_left(site, [Member(IPv4Network("10.0.0.0/8"), "w", 1.0)]) == []
