"""The tables for translation and policy: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.errors import ConfigError
from manageout.site.contradictions import contradictions
from manageout.site.plan import plan
from manageout.site.tables.site import Site, parse

GATEWAY = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
node = {node}
certificate = "/etc/manageout/gateway.pem"
key = "/etc/manageout/gateway.key"
client_ca = "/etc/manageout/ca.pem"
"""


def site(text: str, node: int = 0) -> Site:
    return parse(GATEWAY.format(node=node) + text)


def faults(text: str, node: int = 0) -> dict[str, str]:
    try:
        read = site(text, node)
    except ConfigError as error:
        return {fault.path: fault.message for fault in error.faults}
    return {fault.path: fault.message for fault in contradictions(read, plan(read))}


def test_complaints_write_addresses_alike_on_every_python() -> None:
    table = '[translation]\npool = "10.0.8.0/22"\nprefix = "::ffff:0:0/96"\n'
    found = faults(table + '[[translation.eam]]\nipv4 = "1.2.3.4"\nipv6 = "::ffff:1.2.3.4"\n')
    assert found["translation.prefix"].startswith("::ffff:0:0/96 holds")
    assert found["translation.eam.0.ipv6"].startswith("::ffff:1.2.3.4/128 holds")


def test_a_pool_is_enough() -> None:
    read = site('[translation]\npool = "10.0.8.0/22"')
    assert read.translation is not None
    assert plan(read).leases == IPv4Network("10.0.8.0/22")
    assert plan(read).nat64 == IPv6Network("fd12:3456:789a:7777::/96")
    assert not read.translation.masquerade


def test_without_translation_there_are_no_leases() -> None:
    assert plan(site("")).leases is None


@pytest.mark.parametrize(("node", "block"), [(0, "10.0.8.0/24"), (1, "10.0.9.0/24"), (3, "10.0.11.0/24")])
def test_each_node_has_its_block(node: int, block: str) -> None:
    text = '[translation]\npool = "10.0.8.0/22"\nblock = 24'
    assert plan(site(text, node)).leases == IPv4Network(block)
    assert faults(text, node) == {}


def test_a_node_beyond_the_pool_is_told_how_many_blocks_there_are() -> None:
    assert "gateway.node" in faults('[translation]\npool = "10.0.8.0/22"\nblock = 24', 4)
    assert "gateway.node" in faults('[translation]\npool = "10.0.8.0/22"', 1)


def test_a_block_is_not_larger_than_the_pool() -> None:
    assert "translation.block" in faults('[translation]\npool = "10.0.8.0/22"\nblock = 20')


@pytest.mark.parametrize(
    "pool",
    [
        "10.0.0.0/7",
        "10.0.0.0/31",
        "0.0.1.0/24",
        "127.0.0.0/24",
        "169.254.1.0/24",
        "224.0.0.0/24",
        "240.0.0.0/24",
        "255.255.255.0/24",
    ],
)
def test_a_pool_holds_addresses_of_machines(pool: str) -> None:
    assert "translation.pool" in faults(f'[translation]\npool = "{pool}"')


@pytest.mark.parametrize("length", [32, 40, 48, 56, 64, 96])
def test_nat64_prefixes_have_the_lengths_of_rfc6052(length: int) -> None:
    prefix = IPv6Network(("2001:db8::", length))
    assert faults(f'[translation]\npool = "10.0.8.0/22"\nprefix = "{prefix}"') == {}


def test_another_length_is_refused() -> None:
    found = faults('[translation]\npool = "10.0.8.0/22"\nprefix = "2001:db8::/80"')
    assert found == {"translation.prefix": "a /80 is no NAT64 prefix"}


@pytest.mark.parametrize(
    "prefix", ["::/96", "::ffff:0:0/96", "fe80::/96", "ff02::/64", "2001:db8:0:0:100::/96"]
)
def test_a_prefix_that_no_router_forwards_or_rfc6052_2_2_forbids(prefix: str) -> None:
    assert set(faults(f'[translation]\npool = "10.0.8.0/22"\nprefix = "{prefix}"')) == {"translation.prefix"}


def eam(*pairs: tuple[str, str]) -> set[str]:
    tables = "".join(f'[[translation.eam]]\nipv4 = "{v4}"\nipv6 = "{v6}"\n' for v4, v6 in pairs)
    return set(faults(f'[translation]\npool = "10.0.8.0/22"\n{tables}'))


