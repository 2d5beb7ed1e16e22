"""The kernel's state between two reloads: what somebody changes is put back, or told, within two seconds."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from manageout.lab.process import wait_until
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import PREFIX, ROUTE, ROUTER, Place

TRANSLATION = '[translation]\npool = "10.0.0.128/26"\n'
BOUND = 20.0
"""Seconds to wait for it to be right again, or told: a busy machine's. Two are promised."""
IPV6, IPV4 = "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.forwarding"


def wait(what: str, condition: Any) -> None:
    """For what the administrator is promised."""
    wait_until(what, condition, BOUND)


def codes(place: Place) -> set[str]:
    return {row["code"] for row in place.ask("status")["findings"]}


def sysctl(place: Place, name: str) -> str:
    return place.run(["sysctl", "-n", name]).stdout.strip()


def shown(place: Place, *argv: str) -> str:
    """What `ip` lists, in no order: addresses that come back come last."""
    return "\n".join(sorted(place.run(["ip", *argv]).stdout.splitlines()))


@pytest.fixture
def served(place: Place) -> Place:
    """A router and gateway with leases."""
    place.write(ROUTER, ROUTE, place.gateway, TRANSLATION)
    place.start()
    return place


@pytest.mark.parametrize("name", [IPV6, IPV4])
def test_forwarding_switched_off(served: Place, name: str) -> None:
    served.run(["sysctl", "-qw", f"{name}=0"])
    wait("it forwards again", lambda: sysctl(served, name) == "1")
    assert f"set {name} = 1 (now 0)" in served.log()
    assert "FORWARDING-OFF" not in codes(served)


@pytest.mark.parametrize(
    "name", ["net.ipv4.conf.mo-xlat0.forwarding", "net.ipv6.conf.mo-isatap0.disable_ipv6"]
)
def test_a_parameter_of_our_device(served: Place, name: str) -> None:
    before = sysctl(served, name)
    served.run(["sysctl", "-qw", f"{name}={1 - int(before)}"])
    wait("it is as it was", lambda: sysctl(served, name) == before)
    wait("with its addresses", lambda: f"{PREFIX}:" in shown(served, "address", "show", "mo-isatap0"))


@pytest.mark.parametrize("device", ["mo-isatap0", "mo-iphttps0", "mo-xlat0"])
def test_a_device_set_down(served: Place, device: str) -> None:
    before = shown(served, "-o", "address"), shown(served, "-6", "route"), shown(served, "route")
    served.run(["ip", "link", "set", device, "down"])
    wait(
        "all is as before",
        lambda: (
            (shown(served, "-o", "address"), shown(served, "-6", "route"), shown(served, "route")) == before
        ),
    )


def test_our_address_taken_away(served: Place) -> None:
    before = shown(served, "-o", "-6", "address", "show", "mo-isatap0")
    served.run(["ip", "-6", "address", "flush", "dev", "mo-isatap0"])
    wait("it is back", lambda: shown(served, "-o", "-6", "address", "show", "mo-isatap0") == before)


def test_our_routes_taken_away(served: Place) -> None:
    def ours() -> tuple[str, str]:
        return shown(served, "-6", "route", "show", "proto", "61"), shown(
            served, "route", "show", "proto", "61"
        )

    before = ours()
    for family in ("-4", "-6"):
        served.run(["ip", family, "route", "flush", "proto", "61"])
    wait("they are back", lambda: ours() == before)
    wait("it is in the log", lambda: served.log().count("put back what somebody changed: add route") >= 3)


@pytest.mark.parametrize("device", ["mo-isatap0", "mo-iphttps0"])
def test_the_routes_to_our_links_taken_away(served: Place, device: str) -> None:
    """Which come with the addresses: without them no client, and no ISATAP host, is reached."""

    def there() -> str:
        return shown(served, "-6", "route", "show", "dev", device)

    before = there()
    assert f"{PREFIX}:" in before and "fe80::/64" in before
    for what in (["dev", device], [next(each.split()[0] for each in before.splitlines() if PREFIX in each)]):
        served.run(["ip", "-6", "route", "flush", *what])
        wait("they are back", lambda: there() == before)
    wait("it is in the log", lambda: "put back what somebody changed: add route fe80::/64" in served.log())
    time.sleep(BOUND)
    puts = served.log().count("put back what somebody changed: add route")
    assert puts == 3, "each once"


