"""Site and plan -> the packet filter."""

from __future__ import annotations

from manageout.service.policy.filter import REFUSALS, table
from manageout.service.policy.filter_managers import Contents
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\nmtu = 1400\n'
ONE_OF_TWO = 'routers = ["10.0.0.3"]\n'
TRANSLATION = '[translation]\npool = "10.0.8.0/24"\n'


def wanted(*tables: str) -> str:
    site = parse(SITE + "".join(tables))
    return table(site, plan(site))


def chain(text: str, name: str) -> list[str]:
    body = text.partition(f"  chain {name} {{\n")[2].partition("  }")[0]
    return [line.strip() for line in body.splitlines()]


def test_nothing_new_passes_a_gateway_unless_a_client_or_a_manager_begins() -> None:
    rules = chain(wanted(GATEWAY), "forward")
    assert rules == [
        "type filter hook forward priority filter; policy accept;",
        'iifname != "mo-*" oifname != "mo-*" accept',
        "ct state established,related ct mark & 0x40000000 == 0 accept",
        "ct state established,related goto refused_policy",
        "iifname != mo-iphttps0 ip6 saddr fd12:3456:789a:1000::/64 goto refused_wrong_way",
        "iifname mo-iphttps0 goto from_clients",
        "oifname mo-iphttps0 ip6 daddr { fd12:3456:789a:1000::/64 } goto managers",
        "goto refused_foreign",
    ]
    assert chain(wanted(GATEWAY), "managers") == ["goto refused_policy"]


WHENCE = "iifname != mo-iphttps0 ip6 daddr fd12:3456:789a:1000::/64 ct state != { established, related } "
ASTRAY = "fib saddr . iif oif missing goto refused_wrong_way"


def test_what_is_for_a_client_comes_from_where_its_source_lies() -> None:
    first = "type filter hook prerouting priority filter; policy accept;"
    assert chain(wanted(GATEWAY), "whence") == [first, WHENCE + ASTRAY]
    lease = f'iifname != "mo-*" ip daddr {{ 10.0.8.0/24 }} {ASTRAY}'
    assert chain(wanted(GATEWAY, TRANSLATION), "whence") == [first, WHENCE + ASTRAY, lease]


def test_hosts_of_several_isatap_routers_may_come_by_another_one() -> None:
    router = '[isatap]\nlocators = ["10.0.0.1"]\nrouters = ["10.0.0.2"]\n'
    assert f"{WHENCE}ip6 saddr != fd12:3456:789a:1::/64 {ASTRAY}" in chain(wanted(GATEWAY, router), "whence")
    alone = router.replace('routers = ["10.0.0.2"]\n', "")
    assert WHENCE + ASTRAY in chain(wanted(GATEWAY, alone), "whence")


def test_clients_reach_the_intranet() -> None:
    assert chain(wanted(GATEWAY), "from_clients") == [
        "oifname mo-iphttps0 goto refused_hairpin",
        "ip6 saddr != fd12:3456:789a:1000::/64 goto refused_wrong_way",
        "ip6 daddr { fd12:3456:789a::/48 } accept",
        "goto refused_outside",
    ]


def test_clients_reach_the_ipv4_destinations_of_the_file_and_no_other_lease() -> None:
    policy = '[policy]\nintranet = ["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/32"]\n'
    assert chain(wanted(GATEWAY, TRANSLATION, policy), "from_clients")[2:] == [
        "oifname mo-xlat0 ip6 saddr != @clients goto refused_unknown_client",
        "ip6 daddr fd12:3456:789a:7777::a00:800/120 goto refused_hairpin",
        "ip6 daddr fd12:3456:789a:7777::/96 meta l4proto 41 goto refused_outside",
        "ip6 daddr { fd12:3456:789a:7777::a00:0/111 } accept",
        "ip6 daddr fd12:3456:789a:7777::/96 goto refused_outside",
        "ip6 daddr { 2001:db8::/32, fd12:3456:789a::/48 } accept",
        "goto refused_outside",
    ]


def test_another_translator_carries_to_the_same_destinations() -> None:
    dns64 = '[dns64]\nupstreams = ["10.0.0.10"]\n[[dns64.prefixes]]\nprefix = "64:ff9b:1::/48"\n'
    rules = chain(wanted(GATEWAY, dns64, '[policy]\nintranet = ["10.0.0.0/8"]\n'), "from_clients")
    assert "ip6 daddr { 64:ff9b:1:a00::/56 } accept" in rules
    assert "ip6 daddr 64:ff9b:1::/48 goto refused_outside" in rules


def test_hairpin_and_default_route_are_explicit() -> None:
    hairpin = wanted(GATEWAY, TRANSLATION, "[policy]\nhairpin = true\n")
    assert "oifname mo-iphttps0 accept" in chain(hairpin, "from_clients")
    assert "ip6 daddr fd12:3456:789a:7777::a00:800/120 accept" in chain(hairpin, "from_clients")
    assert "iifname mo-xlat0 oifname mo-iphttps0 ip6 saddr fd12:3456:789a:7777::a00:800/120 accept" in hairpin
    assert "ip6 daddr ::/0 accept" in wanted(ROUTER, "default_route = true\n")
    assert "::/0" not in wanted(ROUTER)


