"""How hosts fare that retire."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from manageout.retire.watch import SETTLE, HostState, Observation, Watched, baseline, figures, observe
from manageout.service.state.retire import Member
from manageout.service.state.usage import DAY, Usage

START = 20_000 * DAY + 3600.0
NOW = START + 3 * DAY
HOST = "10.0.1.30"
MEMBERS = [Member(IPv4Network("10.0.1.0/24"), "helpdesk", START)]


def row(ipv4: str = HOST, **changes: Any) -> Any:
    made = {"ipv4": ipv4, "name": "", "last_rs": START + 10, "last_packet": START - 9, "rx_packets": 100}
    return made | changes


def used(since: float, way: str = "NAT46", *, manager: str = HOST, port: int = 22, **changes: Any) -> Usage:
    moment = START + since
    made = Usage(int(moment // DAY), manager, way, "laptop", "tcp", port, moment, moment, 1, 0, 500)
    return made._replace(**changes)


def seen(*usage: Usage, **changes: Any) -> Observation:
    kept: Any = {"ipv4": HOST, "day": int(START // DAY), "packets": 100, "calls": []}
    return Observation(MEMBERS, [], [kept], [row()], list(usage))._replace(**changes)


def one(look: Observation, now: float = NOW) -> Watched:
    (found,) = observe(look, now)
    return found


def test_it_is_being_told_then_has_let_go() -> None:
    assert one(seen(), START + 1).state is HostState.TOLD
    found = one(seen(), START + SETTLE + 1)
    assert (found.state, found.packets, found.wave) == (HostState.LET_GO, 0, "helpdesk")


def test_what_it_sent_while_it_was_told_counts_for_nothing() -> None:
    hosts = [row(rx_packets=104, last_packet=START + SETTLE - 1)]
    assert one(seen(used(5, "ISATAP"), hosts=hosts)).state is HostState.LET_GO


@pytest.mark.parametrize("now", [START + SETTLE + 5, NOW])
def test_packets_after_that_are_a_straggler(now: float) -> None:
    found = one(seen(hosts=[row(rx_packets=104, last_packet=START + SETTLE + 1)]), now)
    assert (found.state, found.packets) == (HostState.SENDS, 4)


def test_a_sign_of_life_without_packets_is_none() -> None:
    assert one(seen(hosts=[row(last_packet=NOW - 5)])).state is HostState.LET_GO


def test_a_connection_by_isatap_is_one_even_if_the_router_cannot_be_asked() -> None:
    found = one(seen(used(DAY, "ISATAP"), hosts=[]))
    assert found.state is HostState.SENDS
    assert str(found.still[0]) == "tcp/22 to laptop by ISATAP"


def test_one_that_is_switched_off_was_not_heard() -> None:
    assert one(seen(hosts=[row(last_rs=START - 500)])).state is HostState.SILENT


def test_served_by_lease_is_life() -> None:
    found = one(seen(used(DAY, calls=3, unanswered=1), hosts=[row(last_rs=START - 500)]))
    assert (found.state, found.served[0].calls, found.fails) == (HostState.LET_GO, 3, ())


def test_the_future_is_no_sign_of_life_and_serves_nobody() -> None:
    """The clock was ahead for a while."""
    later = START + 1000 * DAY
    found = one(seen(used(1000 * DAY, calls=3), hosts=[row(last_rs=later)]))
    assert (found.state, found.served) == (HostState.SILENT, ())
    assert one(seen(used(1000 * DAY, calls=3, unanswered=3))).fails  # but speaks against
    assert one(seen(used(1000 * DAY, "ISATAP"), hosts=[])).state is HostState.SENDS


def test_unanswered_now_and_answered_before_fails() -> None:
    found = one(seen(used(-DAY, "ISATAP", calls=9), used(DAY, calls=4, unanswered=2)))
    assert [(flow.calls, flow.unanswered) for flow in found.fails] == [(4, 2)]
    assert figures([found])["failing"] == 1


def test_what_was_never_tried_before_fails_too() -> None:
    assert one(seen(used(DAY, calls=2, unanswered=2))).fails


def test_unanswered_before_as_well_is_no_fault_of_ours() -> None:
    found = one(seen(used(-DAY, "ISATAP", calls=4, unanswered=4), used(DAY, calls=4, unanswered=4)))
    assert (found.fails, found.served) == ((), ())


def test_one_of_many_unanswered_is_no_fault() -> None:
    assert not one(seen(used(DAY, calls=9, unanswered=1))).fails


def test_calls_of_the_same_day_are_told_apart() -> None:
    today = used(600, calls=5, unanswered=1)
    kept: Any = {
        "ipv4": HOST,
        "day": today.day,
        "packets": 100,
        "calls": [["NAT46", "laptop", "tcp", 22, 4, 1]],
    }
    found = one(seen(today, baseline=[kept]))
    assert [(flow.calls, flow.unanswered) for flow in found.served] == [(1, 0)]
    assert one(seen(today._replace(calls=4), baseline=[kept])).served == ()


def test_the_baseline_is_what_there_is_of_the_new_ones() -> None:
    other = used(-60, manager="10.9.0.1")
    before = used(-60, "ISATAP", calls=7, unanswered=2)
    rows = baseline(MEMBERS, seen(before, used(-DAY), other), START)
    assert rows == {
        HOST: {
            "ipv4": HOST,
            "day": int(START // DAY),
            "packets": 100,
            "calls": [("ISATAP", "laptop", "tcp", 22, 7, 2)],
        }
    }


def test_what_it_used_before_and_has_not_tried() -> None:
    opens = [{"client": "laptop", "protocol": "tcp", "port": port} for port in (22, 80, 3389)]
    verdict = {"ipv4": HOST, "name": "helpdesk", "opens": opens, "native": ["fd12:9::30"]}
    found = one(seen(used(DAY), used(DAY, "IPv6", manager="fd12:9::30", port=80), verdicts=[verdict]))
    assert (found.untried, found.name) == (1, "helpdesk")
    assert {flow.way for flow in found.served} == {"NAT46", "IPv6"}


def test_refused_packets_are_told() -> None:
    drops = [
        {"reason": "host-not-allowed", "source": HOST, "count": 3, "last": NOW},
        {"reason": "loop", "source": HOST, "count": 3, "last": START},
        {"reason": "loop", "source": "10.0.1.9", "count": 3, "last": NOW},
        {"reason": "loop", "source": HOST, "count": 3, "last": None},
    ]
    assert one(seen(drops=drops)).refused == ("host-not-allowed (3)",)


def test_only_members_are_watched_in_the_order_of_addresses() -> None:
    hosts = [row("10.0.1.100"), row("10.0.1.9"), row("10.0.2.1")]
    found = observe(seen(used(DAY, manager="fd12:9::99"), hosts=hosts), NOW)
    assert [each.ipv4 for each in found] == ["10.0.1.9", "10.0.1.100"]
    assert (figures(found)["hosts"], figures(found)["let_go"]) == (2, 2)