def test_a_route_in_place_of_ours(served: Place) -> None:
    prefix = f"{PREFIX}:1001::/64"
    served.run(["ip", "route", "replace", prefix, "via", "fd99::9", "dev", "e0", "metric", "1024"])
    wait("ours is there", lambda: "via fd99::2" in shown(served, "-6", "route", "show", prefix))


def test_two_programs_never_fight(served: Place) -> None:
    """Three times in a minute, then a finding; right again, none."""
    for _ in range(3):
        served.run(["sysctl", "-qw", f"{IPV6}=0"])
        wait("it forwards again", lambda: sysctl(served, IPV6) == "1")
    served.run(["sysctl", "-qw", f"{IPV6}=0"])
    wait("it is told", lambda: "FORWARDING-OFF" in codes(served))
    metrics = served.run(["curl", "-s", "http://127.0.0.1:9464/metrics"]).stdout
    assert 'manageout_findings{code="FORWARDING-OFF",severity="error"} 1.0' in metrics
    assert "FORWARDING-OFF: " in served.log()
    time.sleep(2)  # nothing is to happen
    assert sysctl(served, IPV6) == "0", "it is left to the other"
    served.run(["sysctl", "-qw", f"{IPV6}=1"])
    wait("the finding goes", lambda: "FORWARDING-OFF" not in codes(served))


def test_what_was_left_is_wanted_again_after_a_reload(served: Place) -> None:
    for _ in range(4):
        served.run(["sysctl", "-qw", f"{IPV4}=0"])
        wait("it is seen", lambda: sysctl(served, IPV4) == "1" or "FORWARDING-OFF" in codes(served))
    (daemon,) = served._started
    served.reload(daemon)
    assert sysctl(served, IPV4) == "1"
    assert "FORWARDING-OFF" not in codes(served)


def test_parameters_that_cannot_be_written(place: Place) -> None:
    """A container: the daemon serves, and says what it misses."""
    place.write(ROUTER, ROUTE)
    place.start(
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"',
        "sh",
    )
    wait("it is told", lambda: "FORWARDING-OFF" in codes(place))
    (row,) = [row for row in place.ask("status")["findings"] if row["code"] == "FORWARDING-OFF"]
    assert IPV6 in row["what"] and "Read-only file system" in row["what"] and row["remedy"]
    place.run(["sysctl", "-qw", f"{IPV6}=1"])
    wait("the finding goes", lambda: "FORWARDING-OFF" not in codes(place))


def test_the_card_is_set_down_and_up(served: Place) -> None:
    served.run(["ip", "link", "set", "e0", "down"])
    wait("it is told", lambda: "UNDERLAY-DOWN" in codes(served))
    served.run(["ip", "link", "set", "e0", "up"])
    served.run(["ip", "address", "add", "fd99::1/64", "dev", "e0", "nodad"])
    wait("our route is back", lambda: "via fd99::2" in shown(served, "-6", "route"))
    wait("nothing is to be told", lambda: not codes(served) & {"UNDERLAY-DOWN", "ROUTE-TAKEN"})


def replug(place: Place) -> None:
    """A card of the same name and addresses."""
    for command in (
        "ip link add e0 type veth peer name e1",
        "sysctl -q net.ipv6.conf.e0.addr_gen_mode=1 net.ipv6.conf.e1.addr_gen_mode=1",
        "ip link set e1 up",
        "ip link set e0 up",
        "ip address add 10.0.0.1/24 dev e0",
        "ip address add fd99::1/64 dev e0 nodad",
    ):
        place.run(command.split())


def test_the_next_hops_card_comes_later_than_we(place: Place) -> None:
    place.write(ROUTER, ROUTE, place.gateway)
    place.run(["ip", "address", "delete", "fd99::1/64", "dev", "e0"])
    daemon = place.start()
    wait("the route is missed", lambda: "ROUTE-TAKEN" in codes(place))
    assert "fd99::2" in next(
        row["what"] for row in place.ask("status")["findings"] if row["code"] == "ROUTE-TAKEN"
    )
    place.write(ROUTER, ROUTE, place.gateway, "[policy]\nhairpin = true\n")
    assert place.reload(daemon)["config"]["rejected"] is None
    place.run(["ip", "address", "add", "fd99::1/64", "dev", "e0", "nodad"])
    wait("it is there", lambda: f"{PREFIX}:1001::/64 via fd99::2" in shown(place, "-6", "route"))
    wait("nothing is missed", lambda: "ROUTE-TAKEN" not in codes(place))


