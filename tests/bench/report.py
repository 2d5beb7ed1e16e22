"""What a benchmark measured, what it was to reach, and how both are shown.

Every module of this folder has ``NAMES``, the names that it can measure, and ``measure(wanted)``, which
yields one :class:`Result` for each name in ``wanted``.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """One number. ``ratio`` is to ``versus``, of the same run; both are empty for absolute numbers."""

    name: str
    value: float
    unit: str
    versus: str = ""
    ratio: float | None = None


class Target(NamedTuple):
    """What :attr:`Result.ratio` (or the value, when there is none) is to reach."""

    reach: float
    aim: float
    smaller: bool = False
    """Less is better."""


TARGETS: dict[str, Target] = {
    "isatap_tcp_vs_native": Target(0.92, 1.0),
    "isatap_pps_vs_native": Target(0.80, 1.0),
    "isatap_slow_tcp_vs_native": Target(0.03, 0.10),
    "iphttps_down_vs_ocserv": Target(2.0, 4.0),
    "iphttps_up_vs_ocserv": Target(2.0, 4.0),
    "iphttps_own_framing_vs_raw_tls": Target(0.4, 0.7),
    "iphttps_own_beside_stock": Target(0.92, 1.0),
    "iphttps_flood_p99_ms": Target(5.0, 1.0, smaller=True),
    "iphttps_flood_newcomers": Target(100.0, 100.0),
    "iphttps_move_gap": Target(3.0, 1.0, smaller=True),
    "iphttps_back_1s": Target(4.0, 2.5, smaller=True),
    "iphttps_back_20s": Target(4.0, 2.5, smaller=True),
    "iphttps_back_5min": Target(4.0, 2.5, smaller=True),
    "iphttps_padded_bytes": Target(5_000_000, 500_000, smaller=True),
    "rejudge_100k_seconds": Target(3.0, 1.0, smaller=True),
    "rejudge_100k_p99_ms": Target(5.0, 1.0, smaller=True),
    "outage_gap": Target(2.0, 1.0, smaller=True),
    "nat64_tcp_vs_ipv4": Target(0.80, 0.95),
    "nat46_tcp_vs_ipv4": Target(0.80, 0.95),
    "nat64_pps_vs_ipv4": Target(0.70, 0.90),
    "nat64_tcp_vs_tayga": Target(10.0, 13.0),
    "xlat_slow_tcp_vs_tayga": Target(1.5, 5.0),
    "nat64_tcp_vs_slow": Target(2.0, 3.0),
    "nat64_pps_vs_slow": Target(4.0, 5.0),
    "isatap_rs_per_second": Target(10_000, 50_000),
    "isatap_host_bytes": Target(1_000, 300, smaller=True),
    "iphttps_client_bytes": Target(120_000, 60_000, smaller=True),
    "dns64_cached_qps_vs_unbound": Target(0.5, 1.0),
    "dns64_miss_qps": Target(3_000, 10_000),
    "leases_connect_per_second": Target(100, 500),
    "cli_status_ms": Target(150, 80, smaller=True),
    "doctor_paste_s": Target(2.0, 1.0, smaller=True),
    "doctor_paste_mib": Target(150, 100, smaller=True),
}


def compared(name: str, value: float, baseline: float, unit: str, label: str) -> Result:
    """``value`` beside ``baseline``, which ``label`` names; both in ``unit``."""
    return Result(name, value, unit, f"{label}: {_number(baseline)} {unit}", value / baseline)


def alternate(runs: int, **sides: Callable[[], float]) -> dict[str, float]:
    """Run every side in turn, ``runs`` times over; the median of each.

    Taking turns spreads whatever else the machine does over all sides alike.
    """
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(runs):
        for side, run in sides.items():
            taken[side].append(run())
            say(f"  {side} {_number(taken[side][-1])}")
    return {side: statistics.median(values) for side, values in taken.items()}


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """One line about the machine that measured."""
    model, cores = platform.processor() or platform.machine(), 0
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, text = line.partition(":")
        if key.strip() == "processor":
            cores += 1
        elif key.strip() == "model name":
            model = text.strip()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    kernel = platform.release().split("-")[0]
    return f"{cores} cores {model}, {memory:.0f} GiB, Linux {kernel}, Python {platform.python_version()}"


def verdict(result: Result) -> str:
    """``aim``, ``reached``, ``MISSED``, or nothing when there is no target."""
    target = TARGETS.get(result.name)
    if target is None:
        return ""
    sign = -1 if target.smaller else 1
    score = sign * (result.value if result.ratio is None else result.ratio)
    if score >= sign * target.aim:
        return "aim"
    return "reached" if score >= sign * target.reach else "MISSED"


def table(results: Sequence[Result]) -> str:
    """A Markdown table, as the README shows it."""
    rows = [("name", "measured", "versus", "ratio", "to reach", "aim", "verdict")]
    for result in results:
        target = TARGETS.get(result.name)
        rows.append(
            (
                result.name,
                f"{_number(result.value)} {result.unit}",
                result.versus,
                "" if result.ratio is None else f"{result.ratio:.2f}",
                _number(target.reach) if target else "",
                _number(target.aim) if target else "",
                verdict(result),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def save(results: Sequence[Result], path: Path) -> None:
    """Write ``path`` as a JSON list of objects; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps([result._asdict() for result in results], indent=2) + "\n")
    partial.replace(path)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
