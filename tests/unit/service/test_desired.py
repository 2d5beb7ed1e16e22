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
