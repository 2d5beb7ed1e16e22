"""The report for the change board: what it says, and that nobody's name breaks it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from typing import Any

import pytest

from manageout.retire.report import Report, html, markdown
from manageout.retire.watch import Flow, HostState, Watched
from manageout.service.state.retire import LoggedStep
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.service.state.usage import DAY, Day

START = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
FIRST = int(START // DAY)
CENSUS = {"hosts": 40, "published names": 2, "policies": 1}
JUDGED = {"hosts": 40, "initiate": 12, "only hold an address": 20, "gone": 8}


def entry(number: int, step: RetireStep, phase: Phase, day: float, **figures: object) -> LoggedStep:
    at = START + day * DAY
    return LoggedStep(number, step, phase, at, at, "anna@router", step is RetireStep.FORWARD, dict(figures))


ENTRIES = [
    entry(1, RetireStep.CENSUS, Phase.COUNTED, 8.4, **CENSUS),
    entry(2, RetireStep.JUDGE, Phase.JUDGED, 8.5, **JUDGED),
    entry(3, RetireStep.PILOT, Phase.PILOT, 10.4, hosts=5, networks=1, chosen="helpdesk"),
    entry(4, RetireStep.FORWARD, Phase.RETIRED, 18.4, hosts=40, networks=3, chosen="everybody"),
    entry(5, RetireStep.CENSUS, Phase.RETIRED, 27.0, **CENSUS | {"hosts": 3}),
]


def managers(day: int) -> list[Day]:
    isatap = 12 if day <= 10 else 7 if day <= 18 else 1
    lease = 0 if day < 10 else 6 if day <= 18 else 11
    rows = [Day(FIRST + day, "ISATAP", isatap, isatap * 20, 10**6)]
    return rows + ([Day(FIRST + day, "NAT46", lease, lease * 15, 10**6)] if lease else [])


DAYS = [row for day in range(30) for row in managers(day)]
RUNS = [(START, START + 13.5 * DAY), (START + 15.2 * DAY, START + 29.5 * DAY)]


def host(number: int, **changes: object) -> Watched:
    made = Watched(
        f"10.0.1.{number}", f"pc{number}.corp.example", "helpdesk", ENTRIES[2].at, HostState.LET_GO, 0, ENTRIES[2].at,
        (), (Flow("NAT46", "laptop.corp.example", "tcp", 3389, 7, 0, START + 20 * DAY),), (), (), 0,
    )  # fmt: skip
    return made._replace(**changes)  # type: ignore[arg-type]


FAILS = (Flow("NAT46", "laptop2.corp.example", "tcp", 22, 4, 4, START + 20 * DAY),)
WATCHED = [
    *(host(number) for number in range(1, 5)),
    host(5, state=HostState.SENDS, served=()),
    host(6, fails=FAILS),
    host(7, name="<script>alert(1)</script>|`x`[a](b)\x1b", state=HostState.SILENT, served=()),
]
VERDICTS: Any = [
    {
        "ipv4": f"10.0.1.{number}",
        "name": f"pc{number}.corp.example",
        "class": "initiates",
        "calls": 90 - number,
        "opens": [
            {"client": "laptop", "protocol": "tcp", "port": port} for port in (22, 80, 443, 3389, 5985)
        ],
        "serves": "nothing" if number == 3 else "lease",
        "blockers": ["[policy] lets it call nobody by its lease"],
    }
    for number in range(1, 5)
]
REPORT = Report("Example", START + 29.5 * DAY, Phase.RETIRED, ENTRIES, WATCHED, VERDICTS, DAYS, RUNS, "")


def rows_of(text: str, heading: str) -> list[list[str]]:
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in part.splitlines()
        if line.startswith("|")
    ]


def test_figures_before_and_now() -> None:
    rows = {row[0]: row[1:] for row in rows_of(markdown(REPORT), "Figures before and now")}
    assert rows["census: hosts"] == ["40", "3"]
    assert rows["judge: initiate"] == ["12", "not taken again"]
    assert rows["callers a day, by ISATAP"] == ["12", "1"]
    assert rows["callers a day, by lease (NAT46)"] == ["0", "11"]
    assert rows["calls a day, by native IPv6"] == ["0", "0"]


def test_who_fails_stands_first_and_who_let_go_last() -> None:
    rows = rows_of(markdown(REPORT), "Hosts that were told")[2:]
    assert [re.findall(r"\d+\.\d+\.\d+\.\d+", row[0])[0] for row in rows[:3]] == [
        "10.0.1.6",
        "10.0.1.5",
        "10.0.1.7",
    ]
    assert rows[0][1] == "helpdesk, 2026-09-11"
    assert rows[0][5] == "tcp/22 to laptop2.corp.example by NAT46 (4 of 4)"
    assert rows[3][4] == "tcp/3389 to laptop.corp.example by NAT46 (7)"
    assert rows[3][3] == "tcp/22, tcp/80, tcp/443, tcp/3389 and 1 more"


def test_who_calls_and_what_is_in_the_way() -> None:
    rows = rows_of(markdown(REPORT), "Who calls clients by ISATAP")[2:]
    assert rows[2][3:] == ["NOTHING YET", r"\[policy\] lets it call nobody by its lease"]
    assert rows[0][3:] == ["lease (NAT46)", ""]


def test_the_timeline_tells_what_was_forced() -> None:
    text = markdown(REPORT)
    assert "5 steps; 1 forced" in text
    assert rows_of(text, "What was done")[5][1] == "forward (forced)"


def test_the_summary_counts() -> None:
    assert "7 hosts told to let go. Have let go: 5; still sending by ISATAP: 1; not heard" in markdown(REPORT)


def test_the_page_is_well_formed_and_stands_alone() -> None:
    page = html(REPORT)
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    body = page[page.index("<body>") : page.index("</html>")]
    ElementTree.fromstring(body)


def test_names_make_no_markup_in_markdown() -> None:
    (row,) = [row for row in rows_of(markdown(REPORT), "Hosts that were told") if "10.0.1.7" in row[0]]
    assert row[0] == r"\<script\>alert(1)\</script\>\|\`x\`\[a\](b)  (10.0.1.7)"


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_its_words(phase: Phase) -> None:
    made = Report("Example", START, phase, [], [], [], [], [], "nothing answers")
    for text in (markdown(made), html(made)):
        assert "could not be asked" in text and "undo" in text
    assert "There is no record of calls" in html(made)


def test_one_day_is_drawn_too() -> None:
    made = REPORT._replace(days=DAYS[:1], runs=[(START, START + 60)], entries=[])
    page = html(made)
    assert page.count("<circle") == 3 and "<polyline" not in page


def test_days_when_nobody_looked_are_a_gap() -> None:
    page = html(REPORT)
    assert page.count("<polyline") == 6
    assert page.count("<circle") == 3 * 29
