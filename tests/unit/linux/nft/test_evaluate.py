"""The walk through an nftables ruleset; ``system/service/probe/test_path.py`` holds it against the kernel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manageout.linux.nft.evaluate import MAX_DEPTH, Packet, Ruleset
from manageout.wire.numbers import PROTOCOL_41, TCP

PACKET = Packet("10.0.1.30", "10.0.0.1", PROTOCOL_41, iif="eth0")
SIX = Packet("fd00::1", "fd00::2", TCP, 3389, iif="mo-isatap0", oif="mo-iphttps0")


def base(
    name: str = "i", hook: str = "input", policy: str = "accept", prio: int = 0, family: str = "inet"
) -> Any:
    chain = {"family": family, "table": "t", "name": name, "type": "filter", "hook": hook, "prio": prio}
    return {"chain": chain | {"policy": policy}}


def rule(*expr: Any, chain: str = "i", handle: int = 7, family: str = "inet") -> Any:
    return {"rule": {"family": family, "table": "t", "chain": chain, "handle": handle, "expr": list(expr)}}


def match(left: Any, right: Any, op: str = "==") -> Any:
    return {"match": {"op": op, "left": left, "right": right}}


PROTOCOL = match({"meta": {"key": "l4proto"}}, 41)
MARK = match({"meta": {"key": "mark"}}, 5)
DROP, ACCEPT, COUNTER = {"drop": None}, {"accept": None}, {"counter": {"packets": 1, "bytes": 2}}


def test_an_empty_ruleset_lets_everything_pass() -> None:
    assert Ruleset([]).judge("input", PACKET) == ("accept", "")


def test_a_rule_and_its_words() -> None:
    objects = [base(), rule(PROTOCOL, COUNTER, DROP)]
    found = Ruleset(objects, {("inet", "t", "i", 7): "meta l4proto 41 counter drop"}).judge("input", PACKET)
    assert found == ("drop", "nft table inet t, chain i: meta l4proto 41 counter drop")
    assert Ruleset(objects).judge("input", PACKET).rule.endswith("rule 7 (drop)")
    assert Ruleset(objects).judge("forward", PACKET).result == "accept"


def test_a_policy_is_named() -> None:
    found = Ruleset([base(policy="drop")]).judge("input", PACKET)
    assert found == ("drop", "nft table inet t, chain i: policy drop")


def test_accept_ends_only_its_own_chain() -> None:
    objects = [base("a", prio=0), base("b", prio=10, policy="drop"), rule(ACCEPT, chain="a")]
    assert Ruleset(objects).judge("input", PACKET).result == "drop"


def test_families_and_hooks_that_do_not_apply() -> None:
    objects = [base(family="ip6", policy="drop"), base("f", "forward", "drop", family="ip")]
    assert Ruleset(objects).judge("input", PACKET).result == "accept"
    assert Ruleset(objects).judge("forward", SIX).result == "accept"


@pytest.mark.parametrize("statement", [MARK, {"limit": {"rate": 5}}, {"xt": None}])
def test_what_cannot_be_seen_leaves_it_open(statement: Any) -> None:
    assert Ruleset([base(), rule(statement, DROP)]).judge("input", PACKET).result == "maybe"
    assert Ruleset([base(policy="drop"), rule(statement, ACCEPT)]).judge("input", PACKET).result == "maybe"
    assert Ruleset([base(), rule(statement, ACCEPT)]).judge("input", PACKET).result == "accept"
    # A match that fails decides, whatever stands beside it.
    other = match({"meta": {"key": "l4proto"}}, 6)
    assert Ruleset([base(), rule(statement, other, DROP)]).judge("input", PACKET).result == "accept"


def test_a_refusal_after_a_doubt_is_still_a_doubt() -> None:
    objects = [base(policy="drop"), rule(MARK, {"jump": {"target": "side"}}), rule(ACCEPT, chain="side")]
    assert Ruleset(objects).judge("input", PACKET).result == "maybe"


def test_a_refusal_of_another_chain_is_certain_whatever_the_first_one_does() -> None:
    objects = [base("a", prio=0), base("b", prio=10, policy="drop"), rule(MARK, DROP, chain="a")]
    assert Ruleset(objects).judge("input", PACKET) == ("drop", "nft table inet t, chain b: policy drop")


def test_a_limit_of_connections_is_not_reached_and_a_first_packet_has_no_status() -> None:
    key = {"meta": {"key": "priority"}}
    count = {"ct count": {"val": 10, "inv": True}}
    over = {"set": {"op": "add", "elem": key, "set": "@s", "stmt": [count]}}
    confirmed = match({"&": [{"ct": {"key": "status"}}, 8]}, 8)
    objects = [base(), rule(over, DROP)]
    assert Ruleset(objects).judge("input", PACKET).result == "accept"
    assert Ruleset([base(), rule(confirmed, DROP)]).judge("input", PACKET).result == "accept"
    later = PACKET._replace(state="established")
    assert Ruleset([base(), rule(confirmed, DROP)]).judge("input", later).result == "maybe"


FLAGS = {"payload": {"protocol": "tcp", "field": "flags"}}
SEGMENT = Packet("10.0.1.30", "10.0.0.1", TCP, 443, iif="eth0")


@pytest.mark.parametrize(
    ("mask", "right", "result"),
    [
        ([1, 2, 4, 16], 2, "drop"),  # as nft 1.0.6 writes it
        ({"|": [1, 2, 4, 16]}, 2, "drop"),  # as 1.1.3 does
        ({"|": [{"|": [{"|": [1, 2]}, 4]}, 16]}, 2, "drop"),
        ({"|": [1, 4, 16]}, 0, "drop"),
        ({"|": [1, 2, 4, 16]}, 16, "accept"),
        (3, {"set": [2, {"|": [2, 16]}]}, "drop"),
        (3, {"set": [1, {"|": [1, 2, 16]}]}, "accept"),
        ({"|": [1, {"meta": {"key": "mark"}}, 4]}, 2, "maybe"),
        ({"^": [1, 2, 4]}, 2, "maybe"),
        ({"|": []}, 2, "maybe"),
    ],
)
def test_masks_of_any_number_of_bits(mask: Any, right: Any, result: str) -> None:
    flags = match({"&": [FLAGS, mask]}, right)
    assert Ruleset([base(), rule(flags, DROP)]).judge("input", SEGMENT).result == result


def test_jumps_return_and_gotos_do_not() -> None:
    side = [rule({"return": None}, chain="side"), rule(DROP, chain="side")]
    jump = [base(policy="drop"), rule({"jump": {"target": "side"}}), rule(ACCEPT, handle=8), *side]
    goto = [base(policy="drop"), rule({"goto": {"target": "side"}}), rule(ACCEPT, handle=8), *side]
    assert Ruleset(jump).judge("input", PACKET).result == "accept"
    assert Ruleset(goto).judge("input", PACKET).result == "drop"


def test_a_circle_comes_to_an_end() -> None:
    objects = [base(), rule({"jump": {"target": "i"}})]
    assert MAX_DEPTH == 16 and Ruleset(objects).judge("input", PACKET).result == "accept"


def test_names_with_a_star_and_the_state() -> None:
    inward = match({"meta": {"key": "oifname"}}, "mo-*")
    known = match({"ct": {"key": "state"}}, [2, 4], "in")
    objects = [base("f", "forward", "drop"), rule(known, ACCEPT, chain="f"), rule(inward, ACCEPT, chain="f")]
    assert Ruleset(objects).judge("forward", SIX).result == "accept"
    assert Ruleset(objects).judge("forward", SIX._replace(oif="eth0")).result == "drop"
    back = SIX._replace(oif="eth0", state="established")
    assert Ruleset(objects).judge("forward", back).result == "accept"


@pytest.mark.parametrize(
    "junk",
    [
        None,
        5,
        {},
        {"rule": 5},
        {
            "rule": {
                "family": "inet",
                "table": "t",
                "chain": "i",
                "expr": [{"match": {"left": {"payload": {}}}}],
            }
        },
        rule(
            match({"payload": {"protocol": "ip", "field": "saddr"}}, {"prefix": {"addr": "x", "len": 8}}),
            DROP,
        ),
        rule(match({"payload": {"protocol": "ip", "field": "saddr"}}, {"range": [1]}), DROP),
        rule(match({"concat": [{"meta": {"key": "l4proto"}}]}, {"concat": [1, 2]}), DROP),
        rule({"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": "@none"}}),
        rule({"jump": {"target": "none"}}),
    ],
)
def test_what_nobody_expects_does_no_harm(junk: Any) -> None:
    assert Ruleset([base(), junk]).judge("input", PACKET).result in ("accept", "maybe")


_WORDS = (
    "meta",
    "ct",
    "payload",
    "concat",
    "&",
    "|",
    "set",
    "elem",
    "prefix",
    "range",
    "key",
    "val",
    "addr",
    "len",
)
_VALUES = st.recursive(
    st.none()
    | st.integers(-9, 300)
    | st.sampled_from(("tcp", "flags", "dport", "l4proto", "@s", "10.0.0.1", "")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
    max_leaves=12,
)


@example({"concat": ""}, {"meta": None, "elem": None}, "match")
@given(_VALUES, _VALUES, st.sampled_from(("match", "vmap")))
def test_no_form_of_any_nft_ends_the_walk(left: Any, right: Any, kind: str) -> None:
    """The rules are other programs', and the words of a newer nft: the daemon walks through them."""
    vmap = {"vmap": {"key": left, "data": right}}
    objects = [base(), rule(match(left, right) if kind == "match" else vmap, DROP)]
    assert Ruleset(objects).judge("input", SEGMENT).result in ("accept", "maybe", "drop")


