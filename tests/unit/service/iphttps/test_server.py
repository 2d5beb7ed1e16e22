"""What the gateway's machine is told of a site file."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest

from manageout.service.iphttps.server import settings
from manageout.site import plan
from manageout.site.tables import site as config

TEXT = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
node = 2
certificate = "c.pem"
key = "k.pem"
authentication = "none"
fixed = { "laptop.example" = "fd12:3456:789a:1002::7" }
[gateway.iphttps]
max_addresses = 5
own_framing = false
[policy]
hairpin = true
"""


def test_a_site_file_becomes_a_server() -> None:
    site = config.parse(TEXT)
    server = settings(site, plan.plan(site), vnet_hdr=True)
    assert server.prefix == IPv6Network("fd12:3456:789a:1002::/64")
    assert (server.link_local, server.address) == (
        IPv6Address("fe80::1"),
        IPv6Address("fd12:3456:789a:1002::1"),
    )
    assert server.routes == (IPv6Network("fd12:3456:789a::/48"),)
    assert (server.mode, server.hairpin, server.max_addresses) == ("none", True, 5)
    assert server.fixed == {"laptop.example": IPv6Address("fd12:3456:789a:1002::7")}
    assert server.vnet_hdr and server.coalesce and not server.own_framing


NAMES = """
[translation]
pool = "10.0.8.0/24"
[dns64]
upstreams = ["10.0.0.10"]
"""


def test_clients_are_told_the_resolver_the_domain_and_the_nat64_prefix() -> None:
    text = TEXT.replace("[site]", '[site]\ndomain = "Corp.Example"') + NAMES
    site = config.parse(text)
    server = settings(site, plan.plan(site), vnet_hdr=False)
    assert server.dns == (IPv6Address("fd12:3456:789a:3333::3"),)
    assert server.search == ("corp.example",)
    assert server.nat64 == (IPv6Network("fd12:3456:789a:7777::/96"),)


def test_clients_are_told_no_names_without_a_resolver() -> None:
    site = config.parse(TEXT)
    server = settings(site, plan.plan(site), vnet_hdr=False)
    assert (server.dns, server.search, server.nat64) == ((), (), ())


def test_a_site_without_a_gateway_has_no_server() -> None:
    site = config.parse('[site]\nprefix = "fd12:3456:789a::/48"\n[isatap]\nlocators = ["10.0.0.1"]\n')
    with pytest.raises(AssertionError, match="roles by their tables"):
        settings(site, plan.plan(site), vnet_hdr=False)
