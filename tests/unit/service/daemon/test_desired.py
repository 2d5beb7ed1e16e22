"""Site and plan -> devices, routes, parameters, rules."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from manageout.service.daemon.desired import Desired, DesiredRoute, desired
from manageout.service.policy.surroundings import Surroundings
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nlocators = ["10.0.0.1", "10.0.0.2"]\nmtu = 1400\n'


TRANSLATION = '[translation]\npool = "10.0.0.128/26"\n'


AROUND = Surroundings()


def wanted(*tables: str, around: Surroundings = AROUND) -> Desired:
    site = parse(SITE + "".join(tables))
    return desired(site, plan(site), around)


def test_a_router() -> None:
    result = wanted(ROUTER)
    (device,) = result.devices
    assert (device.name, device.mtu) == ("mo-isatap0", 1400)
    assert IPv6Interface("fe80::5efe:a00:2/64") in device.addresses
    assert IPv6Interface("fd12:3456:789a:1:0:5efe:a00:1/64") in device.addresses
    assert len(device.addresses) == 4
    assert [name.rpartition(".")[2] for name, _ in result.sysctls] == [
        "forwarding",
        "nf_conntrack_acct",
        "nf_conntrack_timestamp",
    ]


def test_a_gateway_has_the_mtu_of_the_specification() -> None:
    device, stock = wanted(GATEWAY).devices
    assert (device.name, device.mtu, device.vnet_hdr) == ("mo-iphttps0", 1280, True)
    assert stock == ("mo-iphttps1", 1280, True, ())
    assert device.addresses == (IPv6Interface("fe80::1/64"), IPv6Interface("fd12:3456:789a:1000::1/64"))


def test_routes_to_the_other_half() -> None:
    route = '[[isatap.routes]]\nprefix = "fd12:3456:789a:1000::/64"\nvia = "fd12:3456:789a:2::1"\n'
    assert wanted(ROUTER, route).routes == (
        DesiredRoute(IPv6Network("fd12:3456:789a:1000::/64"), IPv6Address("fd12:3456:789a:2::1")),
    )
    assert wanted(GATEWAY, 'isatap_router = "fd12:3456:789a:2::2"\n').routes == (
        DesiredRoute(IPv6Network("fd12:3456:789a:1::/64"), IPv6Address("fd12:3456:789a:2::2")),
    )


def test_what_is_translated_goes_into_a_device_of_its_own() -> None:
    eam = '[[translation.eam]]\nipv4 = "192.0.2.0/28"\nipv6 = "fd12:3456:789a:20::/124"\n'
    result = wanted(GATEWAY, TRANSLATION, eam)
    device = result.devices[-1]
    assert (device.name, device.mtu, device.vnet_hdr, device.addresses) == ("mo-xlat0", 1500, True, ())
    assert result.routes == (
        DesiredRoute(IPv6Network("fd12:3456:789a:7777::/96"), dev="mo-xlat0"),
        DesiredRoute(IPv4Network("10.0.0.128/26"), dev="mo-xlat0"),
        DesiredRoute(IPv4Network("192.0.2.0/28"), dev="mo-xlat0"),
    )
    assert ("net.ipv4.conf.all.forwarding", "1") in result.sysctls
    assert [str(route) for route in result.routes][1] == "10.0.0.128/26 into mo-xlat0"


def test_leases_are_answered_for_without_delay() -> None:
    result = wanted(GATEWAY, TRANSLATION, around=Surroundings(proxy="eth1.7"))
    assert ("net/ipv4/neigh/eth1.7/proxy_delay", "0") in result.sysctls


def test_a_packet_to_a_lease_comes_from_where_its_source_lives() -> None:
    rule = 'iifname != "mo-*" ip daddr { 10.0.0.128/26 } fib saddr . iif oif missing goto refused_wrong_way'
    assert rule in wanted(GATEWAY, TRANSLATION).filter
