"""The translator as a role of the daemon: what it puts into the kernel, reloads, ends."""

from __future__ import annotations

import signal
from ipaddress import IPv4Interface

import pytest

from manageout.lab.process import wait_until
from tests.tools.places.daemon import PREFIX, Place

TRANSLATION = '[translation]\npool = "10.0.0.128/26"\n'


def routes(place: Place) -> set[str]:
    """Prefixes that go into the translator."""
    text = place.run(["ip", "route", "show", "dev", "mo-xlat0"]).stdout
    text += place.run(["ip", "-6", "route", "show", "dev", "mo-xlat0"]).stdout
    return {line.split()[0] for line in text.splitlines()}


def proxied(place: Place) -> str:
    """Addresses for which ARP is answered."""
    return place.run(["ip", "neigh", "show", "proxy"]).stdout


def test_the_kernel_while_it_runs_and_afterwards(place: Place) -> None:
    place.write(place.gateway, TRANSLATION)
    before = place.state()
    eam = f'[[translation.eam]]\nipv4 = "10.0.0.66/32"\nipv6 = "{PREFIX}:20::66/128"\n'
    place.write(place.gateway, TRANSLATION, eam)
    for sign in (signal.SIGKILL, signal.SIGTERM):
        daemon = place.start()
        assert routes(place) == {"10.0.0.128/26", "10.0.0.66", f"{PREFIX}:7777::/96"}
        assert "10.0.0.66 dev e0 proxy proto 61" in proxied(place)
        status = place.ask("status")["roles"]["translation"]
        assert status["fast_path"] == {"on": True, "reason": ""}
        assert (status["pool"], status["arp"]) == ("10.0.0.128/26", "e0, 1 address")
        assert place.run(["sysctl", "-n", "net.ipv4.neigh.e0.proxy_delay"]).stdout == "0\n"
        place.stop(daemon, sign)
    assert place.state() == before
    assert proxied(place) == ""
    assert place.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"


def test_another_pool_and_a_masquerade_by_reload(place: Place) -> None:
    eam = f'[[translation.eam]]\nipv4 = "10.0.0.66/32"\nipv6 = "{PREFIX}:20::66/128"\n'
    place.write(place.gateway, TRANSLATION, eam)
    daemon = place.start()
    place.write(
        place.gateway, '[translation]\npool = "10.0.8.0/24"\nprefix = "fd77:64::/96"\nmasquerade = true\n'
    )
    assert place.reload(daemon)["config"]["rejected"] is None
    assert routes(place) == {"10.0.8.0/24", "fd77:64::/96"}
    assert proxied(place) == ""
    status = place.ask("status")["roles"]["translation"]
    assert (status["pool"], status["prefix"], "arp" in status) == ("10.0.8.0/24", "fd77:64::/96", False)
    assert "masquerade" in place.run(["nft", "list", "table", "inet", "manageout"]).stdout
    place.write(place.gateway)
    assert "[translation] table was added or removed" in place.reload(daemon)["config"]["rejected"]["message"]
    assert routes(place) == {"10.0.8.0/24", "fd77:64::/96"}
    assert place.stop(daemon) == 0


@pytest.mark.parametrize("prefix", ["64:ff9b::/96", "fd77:64::/64"])
def test_a_prefix_that_only_python_can_serve(place: Place, prefix: str) -> None:
    place.write(place.gateway, TRANSLATION + f'prefix = "{prefix}"\n')
    daemon = place.start()
    fast = place.ask("status")["roles"]["translation"]["fast_path"]
    assert not fast["on"]
    assert f"cannot serve {prefix}" in fast["reason"]
    assert place.stop(daemon) == 0


def test_a_device_removed_by_somebody_ends_the_daemon_with_a_word(place: Place) -> None:
    place.write(place.gateway, TRANSLATION)
    daemon = place.start()
    place.run(["ip", "link", "delete", "mo-xlat0"])
    assert daemon.wait(20) == 1
    assert "mo-xlat0" in place.log()
    assert "Traceback" not in place.log()


def test_somebody_elses_router_stays_one(place: Place) -> None:
    """Where IPv4 was forwarded before us, it still is, between all devices."""
    place.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    place.write(place.gateway, TRANSLATION)
    daemon = place.start()
    rules = place.run(["nft", "list", "chain", "inet", "manageout", "guard"]).stdout
    assert "nfproto ipv4" not in rules and "nfproto ipv6" in rules
    assert place.stop(daemon) == 0
    assert place.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "1\n"


def test_the_own_address_is_followed(place: Place) -> None:
    place.write(place.gateway, TRANSLATION)
    daemon = place.start()
    assert place.ask("status")["roles"]["translation"]["arp"].startswith("e0")
    place.run(["ip", "address", "add", "10.0.0.1/32", "dev", "lo"])  # the listener keeps it
    place.run(["ip", "address", "delete", str(IPv4Interface("10.0.0.1/24")), "dev", "e0"])
    wait_until("ARP is left", lambda: "arp" not in place.ask("status")["roles"]["translation"], 10)
    place.run(["ip", "address", "add", "10.0.0.3/24", "dev", "e0"])
    wait_until("ARP is back", lambda: "arp" in place.ask("status")["roles"]["translation"], 10)
    assert place.stop(daemon) == 0
