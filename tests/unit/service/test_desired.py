"""Site and plan -> devices, routes, parameters, rules."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from manageout.config import parse
from manageout.plan import plan
from manageout.service.desired import Desired, desired

SITE = '[site]\nprefix = "fd12:3456:789a::/48"\n'
GATEWAY = '[gateway]\ncertificate = "c"\nkey = "k"\nclient_ca = "ca"\n'
ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\nmtu = 1400\n'


def wanted(*tables: str) -> Desired:
    site = parse(SITE + "".join(tables))
    return desired(site, plan(site))


def test_a_router() -> None:
    result = wanted(ROUTER)
    (device,) = result.devices
    assert (device.name, device.mtu) == ("mo-isatap0", 1400)
    assert IPv6Interface("fe80::5efe:a00:2/64") in device.addresses
    assert IPv6Interface("fd12:3456:789a:1:0:5efe:a00:1/64") in device.addresses
    assert len(device.addresses) == 4
    assert result.sysctls == (("net.ipv6.conf.all.forwarding", "1"),)


def test_a_gateway_has_the_mtu_of_the_specification() -> None:
    (device,) = wanted(GATEWAY).devices
    assert (device.name, device.mtu, device.vnet_hdr) == ("mo-iphttps0", 1280, True)
    assert device.addresses == (IPv6Interface("fe80::1/64"), IPv6Interface("fd12:3456:789a:1000::1/64"))


def test_routes_to_the_other_half() -> None:
    route = '[[isatap.routes]]\nprefix = "fd12:3456:789a:1000::/64"\nvia = "fd12:3456:789a:2::1"\n'
    assert wanted(ROUTER, route).routes == (
        (IPv6Network("fd12:3456:789a:1000::/64"), IPv6Address("fd12:3456:789a:2::1")),
    )
    assert wanted(GATEWAY, 'isatap_router = "fd12:3456:789a:2::2"\n').routes == (
        (IPv6Network("fd12:3456:789a:1::/64"), IPv6Address("fd12:3456:789a:2::2")),
    )


def test_rules_say_who_may_talk_to_whom_and_deny_the_rest() -> None:
    rules = wanted(GATEWAY, ROUTER).filter
    assert "iifname mo-isatap0 ip6 saddr { fd12:3456:789a:1::/64 }" in rules
    assert "oifname mo-iphttps0 ip6 saddr" in rules
    assert "iifname mo-iphttps0 oifname mo-iphttps0 counter drop" in rules
    assert rules.index("icmpv6 type { destination") < rules.rindex("counter drop")


def test_hairpin_and_default_route_are_explicit() -> None:
    assert "oifname mo-iphttps0 counter drop" not in wanted(GATEWAY, "[policy]\nhairpin = true\n").filter
    assert "ip6 daddr ::/0" in wanted(ROUTER, "default_route = true\n").filter
    assert "::/0" not in wanted(ROUTER).filter


def test_sets_have_no_overlapping_members() -> None:
    rules = wanted(GATEWAY, 'routes = ["fd12:3456:789a:2::/64", "2001:db8::/32"]\n').filter
    assert "{ 2001:db8::/32, fd12:3456:789a::/48 }" in rules


def test_protocol_41_counts_only_where_the_locator_is() -> None:
    site = parse(SITE + ROUTER)
    rules = desired(site, plan(site), ["eth1"]).filter
    assert 'meta l4proto 41 ip daddr { 10.0.0.1, 10.0.0.2 } iifname != { "eth1" } counter drop' in rules
    assert "chain input" not in wanted(ROUTER).filter
