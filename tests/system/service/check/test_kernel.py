"""``manageout check`` asks the kernel: what is tried, and that nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest

from manageout.linux.host import netns
from manageout.service.check import kernel as check_kernel
from manageout.service.policy import filter_text
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.system.service.check.test_check import check
from tests.tools.places.daemon import NAME, PREFIX, ROUTE, ROUTER, Place
from tests.tools.this_kernel import linux

SITE = f'[site]\nprefix = "{PREFIX}::/48"\n{ROUTER}{ROUTE}'


@pytest.fixture(autouse=True)
def all_well(place: Place) -> None:
    place.write(ROUTER, ROUTE)
    place.run(["ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.254"])


def test_how_programs_are_attached_is_found_out(place: Place) -> None:
    site = parse(SITE + place.gateway + '[translation]\npool = "10.0.8.0/24"\n')
    with netns.inside(NAME):
        told = list(check_kernel.fast_path(site, plan(site)))
    clsact = "note", "this kernel has no tcx: the fast path uses clsact", "Linux 6.6 or later"
    assert told == ([] if linux() >= (6, 6) else [clsact])


def test_a_rule_that_the_kernel_refuses_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    site = parse(SITE)
    with netns.inside(NAME):
        assert list(check_kernel.packet_filter(site, plan(site))) == []
        real = filter_text.objects

        def with_another(file: str, *rest: Any) -> list[str]:
            another = "  chain x {\n    type filter hook output priority filter; masquerade\n  }"
            return [*real(file, *rest), *([another] if file == "filter.nft" else [])]

        monkeypatch.setattr(filter_text, "objects", with_another)
        ((severity, message, remedy),) = check_kernel.packet_filter(site, plan(site))
    assert severity == "error" and "masquerade" in message and "Linux 6.1 or later" in remedy


def test_without_the_privilege_of_arithmetic_with_pointers_ebpf_is_not_tried(place: Place) -> None:
    """The daemon keeps no CAP_SYS_ADMIN, which would stand for CAP_PERFMON too."""
    found = check(place, "setpriv", "--bounding-set=-perfmon", "--inh-caps=-perfmon")
    assert set(found) == {"privileges", "fast path"} and "CAP_PERFMON" in found["privileges"][0]["message"]


def test_what_is_tried_leaves_nothing_behind(place: Place) -> None:
    before = place.run(["nft", "list", "ruleset"]).stdout, place.run(["tc", "qdisc"]).stdout
    check(place)
    assert (place.run(["nft", "list", "ruleset"]).stdout, place.run(["tc", "qdisc"]).stdout) == before
