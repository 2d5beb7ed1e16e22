"""`manageout doctor --live` in the lab: silent about the healthy site, and right about each way of breaking it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from manageout.errors import DaemonUnreachable
from manageout.lab import bind, network, process, servers, site
from manageout.lab.process import wait_until
from manageout.lab.topology import APP, DNS_INTRANET, DOMAIN, ISATAP_NAME, LAPTOP_NAME
from manageout.service.process.runtime import RuntimeDir
from manageout.wire import nd
from tests.tools.commands import MANAGEOUT
from tests.tools.lab import AS_NOBODY, Lab
from tests.tools.programs.strange_router import advertising

URL = "https://gateway.corp.example:443/IPHTTPS"
NOTES = {"LIVE-CLOCK-FREE"}
"""What depends on the machine that the tests run on."""
PREFIX = nd.PrefixInformation(IPv6Address("fd12:3456:789a:1::").packed, 64, False, True, 86400, 14400)
ROUTE = nd.RouteInformation(IPv6Address("fd12:3456:789a:1000::").packed, 59, nd.Preference.MEDIUM, 1800)
FORWARD = "net.ipv4.ip_forward"
INPUT = "chain i { type filter hook input priority 0; policy accept;\n %s\n }"


def doctor(node: str, *options: str) -> list[dict[str, Any]]:
    """The findings, but for those of the machine that the tests run on."""
    argv = [*MANAGEOUT, "doctor", "--json", *options]
    result = network.run(node, argv, check=False)
    assert result.returncode in (0, 1) and "Traceback" not in result.stderr, result.stderr
    found = [row for row in json.loads(result.stdout) if row["code"] not in NOTES]
    assert result.returncode == any(row["severity"] != "note" for row in found)
    return found


def codes(node: str, *options: str) -> set[str]:
    return {row["code"] for row in doctor(node, "--live", *options)}


def gateway(*options: str) -> set[str]:
    return codes("gateway", "--config", site_file(), *options)


def site_file() -> str:
    return str(network.directory("gateway") / "site.toml")


def run(node: str, command: str) -> None:
    network.run(node, command.split(" "))


@contextmanager
def broken(node: str, command: str, mended: str) -> Iterator[None]:
    run(node, command)
    try:
        yield
    finally:
        run(node, mended)


@contextmanager
def filtered(node: str, body: str) -> Iterator[None]:
    network.run(node, ["nft", "-f", "-"], text=f"table inet strangers {{\n{body}\n}}\n")
    try:
        yield
    finally:
        run(node, "nft delete table inet strangers")


@contextmanager
def records(*lines: str) -> Iterator[None]:
    """Changes of the zone, each ``add NAME TTL TYPE VALUE`` or ``delete ...``, taken back at the end."""
    opposite = {"add": "delete", "delete": "add"}
    back = [f"{opposite[line.split(' ')[0]]} {line.split(' ', 1)[1]}" for line in lines]
    update(*lines)
    try:
        yield
    finally:
        update(*reversed(back))
        # The running join follows its router's name.
        process.wait_until(
            "helpdesk has its router again", lambda: set(routers("helpdesk")) == {"10.0.0.1"}, 30
        )


def update(*lines: str) -> None:
    text = [f"server {DNS_INTRANET}", *(f"update {line}" for line in lines), "send"]
    network.run("dc", ["nsupdate"], text="\n".join(text) + "\n")


# --- Healthy --------------------------------------------------------------------------------------------


def test_nothing_is_said_of_the_healthy_site(lab: Lab) -> None:
    ca = str(servers.pki_directory() / "ca.pem")
    assert gateway() == set()
    assert codes("gateway") == set()  # by the site file of the daemon that runs
    assert codes("helpdesk") == set()
    assert codes("app") == set()
    assert codes("laptop", "--gateway", URL, "--ca", ca) == set()


def test_what_was_looked_at_is_told(lab: Lab) -> None:
    argv = [*MANAGEOUT, "doctor", "--live"]
    assert "(gateway), " in network.run("gateway", argv).stdout
    text = network.run("helpdesk", argv).stdout
    assert f"name          {ISATAP_NAME} A on {DNS_INTRANET}: 10.0.0.1\n" in text
    assert "prefix fd12:3456:789a:1::/64, valid 86400 s, preferred 14400 s" in text
    assert "path          to 10.0.0.1: 1500 bytes pass" in text
    assert "nothing wrong that can be seen" in text
    assert max(map(len, text.splitlines())) <= 100


# --- Names ----------------------------------------------------------------------------------------------


def test_name_servers_that_are_silent(lab: Lab) -> None:
    assert codes("helpdesk", "--server", str(APP)) == {"LIVE-DNS-NONE"}
    assert codes("helpdesk", "--server", str(DNS_INTRANET), "--server", str(APP)) == {"LIVE-DNS-SILENT"}


def test_router_names_that_lead_nowhere(lab: Lab) -> None:
    assert codes("app", "--router", f"nobody.{DOMAIN}") == {"LIVE-NAME-MISSING"}
    assert codes("app", "--router", f"isatap.{DOMAIN}") == {"LIVE-NAME-BLOCKED"}


def test_a_server_of_another_network(lab: Lab) -> None:
    wrong = bind._start("app", APP, {"example.net": []})
    try:
        found = codes("helpdesk", "--server", str(DNS_INTRANET), "--server", str(APP))
    finally:
        process.stop(wrong)
    assert found == {"LIVE-NAME-DIFFERS"}


def test_records_of_the_router_that_are_not_its_own(lab: Lab) -> None:
    with records(f"add {ISATAP_NAME} 2 A 10.0.0.77"):
        assert gateway() == {"LIVE-NAME-ASTRAY"}
    with records(f"add isatap.{DOMAIN} 2 A 10.0.0.1"):
        assert gateway() == {"LIVE-NAME-PUBLIC"}


def test_records_of_leases(lab: Lab) -> None:
    (lease,) = [row for row in ask_leases() if row["name"] == LAPTOP_NAME]
    own, pointer = f"{LAPTOP_NAME} 60 A {lease['ipv4']}", IPv4Address(lease["ipv4"]).reverse_pointer
    with records(f"delete {own}"):
        assert gateway() == {"LIVE-RECORD-MISSING"}
    with records(f"add {LAPTOP_NAME} 60 A 10.0.0.200"):
        (found,) = doctor("gateway", "--live", "--config", site_file())
    assert found["code"] == "LIVE-RECORD-STALE" and "10.0.0.200" in found["seen"][0]
    with records(f"delete {pointer} 60 PTR {LAPTOP_NAME}."):
        assert gateway() == {"LIVE-RECORD-PTR"}


def ask_leases() -> list[dict[str, Any]]:
    return list(site.ask("gateway", "leases"))


# --- Routers and the way to them ------------------------------------------------------------------------


def test_routers_that_do_not_serve_us(lab: Lab) -> None:
    assert codes("kiosk", "--router", ISATAP_NAME) == {"LIVE-ROUTER-SILENT"}
    assert codes("kiosk", "--router", str(APP)) == {"LIVE-ROUTER-OFF"}
    with broken("core", "ip rule add pref 10 ipproto 41 prohibit", "ip rule del pref 10"):
        assert codes("helpdesk") == {"LIVE-ROUTER-FILTERED"}
    with broken("kiosk", "ip route del default", "ip route add default via 10.0.1.1"):
        assert codes("kiosk", "--router", "10.0.0.1", "--server", "10.0.1.40") == {
            "LIVE-DNS-NONE", "LIVE-ROUTER-NO-WAY",
        }  # fmt: skip
    with broken("kiosk", "ip route replace default via 10.0.1.99", "ip route replace default via 10.0.1.1"):
        found = codes("kiosk", "--router", "10.0.0.1")
    assert found == {"LIVE-DNS-NONE", "LIVE-NEXT-HOP"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((ROUTE,), "LIVE-ROUTER-NO-PREFIX"),
        ((PREFIX,), "LIVE-ROUTER-NO-ROUTE"),
        (
            (
                nd.PrefixInformation(PREFIX.prefix, 64, False, True, 7200, 0),
                nd.RouteInformation(ROUTE.prefix, 59, ROUTE.preference, 0),
            ),
            "LIVE-ROUTER-FAREWELL",
        ),
    ],
    ids=["no prefix", "no route", "farewell"],
)
def test_advertisements_that_do_not_suffice(lab: Lab, options: tuple[nd.Option, ...], code: str) -> None:
    with advertising("app", APP, nd.RouterAdvertisement(options=options)):
        assert codes("kiosk", "--router", str(APP)) == {code}


def test_routers_of_one_name_that_disagree(lab: Lab) -> None:
    other = nd.PrefixInformation(IPv6Address("fd99:0:0:1::").packed, 64, False, True, 86400, 14400)
    message = nd.RouterAdvertisement(options=(other, ROUTE))
    with advertising("app", APP, message), records(f"add {ISATAP_NAME} 2 A {APP}"):
        assert codes("helpdesk", "--router", ISATAP_NAME) == {"LIVE-ROUTER-OTHER-PREFIX"}


def routers(node: str) -> dict[str, str]:
    return dict(site.ask(node, "status")["roles"]["isatap-host"]["routers"])


def test_narrow_paths_and_black_holes(lab: Lab) -> None:
    narrow = ("ip link set intranet mtu 1290", "ip link set intranet mtu 1500")
    with broken("core", *narrow):
        assert codes("helpdesk") == {"LIVE-MTU-SMALL"}
        assert gateway() == {"LIVE-MTU-BLACK-HOLE"}  # from that side nobody says a word
        drop = INPUT.replace("input", "output") % "icmp type destination-unreachable drop"
        with filtered("core", drop):
            assert codes("helpdesk") == {"LIVE-MTU-BLACK-HOLE"}


def test_a_host_that_waits_for_a_router(lab: Lab) -> None:
    """Its own program says that it waits; why is said first."""
    joining = site.start_join("kiosk", fast_path=False)
    try:
        process.wait_until("join answers", lambda: waiting("kiosk"), 20, [joining])
        silent, *_ = doctor("kiosk", "--live")
    finally:
        process.stop(joining)
    assert silent["code"] == "LIVE-ROUTER-SILENT" and "LIVE-DAEMON-WAITING" in silent["hidden"]


def waiting(node: str) -> bool:
    try:
        return bool(site.ask(node, "status")["roles"]["isatap-host"]["name_state"].startswith("resolved"))
    except DaemonUnreachable:
        return False


# --- The machine ----------------------------------------------------------------------------------------


def test_no_daemon(lab: Lab, tmp_path: Path) -> None:
    assert gateway("--runtime-dir", str(tmp_path)) == {"LIVE-DAEMON-DOWN"}


def test_a_daemon_that_was_killed_and_whose_site_file_is_elsewhere(lab: Lab, tmp_path: Path) -> None:
    """Of the note that it leaves, and the lock that nobody holds."""
    options = ("--runtime-dir", str(tmp_path))
    usual = codes("dc", *options)
    assert "LIVE-DAEMON-DOWN" not in usual
    (tmp_path / "lock").write_text("1\n")
    (tmp_path / "undo.json").write_text(json.dumps({"sysctls": {"net.ipv6.conf.all.forwarding": "0"}}))
    assert codes("dc", *options) == usual | {"LIVE-DAEMON-DOWN"}
    with RuntimeDir(tmp_path):  # somebody is just starting
        assert codes("dc", *options) == usual
    (tmp_path / "undo.json").write_text("{}")
    assert codes("dc", *options) == usual


def test_a_site_file_with_faults(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\nprefix = "fd12::/48"\n')
    (found,) = doctor("gateway", "--live", "--config", str(file))
    assert found["code"] == "LIVE-CONFIG" and "no role" in found["seen"][0]


def told(code: str) -> bool:
    """Whether the gateway's daemon has found it."""
    return code in {row["code"] for row in site.ask("gateway", "status")["findings"]}


