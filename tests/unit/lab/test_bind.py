"""What the intranet's DNS knows."""

from __future__ import annotations

import pytest

from manageout.lab import bind
from manageout.lab.topology import ISATAP_NAME, LOCATION_NAME, NAMES, topology


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_inside_has_its_name_both_ways(name: str) -> None:
    wanted = topology(name)
    found = bind.records(wanted)
    inside = [
        (node, port.address.ip)
        for node in wanted.nodes
        for port in node.ports
        if port.segment in ("intranet", "branch")
    ]
    for node, address in inside:
        assert (address.reverse_pointer, "PTR", f"{bind.host_name(node.name)}.") in {
            each[:3] for each in found
        }
    forward = [record for record in found if record.name == bind.host_name(wanted.router)]
    assert [record.value for record in forward] == [str(wanted.router_locator)]
    assert not [record for record in found if record.name.startswith(("laptop", "tablet", "isatap."))]


@pytest.mark.parametrize("name", NAMES)
def test_each_record_lies_in_one_zone(name: str) -> None:
    zones = ["corp.example", *bind.reverse_zones()]
    for record in bind.records(topology(name)):
        assert sum(record.name.endswith(f".{zone}") for zone in zones) == 1
    assert "a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa" in zones


def test_the_routers_name_and_the_location_page() -> None:
    found = {record.name: record for record in bind.records(topology("external-router"))}
    assert found[ISATAP_NAME].value == "10.0.0.2" and found[ISATAP_NAME].ttl == bind.ROUTER_TTL
    assert found[LOCATION_NAME].value == "10.0.0.20"
