"""A running machine's name servers, each by itself: silent ones, the router's name, records of leases."""

from collections.abc import Iterator

from manageout.doctor.rules.evidence import quotes
from manageout.doctor.rules.rule import Theme
from manageout.service.probe.results import BLOCKED, DnsAnswer, DueRecord, Live

rule = Theme()


def _answered(live: Live) -> dict[str, bool]:
    """Server -> whether it has answered anything."""
    heard: dict[str, bool] = {}
    asked = (*live.answers, *(answer for record in live.records for answer in record.answers))
    for answer in asked:
        heard[answer.server] = heard.get(answer.server, False) or bool(answer.rcode)
    return heard


def _silence(live: Live, server: str) -> str:
    error = next((a.error for a in live.answers if a.server == server and a.error), "no answer")
    return f"name server {server}: {error}"


def router_answers(live: Live) -> list[DnsAnswer]:
    """What the servers that answer have for the router's name."""
    name = live.expected.router_name
    return [a for a in live.answers if name and a.name == name and a.kind == "A" and a.rcode]


def _blocked(live: Live, answer: DnsAnswer) -> bool:
    """A name of the block list without an answer from a server of the zone: such servers say nothing else."""
    label = answer.name.partition(".")[0].lower()
    return label in BLOCKED and not answer.records and answer.authoritative


@rule.live("LIVE-DNS-NONE")
def none_answers(live: Live) -> Iterator[tuple[str, ...]]:
    """Servers are known or asked, and all are silent; or there are none."""
    heard = _answered(live)
    if not live.servers and not heard:
        yield ("/etc/resolv.conf names no server",)
    elif heard and not any(heard.values()):
        yield tuple(_silence(live, server) for server in heard)


@rule.live("LIVE-DNS-SILENT")
def silent(live: Live) -> Iterator[tuple[str, ...]]:
    """Some are."""
    yield tuple(_silence(live, server) for server, heard in _answered(live).items() if not heard)


@rule.live("LIVE-NAME-MISSING")
def name_missing(live: Live) -> Iterator[tuple[str, ...]]:
    """Asked and answered, and nowhere."""
    found = router_answers(live)
    if found and not any(a.records for a in found) and not any(_blocked(live, a) for a in found):
        yield quotes(*found)


@rule.live("LIVE-NAME-BLOCKED")
def name_blocked(live: Live) -> Iterator[tuple[str, ...]]:
    """The bare name, and a server of its zone that has nothing."""
    found = [answer for answer in router_answers(live) if _blocked(live, answer)]
    yield quotes(*found)


@rule.live("LIVE-NAME-DIFFERS")
def name_differs(live: Live) -> Iterator[tuple[str, ...]]:
    """Other records, or none, on some of them."""
    found = router_answers(live)
    if len({answer.records for answer in found}) > 1:
        yield quotes(*found)


@rule.live("LIVE-NAME-ASTRAY")
def name_astray(live: Live) -> Iterator[tuple[str, ...]]:
    """A record that the site file does not know."""
    known = set(live.expected.routers)
    stray = [answer for answer in router_answers(live) if known and set(answer.records) - known]
    if stray:
        yield (*quotes(*stray), f"site file: {', '.join(sorted(known))}")


@rule.live("LIVE-NAME-PUBLIC")
def name_public(live: Live) -> Iterator[tuple[str, ...]]:
    """It has addresses on some server."""
    found = [a for a in live.answers if a.name.partition(".")[0].lower() == "isatap" and a.records]
    yield quotes(*found)


def _held(record: DueRecord) -> list[DnsAnswer]:
    return [answer for answer in record.answers if answer.rcode]


_LIMIT = 20


@rule.live("LIVE-RECORD-MISSING")
def record_missing(live: Live) -> Iterator[tuple[str, ...]]:
    """No server has A or AAAA."""
    lost = [
        f"{record.client}: wants {record.kind} {', '.join(record.wanted)}; {held[0].quote}"
        for record in live.records
        if record.kind != "PTR" and (held := _held(record)) and not any(answer.records for answer in held)
    ]
    yield tuple(lost[:_LIMIT])


@rule.live("LIVE-RECORD-STALE")
def record_stale(live: Live) -> Iterator[tuple[str, ...]]:
    """A server has an address that the client does not hold."""
    found = [
        f"{record.client} holds {', '.join(record.wanted)}; {answer.quote}"
        for record in live.records
        if record.kind != "PTR"
        for answer in _held(record)
        if set(answer.records) - set(record.wanted)
    ]
    yield tuple(found[:_LIMIT])


@rule.live("LIVE-RECORD-PTR")
def record_ptr(live: Live) -> Iterator[tuple[str, ...]]:
    """PTR lacks, or differs."""
    found = [
        f"{record.client}: {answer.quote}"
        for record in live.records
        if record.kind == "PTR"
        for answer in _held(record)
        if set(answer.records) != set(record.wanted)
    ]
    yield tuple(found[:_LIMIT])
