"""What is kept between the steps."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from manageout.retire.census.hosts import fresh
from manageout.retire.rows import Baseline, CensusHost, OpenedService, service_name, services
from manageout.service.state.retire import RetireStore
from manageout.service.state.retire_phases import Phase, RetireStep


def test_rows_come_back_as_they_were_kept(tmp_path: Path) -> None:
    host = fresh(IPv4Address("10.0.1.30"))
    kept = Baseline(ipv4="10.0.1.30", day=1, packets=2, calls=[])
    store = RetireStore(tmp_path)
    rows: Any = {"host": {"10.0.1.30": host}, "baseline": {"10.0.1.30": kept}}
    store.record(RetireStep.CENSUS, Phase.COUNTED, 1.0, "anna@router", found=rows)
    assert store.found("host") == [host] and store.found("baseline") == [kept]
    assert host.keys() == CensusHost.__annotations__.keys()


def test_services_by_name_each_once() -> None:
    def opened(protocol: str, port: int) -> OpenedService:
        return OpenedService(client="a", protocol=protocol, port=port, calls=1, unanswered=0, last=0)

    assert services([opened("tcp", 22), opened("icmp", 0), opened("tcp", 22)]) == ["tcp/22", "icmp"]
    assert service_name("udp", 161) == "udp/161"
