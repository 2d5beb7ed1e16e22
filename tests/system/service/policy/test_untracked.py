"""Rules of the site that do not bear untracked listeners: check says so, and so does the running daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from manageout.lab.process import wait_until
from manageout.linux.host import netns
from tests.tools.places.daemon import NAME, ROUTE, ROUTER, Place

FIREWALL = """
table inet site {{
  chain in {{
    type filter hook input priority filter; policy drop;
    {}
    iif lo accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
  }}
}}
"""
STATEFUL = (
    "ct state established,related accept; ct state invalid drop; ct state new tcp dport 443 accept;"
    " ct state new meta l4proto 41 accept"
)
PORTS = (
    "ct state established,related accept; ct state invalid drop; icmp type destination-unreachable accept;"
)
GOOD = (
    f"{PORTS} tcp dport 443 accept; meta l4proto 41 accept",
    f"{STATEFUL}; ct state untracked accept",
    f"ct state {{ established, related, untracked }} accept; {STATEFUL}",
)
NO_ERRORS = "ct state established,related accept; tcp dport 443 accept; meta l4proto 41 accept"
NAT = "table ip n {{\n chain p {{ type nat hook prerouting priority dstnat; {}\n }}\n}}\n"


def told(place: Place) -> list[str]:
    argv = [
        "-m",
        "manageout",
        "check",
        "--json",
        "--config",
        str(place.file),
        "--runtime-dir",
        str(place.runtime),
    ]
    found = subprocess.run(
        netns.command(NAME, [sys.executable, *argv]), capture_output=True, text=True, check=False
    )
    rows = [row for row in json.loads(found.stdout) if row["check"] == "untracked listeners"]
    return [f"{row['message']} -> {row['remedy']}" for row in rows]


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Place:
    place.write(ROUTER, ROUTE, place.gateway)
    return place


def load(place: Place, text: str) -> None:
    subprocess.run(
        netns.command(NAME, ["nft", "-f", "-"]), input="flush ruleset\n" + text, text=True, check=True
    )


def test_check_says_which_rule_would_drop_and_what_to_accept(site: Place) -> None:
    assert told(site) == []
    load(site, FIREWALL.format(STATEFUL))
    found = told(site)
    assert len(found) == 3 and all("nft table inet site, chain in" in each for each in found)
    assert any("TCP port 443 (input)" in each and "`tcp dport 443`" in each for each in found)
    assert any("protocol 41" in each and "`meta l4proto 41`" in each for each in found)
    assert any("ICMP errors" in each for each in found)
    load(site, FIREWALL.format(NO_ERRORS))
    assert ["ICMP errors" in each for each in told(site)] == [True]
    for rules in GOOD:
        load(site, FIREWALL.format(rules))
        assert told(site) == [], rules


def test_check_knows_translation_of_our_port(site: Place) -> None:
    for rule in (
        "tcp dport 4443 redirect to :443;",
        "tcp dport 4443 dnat to 10.0.0.1:443;",
        "tcp dport 443 dnat to 10.0.0.80:8443;",
        "tcp dport { 80, 443 } redirect to :8080;",
    ):
        load(site, NAT.format(rule))
        (found,) = told(site)
        assert "nft table ip n, chain p" in found and "gateway.listen" in found
    for rule in ("tcp dport 80 redirect to :8080;", "tcp dport 4443 dnat to 10.0.0.80:443;"):
        load(site, NAT.format(rule))
        assert told(site) == []


def test_the_running_daemon_says_it_too(site: Place) -> None:
    load(site, FIREWALL.format(STATEFUL))
    site.start()

    def rows() -> list[dict[str, str]]:
        found = site.ask("status")["findings"]
        return [row for row in found if row["code"] == "LISTENER-UNTRACKED"]

    wait_until("it is told", rows, 20)
    assert {row["severity"] for row in rows()} == {"error"}
