"""What turning forwarding on must not open: rules by what was forwarded before us."""

from __future__ import annotations

import pytest

from manageout.service.policy.guard import Router, stands
from manageout.service.policy.surroundings import Surroundings
from tests.tools.site_file import GATEWAY
from tests.unit.service.daemon.test_desired import ROUTER, TRANSLATION, wanted

OTHERS = 'iifname != "mo-*" oifname != "mo-*"'
FOUR, SIX = f"meta nfproto ipv4 {OTHERS}", f"meta nfproto ipv6 {OTHERS}"
NONE = Router(False, False)


@pytest.mark.parametrize("tables", [(ROUTER,), (GATEWAY,), (GATEWAY, TRANSLATION)])
def test_what_was_no_ipv6_router_becomes_none(tables: tuple[str, ...]) -> None:
    result = wanted(*tables, around=Surroundings(before=NONE))
    assert f"{SIX} counter name guarded drop" in result.filter
    assert f"{SIX} counter drop" in result.guard
    forwarded = wanted(*tables, around=Surroundings(before=Router(False, True)))
    assert SIX not in forwarded.filter + forwarded.guard


def test_ipv4_is_guarded_where_we_turn_it_on() -> None:
    result = wanted(GATEWAY, TRANSLATION, around=Surroundings(before=NONE))
    assert f"{FOUR} counter name guarded drop" in result.filter
    assert f"{FOUR} counter drop" in result.guard
    for tables, before in ((GATEWAY, NONE), (GATEWAY + TRANSLATION, Router(True, False))):
        other = wanted(tables, around=Surroundings(before=before))
        assert FOUR not in other.filter + other.guard


def test_a_router_by_single_devices_stays_one() -> None:
    result = wanted(GATEWAY, TRANSLATION, around=Surroundings(before=Router(False, False, ("eth1", "eth2"))))
    assert f'{FOUR} iifname != {{ "eth1", "eth2" }} counter drop' in result.guard
    assert f"{SIX} counter drop" in result.guard


def test_a_router_needs_no_guard() -> None:
    assert wanted(GATEWAY).guard == ""
    assert wanted(GATEWAY, TRANSLATION, "[daemon]\norphan = 0\n").guard == ""


@pytest.mark.parametrize("tables", [(ROUTER,), (GATEWAY, TRANSLATION)])
def test_what_outlives_lets_nothing_begin(tables: tuple[str, ...]) -> None:
    result = wanted(*tables)
    assert stands(result.guard) and "chain vouched" in result.filter
    assert ("type nat" in result.guard) is (TRANSLATION in tables)
    for off in ("orphan = 0", "fast_path = false"):
        other = wanted(*tables, f"[daemon]\n{off}\n")
        assert other.guard == "" and "vouched" not in other.filter


def test_an_emptied_table_does_not_stand() -> None:
    text = wanted(ROUTER).guard
    assert not stands("") and not stands(text.replace("drop", "accept"))
    assert not stands("table inet manageout_guard {\n\tchain begun {\n\t}\n\tchain guard {\n\t\tdrop\n\t}\n}")


def test_what_a_bridge_passes_comes_first() -> None:
    """Before anything is dropped: it is not forwarded at all."""
    result = wanted(GATEWAY, TRANSLATION, around=Surroundings(before=NONE))
    for text in (result.filter, result.guard):
        assert "set bridges" in text and text.index("@bridges accept") < text.index(SIX)
    assert "bridges" not in wanted(GATEWAY, TRANSLATION).filter  # a router: nothing is guarded
