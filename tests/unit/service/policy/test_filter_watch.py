"""What other firewalls drop, as rows for the administrator; with real ones in system/service/policy."""

from __future__ import annotations

from typing import get_args

import pytest

from manageout.service.policy.filter_watch import dropped
from manageout.service.probe.results import Judged, Kind
from manageout.service.process.finding import texts


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_packet_has_a_remedy(kind: Kind) -> None:
    assert texts()[f"FILTER-BLOCKS.{kind}"]["remedy"]


def test_a_row_for_each_rule_with_all_that_it_drops() -> None:
    found = [Judged(kind, "a packet", "drop", "chain x") for kind in get_args(Kind)]
    (row,) = dropped([*found, Judged("TLS in", "another", "accept", "chain y")])
    assert (row.code, row.about) == ("FILTER-BLOCKS", "chain x")
    assert all(kind in row.what for kind in get_args(Kind)) and "gateway.listen" in row.remedy
