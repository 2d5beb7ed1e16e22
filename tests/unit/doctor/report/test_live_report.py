"""What was looked at, line by line."""

from __future__ import annotations

import pytest

from manageout.doctor.report.live_report import lines
from manageout.service.probe.results import Live
from tests.unit.doctor.live_cases import CASES, GATEWAY, HEALTHY, HOST, PLAIN


def test_a_host() -> None:
    assert lines(HOST) == [
        "machine       helpdesk (host), 2027-01-15 08:00 UTC",
        "name          manageout-isatap.corp.example A on 10.0.0.10: 10.0.0.1",
        "name          isatap.corp.example A on 10.0.0.10: NXDOMAIN",
        "router        10.0.0.1: advertises after 0.4 ms as fe80::5efe:a00:1, no default router, MTU 1280",
        "              prefix fd12:3456:789a:1::/64, valid 86400 s, preferred 14400 s",
        "              route fd12:3456:789a:1000::/59, 1800 s, medium preference",
        "next hop      to 10.0.0.1 by eth0: 10.0.1.1 is reachable",
        "path          to 10.0.0.1: 1500 bytes pass, the link has 1500",
        "gateway       https://gateway.corp.example:443/IPHTTPS: answers at 198.51.100.10, certificate until "
        "2028-01-15 08:00 UTC",
    ]


def test_a_gateway() -> None:
    found = lines(GATEWAY)
    assert "leases        3 of 3 records of connected clients are in the DNS" in found
    assert "filter        protocol 41 10.0.1.30 > 10.0.0.1 from eth1: accept" in found
    assert "revocation    /etc/manageout/crl.pem: 1 revoked, next on 2028-01-15 08:00 UTC" in found
    assert "clock         10.0.0.10 (signed DNS): ours is the same" in found


def test_a_plain_machine() -> None:
    assert lines(PLAIN)[1:] == ["name server   10.0.0.10: answers"]


@pytest.mark.parametrize("live", [*HEALTHY.values(), *(case() for case in CASES.values())])
def test_whatever_was_found_can_be_told(live: Live) -> None:
    assert all(line.strip() for line in lines(live))