def test_the_card_goes_and_comes_back(served: Place) -> None:
    rules = served.run(["nft", "list", "chain", "inet", "manageout", "input"]).stdout
    assert '"e0"' in rules
    served.run(["ip", "link", "delete", "e0"])
    wait("it is told", lambda: {"UNDERLAY-GONE", "ROUTE-TAKEN"} <= codes(served))
    assert served.run(["nft", "list", "chain", "inet", "manageout", "input"]).stdout == rules, (
        "no hole meanwhile"
    )
    replug(served)
    wait("our route is back", lambda: "via fd99::2" in shown(served, "-6", "route"))
    wait("nothing is to be told", lambda: not codes(served) & {"UNDERLAY-GONE", "ROUTE-TAKEN"})
    assert sysctl(served, "net.ipv4.neigh.e0.proxy_delay") == "0"


def test_the_card_comes_back_by_another_name(served: Place) -> None:
    served.run(["ip", "link", "delete", "e0"])
    wait("it is told", lambda: "UNDERLAY-GONE" in codes(served))
    replug(served)
    served.run(["ip", "link", "set", "e0", "name", "e7"])
    wait("the rules name it", lambda: '"e7"' in served.run(["nft", "list", "ruleset"]).stdout)


def test_the_cards_own_forwarding(served: Place) -> None:
    """It may be meant, so it is told only."""
    served.run(["sysctl", "-qw", "net.ipv4.conf.e0.forwarding=0"])
    wait("it is told", lambda: "FORWARDING-OFF" in codes(served))
    assert sysctl(served, "net.ipv4.conf.e0.forwarding") == "0"
    served.run(["sysctl", "-qw", "net.ipv4.conf.e0.forwarding=1"])
    wait("the finding goes", lambda: "FORWARDING-OFF" not in codes(served))


def test_a_card_without_an_address_that_the_file_names(place: Place) -> None:
    place.write(place.gateway.replace("10.0.0.1:443", "0.0.0.0:443"), TRANSLATION)
    place.start()
    wait_until("it was looked at", lambda: place.ask("status")["roles"]["kernel"]["looks"] > 0, 5)
    place.run(["ip", "link", "set", "e1", "down"])
    wait("it is told", lambda: "UNDERLAY-DOWN" in codes(place))
    place.run(["ip", "link", "set", "e1", "up"])
    wait("the finding goes", lambda: "UNDERLAY-DOWN" not in codes(place))
    place.run(["ip", "link", "delete", "e0"])
    wait("it is told", lambda: "UNDERLAY-GONE" in codes(place))
    replug(place)
    wait("the finding goes", lambda: "UNDERLAY-GONE" not in codes(place))


def test_a_route_before_ours(served: Place) -> None:
    """Of somebody else, with a smaller metric: it is not ours to take away."""
    prefix = f"{PREFIX}:1001::/64"
    served.run(["ip", "route", "add", prefix, "via", "fd99::9", "dev", "e0", "metric", "5"])
    wait("it is told", lambda: "ROUTE-TAKEN" in codes(served))
    (row,) = [row for row in served.ask("status")["findings"] if row["code"] == "ROUTE-TAKEN"]
    assert "via fd99::9 on e0" in row["what"]
    served.run(["ip", "route", "del", prefix, "metric", "5"])
    wait("the finding goes", lambda: "ROUTE-TAKEN" not in codes(served))


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_route_to_nowhere_before_ours(served: Place, kind: str) -> None:
    prefix = f"{PREFIX}:1001::/64"
    served.run(["ip", "-6", "route", "add", kind, prefix, "metric", "5"])
    wait("it is told", lambda: "ROUTE-TAKEN" in codes(served))
    (row,) = [row for row in served.ask("status")["findings"] if row["code"] == "ROUTE-TAKEN"]
    assert f"packets to {prefix} go nowhere" in row["what"]
    served.run(["ip", "-6", "route", "del", kind, prefix, "metric", "5"])
    wait("the finding goes", lambda: "ROUTE-TAKEN" not in codes(served))