def test_hosts_of_the_isatap_link_reach_the_site_but_clients_only_as_managers() -> None:
    own = "ip6 saddr fd12:3456:789a:1::/64"
    assert chain(wanted(ROUTER), "forward")[4:] == [
        f"iifname != {{ mo-isatap0 }} {own} goto refused_wrong_way",
        f"iifname mo-isatap0 {own} ip6 daddr {{ fd12:3456:789a:1000::/59 }} goto managers",
        f"iifname mo-isatap0 {own} ip6 daddr {{ fd12:3456:789a::/48 }} accept",
        "oifname mo-isatap0 ip6 saddr { fd12:3456:789a::/48 } ip6 daddr fd12:3456:789a:1::/64 accept",
        "goto refused_foreign",
    ]


def test_hosts_of_other_isatap_routers_come_from_where_those_are() -> None:
    site = parse(SITE + ROUTER + ONE_OF_TWO)
    for towards, devices in (((), "mo-isatap0"), (("eth1", "eth2"), 'mo-isatap0, "eth1", "eth2"')):
        rules = chain(table(site, plan(site), towards=towards), "forward")
        rule = f"iifname != {{ {devices} }} ip6 saddr fd12:3456:789a:1::/64 goto refused_wrong_way"
        assert rules[4] == rule


def test_errors_pass_with_their_connection_or_where_other_routers_have_seen_it() -> None:
    assert "icmp" not in "".join(chain(wanted(GATEWAY, ROUTER, TRANSLATION), "forward"))
    (rule,) = [each for each in chain(wanted(GATEWAY, ROUTER, ONE_OF_TWO), "forward") if "icmpv6" in each]
    assert rule.startswith("iifname != mo-iphttps0 oifname != mo-iphttps0 icmpv6 type { destination-un")
    eam = '[[translation.eam]]\nipv4 = "10.0.9.1"\nipv6 = "2001:db8::1"\n'
    (rule,) = [each for each in chain(wanted(GATEWAY, TRANSLATION, eam), "forward") if "icmp" in each]
    assert rule.startswith("oifname mo-xlat0 ip daddr { 10.0.9.1/32 } icmp type { destination-unreachable,")


def test_who_advertises_the_site_does_not_call_all_of_it_clients() -> None:
    text = wanted(ROUTER, 'advertise = ["fd12:3456:789a::/48", "2001:db8:1::/48"]\n')
    assert "ip6 daddr { 2001:db8:1::/48, fd12:3456:789a:1000::/59 } goto managers" in text


def test_translated_packets_are_judged_in_ipv6_and_tracked_once() -> None:
    text = wanted(GATEWAY, TRANSLATION)
    assert chain(text, "untracked_in")[-2:] == [
        "iifname mo-xlat0 meta nfproto ipv4 fib daddr type != local notrack",
        "ip daddr 10.0.8.0/24 notrack",
    ]
    rules = chain(text, "forward")
    assert "iifname mo-xlat0 meta nfproto ipv4 accept" in rules
    assert "oifname mo-xlat0 ip daddr 10.0.8.0/24 accept" in rules
    assert chain(text, "postrouting")[1:] == ["oifname mo-xlat0 snat ip6 to ip6 saddr map @others"]


def test_masquerade_needs_the_state_of_the_ipv4_half() -> None:
    text = wanted(GATEWAY, TRANSLATION, "masquerade = true\n")
    assert not [rule for rule in chain(text, "untracked_in") if "10.0.8.0" in rule or "mo-xlat0" in rule]
    assert chain(text, "postrouting")[2:] == ['ip saddr 10.0.8.0/24 oifname != "mo-*" masquerade']


def test_explicit_mappings_are_machines_of_the_intranet() -> None:
    eam = (
        '[[translation.eam]]\nipv4 = "10.0.9.1"\nipv6 = "2001:db8::1"\n[policy]\nintranet = ["10.0.0.0/8"]\n'
    )
    rules = chain(wanted(GATEWAY, TRANSLATION, eam), "forward")
    reached = "{ fd12:3456:789a:7777::a00:0/104 }"
    assert "oifname mo-xlat0 ip saddr { 10.0.0.0/8 } ip daddr { 10.0.9.1/32 } accept" in rules
    assert f"oifname mo-xlat0 ip6 saddr {{ 2001:db8::1/128 }} ip6 daddr {reached} accept" in rules
    assert f"iifname mo-xlat0 ip6 saddr {reached} ip6 daddr {{ 2001:db8::1/128 }} accept" in rules


