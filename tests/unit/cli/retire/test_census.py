"""``manageout retire census``: what it prints."""

from __future__ import annotations

from manageout.cli.retire.census import render
from manageout.retire.census.census import Census
from manageout.retire.census.hosts import figures
from manageout.retire.rows import PolicySetting, PublishedName
from tests.unit.retire.test_judge import NOW, host

NAME = PublishedName(name="isatap.corp.example", place="10.0.0.10", values=[], said="NXDOMAIN", blocked=True)
POLICY = PolicySetting(
    policy="Old",
    guid="{1}",
    place="Machine/Registry.pol",
    what="ISATAP_State = Enabled",
    turns="on",
    links=[],
)


def census(*hosts: str) -> Census:
    found = {each: host(each) for each in hosts}
    sums = figures(found.values(), NOW) | {"published names": 1, "policies": 1}
    return Census(found, [NAME], [POLICY], ["zone corp.example: refused; give --zone-file"], sums)


def test_figures_then_hosts_names_policies_and_what_was_not_seen() -> None:
    text = render(census("10.0.1.30"), NOW)
    assert text.startswith("1 host with an ISATAP address: 1 seen in the last day, 1 in 30 days,")
    for words in (
        "this router",
        "60 s",
        "blocked: the zone has it",
        "ISATAP_State = Enabled",
        "Not seen:",
        "refused",
    ):
        assert words in text
    assert text.endswith("Next: manageout retire judge")


def test_the_rest_of_many_hosts_is_counted() -> None:
    text = render(census(*(f"10.0.1.{number}" for number in range(1, 40))), NOW, 30)
    assert "(9 more: --all)" in text
