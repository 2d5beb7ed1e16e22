"""Site and plan -> the packet filter."""

from __future__ import annotations

from manageout.config import parse
from manageout.plan import plan
from manageout.service.filter import table

SITE = '[site]\nprefix = "fd12:3456:789a::/48"\n'
GATEWAY = '[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\nmtu = 1400\n'


def wanted(*tables: str) -> str:
    site = parse(SITE + "".join(tables))
    return table(site, plan(site))


def test_rules_say_who_may_talk_to_whom_and_deny_the_rest() -> None:
    rules = wanted(GATEWAY, ROUTER)
    assert "iifname mo-isatap0 ip6 saddr { fd12:3456:789a:1::/64 }" in rules
    assert "oifname mo-iphttps0 ip6 saddr" in rules
    assert "iifname mo-iphttps0 oifname mo-iphttps0 counter drop" in rules
    assert rules.index("icmpv6 type { destination") < rules.rindex("counter drop")


def test_hairpin_and_default_route_are_explicit() -> None:
    assert "oifname mo-iphttps0 counter drop" not in wanted(GATEWAY, "[policy]\nhairpin = true\n")
    assert "ip6 daddr ::/0" in wanted(ROUTER, "default_route = true\n")
    assert "::/0" not in wanted(ROUTER)


def test_sets_have_no_overlapping_members() -> None:
    rules = wanted(GATEWAY, 'routes = ["fd12:3456:789a:2::/64", "2001:db8::/32"]\n')
    assert "{ 2001:db8::/32, fd12:3456:789a::/48 }" in rules


def test_protocol_41_counts_only_where_the_locator_is() -> None:
    site = parse(SITE + ROUTER)
    rules = table(site, plan(site), ["eth1"])
    assert 'meta l4proto 41 ip daddr { 10.0.0.1, 10.0.0.2 } iifname != { "eth1" } counter drop' in rules
    assert "chain input" not in wanted(ROUTER)
