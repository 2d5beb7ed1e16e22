"""``manageout address``."""

from __future__ import annotations

import json
from functools import partial

import pytest

from manageout.cli.address import address
from tests.tools import commands

run = partial(commands.run, address)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            "isatap 10.0.0.1 --prefix fd12:3456:789a:1::/64",
            {"link_local": "fe80::5efe:a00:1", "address": "fd12:3456:789a:1:0:5efe:a00:1"},
        ),
        (
            "isatap 100.64.0.1",
            {"interface_identifier": "0200:5efe:6440:0001", "by_rfc_5214": "0000:5efe:6440:0001"},
        ),
        ("nat64 10.0.0.20 --prefix fd12:3456:789a:7777::/96", {"ipv6": "fd12:3456:789a:7777::a00:14"}),
        ("nat64 64:ff9b::8.8.8.8", {"ipv4": "8.8.8.8", "prefix_from": "the well-known prefix"}),
        ("nat64 8.8.8.8 --offline", {"ipv6": "64:ff9b::808:808"}),
        ("nat64 10.0.0.1 --prefix ::ffff:0:0/96", {"ipv6": "::ffff:10.0.0.1", "prefix": "::ffff:0:0/96"}),
        # RFC 6052 2.4, all six lengths.
        ("nat64 192.0.2.33 --prefix 2001:db8::/32", {"ipv6": "2001:db8:c000:221::"}),
        ("nat64 192.0.2.33 --prefix 2001:db8:100::/40", {"ipv6": "2001:db8:1c0:2:21::"}),
        ("nat64 192.0.2.33 --prefix 2001:db8:122::/48", {"ipv6": "2001:db8:122:c000:2:2100::"}),
        ("nat64 192.0.2.33 --prefix 2001:db8:122:300::/56", {"ipv6": "2001:db8:122:3c0:0:221::"}),
        ("nat64 192.0.2.33 --prefix 2001:db8:122:344::/64", {"ipv6": "2001:db8:122:344:c0:2:2100:0"}),
        ("nat64 192.0.2.33 --prefix 2001:db8:122:344::/96", {"ipv6": "2001:db8:122:344::c000:221"}),
        ("6to4 1.2.3.4", {"prefix": "2002:102:304::/48"}),
        ("6to4 2002:102:304::1", {"ipv4": "1.2.3.4"}),
        (
            "teredo 65.54.227.120 192.0.2.45 40000 --cone",
            {"address": "2001:0:4136:e378:8000:63bf:3fff:fdd2", "link_local": "fe80::8000:63bf:3fff:fdd2"},
        ),
        ("explain fe80::5efe:10.0.0.1", {"ipv4": "10.0.0.1"}),
        ("explain fd00:0:0:1::a01:203 --nat64 fd00:0:0:1::/96", {"ipv4": "10.1.2.3"}),
    ],
)
def test_derives(arguments: str, wanted: dict[str, str]) -> None:
    as_json = run(*arguments.split(), "--json")
    assert wanted.items() <= json.loads(as_json.stdout).items()
    for_people = run(*arguments.split())
    assert all(text in for_people.stdout for text in wanted.values())


def test_warns_of_what_others_will_drop() -> None:
    for arguments in (("nat64", "10.0.0.1", "--offline"), ("6to4", "10.0.0.1")):
        assert "not a global IPv4 address" in run(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("isatap ten", "'ten' is not an IPv4 address"),
        ("isatap 0.0.0.0", "0.0.0.0 is not the address of a host"),
        ("isatap 224.0.0.1", "224.0.0.1 is not the address of a host"),
        ("isatap 10.0.0.1 --prefix fd00::/48", "fd00::/48 is not a /64"),
        ("isatap 10.0.0.1 --prefix fd00::1/64", "host bits set"),
        ("nat64 fd00::1 --offline", "fd00::1 is not in 64:ff9b::/96"),
        ("nat64 1.2.3.4 --prefix fd00::/50", "/50 is not an RFC 6052 length"),
        ("6to4 fd00::1", "fd00::1 is not in 2002::/16"),
        ("teredo 1.1.1.1 2.2.2.2 65536", "65536 is not in the range"),
        ("explain nothing", "'nothing' is not an IPv4 or IPv6 address"),
        ("explain fd00::1 --nat64 fd00::/50", "/50 is not an RFC 6052 length"),
    ],
)
def test_wrong_arguments_get_one_line(arguments: str, message: str) -> None:
    result = run(*arguments.split(), code=2)
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
