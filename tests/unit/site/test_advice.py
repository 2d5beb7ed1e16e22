"""What is to be done elsewhere follows from the roles."""

from __future__ import annotations

from manageout.site.advice import Section, advice
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nname = "mo-isatap.corp"\nlocators = ["10.0.0.1"]\nhosts = ["10.0.1.30/32"]\n'


def sections(*tables: str) -> dict[str, Section]:
    site = parse(SITE + "".join(tables))
    return {section.title: section for section in advice(site, plan(site))}


def text(section: Section) -> str:
    return "\n".join(f"{label} {value}" for label, value in section.lines)


def test_one_machine_needs_no_routes_elsewhere() -> None:
    assert text(sections(GATEWAY, ROUTER)["Routes on other machines"]).startswith("nowhere")


def test_a_router_without_a_way_to_clients_is_not_taken_for_the_gateway() -> None:
    routes = text(sections(ROUTER)["Routes on other machines"])
    assert routes.startswith("not known yet") and "[[isatap.routes]]" in routes


def test_a_gateway_without_isatap_needs_a_route_only_in_an_ipv6_intranet() -> None:
    routes = text(sections(GATEWAY)["Routes on other machines"])
    assert "fd12:3456:789a:1000::/64 by this machine" in routes and "ISATAP" not in routes


def test_a_router_apart_needs_routes_on_both_sides() -> None:
    route = '[[isatap.routes]]\nprefix = "fd12:3456:789a:1000::/64"\nvia = "fd12:3456:789a:2::1"\n'
    routes = text(sections(ROUTER, route)["Routes on other machines"])
    assert "fd12:3456:789a:1000::/64 via fd12:3456:789a:2::1 (the daemon adds it)" in routes
    for command in (
        "ip -6 route add fd12:3456:789a:1::/64",
        "netsh interface ipv6 add route",
        "ipv6 route",
        "BIRD",
        "Cisco",
    ):
        assert command in routes
    other = text(sections(GATEWAY, 'isatap_router = "fd12:3456:789a:2::2"\n')["Routes on other machines"])
    assert "fd12:3456:789a:1::/64 via fd12:3456:789a:2::2 (the daemon adds it)" in other
    assert "ip -6 route add fd12:3456:789a:1000::/64" in other


def test_the_bare_name_is_never_proposed() -> None:
    names = sections(GATEWAY, ROUTER)["DNS names to create"].lines
    assert ("mo-isatap.corp", "A 10.0.0.1   (intranet DNS)") in names
    assert all(value.startswith("never") for label, value in names if label == "isatap")


def test_firewalls_and_windows_concern_the_roles_only() -> None:
    assert "protocol 41" in text(sections(ROUTER)["Firewalls"])
    assert "TCP" not in text(sections(ROUTER)["Firewalls"])
    windows = text(sections(GATEWAY)["Windows"])
    assert "https://NAME:443/IPHTTPS enabled certificates" in windows
    assert "isatap" not in windows


def test_the_way_to_the_leases_for_every_router() -> None:
    translation = '[translation]\npool = "10.0.8.0/22"\n'
    way = text(sections(GATEWAY, ROUTER, translation)["Way of the intranet to the leases"])
    for line in (
        "nothing to do if 10.0.8.0/22 lies in a subnet of this machine",
        "ip route add 10.0.8.0/22 via 10.0.0.1",
        "FRR ip route 10.0.8.0/22 10.0.0.1",
        "route 10.0.8.0/22 via 10.0.0.1;",
        "Cisco ip route 10.0.8.0 255.255.252.0 10.0.0.1",
        "route -p add 10.0.8.0 mask 255.255.252.0 10.0.0.1",
    ):
        assert line in way
    assert "THIS-MACHINE is an IPv4 address" in text(
        sections(GATEWAY, translation)["Way of the intranet to the leases"]
    )
    assert "fd12:3456:789a:7777::/96" in text(sections(GATEWAY, translation)["Firewalls"])


def test_a_masquerade_needs_no_way_back() -> None:
    hidden = sections(GATEWAY, '[translation]\npool = "10.0.8.0/22"\nmasquerade = true\n')
    assert "nobody can call them" in text(hidden["Way of the intranet to the leases"])
    assert "7777" not in text(hidden["Firewalls"])
    assert "Way of the intranet to the leases" not in sections(GATEWAY)


def test_a_site_that_names_no_domain_is_shown_none() -> None:
    nameless = ROUTER.replace('name = "mo-isatap.corp"\n', "")
    site = parse(SITE + nameless)
    words = "\n".join(text(section) for section in advice(site, plan(site)))
    assert "example" not in words and "isatap.name is not set" in words
    named = parse(SITE + 'domain = "ad.test"\n' + nameless)
    assert "manageout-isatap.ad.test" in "\n".join(text(section) for section in advice(named, plan(named)))
