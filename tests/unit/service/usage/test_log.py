"""What the record of calls loses, or not, to a clock that is wrong when the daemon starts."""

from __future__ import annotations

import time
from pathlib import Path

from manageout.service.process.clock import SteadyClock
from manageout.service.state.usage import DAY, Usage, UsageFile, UsageStore
from manageout.service.usage.log import UsageLog
from manageout.site.plan import plan
from manageout.site.tables.site import parse

SITE = (
    '[site]\nprefix = "fd12:3456:789a::/48"\n[daemon]\nusage_days = DAYS\n[isatap]\nlocators = ["10.0.0.1"]\n'
)


def role(directory: Path, days: int = 90) -> UsageLog:
    site = parse(SITE.replace("DAYS", str(days)))
    return UsageLog(site, plan(site), directory, lambda connection: None)


def fill(directory: Path, now: float) -> None:
    store, today = UsageStore(directory), int(now // DAY)
    call = Usage(today, "10.0.1.30", "ISATAP", "laptop", "tcp", 3389, now, now, 1, 0, 0)
    store.write([call._replace(day=today - day) for day in range(80)], now - 80 * DAY, now, 0)
    store.close()


def test_a_start_while_the_clock_is_a_year_ahead_costs_few_rows(tmp_path: Path) -> None:
    now = time.time()
    fill(tmp_path, now)
    log = role(tmp_path)
    log._clock = SteadyClock(lambda: time.time() + 365 * DAY)
    for _ in range(10):
        assert log._write([])
    assert len(list(UsageFile(tmp_path).rows())) == 70
    assert UsageFile(tmp_path).watched(now) == 80 * DAY
    log._store.close()


def test_what_is_no_longer_to_be_recorded_goes_at_once(tmp_path: Path) -> None:
    fill(tmp_path, time.time())
    log = role(tmp_path, days=0)
    assert log._write([])
    assert (list(UsageFile(tmp_path).rows()), UsageFile(tmp_path).runs()) == ([], [])
    log._store.close()