def test_explicit_mappings() -> None:
    assert eam(("10.1.0.0/24", "2001:db8:1::/120"), ("10.1.0.7/32", "2001:db8:1::7/128")) == set()
    assert eam(("10.0.0.0/8", "2001:db8:1::/96")) == set(), "leases go first: the longest prefix matches"
    assert eam(("0.0.0.0/0", "2001:db8:1::/96")) == set()


@pytest.mark.parametrize(
    ("v4", "v6", "key"),
    [
        ("127.0.0.1/32", "2001:db8::7/128", "ipv4"),
        ("169.254.0.0/24", "2001:db8::/120", "ipv4"),
        ("10.1.0.7/32", "fe80::7/128", "ipv6"),
        ("10.1.0.7/32", "::7/128", "ipv6"),
        ("10.1.0.0/24", "2001:db8::/121", "ipv4"),  # RFC 7757 3.2: more addresses than the other side has
        ("10.0.9.7/32", "2001:db8::7/128", "ipv4"),  # a client may get it
        ("10.1.0.7/32", "fd12:3456:789a:1000::7/128", "ipv6"),  # a client's
    ],
)
def test_impossible_explicit_mappings(v4: str, v6: str, key: str) -> None:
    assert eam((v4, v6)) == {f"translation.eam.0.{key}"}


def test_rfc7757_3_2_the_same_prefix_twice() -> None:
    one = ("10.1.0.7/32", "2001:db8::7/128")
    assert eam(one, ("10.1.0.7/32", "2001:db8::8/128")) == {"translation.eam.1.ipv4"}
    assert eam(one, ("10.1.0.8/32", "2001:db8::7/128")) == {"translation.eam.1.ipv6"}


def test_translation_needs_a_gateway() -> None:
    router = '[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nlocators = ["10.0.0.1"]\n'
    read = parse(router + '[translation]\npool = "10.0.8.0/22"')
    assert "translation" in {fault.path for fault in contradictions(read, plan(read))}


def test_a_locator_is_no_lease() -> None:
    text = '[translation]\npool = "10.0.8.0/22"\n[isatap]\nlocators = ["10.0.9.1"]'
    assert "translation.pool" in faults(text)


def test_fixed_leases_lie_in_the_block_and_are_held_once() -> None:
    head = '[translation]\npool = "10.0.8.0/22"\n[translation.fixed]\n'
    assert faults(head + 'a = "10.0.8.10"\nb = "10.0.8.11"') == {}
    assert set(faults(head + 'a = "10.0.8.10"\nb = "10.0.8.10"')) == {"translation.fixed.b"}
    assert set(faults(head + 'a = "10.0.12.10"')) == {"translation.fixed.a"}


def test_nobody_may_call_clients_by_default() -> None:
    assert site("").policy.managers == ()


def test_a_manager_is_networks_addresses_and_names() -> None:
    read = site(
        '[[policy.managers]]\nfrom = ["10.0.1.0/24", "10.0.2.7", "fd00::/8", "Desk.corp.example."]\nservices = ["any"]'
    )
    assert read.policy.managers[0].source == (
        IPv4Network("10.0.1.0/24"),
        IPv4Network("10.0.2.7/32"),
        IPv6Network("fd00::/8"),
        "desk.corp.example",
    )
    assert read.policy.managers[0].to == ("*",)


@pytest.mark.parametrize("source", ["10.0.1.300", "10.0.1.3/24", "fd00::/129", "a_ü", "", "."])
def test_a_manager_that_is_nothing_of_this(source: str) -> None:
    assert set(faults(f'[[policy.managers]]\nfrom = ["{source}"]\nservices = ["any"]')) == {
        "policy.managers.0.from.0"
    }


@pytest.mark.parametrize("service", ["any", "icmp", "tcp", "udp", "tcp/22", "udp/1-65535"])
def test_services(service: str) -> None:
    assert faults(f'[[policy.managers]]\nfrom = ["10.0.1.30"]\nservices = ["{service}"]') == {}


@pytest.mark.parametrize(
    "service", ["", "22", "tcp:22", "tcp/0", "tcp/65536", "tcp/9-5", "icmp/8", "sctp/1", "tcp/22 "]
)
def test_what_is_no_service(service: str) -> None:
    assert set(faults(f'[[policy.managers]]\nfrom = ["10.0.1.30"]\nservices = ["{service}"]')) == {
        "policy.managers.0.services.0"
    }


def test_a_manager_needs_services() -> None:
    assert set(faults('[[policy.managers]]\nfrom = ["10.0.1.30"]')) == {"policy.managers.0.services"}