@pytest.mark.parametrize(
    ("name", "words", "result"),
    [
        ("conntrack", "ct state related,established counter packets 0 bytes 0 accept", "drop"),
        ("conntrack", "ct state invalid,new counter packets 0 bytes 0 accept", "accept"),
        ("conntrack", "ct state new ct status dnat accept", "maybe"),
        ("conntrack", "ct mark 1 accept", "maybe"),
        ("addrtype", "fib daddr type local counter packets 0 bytes 0 accept", "accept"),
        ("addrtype", "fib daddr type broadcast accept", "drop"),
        ("addrtype", "fib saddr type local fib daddr type local accept", "maybe"),
        ("rt", "rt type 0 counter packets 0 bytes 0 accept", "drop"),
        ("hashlimit", "xt match hashlimit accept", "maybe"),
    ],
)
def test_matches_of_iptables_are_read_from_the_words(name: str, words: str, result: str) -> None:
    """As ufw's rules come out of nft: the JSON has the match's name only."""
    where = {"family": "ip", "table": "filter", "chain": "INPUT"}
    chain = {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0}
    rule = {**where, "handle": 7, "expr": [{"xt": {"type": "match", "name": name}}, {"accept": None}]}
    texts = {("ip", "filter", "INPUT", 7): words}
    ruleset = Ruleset([{"chain": chain | {"policy": "drop"}}, {"rule": rule}], texts)
    assert ruleset.judge("input", Packet("203.0.113.1", "10.0.0.1", 6, 443, iif="e0")).result == result


def test_what_is_not_tracked_has_no_status() -> None:
    """As in firewalld's chains: `ct status dnat accept` is not for a packet without connection."""
    dnat = {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": [32]}}
    ruleset = Ruleset([base(policy="drop"), rule(dnat, {"accept": None})])
    tls = Packet("203.0.113.1", "10.0.0.1", TCP, 443, iif="e0", state="untracked")
    assert ruleset.judge("input", tls).result == "drop"
