"""The site file: what is accepted, and that every fault is told at once."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from manageout.errors import ConfigError
from manageout.site.tables.site import load, parse

GATEWAY = """
[site]
prefix = "fd12:3456:789a::/48"
[gateway]
certificate = "/etc/manageout/gateway.pem"
key = "/etc/manageout/gateway.key"
client_ca = "/etc/manageout/ca.pem"
"""
ROUTER = """
[site]
prefix = "fd12:3456:789a::/48"
[isatap]
name = "manageout-isatap.corp.example"
locators = ["10.0.0.1"]
hosts = ["10.0.1.30/32", "10.0.7.0/24"]
"""


def faults(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_a_gateway_needs_four_lines() -> None:
    site = parse(GATEWAY)
    assert site.gateway is not None
    assert site.isatap is None
    assert site.gateway.authentication == "certificates"
    assert site.gateway.listen == ("0.0.0.0:443",)
    assert not site.policy.hairpin


def test_a_router_answers_only_hosts_in_the_file() -> None:
    site = parse(ROUTER)
    assert site.isatap is not None
    assert site.isatap.hosts == (IPv4Network("10.0.1.30/32"), IPv4Network("10.0.7.0/24"))
    assert parse(ROUTER.replace("hosts =", "routers = []\n#")).isatap.hosts == ()  # type: ignore[union-attr]


def test_the_router_is_no_default_router_unless_asked() -> None:
    site = parse(ROUTER)
    assert site.isatap is not None
    assert not site.isatap.default_route


def test_every_fault_is_told_at_once_with_its_path_and_a_hint() -> None:
    text = """
    [site]
    prefix = "fd12:3456:789a::/56"
    [gateway]
    node = 32
    certificate = "c"
    key = "k"
    listen = ["443"]
    colour = "green"
    [isatap]
    name = "isatap"
    locators = []
    mtu = 1500
    """
    with pytest.raises(ConfigError) as caught:
        parse(text, "site.toml")
    error = caught.value
    assert error.exit_code == 1
    assert {fault.path for fault in error.faults} >= {
        "site.prefix",
        "gateway.node",
        "gateway.listen.0",
        "gateway.colour",
        "isatap.name",
        "isatap.locators",
        "isatap.mtu",
    }
    assert "site.toml" in error.message


@pytest.mark.parametrize("name", ["isatap", "ISATAP", "isatap.corp.example"])
def test_the_bare_isatap_name_is_refused(name: str) -> None:
    text = ROUTER.replace("manageout-isatap.corp.example", name)
    assert "isatap.name" in faults(text)


@pytest.mark.parametrize(
    "listener", ["443", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:65536", "host:443", "1.2.3.400:1"]
)
def test_a_listener_is_an_address_and_a_port(listener: str) -> None:
    assert "gateway.listen.0" in faults(GATEWAY + f'listen = ["{listener}"]\n')


def test_a_listener_of_ipv4_is_not_written_as_ipv6() -> None:
    """What ``ipaddress`` calls loopback or unspecified among these differs between versions of Python."""
    found = faults(GATEWAY + 'listen = ["[::ffff:10.0.0.1]:443"]\n')
    assert "is an IPv4 address" in found["gateway.listen.0"]
    assert "daemon.metrics" in faults(GATEWAY + '[daemon]\nmetrics = "[::ffff:127.0.0.1]:9464"\n')


@pytest.mark.parametrize("listener", ["0.0.0.0:443", "[::]:443", "[2001:db8::1]:8443"])
def test_listeners_of_both_families(listener: str) -> None:
    assert parse(GATEWAY + f'listen = ["{listener}"]\n').gateway.listen == (listener,)  # type: ignore[union-attr]


def test_certificates_need_a_ca() -> None:
    text = GATEWAY.replace("client_ca", "# client_ca")
    assert "gateway.client_ca" in faults(text)
    assert parse(text + 'authentication = "none"\n').gateway is not None


def test_a_file_without_a_role_is_refused() -> None:
    assert "no role" in faults('[site]\nprefix = "fd12:3456:789a::/48"\n')["(file)"]


def test_preferred_is_within_valid() -> None:
    assert "isatap.prefix_preferred" in faults(ROUTER + "prefix_valid = 100\nprefix_preferred = 200\n")


def test_not_toml() -> None:
    assert "not valid TOML" in faults("site = \n")["(file)"]


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000, "{a=" * 3000 + "1" + "}" * 3000])
def test_what_the_reader_of_toml_leaves_to_python_is_a_fault_too(value: str) -> None:
    assert "not valid TOML" in faults(f"x = {value}\n")["(file)"]


def test_prefixes_are_read_as_networks() -> None:
    assert parse(ROUTER).site.prefix == IPv6Network("fd12:3456:789a::/48")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "absent.toml")
    assert caught.value.faults[0].hint
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        load(binary)
    good = tmp_path / "good.toml"
    good.write_text(GATEWAY)
    assert load(good) == parse(GATEWAY)


@pytest.mark.parametrize("place", ["0.0.0.0:9464", "9464", "192.0.2.1:9464", "[::]:9464", "unix:relative"])
def test_metrics_stay_on_this_machine(place: str) -> None:
    assert "daemon.metrics" in faults(ROUTER + f'[daemon]\nmetrics = "{place}"\n')


@pytest.mark.parametrize("place", ["127.0.0.1:9464", "[::1]:1", "unix:/run/metrics.sock", "off"])
def test_places_for_metrics(place: str) -> None:
    assert parse(ROUTER + f'[daemon]\nmetrics = "{place}"\n').daemon.metrics == place


@pytest.mark.parametrize("prefix", ["ff00::/48", "fe80::/48", "::/48"])
def test_a_site_prefix_can_be_routed(prefix: str) -> None:
    assert "site.prefix" in faults(ROUTER.replace("fd12:3456:789a::/48", prefix))


def test_balancers_are_networks_but_never_everybody() -> None:
    table = '[gateway.iphttps]\nproxies = ["198.51.100.5", "2001:db8::/64"]\n'
    found = parse(GATEWAY + table).gateway
    assert found is not None and [str(each) for each in found.iphttps.proxies] == [
        "198.51.100.5/32",
        "2001:db8::/64",
    ]
    for everybody in ("0.0.0.0/0", "::/0", "198.51.100.5/24", "lb.example"):
        wrong = f'[gateway.iphttps]\nproxies = ["{everybody}"]\n'
        assert any(path.startswith("gateway.iphttps.proxies") for path in faults(GATEWAY + wrong))
