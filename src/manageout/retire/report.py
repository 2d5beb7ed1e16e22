"""The report of a retirement for a change board: figures before and now, a chart, who, and what was done. Pure.

One content, two forms: a page that stands alone, and Markdown.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from html import escape
from importlib.resources import files
from operator import attrgetter
from typing import NamedTuple

from manageout.retire.chart import Line, Mark, chart
from manageout.retire.rows import HostVerdict, OpenedService, services
from manageout.retire.watch import HostState, Watched, figures
from manageout.service.state.retire import LoggedStep
from manageout.service.state.retire_phases import Phase, RetireStep
from manageout.service.state.usage import DAY, Day, Usage
from manageout.words import counted, duration, listed, printable, toml_of

ISATAP = "ISATAP"
WAYS = (
    (ISATAP, "ISATAP", "#b3261e", ""),
    ("NAT46", "lease (NAT46)", "#1f5fa8", "6 3"),
    ("IPv6", "native IPv6", "#2e7d32", "2 3"),
)
SHOWN = 500
"""Hosts in the table; the rest is counted."""
WEEK = 7
_MARKED = (RetireStep.PILOT, RetireStep.FORWARD, RetireStep.REMOVE, RetireStep.UNDO)


class Report(NamedTuple):
    """Everything that is said."""

    site: str
    made: float
    phase: Phase
    entries: Sequence[LoggedStep]
    watched: Sequence[Watched]
    verdicts: Sequence[HostVerdict]
    days: Sequence[Day]
    runs: Sequence[tuple[float, float]]
    """When calls were recorded: from, until."""
    router_fault: str
    """Why the router could not be asked, or nothing."""


Rows = Sequence[Sequence[str]]


class ReportTable(NamedTuple):
    """A heading, what it says in a line, column titles, rows."""

    title: str
    words: str
    headings: Sequence[str]
    rows: Rows


def markdown(report: Report) -> str:
    """For a ticket."""
    lines = [f"# {_title(report)}", "", *(f"{line}  " for line in _summary(report)), ""]
    for table in _tables(report):
        lines += [f"## {table.title}", "", table.words, ""]
        if table.rows:
            lines += [_pipes(table.headings), _pipes(["---"] * len(table.headings))]
            lines += [_pipes(map(_cell, row)) for row in table.rows] + [""]
    return "\n".join(lines)


def html(report: Report) -> str:
    """A page of its own, with the chart."""
    body = [f"<h1>{escape(_title(report))}</h1>"]
    body += [f"<p>{escape(line)}</p>" for line in _summary(report)]
    body += [_chart(report)]
    for table in _tables(report):
        body += [f"<h2>{escape(table.title)}</h2>", f"<p>{escape(table.words)}</p>"]
        if table.rows:
            head = "".join(f"<th>{escape(text)}</th>" for text in table.headings)
            rows = "\n".join(
                "<tr>" + "".join(f"<td>{escape(printable(cell, ' '))}</td>" for cell in row) + "</tr>"
                for row in table.rows
            )
            body.append(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>")
    page = files("manageout.retire").joinpath("report.html").read_text(encoding="utf-8")
    return page.replace("@TITLE@", escape(_title(report))).replace("@BODY@", "\n".join(body))


_texts = partial(toml_of, "manageout.retire", "report.toml")


def _said(name: str, **words: object) -> str:
    return str(_texts()["words"][name].format(**words))


def _table(name: str, rows: Rows, **words: object) -> ReportTable:
    found = _texts()["tables"][name]
    return ReportTable(found["title"], found["words"].format(**words), found["headings"], rows)


def _title(report: Report) -> str:
    return _said("title", site=report.site)


def _summary(report: Report) -> Iterator[str]:
    yield _said("made", moment=_moment(report.made), phase=_texts()["phases"][report.phase])
    if report.watched:
        sums = figures(report.watched)
        yield _said("told", **sums | {"hosts": counted(sums["hosts"], "host")})
    if report.router_fault:
        yield _said("router", fault=report.router_fault)
    yield _said("undo")


def _tables(report: Report) -> Iterator[ReportTable]:
    yield _figures(report)
    if report.watched:
        yield _hosts(report)
    yield _callers(report)
    yield _timeline(report)


# --- Figures ----------------------------------------------------------------------------------------------


def _figures(report: Report) -> ReportTable:
    rows: list[list[str]] = []
    for step in (RetireStep.CENSUS, RetireStep.JUDGE):
        first, *again = [entry.figures for entry in report.entries if entry.step is step] or [{}]
        for name, value in first.items():
            now = str(again[-1].get(name, "-")) if again else "not taken again"
            rows.append([f"{step}: {name}", str(value), now])
    return _table("figures", [*rows, *_a_day(report)])


def _a_day(report: Report) -> Iterator[list[str]]:
    """Calls and callers on an average day when calls were recorded, until the first change and since the last."""
    steps = (RetireStep.PILOT, RetireStep.FORWARD, RetireStep.UNDO)
    changes = [int(entry.at // DAY) for entry in report.entries if entry.step in steps]
    looked = _looked(report.runs)
    if not looked:
        return
    first, last = (changes[0], changes[-1]) if changes else (max(looked) + 1, None)
    before = [day for day in looked if day < first] or [day for day in looked if day == first]
    after = [day for day in looked if last is not None and day > last][-WEEK:]
    for way, words, _, _ in WAYS:
        for title, read in (("callers", attrgetter("managers")), ("calls", attrgetter("calls"))):
            means = [_mean(report, way, days, read) for days in (before, after)]
            yield [f"{title} a day, by {words}", *means]


def _mean(report: Report, way: str, days: Sequence[int], read: Callable[[Day], int]) -> str:
    if not days:
        return "no whole day yet"
    wanted = set(days)
    total = sum(read(day) for day in report.days if day.way == way and day.day in wanted)
    return f"{total / len(days):.1f}".removesuffix(".0")


def days(usage: Iterable[Usage]) -> list[Day]:
    """Each day, each way; the same call may stand in the records of several machines, a manager counts once."""
    managers: dict[tuple[int, str], set[str]] = {}
    calls: Counter[tuple[int, str]] = Counter()
    octets: Counter[tuple[int, str]] = Counter()
    for row in usage:
        key = row.day, row.way
        managers.setdefault(key, set()).add(row.manager)
        calls[key] += row.calls
        octets[key] += row.bytes
    return [Day(*key, len(managers[key]), calls[key], octets[key]) for key in sorted(managers)]


def _looked(runs: Sequence[tuple[float, float]]) -> list[int]:
    """Days on which calls were recorded, at least for a part."""
    return sorted({day for begun, ended in runs for day in range(int(begun // DAY), int(ended // DAY) + 1)})


# --- Who --------------------------------------------------------------------------------------------------


def _hosts(report: Report) -> ReportTable:
    order = {HostState.SENDS: 1, HostState.SILENT: 2, HostState.TOLD: 3, HostState.LET_GO: 4}
    found = sorted(report.watched, key=lambda each: (0 if each.fails else order[each.state], each.wave))
    opens = {row["ipv4"]: row["opens"] for row in report.verdicts}
    rows = [
        [
            _named(each.name, each.ipv4),
            f"{each.wave}, {_moment(each.since)[:10]}",
            each.state,
            _services(opens.get(each.ipv4, [])),
            "; ".join(f"{flow} ({flow.calls - flow.unanswered})" for flow in each.served[:3]) or "-",
            "; ".join(f"{flow} ({flow.unanswered} of {flow.calls})" for flow in each.fails[:3]) or "-",
        ]
        for each in found[:SHOWN]
    ]
    more = f" {len(found) - SHOWN} more are not listed." if len(found) > SHOWN else ""
    return _table("hosts", rows, more=more)


def _callers(report: Report) -> ReportTable:
    callers = [row for row in report.verdicts if row["class"] == "initiates"]
    callers.sort(key=lambda row: -row["calls"])
    rows = [
        [
            _named(row["name"], row["ipv4"]),
            str(row["calls"]),
            _services(row["opens"]),
            _texts()["then"].get(row["serves"], row["serves"]),
            "; ".join(row["blockers"][:2]) if row["serves"] == "nothing" else "",
        ]
        for row in callers[:SHOWN]
    ]
    return _table("callers", rows, hosts=counted(len(callers), "host"))


def _services(opens: list[OpenedService]) -> str:
    return listed(services(opens), 4) or "-"


def _timeline(report: Report) -> ReportTable:
    rows = [
        [
            _moment(entry.at),
            f"{entry.step}{' (forced)' if entry.forced else ''}",
            entry.by,
            entry.phase,
            ", ".join(f"{name} {value}" for name, value in entry.figures.items()),
        ]
        for entry in report.entries
    ]
    forced = sum(1 for entry in report.entries if entry.forced)
    return _table("timeline", rows, steps=counted(len(rows), "step"), forced=forced or "none")


# --- The chart --------------------------------------------------------------------------------------------


def _chart(report: Report) -> str:
    looked = _looked(report.runs)
    if not looked:
        return f"<p>{_said('no-chart')}</p>"
    first, last = looked[0], looked[-1]
    seen = set(looked)
    counts = {(day.day, day.way): day.managers for day in report.days}

    def values(way: str) -> list[float | None]:
        return [float(counts.get((day, way), 0)) if day in seen else None for day in range(first, last + 1)]

    lines = [Line(words, colour, dash, values(way)) for way, words, colour, dash in WAYS]
    marks = [
        Mark(entry.at, str(entry.figures.get("chosen", "")) or entry.step)
        for entry in report.entries
        if entry.step in _MARKED and entry.at // DAY >= first
    ]
    what = _said("chart", span=duration((last - first + 1) * DAY))
    legend = "".join(
        f'<span><svg width="28" height="8"><line x1="0" x2="28" y1="4" y2="4" stroke="{line.colour}" '
        f'stroke-width="2" stroke-dasharray="{line.dash}"/></svg> {escape(line.name)}</span>'
        for line in lines
    )
    return (
        f"<figure>\n<figcaption>Hosts that opened connections to clients, each day (UTC)</figcaption>\n"
        f"{chart(first, lines, marks, what)}\n<p class='legend'>{legend}</p>\n</figure>"
    )


# --- Words ------------------------------------------------------------------------------------------------


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Names come from others: none of them makes a table, a link or a tag."""
    return re.sub(r"[\\`|<>\[\]*_]", r"\\\g<0>", printable(text, " "))


def _named(name: str, ipv4: str) -> str:
    return f"{name} ({ipv4})" if name else ipv4