def test_kernel_parameters(lab: Lab) -> None:
    off = "sysctl -qw net.ipv4.ip_forward=0"
    for _ in range(3):  # so often the daemon puts it back
        run("gateway", off)
        wait_until(
            "it forwards", lambda: network.run("gateway", ["sysctl", "-n", FORWARD]).stdout == "1\n", 5
        )
    with broken("gateway", off, "sysctl -qw net.ipv4.ip_forward=1"):
        wait_until("it is told", lambda: told("FORWARDING-OFF"), 5)
        assert gateway() == {"LIVE-FORWARDING"}
    wait_until("it is right", lambda: not told("FORWARDING-OFF"), 5)
    off = "sysctl -qw net.ipv6.conf.all.disable_ipv6=%d"
    with broken("kiosk", off % 1, off % 0):
        assert codes("kiosk") == {"LIVE-IPV6-OFF"}


def test_a_way_back_by_another_device(lab: Lab) -> None:
    strict = "sysctl -qw net.ipv4.conf.intranet.rp_filter=%d"
    way = "ip route %s 10.0.1.30/32 via 198.51.100.20"
    with broken("gateway", strict % 1, strict % 0), broken("gateway", way % "add", way % "del"):
        assert "LIVE-RP-FILTER" in gateway()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("meta l4proto 41 drop", "LIVE-FILTER-41"),
        ("tcp dport 443 ct state untracked drop", "LIVE-FILTER-TLS"),
        ("meta l4proto 41 meta mark 7 drop", "LIVE-FILTER-UNSURE"),
    ],
)
def test_other_tables_that_receive_nothing(lab: Lab, rule: str, code: str) -> None:
    wait_until("the last one is forgotten", lambda: not told("FILTER-BLOCKS"), 10)
    with filtered("gateway", INPUT % rule):
        rows = doctor("gateway", "--live", "--config", site_file())
    # What harms our listeners the daemon tells as well, within a second.
    (found,) = [row for row in rows if row["code"] != "LISTENER-UNTRACKED"]
    assert found["code"] == code and rule.split(" ")[-1] in found["seen"][0]


