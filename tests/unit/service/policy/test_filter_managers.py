"""``[[policy.managers]]`` -> sets and chains."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from manageout.service.policy.filter_managers import Contents, managers, seen_as
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools import site_file

SITE = site_file.SITE + site_file.GATEWAY
TRANSLATION = '[translation]\npool = "10.0.8.0/24"\n'


def rendered(*tables: str) -> str:
    site = parse(SITE + "".join(tables))
    return "\n".join(managers(site, plan(site), Contents(), "nobody"))


def manager(source: str, to: str = "*", services: str = "tcp/22") -> str:
    quoted = ", ".join(f'"{each}"' for each in services.split())
    return f'[[policy.managers]]\nfrom = ["{source}"]\nto = ["{to}"]\nservices = [{quoted}]\n'


def test_without_managers_nobody_calls() -> None:
    assert rendered() == "  chain managers {\n    goto nobody\n  }"


def test_an_ipv4_network_is_seen_in_both_isatap_forms_and_behind_the_translator() -> None:
    text = rendered(TRANSLATION, manager("10.0.1.0/24"))
    assert (
        "elements = { fd12:3456:789a:1:0:5efe:a00:100/120, fd12:3456:789a:1:200:5efe:a00:100/120,"
        " fd12:3456:789a:7777::a00:100/120 }"
    ) in text
    assert "7777" not in rendered(TRANSLATION, "masquerade = true\n", manager("10.0.1.0/24"))


def test_an_ipv6_network_does_not_let_in_the_ipv4_machines_that_are_seen_within_it() -> None:
    behind = IPv6Network("fd12:3456:789a:7777::/96")
    for wide in ("fd12:3456:789a::/48", "::/0"):
        site = parse(SITE + TRANSLATION + manager(wide))
        seen = list(seen_as(IPv6Network(wide), site, plan(site)))
        assert not any(behind.overlaps(each) for each in seen)
        assert any(IPv6Address("fd12:3456:789a:1:0:5efe:a00:105") in each for each in seen)
        assert list(seen_as(behind, site, plan(site))) == [behind]
    assert "fd12:3456:789a::/48" in rendered(manager("fd12:3456:789a::/48"))


def test_who_may_call_everybody_needs_no_set_of_clients() -> None:
    assert "ip6 saddr @m0_from jump m0" in rendered(manager("10.0.1.0/24"))
    assert "ip6 saddr @m0_from ip6 daddr @m0_to jump m0" in rendered(manager("10.0.1.0/24", "lap*"))


def test_a_name_has_a_set_of_its_own() -> None:
    text = rendered(manager("helpdesk.corp.example", "lap*"))
    assert "ip6 saddr @m0_names ip6 daddr @m0_to jump m0" in text
    assert "@m0_from" not in text


def test_services() -> None:
    text = rendered(manager("10.0.0.5", services="tcp/22 tcp/20-25 tcp/26 tcp/443 udp icmp udp/53"))
    assert "tcp dport { 20-26, 443 } counter name m0 accept" in text
    assert "meta l4proto udp counter name m0 accept" in text
    assert "udp dport" not in text
    assert "meta l4proto icmpv6 counter name m0 accept" in text
    assert "  chain m0 {\n    counter name m0 accept\n  }" in rendered(
        manager("10.0.0.5", services="any tcp/1")
    )
