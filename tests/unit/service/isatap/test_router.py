"""What the ISATAP router's machine is told of a site file."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from manageout.protocol.core.drops import Drop
from manageout.service.isatap.router import settings
from manageout.site import plan
from manageout.site.tables import site as config
from manageout.wire.nd import Preference

TEXT = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
locators = ["10.0.0.1", "10.0.0.2"]
hosts = ["10.1.0.0/16"]
routers = ["10.1.0.9"]
retired = ["fd00:1::/64"]
preference = "high"
mtu = 1400
"""


def test_a_site_file_becomes_an_advertisement_and_the_rules_of_the_data_path() -> None:
    site = config.parse(TEXT)
    assert site.isatap is not None
    layout = plan.plan(site)
    router, link = settings(site.isatap, layout)
    assert IPv6Network((router.prefix, 64)) == layout.isatap_prefix
    assert router.locators == link.locators == (b"\x0a\0\0\1", b"\x0a\0\0\2")
    assert router.retired == (IPv6Address("fd00:1::").packed,)
    assert (router.preference, router.mtu, router.default_route) == (Preference.HIGH, 1400, False)
    assert [(IPv6Network(each)) for each in router.advertised] == list(layout.advertised)
    refusals = {text: link.refusal(IPv4Address(text).packed) for text in ("10.1.0.8", "10.1.0.9", "10.2.0.1")}
    assert refusals == {"10.1.0.8": None, "10.1.0.9": Drop.LOOP, "10.2.0.1": Drop.HOST_NOT_ALLOWED}