def test_a_table_that_forwards_nothing(lab: Lab) -> None:
    wait_until("the last one is forgotten", lambda: not told("FILTER-BLOCKS"), 10)
    with filtered("gateway", "chain f { type filter hook forward priority 10; policy drop;\n }"):
        assert gateway() == {"LIVE-FILTER-FORWARD"}
        quotes = [
            line for row in doctor("gateway", "--live", "--config", site_file()) for line in row["seen"]
        ]
    assert [line for line in quotes if "from mo-xlat0 to intranet:" in line and "policy drop" in line]
    wait_until("it is forgotten", lambda: not told("FILTER-BLOCKS"), 10)
    accept = 'iifname "mo-*" accept\n oifname "mo-*" accept'
    with filtered(
        "gateway", f"chain f {{ type filter hook forward priority 10; policy drop;\n {accept}\n }}"
    ):
        assert gateway() == set()


def test_a_host_that_drops_what_its_router_sends(lab: Lab) -> None:
    with filtered("helpdesk", INPUT % "meta l4proto 41 drop"):
        assert codes("helpdesk") == {"LIVE-FILTER-41"}


def test_nobody_may_look_without_privileges(lab: Lab) -> None:
    argv = [*AS_NOBODY, *MANAGEOUT, "doctor", "--json", "--live"]
    result = network.run("helpdesk", argv, check=False)
    found = {row["code"]: row["seen"] for row in json.loads(result.stdout)}
    assert "LIVE-UNSEEN" in found and "Traceback" not in result.stderr
    assert any("packet filter" in line for line in found["LIVE-UNSEEN"])


# --- Gateways -------------------------------------------------------------------------------------------


def test_gateways_as_clients_see_them(lab: Lab) -> None:
    assert codes("laptop", "--gateway", "https://gateway.corp.example:444/") == {"LIVE-GATEWAY-SILENT"}
    assert codes("laptop", "--gateway", "https://198.51.100.10/") == {"LIVE-CERT-NAME"}
    assert codes("laptop", "--gateway", URL) == {
        "LIVE-CERT-REFUSED"
    }  # the system does not know the authority


@pytest.mark.parametrize(
    ("option", "value", "status"),
    [
        ("--gateway", "x", 2),
        ("--server", "nobody", 1),
        ("--server", "10.0.0.10:x", 1),
        ("--router", "a" * 64, 1),
        ("--router", "fd12::1", 1),
        ("--router", "..", 1),
    ],
)
def test_options_that_cannot_be_meant(option: str, value: str, status: int) -> None:
    argv = [*MANAGEOUT, "doctor", "--live", option, value]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == status and value in result.stderr and "Traceback" not in result.stderr
