"""The words of nftables."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.service.policy import filter_text
from manageout.service.policy.filter_text import as_isatap, elements, embedded, nets, objects, pairs
from manageout.wire.address import rfc6052_extract


@pytest.mark.parametrize("length", [32, 40, 48, 56, 64, 96])
@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.0.2.0/24", "192.0.2.33/32"]
)
def test_an_embedded_network_holds_exactly_its_addresses(length: int, network: str) -> None:
    prefix, inside = IPv6Network(("2001:db8::", length)), IPv4Network(network)
    result = embedded(prefix, inside)
    assert rfc6052_extract(prefix, result[0]) == inside[0]
    last = rfc6052_extract(prefix, result[-1])
    assert last == inside[-1]
    if inside.prefixlen:  # the next network is another one
        beyond = IPv6Network((int(result.broadcast_address) + 1, result.prefixlen))
        assert rfc6052_extract(prefix, beyond[0]) not in inside or beyond[0] not in prefix


def test_isatap_forms() -> None:
    prefix = IPv6Network("fd12:3456:789a:1::/64")
    assert as_isatap(prefix, IPv4Network("198.51.100.7/32")) == [
        IPv6Network("fd12:3456:789a:1:0:5efe:c633:6407/128"),
        IPv6Network("fd12:3456:789a:1:200:5efe:c633:6407/128"),
    ]


def test_sets_have_no_overlapping_members() -> None:
    inside, around = IPv6Network("fd12:3456:789a:2::/64"), IPv6Network("fd12:3456:789a::/48")
    assert nets([inside, around, inside]) == "{ fd12:3456:789a::/48 }"
    assert elements([inside, 1]) == "elements = { fd12:3456:789a:2::/64, 1 }"
    assert elements([]) == pairs({}) == ""


FACTS = {"gateway": True, "torn": False}


def test_lines_are_there_when_their_facts_hold_and_a_fact_nobody_knows_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[tuple[bool, list[str], str]] = [
        (False, [], "chain $name"),
        (True, ["gateway", "!torn"], "$a accept"),
        (True, ["torn"], "$never accept"),
        (True, [], "$more"),
        (False, ["!gateway"], "chain two"),
        (True, [], "$never drop"),
    ]
    monkeypatch.setitem(filter_text._TEMPLATES, "x.nft", lines)
    found = objects("x.nft", FACTS, {"name": "one", "a": "tcp", "more": "drop\nreturn"})
    assert found == ["  chain one {\n    tcp accept\n    drop\n    return\n  }"]
    with pytest.raises(KeyError):
        objects("x.nft", {"gateway": True}, {"name": "one", "a": "tcp", "more": ""})


def test_a_template_has_facts_rules_and_reasons() -> None:
    rules = filter_text._TEMPLATES["filter.nft"]
    assert (False, [], "chain forward") in rules and (False, ["gateway"], "chain whence") in rules
    assert (True, [], "goto refused_foreign") in rules
    assert not any(rule.startswith(("#", "[")) for _, _, rule in rules)


def test_a_template_that_a_reload_is_the_first_to_want_has_been_read() -> None:
    code = """
from manageout.service.policy import filter_text
filter_text.files = None  # an upgrade has replaced them
values = {"chain": "manager_0", "given": "", "services": "accept"}
print(*filter_text.objects("manager.nft", {"names": False, "some": False}, values), sep="\\n")
"""
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert "chain manager_0" in done.stdout, done.stderr
