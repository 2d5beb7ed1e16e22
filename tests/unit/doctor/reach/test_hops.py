"""Hops and rules of `doctor reach`: each fault alone is named once, and a healthy way is passed in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manageout.doctor.diagnosis import diagnose
from manageout.doctor.reach.hops import hops
from manageout.doctor.reach.reach import ClientAnswer, Isatap, ReachFacts, ReachHop
from manageout.doctor.rules.catalogue import RULES
from manageout.service.probe.results import Echo, RouterAnswer, TcpAnswer
from tests.unit.doctor.reach_cases import (
    ADDRESS,
    CASES,
    EVERYWHERE,
    GATEWAY,
    HEALTHY,
    HOST,
    LAPTOP,
    LEASE,
    MANAGER,
    NAME,
    NO_ANSWER,
    ROUTER,
    answer,
    both,
    codes,
    dns,
    facts,
    gateway,
    manager,
    said,
)


def hop(reach: ReachFacts, way: str, what: str) -> ReachHop:
    (found,) = [each for each in hops(reach) if (each.way, each.what) == (way, what)]
    return found


@pytest.mark.parametrize("code", CASES)
def test_what_fails_has_a_rule_and_only_that(code: str) -> None:
    for each in hops(CASES[code]()):
        assert bool(each.code) is (each.verdict == "fails"), each
        assert not each.code or each.code in RULES
        assert each.what and each.words


def test_everything_is_seen_from_a_gateway_that_is_the_router() -> None:
    assert {each.verdict for each in hops(GATEWAY)} == {"ok"}
    assert [each.what for each in hops(GATEWAY) if each.way == "isatap"] == [
        "router's name", "ISATAP host allowed", "protocol 41", "large packets", "client answers",
    ]  # fmt: skip


def test_a_host_that_retires_has_no_way_by_isatap() -> None:
    retires = GATEWAY._replace(isatap=Isatap(True, 900.0, 0, False, retires=True))
    assert [(each.what, each.verdict) for each in hops(retires) if each.way == "isatap"] == [
        ("way by ISATAP", "unused")
    ]


def test_what_cannot_be_seen_is_told_with_where_it_can() -> None:
    unseen = {(each.what, each.words) for each in hops(EVERYWHERE) if each.verdict == "unseen"}
    assert unseen == {
        ("policy", "run this on the gateway"),
        ("client connected", "run this on the gateway"),
        ("client answers", "run this on the manager"),
        ("ISATAP router", "run this on the ISATAP router"),
    }


def test_records_that_only_the_gateway_can_judge() -> None:
    assert hop(MANAGER, "both", "name, A").words.endswith("whether it is right, only the gateway knows")
    one = manager(dns=dns(answer(NAME, "A")))
    assert hop(one, "both", "name, A").verdict == "unseen"
    none = manager(dns=dns(answer(NAME, "A"), answer(NAME, "AAAA")), answers=(), lease_ping=None)
    assert codes(none) == ["NAME-MISSING"]


def test_servers_that_disagree_about_the_client() -> None:
    other = answer(NAME, "A", server="10.0.0.11")
    assert codes(gateway(dns=(*GATEWAY.dns, other))) == ["NAME-MISSING"]


def test_a_client_that_is_asleep_is_no_firewall() -> None:
    silent = both("silent", ping=False, error=NO_ANSWER)
    for quiet in (2.0, 29.0, 80.0):  # it may have been switched off a moment ago
        reach = gateway(answers=silent, target=LAPTOP._replace(quiet=quiet))
        assert codes(reach) == ["CLIENT-SILENT"]
        assert f"nothing has come from it for {quiet:.0f} s" in hop(reach, "lease", "client answers").words
    pinged = both("silent", error=NO_ANSWER)
    assert codes(gateway(answers=pinged, target=LAPTOP._replace(quiet=80.0))) == ["CLIENT-FIREWALL"]


def test_forwarding_is_looked_at_where_the_gateway_itself_asks() -> None:
    assert hop(gateway(forwarding=()), "both", "forwarding here").verdict == "ok"
    off = gateway(forwarding=("net.ipv6.conf.all.forwarding is 0: no IPv6 packet is forwarded",))
    assert codes(off) == ["FORWARDING"]  # though the client answers the gateway itself


def test_who_refuses_tells_why() -> None:
    for by, code in ((ADDRESS, "CLIENT-FIREWALL"), (ROUTER, "PROHIBITED")):
        assert codes(manager(answers=(said("isatap", "prohibited", by=by, error="x"),))) == [code]
    unreachable = said("lease", "unreachable", by="10.0.1.1", error="No route to host")
    assert codes(manager(answers=(unreachable,))) == ["LEASE-NO-WAY"]
    beyond = said("isatap", "unreachable", by="fd12::1", error="No route to host")
    assert codes(manager(answers=(beyond,))) == ["NO-ROUTE"]
    from_gateway = said("lease", "unreachable", by=ROUTER, error="No route to host")
    assert codes(manager(answers=(from_gateway,))) == ["CLIENT-SILENT"]


def test_pings_that_a_policy_refuses_are_no_missing_way() -> None:
    refused = Echo(LEASE, None, ROUTER, "prohibited (a packet filter refuses)")
    assert codes(manager(lease_ping=refused)) == []
    lost = Echo(LEASE, None, "10.0.1.1", "No route to host")
    assert codes(manager(lease_ping=lost)) == ["LEASE-NO-WAY"]


@pytest.mark.parametrize(("service", "verdict"), [("icmp", "fails"), ("udp/161", "unseen"), ("", "unseen")])
def test_a_ping_counts_only_where_pings_are_wanted(service: str, verdict: str) -> None:
    silent = ClientAnswer("lease", "x", Echo(ADDRESS, None, "", NO_ANSWER))
    found = hop(gateway(service=service, answers=(silent,)), "lease", "client answers")
    assert found.verdict == verdict


def test_a_router_that_answers_managers_only() -> None:
    """A gateway that is no ISATAP host itself learns nothing from silence, but from a refusal."""
    apart = gateway(isatap=None, views=("gateway",), router=RouterAnswer(ROUTER, HOST, error=NO_ANSWER))
    assert codes(apart) == []
    off = RouterAnswer(ROUTER, HOST, error="it does not speak protocol 41")
    assert codes(apart._replace(router=off)) == ["ROUTER-OFF"]


def test_a_filter_between_manager_and_router_that_complains() -> None:
    refusing = RouterAnswer(ROUTER, HOST, error="10.0.1.1 says: prohibited (a packet filter refuses)")
    silent = ClientAnswer("isatap", "x", Echo(ADDRESS), TcpAnswer(ADDRESS, 80, "silent", error=NO_ANSWER))
    assert codes(manager(router=refusing, answers=(said("lease"), silent))) == ["PROTOCOL-41"]


def test_a_tunnel_that_could_not_be_tried() -> None:
    known = GATEWAY.isatap
    assert known is not None
    blind = gateway(isatap=known._replace(answers=None))
    assert hop(blind, "isatap", "protocol 41").verdict == "unseen"
    assert HOST in hop(blind, "isatap", "protocol 41").words


def test_through_a_router_that_is_another_machine() -> None:
    apart = gateway(isatap=None, views=("gateway",))
    good = apart._replace(beyond=Echo(HOST, 0.002))
    assert codes(good) == [] and hop(good, "isatap", "ISATAP router").verdict == "ok"
    for error, expected in (("Network is unreachable", ["ROUTER-OFF"]), ("No route to host", [])):
        assert codes(apart._replace(beyond=Echo(HOST, None, "fd12::2", error))) == expected


def test_a_router_that_has_just_started() -> None:
    known = GATEWAY.isatap
    assert known is not None
    young = gateway(isatap=known._replace(ready=False, answers=False))
    assert codes(young) == [] and hop(young, "isatap", "ISATAP host allowed").verdict == "unseen"


ALL = [*HEALTHY.values(), *(case() for case in CASES.values())]


@given(st.data())
def test_whatever_comes_together_no_failure_stays_without_a_finding(data: st.DataObject) -> None:
    """Parts of two cases, mixed: what fails has a rule, something is said about it, and what is hidden is there."""
    one, other = data.draw(st.sampled_from(ALL)), data.draw(st.sampled_from(ALL))
    mixed = ReachFacts._make(data.draw(st.sampled_from(pair)) for pair in zip(one, other, strict=True))
    failed = {each.code for each in hops(mixed) if each.verdict == "fails"}
    found = diagnose([facts(mixed)])
    told = {code for finding in found for code in (finding.code, *finding.hidden)}
    assert told == failed <= set(RULES)
    assert bool(found) is bool(failed)
