"""A device in a VRF: ISATAP's underlay may be in one, what a gateway needs may not, and that is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.commands import MANAGEOUT
from tests.tools.places.daemon import ROUTER, Place
from tests.tools.this_kernel import require

GATEWAY = "e0 is in a VRF, where a gateway serves nobody: gateway.listen 10.0.0.1, policy.intranet 10.0.0.0/8"


@pytest.fixture
def place(tmp_path: Path, place: Place) -> Place:
    require("vrf")
    for line in (
        "link add inner type vrf table 7",
        "link set inner up",
        "link set e0 master inner",
        "address replace fd99::1/64 dev e0 nodad",
        "route add 10.0.1.0/24 via 10.0.0.254 vrf inner",
    ):
        place.run(["ip", *line.split()])
    return place


def told(place: Place, severity: str) -> list[tuple[str, str]]:
    argv = [*MANAGEOUT, "check", "--json", *place.options()]
    rows = json.loads(place.run(argv, check=False).stdout)
    return [(row["check"], row["message"]) for row in rows if row["severity"] == severity]


def test_the_underlay(place: Place) -> None:
    place.write(ROUTER)
    assert told(place, "error") == []
    slow = "e0 is in a VRF: packets to ISATAP hosts take the slow path"
    assert ("path to the managers", slow) in told(place, "note")


def test_two_locators(place: Place) -> None:
    place.run(["ip", "link", "add", "e2", "up", "type", "dummy"])
    place.run(["ip", "address", "add", "10.2.0.1/24", "dev", "e2"])
    place.write(ROUTER.replace('["10.0.0.1"]', '["10.0.0.1", "10.2.0.1"]'))
    assert ("path to the managers", "isatap.locators are in different VRFs") in told(place, "error")


def test_a_gateway(place: Place) -> None:
    place.write(place.gateway, '[policy]\nintranet = ["10.0.0.0/8", "192.168.0.0/16"]\n')
    assert ("VRF", GATEWAY) in told(place, "error")
    code, said = place.fails()
    assert code == 1
    assert said[0] == "manageout: cannot listen on 10.0.0.1:443: Cannot assign requested address"
    assert "in a VRF" in said[1]
