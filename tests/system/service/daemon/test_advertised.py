"""Default routes by router advertisement, under a daemon that turns forwarding on: `check` and `status` tell."""

from __future__ import annotations

import sys
from typing import Any

from manageout.lab.process import wait_until
from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import ROUTER, Place

ADVERTISE = """
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
index = socket.if_nametoindex("e1")
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
"""


def route(place: Place) -> str:
    return place.run(["ip", "-6", "route", "show", "default"]).stdout


def advertise(place: Place) -> None:
    """Until the machine has the route: e1 is the router at the other end of e0."""

    def learnt() -> bool:
        place.run([sys.executable, "-c", ADVERTISE])
        return "proto ra" in route(place)

    for address in ("e0", "e1"):
        place.run(["ip", "address", "replace", f"fe80::{address}/64", "dev", address, "nodad"])
    wait_until("the route is learnt", learnt, 10)


def found(place: Place) -> list[dict[str, Any]]:
    return [row for row in place.ask("status")["findings"] if row["code"] == "RA-ROUTE"]


def test_one_that_goes_at_the_start_is_told(place: Place) -> None:
    place.write(ROUTER)
    advertise(place)
    argv = ["check", "--config", str(place.file)]
    told = place.run([*MANAGEOUT, *argv], check=False)
    assert "takes the default route away at once" in told.stdout + told.stderr
    place.start()
    assert not route(place)
    (row,) = wait_until("it is told", lambda: found(place), 15)
    assert "via fe80::e1 on e0 went" in row["what"] and "accept_ra=2" in row["remedy"]
    place.run(["ip", "-6", "route", "add", "default", "via", "fe80::e1", "dev", "e0"])
    wait_until("it is mended", lambda: not found(place), 15)


def test_one_that_will_go_is_told(place: Place) -> None:
    place.write(ROUTER)
    place.run(["sysctl", "-qw", "net.ipv6.conf.e0.accept_ra=2"])
    advertise(place)
    daemon = place.start()
    assert route(place), "such a device hears on"
    assert not found(place)
    place.run(["sysctl", "-qw", "net.ipv6.conf.e0.accept_ra=1"])
    (row,) = wait_until("it is told", lambda: found(place), 15)
    assert "via fe80::e1 on e0 ends in " in row["what"]
    place.stop(daemon)
