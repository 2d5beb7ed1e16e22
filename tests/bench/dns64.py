"""DNS64 beside Unbound's own: questions a second from the cache, and such that the cache does not have.

One core for the server under test, the other for dnsperf and the BIND that both ask. The questions are for AAAA
records of names that have A records only, so that every answer is a synthesised one.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from manageout.linux.host import netns
from tests.bench.report import Result, alternate, compared, say
from tests.tools.places.dns64 import ADDRESS, CLIENT, NAME, ZONE, Place

NAMES = ("dns64_cached_qps_vs_unbound", "dns64_miss_qps")
UNBOUND = "fd12:3456:789a:3333::99"
NAMES_CACHED = 1000
NAMES_MISSED = 200_000
SECONDS = 3
RUNS = 3
LOSS = 1000
SERVER_CPU, OTHER_CPU = 0, 1
UNBOUND_TABLE = """  dns64-prefix: fd12:3456:789a:7777::/96
  msg-cache-size: 64m
  rrset-cache-size: 64m
"""


def measure(wanted: Collection[str]) -> Iterator[Result]:
    """Both servers run all the time and are asked in turn."""
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name))
        try:
            yield from _measure(place, frozenset(wanted))
        finally:
            place.close()


def _measure(place: Place, wanted: frozenset[str]) -> Iterator[Result]:
    place.bind(cpu=OTHER_CPU)
    place.dns64(extra="cache_size = 1000000", cpu=SERVER_CPU)
    cached = _questions(place, "cached", NAMES_CACHED)
    if "dns64_cached_qps_vs_unbound" in wanted:
        netns.run(NAME, ["ip", "address", "add", f"{UNBOUND}/128", "dev", "lo", "nodad"])
        unbound = place.unbound(UNBOUND, modules="dns64 iterator", server=UNBOUND_TABLE, cpu=SERVER_CPU)
        for server in (ADDRESS, UNBOUND):
            ask(server, cached, ["-n", "1"])
        rates = alternate(
            RUNS,
            dns64=lambda: ask(ADDRESS, cached, ["-l", str(SECONDS)]),
            unbound=lambda: ask(UNBOUND, cached, ["-l", str(SECONDS)]),
        )
        yield compared(
            "dns64_cached_qps_vs_unbound", rates["dns64"], rates["unbound"], "queries/s", "Unbound's dns64"
        )
        unbound.stop()
    if "dns64_miss_qps" in wanted:
        rates = alternate(RUNS, misses=_misses(place))
        yield Result("dns64_miss_qps", rates["misses"], "queries/s")


class _misses:
    """Each run asks for names that nobody has asked for."""

    def __init__(self, place: Place) -> None:
        self._place, self._run = place, 0

    def __call__(self) -> float:
        self._run += 1
        questions = _questions(self._place, f"missed{self._run}", NAMES_MISSED)
        return ask(ADDRESS, questions, ["-l", str(SECONDS), "-n", "1"])


def _questions(place: Place, label: str, count: int) -> Path:
    file = place.directory / f"{label}.txt"
    file.write_text("".join(f"{label}-{n}.any.{ZONE} AAAA\n" for n in range(count)))
    return file


def ask(server: str, questions: Path, limit: list[str]) -> float:
    """Questions answered a second. One in a thousand may be lost (a full socket), none answered with an error."""
    argv = ["taskset", "-c", str(OTHER_CPU), "dnsperf", "-f", "inet6", "-s", server, "-a", CLIENT]
    argv += ["-d", str(questions), "-c", "4", "-q", "200", "-t", "10", *limit]
    found = subprocess.run(netns.command(NAME, argv), capture_output=True, text=True, check=True).stdout
    lost = re.search(r"Queries lost:\s+(\d+)", found)
    good = re.search(r"NOERROR (\d+) \(100.00%\)", found)
    rate = re.search(r"Queries per second:\s+([\d.]+)", found)
    sent = re.search(r"Queries sent:\s+(\d+)", found)
    if not (lost and sent and good and rate) or int(lost[1]) > int(sent[1]) / LOSS:
        say(found)
        raise RuntimeError(f"dnsperf had questions to {server} without a good answer")
    return float(rate[1])
