"""What is advised for farms, from the site file."""

from __future__ import annotations

from manageout.site.advice import advice
from manageout.site.plan import plan
from manageout.site.tables.site import Site, parse
from tests.tools import site_file
from tests.tools.site_file import GATEWAY

SITE = site_file.SITE + site_file.DOMAIN
ROUTER = '[isatap]\nname = "mo-isatap.corp.example"\nlocators = ["10.0.0.1"]\nrouters = ["10.0.0.2"]\n'
NAMES = '[names]\nservers = ["10.0.0.10"]\n'


def site(*tables: str) -> Site:
    return parse(SITE + "".join(tables))


def route(prefix: str, via: str) -> str:
    return f'[[isatap.routes]]\nprefix = "fd12:3456:789a:{prefix}"\nvia = "fd12:3456:789a:2::{via}"\n'


def lines_of(found: Site, title: str) -> list[tuple[str, str]]:
    return next((section.lines for section in advice(found, plan(found)) if section.title == title), [])


def topologies(found: Site) -> list[tuple[str, str]]:
    return lines_of(found, "Farms: what works")


def name_commands(found: Site) -> list[tuple[str, str]]:
    return lines_of(found, "The router's name as commands")


def own(found: Site) -> str:
    return dict(topologies(found))["this file"]


def test_what_the_file_is() -> None:
    nodes = route("1000::/64", "11") + route("1001::/64", "12")
    assert own(site(ROUTER, nodes)) == "an ISATAP router apart, with 2 routes to other nodes"
    assert "without a way" in own(site(ROUTER))
    assert own(site(GATEWAY, ROUTER)) == "one server with both roles"
    assert own(site(GATEWAY, ROUTER, route("1001::/64", "12"))).endswith("with 1 route to other nodes")
    assert "behind" in own(site(GATEWAY, 'isatap_router = "fd12:3456:789a:2::2"\n'))


def test_every_kind_of_farm_is_there() -> None:
    found = site(ROUTER)
    labels = {label for label, _ in topologies(found)}
    assert {"one server", "NLB", "external load balancer", "several sites"} <= labels
    assert topologies(site(GATEWAY)) == []


def test_one_way_for_a_whole_cluster_is_doubted() -> None:
    found = site(ROUTER, route("1000::/59", "11"))
    assert "fd12:3456:789a:1000::/59 is more" in dict(topologies(found))["to be sure of"]


def test_records_as_commands() -> None:
    lines = name_commands(site(ROUTER))
    assert [value for label, value in lines if label == "Windows"] == [
        f"Add-DnsServerResourceRecordA -ZoneName corp.example -Name mo-isatap -IPv4Address 10.0.0.{n}"
        for n in (1, 2)
    ]
    assert ("nsupdate", "update add mo-isatap.corp.example. 60 A 10.0.0.1") in lines
    assert "Manageout" not in dict(lines)
    assert dict(name_commands(site(ROUTER, NAMES)))["Manageout"] == "manageout rollout dns"


def test_a_name_of_another_domain_and_none_at_all() -> None:
    assert "-ZoneName other.example -Name mo" in str(
        name_commands(site(ROUTER.replace("mo-isatap.corp", "mo.other")))
    )
    assert name_commands(site(ROUTER.replace("mo-isatap.corp.example", ""))) == []
    assert name_commands(site(GATEWAY)) == []
