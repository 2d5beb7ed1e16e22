"""Hosts put together from registries and zones."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Any

from manageout.directory.dns.zone_records import ZoneRecord
from manageout.retire.census.hosts import MAX_NATIVE, ZoneAddresses, combined, figures

NOW = 1_700_000_000
PREFIX = IPv6Network("fd12:3456:789a:1::/64")
HERE = "fd12:3456:789a:1:0:5efe:a00:11e"  # 10.0.1.30


def registered(v4: str = "10.0.1.30", **more: Any) -> Any:
    row = {"ipv4": v4, "ipv6": "", "name": "", "first_seen": NOW - 900, "last_rs": NOW - 60, "last_packet": 0}
    return row | {"rx_packets": 1, "rx_bytes": 100, "tx_packets": 2, "tx_bytes": 200} | more


def addresses(*records: tuple[str, str]) -> ZoneAddresses:
    found = ZoneAddresses()
    for name, value in records:
        assert list(found.add([ZoneRecord(name, "AAAA", value)]))
    return found


def test_a_host_of_two_routers_is_one() -> None:
    routers = {
        "a": [registered()],
        "b": [registered(first_seen=NOW - 5000, last_rs=0, last_packet=NOW - 5, name="helpdesk")],
    }
    host = combined(routers, addresses(), [PREFIX])["10.0.1.30"]
    assert (host["routers"], host["name"]) == (["a", "b"], "helpdesk")
    assert (host["first_seen"], host["last_seen"]) == (NOW - 5000, NOW - 5)
    assert (host["packets"], host["bytes"]) == (6, 600)


def test_a_record_adds_a_host_and_tells_another_routers_prefix() -> None:
    found = addresses(
        ("helpdesk.corp.example", HERE),
        ("old.corp.example", "2001:db8:0:1:200:5efe:c633:6407"),
        ("app.corp.example", "fd12:3456:789a:5::20"),
    )
    hosts = combined({"a": [registered()]}, found, [PREFIX])
    assert set(hosts) == {"10.0.1.30", "198.51.100.7"}
    assert hosts["10.0.1.30"]["records"] == [{"name": "helpdesk.corp.example", "address": HERE}]
    assert (hosts["10.0.1.30"]["foreign"], hosts["198.51.100.7"]["foreign"]) == (False, True)
    assert hosts["198.51.100.7"]["routers"] == []
    assert sum(len(host["records"]) for host in hosts.values()) == 2


def test_link_local_records_are_of_no_other_router() -> None:
    found = addresses(("helpdesk", "fe80::5efe:a00:11e"))
    assert not combined({}, found, [PREFIX])["10.0.1.30"]["foreign"]


def test_native_addresses_of_its_name_but_no_tunnels() -> None:
    found = addresses(
        ("helpdesk.corp.example", HERE),
        ("helpdesk.corp.example", "fd12:3456:789a:5::30"),
        ("helpdesk.corp.example", "2001:db8::30"),
        ("helpdesk.corp.example", "2002:a00:11e::1"),  # 6to4 of 10.0.1.30
        ("helpdesk.corp.example", "2001:0:1:2::3"),  # Teredo
        ("helpdesk.corp.example", "fe80::1"),
        ("helpdesk.corp.example", "::1"),
    )
    assert combined({}, found, [PREFIX])["10.0.1.30"]["native"] == ["fd12:3456:789a:5::30", "2001:db8::30"]
    by_name = addresses(("kiosk.corp.example", "2002:c633:6401::9"))
    row = registered("10.0.1.40", name="kiosk.corp.example")
    assert combined({"a": [row]}, by_name, [PREFIX])["10.0.1.40"]["native"] == ["2002:c633:6401::9"]


def test_rubbish_and_too_much_are_left_out() -> None:
    many = [("x", f"fd12:3456:789a:5::{number:x}") for number in range(1, 100)]
    found = addresses(("x", HERE), ("x", "no address"), *many)
    host = combined({"a": [registered("no address")]}, found, [PREFIX])
    assert list(host) == ["10.0.1.30"]
    assert len(host["10.0.1.30"]["native"]) == MAX_NATIVE


def test_figures() -> None:
    rows = [
        registered(),
        registered("10.0.1.31", last_rs=NOW - 5 * 86400),
        registered("10.0.1.32", last_rs=0),
    ]
    found = addresses(("old", "2001:db8:0:1:0:5efe:a00:999"))
    assert figures(combined({"a": rows}, found, [PREFIX]).values(), NOW) == {
        "hosts": 4,
        "seen in a day": 1,
        "seen in a week": 2,
        "seen in 30 days": 2,
        "only in the DNS": 1,
        "records": 1,
        "of other routers": 1,
        "with native IPv6": 0,
        "packets": 9,
    }
