"""``manageout check`` in a namespace: each thing that is wrong there is found, with its remedy."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from manageout.linux.host import netns
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import NAME, ROUTE, ROUTER, Place

KNOWN = {"router name", "manager names"}
"""Found in every namespace: no DNS."""
USUAL = ("clock", "nobody may call clients", "this kernel has no tcx")
MANAGER = """
[[policy.managers]]
from = ["%s", "helpdesk.corp.example"]
services = ["any"]
"""


def check(place: Place, *prefix: str, code: int = 1) -> dict[str, list[dict[str, Any]]]:
    argv = [*prefix, *MANAGEOUT, "check", "--json", "--config", str(place.file)]
    command = netns.command(NAME, [*argv, "--runtime-dir", str(place.runtime)])
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stdout + result.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(result.stdout):
        if row["check"] not in KNOWN and not any(word in row["message"] for word in USUAL):
            found.setdefault(row["check"], []).append(row)
    return found


def only(place: Place, title: str, *prefix: str) -> str:
    """The message of the only finding."""
    found = check(place, *prefix)
    assert list(found) == [title], found
    (finding,) = found[title]
    assert finding["remedy"]
    return str(finding["message"])


@pytest.fixture(autouse=True)
def all_well(place: Place) -> None:
    """A site file and a machine without findings."""
    place.write(ROUTER, ROUTE)
    place.run(["ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.254"])


def test_a_machine_that_fits(place: Place) -> None:
    assert check(place) == {}
    place.write(ROUTER, place.gateway)
    found = check(place)
    assert list(found) == ["certificates"] and all(row["remedy"] for row in found["certificates"])
    everybody, no_list = (row["message"] for row in found["certificates"])
    assert "every client certificate of the authority" in everybody and "no list of the authority" in no_list


def test_a_locator_of_another_machine(place: Place) -> None:
    place.write(ROUTER.replace('"10.0.0.1"', '"10.0.0.7"'), ROUTE)
    assert "10.0.0.7 is not on this machine" in only(place, "locators")


def test_managers_need_a_way_to_clients(place: Place) -> None:
    place.write(ROUTER, ROUTE, MANAGER % "10.0.1.0/24")
    assert check(place) == {}
    place.write(ROUTER, ROUTE, MANAGER % "10.0.2.0/24")
    assert "10.0.2.0/24 has no way to clients" in only(place, "managers")


def test_it_says_when_nobody_may_call_clients(place: Place) -> None:
    argv = [*MANAGEOUT, "check", "--config", str(place.file)]
    result = subprocess.run(netns.command(NAME, argv), capture_output=True, text=True, check=False)
    assert "nobody may call clients" in result.stdout


def test_what_is_wrong_with_a_device_is_told_once_however_many_locators_it_holds(place: Place) -> None:
    place.run(["ip", "address", "add", "10.0.0.7/24", "dev", "e0"])
    place.write(ROUTER.replace('"10.0.0.1"', '"10.0.0.1", "10.0.0.7"'), ROUTE)
    place.run(["ip", "link", "set", "e0", "mtu", "1290"])
    assert "MTU 1290" in only(place, "path to the managers")
    place.run(["ip", "link", "set", "e0", "mtu", "1500"])
    place.run(["ip", "route", "delete", "10.0.1.0/24"])
    assert "no route to 10.0.1.30/32" in only(place, "path to the managers")


def test_the_path_to_the_managers(place: Place) -> None:
    place.run(["ip", "link", "set", "e0", "mtu", "1290"])
    assert "MTU 1290" in only(place, "path to the managers")
    place.run(["ip", "link", "set", "e0", "mtu", "1500"])
    place.run(["ip", "route", "delete", "10.0.1.0/24"])
    assert "no route to 10.0.1.30/32" in only(place, "path to the managers")
    place.run(["ip", "link", "add", "f0", "type", "veth", "peer", "name", "f1"])
    place.run(["ip", "link", "set", "f0", "up"])
    place.run(["ip", "route", "add", "10.0.1.0/24", "dev", "f0"])
    place.run(["sysctl", "-q", "net.ipv4.conf.all.rp_filter=1"])
    assert "rp_filter drops them" in only(place, "path to the managers")


def test_next_hops(place: Place) -> None:
    place.write(ROUTER, ROUTE.replace("fd99::2", "2001:db8::1"))
    assert "2001:db8::1" in only(place, "next hops")


def test_the_way_to_another_router(place: Place) -> None:
    for command in ("link add f0 type veth peer name f1", "link set f1 up", "link set f0 up"):
        place.run(["ip", *command.split()])
    place.run(["ip", "address", "add", "192.0.2.1/24", "dev", "f0"])
    place.run(["ip", "route", "add", "default", "via", "192.0.2.2"])
    for router in ("10.0.0.2", "10.9.0.2"):
        place.write(ROUTER, f'routers = ["{router}"]\n', ROUTE)
        found = check(place).get("next hops", [])
        assert [router in row["message"] for row in found] == ([True] if router == "10.9.0.2" else [])
    place.run(["ip", "route", "add", "10.9.0.2", "via", "192.0.2.2"])
    assert "next hops" not in check(place)


def test_routes_learnt_by_advertisement(place: Place) -> None:
    place.run(["ip", "-6", "route", "add", "default", "via", "fd99::9", "proto", "ra"])
    assert "turning forwarding on ends that" in only(place, "forwarding")


def test_names_and_ports_that_are_taken(place: Place) -> None:
    place.run(["ip", "link", "add", "mo-isatap0", "type", "veth", "peer", "name", "f1"])
    assert "mo-isatap0 is taken" in only(place, "devices")
    place.run(["ip", "link", "delete", "mo-isatap0"])
    place.write(ROUTER, ROUTE, daemon='metrics = "[::1]:9464"\n')
    place.run(["ip", "address", "delete", "::1/128", "dev", "lo"])
    assert "[::1]:9464" in only(place, "ports")


def test_other_peoples_packet_filter(place: Place) -> None:
    place.run(["nft", "add table ip6 theirs"])
    place.run(["nft", "add chain ip6 theirs f { type filter hook forward priority 0; policy drop; }"])
    assert "drops clients' packets: nft table ip6 theirs, chain f" in only(place, "packet filter")
    place.run(["nft", "add rule ip6 theirs f iifname mo-isatap0 accept"])
    assert check(place) == {}
    place.run(["nft", "insert rule ip6 theirs f meta mark 7 drop"])
    assert "may drop clients' packets" in only(place, "packet filter")


def test_a_doubt_is_told_once_for_all_that_it_is_about(place: Place) -> None:
    place.run(["nft", "add table inet theirs"])
    for hook in ("input", "output"):
        place.run(["nft", f"add chain inet theirs {hook} {{ type filter hook {hook} priority 0; }}"])
    place.run(["nft", "add rule inet theirs input meta mark 7 drop"])
    place.write(ROUTER.replace('"10.0.1.30/32"', '"10.0.1.30/32", "10.0.1.31/32"'), place.gateway)
    messages = [row["message"] for row in check(place)["packet filter"]]
    assert len(messages) == 1 and "may drop protocol 41 in, TLS in: nft table inet theirs" in messages[0]


def test_a_packet_filter_that_keeps_managers_with_ipv6_of_their_own_from_clients(place: Place) -> None:
    manager = '[[policy.managers]]\nfrom = ["fd99::/64", "10.0.1.30"]\nservices = ["any"]\n'
    place.write(place.gateway, manager)
    assert "packet filter" not in check(place)
    place.run(["nft", "add table ip6 theirs"])
    place.run(["nft", "add chain ip6 theirs f { type filter hook forward priority 0; policy drop; }"])
    messages = [row["message"] for row in check(place)["packet filter"]]
    assert len(messages) == 1 and "drops clients' packets: nft table ip6 theirs, chain f" in messages[0]
    place.run(["nft", "add rule ip6 theirs f iifname e0 oifname mo-iphttps0 accept"])
    assert "packet filter" not in check(place)


def test_a_packet_filter_that_drops_by_default_and_lets_in_what_must_pass(place: Place) -> None:
    place.run(["nft", "add table inet theirs"])
    place.run(["nft", "add chain inet theirs i { type filter hook input priority 0; policy drop; }"])
    assert "drops protocol 41 in: nft table inet theirs, chain i" in only(place, "packet filter")
    place.run(["nft", "add rule inet theirs i meta l4proto 41 accept"])
    assert check(place) == {}


def test_beside_our_own_daemon_nothing_is_taken(place: Place) -> None:
    place.start()
    found = check(place)
    assert [row["severity"] for rows in found.values() for row in rows] == ["note"]


def test_without_privileges_it_says_what_it_could_not_look_at(place: Place) -> None:
    found = check(place, "setpriv", "--bounding-set=-all", "--inh-caps=-all")
    assert {"packet filter", "fast path", "privileges"} <= set(found)
    assert {row["severity"] for rows in found.values() for row in rows} == {"note"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ROUTER.replace("10.0.1.30/32", "10.0.0.0/8"), "allows 16777216 hosts"),
        (ROUTER.replace('hosts = ["10.0.1.30/32"]', ""), "no host is answered"),
        (ROUTER.replace('name = "manageout-isatap.corp.example"', ""), "name is empty"),
    ],
)
def test_what_is_legal_and_perhaps_not_meant(place: Place, table: str, message: str) -> None:
    place.write(table, ROUTE)
    place.run(["ip", "route", "add", "default", "via", "10.0.0.254"])
    # Else questions to the DNS would wait for that router, which is not there.
    place.run(["ip", "rule", "add", "ipproto", "udp", "dport", "53", "unreachable"])
    found = check(place)
    assert list(found) == ["policy"] and any(message in row["message"] for row in found["policy"])


def test_a_file_with_faults_is_not_checked_further(place: Place) -> None:
    place.write("[isatap]\nlocators = []\n")
    argv = netns.command(NAME, [*MANAGEOUT, "check", "--config", str(place.file)])
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "isatap.locators: must not be empty" in result.stderr
    assert result.stdout == ""


def test_a_nat64_prefix_that_reaches_nothing_private(place: Place) -> None:
    pool = '[translation]\npool = "10.0.0.128/26"\nprefix = "64:ff9b::/96"\n'
    place.write(place.gateway, pool)
    place.run(["nft", "add table ip theirs"])
    place.run(["nft", "add chain ip theirs f { type filter hook forward priority 0; policy drop; }"])
    found = check(place)
    assert "cannot be reached" in found["NAT64 prefix"][0]["message"]
    assert "every packet goes through Python" in found["fast path"][0]["message"]
    assert "nft table ip theirs, chain f" in found["packet filter"][0]["message"]


def test_more_hosts_than_the_registry_remembers(place: Place) -> None:
    place.write(ROUTER.replace('10.0.1.30/32"]', '10.0.1.0/24"]\nmax_hosts = 20'), ROUTE)
    messages = [row["message"] for row in check(place)["policy"]]
    assert any("max_hosts remembers 20" in message for message in messages)


def test_a_socket_unit_must_listen_where_the_site_file_says(place: Place, tmp_path: Path) -> None:
    place.write(ROUTER, place.gateway.replace("[gateway]", '[gateway]\nallow = ["*.corp.example"]'))
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho ActiveState=active\necho 'Listen=10.0.0.1:8443 (Stream)'\n")
    program.chmod(0o755)
    with_path = ("env", f"PATH={tmp_path}:{os.environ['PATH']}")
    (row,) = check(place, *with_path)["socket unit"]
    assert "10.0.0.1:8443, which gateway.listen does not name" in row["message"] and row["remedy"]
    program.write_text("#!/bin/sh\necho ActiveState=active\necho 'Listen=10.0.0.1:443 (Stream)'\n")
    found = check(place, *with_path)
    assert "socket unit" not in found and "systemd listens there for us" in found["ports"][0]["message"]


def test_it_says_the_line_of_the_site_file(place: Place) -> None:
    place.write(ROUTER.replace('"10.0.0.1"', '"10.0.0.7"'), ROUTE)
    text = place.file.read_text().splitlines()
    (finding,) = check(place)["locators"]
    assert text[finding["line"] - 1].startswith("locators = ")
    site = '[site]\nprefix = "fd12:3456:789a::/48"\n'
    place.file.write_text(site + '[isatap]\nlocators = ["10.0.0.1"]\nfarewell = "yes"\n')
    argv = [*MANAGEOUT, "check", "--config", str(place.file)]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "isatap.farewell: 'yes' is neither true nor false (line 5)" in result.stderr


def test_a_table_that_the_running_daemon_does_not_serve_yet(place: Place) -> None:
    place.start()
    assert "needs" not in check(place)
    place.write(ROUTER, place.gateway)
    (row,) = check(place)["needs"]
    assert "[gateway] is new to the running daemon" in row["message"] and "restart" in row["remedy"]