def test_arp_that_is_no_longer_answered(place: Place) -> None:
    eam = f'[[translation.eam]]\nipv4 = "10.0.0.66/32"\nipv6 = "{PREFIX}:20::66/128"\n'
    place.write(place.gateway, TRANSLATION, eam)
    place.start()
    place.run(["ip", "neigh", "del", "proxy", "10.0.0.66", "dev", "e0"])
    wait("it is answered", lambda: "10.0.0.66" in place.run(["ip", "neigh", "show", "proxy"]).stdout)
    for way in ("down", "up"):  # which takes the entries along
        place.run(["ip", "link", "set", "e0", way])
    wait("it is answered", lambda: "10.0.0.66" in place.run(["ip", "neigh", "show", "proxy"]).stdout)


def test_a_flapping_card(served: Place) -> None:
    """Bounded work, bounded lines; and it serves afterwards."""
    (daemon,), before = served._started, codes(served)
    lines, used, began = len(served.log().splitlines()), cpu(daemon), time.monotonic()
    for _ in range(60):
        for way in ("down", "up"):
            served.run(["ip", "link", "set", "e0", way])
            time.sleep(0.05)
    seconds = time.monotonic() - began
    assert len(served.log().splitlines()) - lines < 60
    assert (cpu(daemon) - used) / seconds < 0.35
    served.run(["ip", "address", "add", "fd99::1/64", "dev", "e0", "nodad"])
    wait("our route is back", lambda: "via fd99::2" in shown(served, "-6", "route"))
    wait_until("nothing is to be told", lambda: codes(served) == before, 10)
    wait_until("on the fast path", lambda: fast(served), 15)


def fast(place: Place) -> bool:
    roles = place.ask("status")["roles"]
    return all(roles[name]["fast_path"]["on"] for name in ("isatap", "translation"))


def cpu(daemon: subprocess.Popen[str]) -> float:
    """Seconds that it has used."""
    user, system = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def test_among_the_routes_of_a_whole_table(served: Place) -> None:
    """Ours are asked for one by one: forty thousand of others neither hide them nor hold us up."""
    lines = [
        f"route add 11.{n >> 8}.{n & 255}.0/24 dev e0\nroute add fd01:{n:x}::/48 dev e0" for n in range(20000)
    ]
    file = served.directory / "batch"
    file.write_text("\n".join(lines) + "\n")
    served.run(["ip", "-batch", str(file)])
    test_our_routes_taken_away(served)


@pytest.mark.parametrize("verb", ["add", "replace"])
def test_the_noise_of_a_routing_daemon(served: Place, verb: str) -> None:
    """A thousand changes a second by somebody else cost less than a tenth of a core, and hide nothing."""
    (daemon,) = served._started
    file = served.directory / "batch"
    lines = (
        [f"route add 10.77.{n}.0/24 dev e0\nroute del 10.77.{n}.0/24 dev e0" for n in range(250)]
        if verb == "add"
        else [
            f"route replace 10.77.0.0/24 via 10.0.0.{n}\nroute replace 10.77.0.0/24 dev e0"
            for n in range(2, 252)
        ]
    )
    file.write_text("\n".join(lines) + "\n")
    noise = f"for i in 1 2 3 4 5 6 7 8 9 10; do ip -batch {file}; sleep 0.4; done"
    idle, before = cpu(daemon), time.monotonic()
    time.sleep(3)
    rate = (cpu(daemon) - idle) / (time.monotonic() - before)
    began, used = time.monotonic(), cpu(daemon)
    with subprocess.Popen(["nsenter", "--net=/run/netns/mo-test-daemon", "sh", "-c", noise]) as running:
        served.run(["ip", "-6", "route", "flush", "proto", "61"])
        wait("our route is back", lambda: "via fd99::2" in shown(served, "-6", "route"))
        running.wait(60)
    seconds = time.monotonic() - began
    assert (cpu(daemon) - used) / seconds - rate < 0.10


def test_the_doctor_shows_what_the_daemon_has_found(served: Place) -> None:
    served.run(["ip", "link", "set", "e0", "down"])
    wait("it is told", lambda: "UNDERLAY-DOWN" in codes(served))
    options = ["--live", "--json", "--config", str(served.file), "--runtime-dir", str(served.runtime)]
    argv = [*MANAGEOUT, "doctor", *options]
    found = {row["code"]: row for row in json.loads(served.run(argv, check=False).stdout)}
    row = found["UNDERLAY-DOWN"]
    assert "e0, which holds 10.0.0.1" in row["seen"][0] and row["remedy"] == ["ip link set e0 up"]
