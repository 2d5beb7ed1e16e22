"""What of our traffic the kernel follows, and how much of it."""

from __future__ import annotations

from manageout.linux.nft.features import ALL, Features
from manageout.service.policy.filter import table
from manageout.service.policy.filter_managers import Contents
from manageout.service.policy.filter_tracking import class_id, timeouts
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.site_file import SITE

GATEWAY = '[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\nlisten = [%s]\n'
ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\n'
TRANSLATION = '[translation]\npool = "10.0.8.0/24"\n'


def wanted(*tables: str, features: Features = ALL, contents: Contents = Contents()) -> str:  # noqa: B008
    site = parse(SITE + "".join(tables))
    return table(site, plan(site), (), contents, features)


def lasting(*tables: str) -> str:
    return timeouts(parse(SITE + "".join(tables)), ALL)


def chain(text: str, name: str) -> list[str]:
    body = text.partition(f"  chain {name} {{\n")[2].partition("  }")[0]
    return [line.strip() for line in body.splitlines()]


def test_clients_tls_is_not_followed_and_neither_are_errors_about_it() -> None:
    text = wanted(GATEWAY % '"192.0.2.1:443", "[::]:8443"')
    incoming, outgoing = chain(text, "untracked_tcp"), chain(text, "untracked_out")
    elsewhere = 'iifname != "lo" iifname != "mo-*"'
    assert f"tcp dport 443 {elsewhere} ip daddr 192.0.2.1 notrack" in incoming
    assert f"tcp dport 8443 {elsewhere} meta nfproto ipv6 fib daddr type local notrack" in incoming
    (about4,), (about6,) = chain(text, "untracked_icmp"), chain(text, "untracked_icmpv6")
    assert "destination-unreachable" in about4 and about4.endswith("@th,224,16 443 notrack")
    assert "packet-too-big" in about6 and about6.endswith("@th,384,16 8443 notrack")
    assert " ip daddr 192.0.2.1 " in about4 and " fib daddr type local " in about6, "others may use that port"
    ways = "tcp : jump untracked_tcp, icmp : jump untracked_icmp, icmpv6 : jump untracked_icmpv6"
    assert f"meta l4proto vmap {{ {ways} }}" in chain(text, "untracked_in")
    assert 'tcp sport 443 oifname != "lo" oifname != "mo-*" ip saddr 192.0.2.1 notrack' in outgoing
    assert 'tcp sport 8443 oifname != "lo" oifname != "mo-*" meta nfproto ipv6 notrack' in outgoing


def test_protocol_41_is_not_followed() -> None:
    text = wanted(ROUTER)
    assert chain(text, "untracked_41") == ["ip daddr { 10.0.0.1, 10.0.0.2 } notrack"]
    assert chain(text, "untracked_out")[1:] == ["meta l4proto 41 ip saddr { 10.0.0.1, 10.0.0.2 } notrack"]
    assert chain(text, "begun_forward")[-1] == "iifname mo-isatap0 goto host_limit"
    assert "add @host_connections { ip6 saddr ct count over 4096 } goto refused_connection_limit" in text
    assert "client_limit" not in text, "a router alone has no clients"


def test_all_addresses_of_a_client_count_together() -> None:
    owners = Contents(owners={bytes(15) + b"\x01": 1, bytes(15) + b"\x02": 0x1001F})
    text = wanted(GATEWAY % '"0.0.0.0:443"', TRANSLATION, contents=owners)
    assert "elements = { ::1 : 0:1, ::2 : 1:1f }" in text
    assert chain(text, "client_limit") == [
        "meta priority set none",
        "meta priority set ip6 saddr map @owners",
        "update @client_rates { meta priority limit rate over 100/second burst 500 packets } "
        "goto refused_connection_limit",
        "add @client_connections { meta priority ct count over 1024 } goto refused_connection_limit",
        "meta priority set none",
    ]
    assert chain(text, "begun_forward")[-3:] == [
        "iifname mo-iphttps0 goto client_limit",
        "iifname mo-xlat0 ip saddr 10.0.8.0/24 goto lease_limit",
        "oifname mo-iphttps0 goto host_limit",
    ]
    assert "iifname mo-iphttps0 goto client_limit" in chain(text, "begun_input")


def test_nobodys_addresses_count_each() -> None:
    anonymous = GATEWAY.replace("client_ca", 'authentication = "none"\nclient_ca') % '"0.0.0.0:443"'
    text = wanted(anonymous)
    assert "map owners" not in text
    assert chain(text, "client_limit")[1].startswith("add @client_connections { ip6 saddr ct count over")


def test_an_older_kernel_does_without() -> None:
    text = wanted(GATEWAY % '"0.0.0.0:443"', TRANSLATION, features=Features(False, False))
    assert "ct count" not in text and "begun_" not in text and "@owners" not in text
    assert timeouts(parse(SITE + ROUTER), Features(False, False)) == ""
    assert "refused_connection_limit" in text, "its counter stays"


def test_numbers_as_nftables_writes_them() -> None:
    assert [class_id(number) for number in (1, 0xFFFF, 0x10000)] == ["0:1", "0:ffff", "1:0"]


def test_questions_of_the_dns64_do_not_stay() -> None:
    dns64 = '[dns64]\nupstreams = ["10.0.0.10", "[fd00::53]:5353"]\n'
    text = lasting(GATEWAY % '"0.0.0.0:443"', TRANSLATION, dns64)
    assert chain(text, "begun_output")[2:] == [
        'ip daddr 10.0.0.10 udp dport 53 ct timeout set "dns_ip"',
        'ip6 daddr fd00::53 udp dport 5353 ct timeout set "dns_ip6"',
    ]
    assert "ct timeout dns_ip {" in text and "unreplied : 5" in text


def test_time_outs_are_for_what_crosses_our_devices_and_change_with_no_policy() -> None:
    text = lasting(GATEWAY % '"0.0.0.0:443"')
    assert chain(text, "begun_forward")[1:] == [
        "ct state != new accept",
        "ct status & confirmed == confirmed accept",
        'iifname != "mo-*" oifname != "mo-*" accept',
        'meta nfproto ipv6 meta l4proto tcp ct timeout set "tcp_ip6"',
        'meta nfproto ipv6 meta l4proto udp ct timeout set "udp_ip6"',
    ]
    assert text == lasting(GATEWAY % '"0.0.0.0:443"', ROUTER, "[policy]\nhairpin = true\n")
    assert 'ct timeout set "tcp_ip"' in lasting(GATEWAY % '"0.0.0.0:443"', TRANSLATION)
