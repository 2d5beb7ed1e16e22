"""The plan has the numbers that DirectAccess administrators know."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.site.plan import Plan, isatap_address, plan, subnet
from manageout.site.tables.site import parse
from manageout.wire.address import embedded_isatap
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\n'


def planned(*tables: str) -> Plan:
    return plan(parse(SITE + "".join(tables)))


def test_the_plan_of_a_single_server() -> None:
    result = planned(GATEWAY, ROUTER)
    assert result.isatap_prefix == IPv6Network("fd12:3456:789a:1::/64")
    assert result.client_prefix == IPv6Network("fd12:3456:789a:1000::/64")
    assert result.client_aggregate == IPv6Network("fd12:3456:789a:1000::/59")
    assert result.gateway_address == IPv6Address("fd12:3456:789a:1000::1")
    assert result.gateway_link_local == IPv6Address("fe80::1")
    assert result.dns64 == IPv6Address("fd12:3456:789a:3333::1")
    assert result.nat64 == IPv6Network("fd12:3456:789a:7777::/96")
    assert result.client_routes == (IPv6Network("fd12:3456:789a::/48"),)
    assert result.advertised == (result.client_aggregate,)


def test_the_router_has_one_address_a_locator() -> None:
    result = planned(ROUTER)
    assert result.isatap_link_locals == (IPv6Address("fe80::5efe:a00:1"), IPv6Address("fe80::5efe:a00:2"))
    assert result.isatap_addresses[1] == IPv6Address("fd12:3456:789a:1:0:5efe:a00:2")
    assert embedded_isatap(result.isatap_addresses[0].packed) == bytes([10, 0, 0, 1])


def test_the_node_numbers_its_prefix() -> None:
    result = planned(GATEWAY, "node = 31\n")
    assert result.client_prefix == IPv6Network("fd12:3456:789a:101f::/64")
    assert result.client_prefix.subnet_of(result.client_aggregate)
    assert result.dns64 == IPv6Address("fd12:3456:789a:3333::20")


def test_a_prefix_of_the_farms_own_is_kept_and_advertised() -> None:
    result = planned(GATEWAY, 'prefix = "2001:db8:5:6::/64"\n', ROUTER)
    assert result.client_prefix == IPv6Network("2001:db8:5:6::/64")
    assert result.advertised == (IPv6Network("2001:db8:5:6::/64"),)


def test_a_router_apart_advertises_the_routes_of_the_file_once() -> None:
    routes = "".join(
        f'[[isatap.routes]]\nprefix = "{prefix}"\nvia = "fd12:3456:789a:2::1"\n'
        for prefix in ("fd12:3456:789a:1000::/64", "fd12:3456:789a:1000::/59", "fd12:3456:789a:1000::/59")
    )
    assert planned(ROUTER, routes).advertised == (IPv6Network("fd12:3456:789a:1000::/59"),)


def test_what_the_file_says_to_advertise_is_all_that_is() -> None:
    result = planned(GATEWAY, ROUTER, 'advertise = ["fd00::/8"]\n')
    assert result.advertised == (IPv6Network("fd00::/8"),)


def test_subnets_and_addresses() -> None:
    prefix = IPv6Network("2002:c633:640a::/48")
    assert subnet(prefix, 0x7777, 96) == IPv6Network("2002:c633:640a:7777::/96")
    # A private IPv4 address leaves the u bit clear, a public one sets it.
    assert isatap_address(subnet(prefix, 1), IPv4Address("10.0.0.1")) == IPv6Address(
        "2002:c633:640a:1:0:5efe:a00:1"
    )
    assert isatap_address(subnet(prefix, 1), IPv4Address("8.8.8.8")).packed[8] == 2


def test_clients_reach_nat64_prefixes_outside_the_site_through_the_tunnel() -> None:
    pool = '[translation]\npool = "10.0.8.0/24"\nprefix = "2001:db8:64::/96"\n'
    dns64 = '[dns64]\nupstreams = ["10.0.0.10"]\n[[dns64.prefixes]]\nprefix = "64:ff9b::/96"\n'
    result = planned(GATEWAY, pool, dns64)
    assert result.client_routes == (
        IPv6Network("fd12:3456:789a::/48"),
        IPv6Network("2001:db8:64::/96"),
        IPv6Network("64:ff9b::/96"),
    )
    routes = planned(GATEWAY, 'routes = ["2001:db8::/32"]\n', pool, dns64).client_routes
    assert routes == (
        IPv6Network("2001:db8::/32"),
        IPv6Network("64:ff9b::/96"),
        IPv6Network("fd12:3456:789a:3333::1/128"),
    )
