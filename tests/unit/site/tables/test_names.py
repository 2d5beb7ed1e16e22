"""The tables for DNS64 and names: what is accepted, what is refused."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from manageout.errors import ConfigError
from manageout.site.contradictions import contradictions
from manageout.site.plan import plan
from manageout.site.tables.site import parse
from tests.tools import site_file

GATEWAY = site_file.SITE + site_file.DOMAIN + site_file.GATEWAY
DNS64 = '[dns64]\nupstreams = ["10.0.0.10"]\n'


def faults(text: str, head: str = GATEWAY) -> set[str]:
    try:
        read = parse(head + text)
    except ConfigError as error:
        return {fault.path for fault in error.faults}
    return {fault.path for fault in contradictions(read, plan(read))}


def test_upstreams_are_enough() -> None:
    read = parse(GATEWAY + DNS64)
    assert read.dns64 is not None
    assert read.dns64.exclude_prefixes == (IPv6Network("::ffff:0:0/96"),)
    assert read.dns64.blocked == ("isatap", "wpad")
    assert read.dns64.serve_stale == 0


@pytest.mark.parametrize("server", ["10.0.0.10", "10.0.0.10:5353", "fd12::1", "[fd12::1]:53"])
def test_a_dns_server(server: str) -> None:
    assert faults(f'[dns64]\nupstreams = ["{server}"]') == set()


@pytest.mark.parametrize(
    "server", ["", "dc.corp.example", "10.0.0.10:0", "10.0.0", "fd12::1:53:x", "10.0.0.10:70000"]
)
def test_what_is_no_dns_server(server: str) -> None:
    assert faults(f'[dns64]\nupstreams = ["{server}"]') == {"dns64.upstreams.0"}


@pytest.mark.parametrize("prefix", ["2001:db8::/80", "2001:db8:0:0:100::/96", "::/96", "ff02::/96"])
def test_dns64_prefixes_are_those_of_rfc6052(prefix: str) -> None:
    assert faults(f'{DNS64}[[dns64.prefixes]]\nprefix = "{prefix}"') == {"dns64.prefixes.0.prefix"}


def test_dns64_needs_an_upstream() -> None:
    assert faults("[dns64]\nupstreams = []") == {"dns64.upstreams"}


def test_prefixes_by_ipv4_range() -> None:
    text = '[[dns64.prefixes]]\nprefix = "fd12:3456:789a:7778::/96"\nipv4 = ["10.1.0.0/16"]\n'
    read = parse(GATEWAY + DNS64 + text)
    assert read.dns64 is not None
    assert read.dns64.prefixes[0].ipv4 == (IPv4Network("10.1.0.0/16"),)


def test_both_need_a_gateway() -> None:
    head = (
        '[site]\nprefix = "fd12:3456:789a::/48"\ndomain = "corp.example"\n[isatap]\nlocators = ["10.0.0.1"]\n'
    )
    assert faults(DNS64 + "[names]\n", head) == {"dns64", "names"}


def test_names_find_their_server_through_dns64_or_are_told() -> None:
    assert faults(DNS64 + "[names]\n") == set()
    assert faults("[names]\n") == {"names.servers"}
    assert faults('[names]\nservers = ["10.0.0.10"]\n') == set()


def test_names_need_a_zone() -> None:
    head = GATEWAY.replace('domain = "corp.example"\n', "")
    assert faults('[names]\nservers = ["10.0.0.10"]\n', head) == {"names.zone"}
    assert faults('[names]\nzone = "Remote.Corp.Example."\nservers = ["10.0.0.10"]\n', head) == set()


@pytest.mark.parametrize(("kind", "file"), [("tsig", "names.key_file"), ("kerberos", "names.keytab")])
def test_authentication_needs_its_file(kind: str, file: str) -> None:
    text = f'[names]\nservers = ["10.0.0.10"]\nauthentication = "{kind}"\n'
    assert faults(text) == {file}
    assert faults(f'{text}{file.partition(".")[2]} = "/etc/manageout/x"\n') == set()


@pytest.mark.parametrize("zone", ["a..b", "-a.example", "ü.example", "10.0.0.1", "x" * 64 + ".example"])
def test_what_is_no_zone(zone: str) -> None:
    assert faults(f'[names]\nservers = ["10.0.0.10"]\nzone = "{zone}"\n') == {"names.zone"}