def test_what_is_refused_is_counted_by_source_and_said_to_those_who_ask_rightly() -> None:
    assert chain(wanted(GATEWAY), "refused_policy") == [
        "update @refused_policy4 { ip saddr counter }",
        "update @refused_policy6 { ip6 saddr counter }",
        *(
            f"meta l4proto {those} update @refused_policy_to{n}"
            f" {{ {ip} saddr . {ip} daddr . meta l4proto . {port} counter }}"
            for n, ip in ((4, "ip"), (6, "ip6"))
            for those, port in (("{ tcp, udp }", "th dport"), ("!= { tcp, udp }", "0"))
        ),
        "counter name refused_policy reject with icmpx admin-prohibited",
    ]
    assert chain(wanted(GATEWAY), "refused_wrong_way")[-1] == "counter name refused_wrong_way drop"


def test_sets_of_sources_are_bounded() -> None:
    text = wanted(GATEWAY, ROUTER, TRANSLATION)
    sets = [each for each in text.split("\n  }") if each.strip().startswith("set refused_")]
    assert len(sets) == 2 * len(REFUSALS) + 2
    assert all("size 1024; flags dynamic,timeout; timeout 1h;" in each for each in sets)


def test_what_rules_name_stands_before_them() -> None:
    heads = [line for line in wanted(GATEWAY, ROUTER, TRANSLATION).splitlines() if line.endswith("{")]
    kinds = ["chain" if head.startswith("  chain ") else "set" for head in heads]
    assert kinds == sorted(kinds, reverse=True)


def test_protocol_41_counts_only_where_the_locator_is() -> None:
    site = parse(SITE + ROUTER)
    rules = table(site, plan(site), ["eth1"])
    assert (
        'meta l4proto 41 ip daddr { 10.0.0.1, 10.0.0.2 } iifname != { "eth1" } meta sdifname != { "eth1" } counter drop'
        in rules
    )
    assert "l4proto 41" not in "".join(chain(wanted(ROUTER), "input"))


def test_dns64_answers_only_on_links_of_ours() -> None:
    rules = chain(wanted(GATEWAY, '[dns64]\nupstreams = ["10.0.0.10"]\n'), "input")
    assert rules[2:] == ['ip6 daddr fd12:3456:789a:3333::1 iifname != "mo-*" iifname != "lo" counter drop']


def test_clients_reach_of_the_gateway_itself_only_what_the_file_says() -> None:
    dns64 = '[dns64]\nupstreams = ["10.0.0.10"]\n'
    services = '[policy]\ngateway_services = ["udp/123", "tcp/22", "tcp/80-90"]\n'
    text = wanted(GATEWAY, TRANSLATION, dns64, services)
    assert chain(text, "input")[1:4] == [
        "iifname mo-iphttps0 goto to_gateway",
        "iifname mo-xlat0 ip saddr 10.0.8.0/24 goto to_gateway",
        "iifname mo-xlat0 ip6 saddr fd12:3456:789a:7777::a00:800/120 goto to_gateway",
    ]
    assert chain(text, "to_gateway") == [
        "ct state established ct direction reply accept",
        "meta l4proto { icmp, icmpv6 } accept",
        "ip6 daddr fd12:3456:789a:3333::1 meta l4proto { tcp, udp } th dport 53 accept",
        "tcp dport { 22, 80-90 } accept",
        "udp dport { 123 } accept",
        "goto refused_gateway_service",
    ]
    assert chain(wanted(GATEWAY), "to_gateway")[2:] == ["goto refused_gateway_service"]
    assert "to_gateway" not in wanted(ROUTER)


def test_tcp_fits_the_clients_link() -> None:
    assert all("size set 1220" in rule for rule in chain(wanted(GATEWAY), "mss")[1:])
    assert "chain mss" not in wanted(ROUTER)


def test_members_and_map_come_with_the_table() -> None:
    site = parse(
        SITE
        + GATEWAY
        + TRANSLATION
        + '[[policy.managers]]\nfrom = ["10.0.0.5"]\nto = ["lap*"]\nservices = ["any"]\n'
    )
    one, two = (bytes(15) + bytes([last]) for last in (1, 2))
    text = table(site, plan(site), (), Contents({"m0_to": [one, two]}, {two: one}))
    assert "set m0_to {\n    type ipv6_addr;\n    elements = { ::1, ::2 }" in text
    assert "elements = { ::2 : ::1 }" in text


def test_after_a_gap_the_middle_of_a_connection_is_no_beginning_at_a_clients_link() -> None:
    torn = Contents(torn=True)
    rule = "ct state new tcp flags & (fin | syn | rst | ack) != syn goto refused_policy"
    site = parse(SITE + GATEWAY)
    rules = chain(table(site, plan(site), (), torn), "forward")
    assert [f"{way} mo-iphttps0 {rule}" for way in ("iifname", "oifname")] == rules[4:6]
    assert rule not in wanted(GATEWAY)
    alone = parse(SITE + ROUTER)
    assert rule not in table(alone, plan(alone), (), torn), "another router may have seen the beginning"
