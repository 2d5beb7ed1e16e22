"""What cannot be together in a site file."""

from __future__ import annotations

from pathlib import Path

import pytest

from manageout.errors import ConfigError
from manageout.site.contradictions import contradictions, read_site
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools.site_file import GATEWAY, SITE

ROUTER = '[isatap]\nlocators = ["10.0.0.1"]\nhosts = ["10.0.1.30/32"]\n'


def faults(*tables: str) -> dict[str, str]:
    site = parse(SITE + "".join(tables))
    return {fault.path: fault.message for fault in contradictions(site, plan(site))}


def route(prefix: str, via: str) -> str:
    return f'[[isatap.routes]]\nprefix = "{prefix}"\nvia = "{via}"\n'


def test_what_is_meant_is_accepted() -> None:
    aggregate = route("fd12:3456:789a:1000::/59", "fd12:3456:789a:2::1")
    assert faults(GATEWAY, ROUTER, aggregate) == {}
    assert faults(GATEWAY, 'isatap_router = "fd12:3456:789a:2::2"\n') == {}


@pytest.mark.parametrize(
    ("tables", "path"),
    [
        ((GATEWAY, 'prefix = "fd12:3456:789a:1::/64"\n', ROUTER), "gateway.prefix"),
        ((ROUTER, 'prefix = "fd12:3456:789a:3333::/64"\n'), "isatap.prefix"),
        ((ROUTER, 'prefix = "fd12:3456:789a:7777::/64"\n'), "isatap.prefix"),
        ((ROUTER, 'retired = ["fd12:3456:789a:1::/64"]\n'), "isatap.retired.0"),
        ((ROUTER, route("fd12:3456:789a::/48", "fd00::1")), "isatap.routes.0.prefix"),
        ((ROUTER, route("fd00:1::/64", "fd00:1::1")), "isatap.routes.0.via"),
        ((ROUTER, route("fd00:1::/64", "fe80::1")), "isatap.routes.0.via"),
        ((GATEWAY, 'isatap_router = "fd00::1"\n', ROUTER), "gateway.isatap_router"),
        ((GATEWAY, 'isatap_router = "fd12:3456:789a:1000::9"\n'), "gateway.isatap_router"),
        ((GATEWAY, 'listen = ["0.0.0.0:443", "0.0.0.0:443"]\n'), "gateway.listen"),
        ((GATEWAY, 'fixed = {"a" = "fd12:3456:789a:2::5"}\n'), "gateway.fixed.a"),
        ((GATEWAY, 'fixed = {"a" = "fd12:3456:789a:1000::1"}\n'), "gateway.fixed.a"),
        (
            (GATEWAY, 'fixed = {"a" = "fd12:3456:789a:1000::5", "b" = "fd12:3456:789a:1000::5"}\n'),
            "gateway.fixed.b",
        ),
        ((ROUTER.replace('["10.0.0.1"]', '["10.0.0.1", "10.0.0.1"]'),), "isatap.locators.1"),
        ((ROUTER, 'routers = ["10.0.0.1"]\n'), "isatap.routers"),
        ((GATEWAY, '[dns64]\nupstreams = ["10.0.0.9", "fd12:3456:789a:3333:0::1"]\n'), "dns64.upstreams.1"),
        ((GATEWAY, '[dns64]\nupstreams = ["[fd12:3456:789a:3333::1]:53"]\n'), "dns64.upstreams.0"),
    ],
)
def test_what_contradicts_itself_is_refused(tables: tuple[str, ...], path: str) -> None:
    assert list(faults(*tables)) == [path]


def test_reading_raises_with_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(SITE + ROUTER + 'routers = ["10.0.0.1"]\n' + route("fd00:1::/64", "fd00:1::1"))
    with pytest.raises(ConfigError) as caught:
        read_site(file)
    assert [fault.path for fault in caught.value.faults] == ["isatap.routers", "isatap.routes.0.via"]
    assert all(fault.hint for fault in caught.value.faults)


def test_managers_call_clients_by_name_only_where_names_are_known() -> None:
    manager = '[[policy.managers]]\nfrom = ["10.0.1.0/24"]\nservices = ["any"]\nto = ["lap*"]\n'
    assert faults(GATEWAY, manager) == {}
    assert "does not know" in faults(ROUTER, manager)["policy.managers.0.to"]
    assert faults(ROUTER, manager.replace("lap*", "*")) == {}
    anybody = GATEWAY + 'authentication = "none"\n'
    assert "have no names" in faults(anybody, manager)["policy.managers.0.to"]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (ROUTER, "holds 10.0.0.1, our locator"),
        ('listen = ["10.0.0.5:443"]\n', "holds 10.0.0.5, where the gateway listens"),
        ('[dns64]\nupstreams = ["10.0.0.10", "10.0.9.9"]\n', "holds 10.0.0.10, a DNS server"),
        ('[names]\nzone = "corp.example"\nservers = ["10.0.0.10:53"]\n', "holds 10.0.0.10, a DNS server"),
        (
            '[[policy.managers]]\nname = "app"\nfrom = ["10.0.0.20"]\nservices = ["any"]\n',
            "holds 10.0.0.20, the manager app",
        ),
    ],
)
def test_the_pool_holds_nobody_that_the_file_names(tables: str, said: str) -> None:
    assert faults(GATEWAY, tables, '[translation]\npool = "10.0.0.0/24"\n') == {"translation.pool": said}


def test_networks_of_managers_may_hold_the_pool() -> None:
    manager = '[[policy.managers]]\nfrom = ["10.0.0.0/24"]\nservices = ["any"]\n'
    dns = '[dns64]\nupstreams = ["fd12:3456:789a::53", "10.0.0.10"]\n'
    assert faults(GATEWAY, manager, dns, '[translation]\npool = "10.0.0.128/26"\n') == {}


@pytest.mark.parametrize("address", ["10.0.8.0", "10.0.8.255"])
def test_a_fixed_lease_is_an_address_of_a_machine(address: str) -> None:
    table = f'[translation]\npool = "10.0.8.0/24"\nfixed = {{ "laptop" = "{address}" }}\n'
    assert faults(GATEWAY, table) == {"translation.fixed.laptop": f"{address} is no address of a machine"}


def test_names_are_for_clients_or_for_the_routers_name() -> None:
    names = '[names]\nzone = "corp.example"\nservers = ["10.0.0.10"]\n'
    router = '[isatap]\nlocators = ["10.0.0.1"]\n'
    assert faults(router, names) == {"names": "needs a gateway or the router's name"}
    assert faults(router + 'name = "mo-isatap.corp.example"\n', names) == {}
