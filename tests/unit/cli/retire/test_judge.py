"""``manageout retire judge``: what it prints, and what it refuses."""

from __future__ import annotations

import pytest

from manageout.cli.retire.judge import render
from manageout.cli.retire.retire import retire
from manageout.cli.show.table import COLUMNS
from manageout.errors import ManageoutError
from manageout.retire.judge import judge
from tests.tools.commands import run
from tests.unit.retire.test_judge import FULL, NOW, RDP, SINCE, host


def test_before_the_census_it_is_refused(file: str) -> None:
    with pytest.raises(ManageoutError, match="judge cannot follow here: the site is not counted yet"):
        run(retire, "judge", "--config", file)


def test_who_calls_whom_and_what_stands_in_the_way() -> None:
    calls = [RDP, *(RDP._replace(port=port, manager="10.0.1.31") for port in range(20, 30))]
    found = judge([host(name="helpdesk.corp.example"), host("10.0.1.31")], calls, FULL, SINCE)
    lines = render(found, 30 * 86400.0, NOW).splitlines()
    assert lines[:2] == [
        "Calls were watched for 30 d. Of the hosts",
        "      2 call clients by ISATAP: 0 will be served by native IPv6, 1 by a lease, 1 by nothing yet",
    ]
    rows = {line.split()[0]: line.split() for line in lines[5:8]}
    assert rows["10.0.1.30"][-1] == "lease" and rows["10.0.1.31"][-2:] == ["nothing", "yet"]
    assert rows["10.0.1.31"][5:8] == ["tcp/20", "tcp/21", "+8"]
    text = "\n".join(lines)
    assert "In the way:" in text and "10.0.1.31: 5 more (--json)" in text
    assert max(map(len, lines)) <= COLUMNS
