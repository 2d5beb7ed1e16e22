"""A running machine's name servers, each by itself: silent ones, the router's name, records of leases."""

from __future__ import annotations

from collections.abc import Iterator

from manageout.doctor.rules.live import NAMES, live_rule
from manageout.service.probe.results import DnsAnswer, Live, Record

_BLOCKED = ("isatap", "wpad")
"""The query block list of Windows' DNS servers, as it is unless somebody has changed it."""


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
    return label in _BLOCKED and not answer.records and answer.authoritative


@live_rule(
    "LIVE-DNS-NONE",
    "error",
    "no name server answers",
    cause="None of the servers in /etc/resolv.conf answers from here, or there are none: no name can be found.",
    remedy=(
        "cat /etc/resolv.conf   (are these the intranet's servers?)",
        "ping ADDRESS   (is the server there? a firewall may still block UDP and TCP port 53)",
    ),
    hides=("LIVE-DNS-SILENT", *NAMES),
)
def none_answers(live: Live) -> Iterator[tuple[str, ...]]:
    """Servers are known or asked, and all are silent; or there are none."""
    heard = _answered(live)
    if not live.servers and not heard:
        yield ("/etc/resolv.conf names no server",)
    elif heard and not any(heard.values()):
        yield tuple(_silence(live, server) for server in heard)


@live_rule(
    "LIVE-DNS-SILENT",
    "warning",
    "a name server does not answer",
    cause="Programs wait for it before they ask the next one: every new name takes seconds.",
    remedy=(
        "see that the server runs, and that UDP and TCP port 53 to it are open",
        "or take it out of /etc/resolv.conf",
    ),
)
def silent(live: Live) -> Iterator[tuple[str, ...]]:
    """Some are."""
    lost = [server for server, heard in _answered(live).items() if not heard]
    if lost:
        yield tuple(_silence(live, server) for server in lost)


@live_rule(
    "LIVE-NAME-MISSING",
    "error",
    "the ISATAP router's name is not in the DNS",
    cause="No server that answers has an A record for it: hosts that are set to this name find no router.",
    remedy=(
        "manageout rollout dns   (with [names] in the site file it registers the name)",
        "manageout plan   (shows the records that are wanted)",
    ),
    hides=("LIVE-NAME-DIFFERS", "LIVE-DAEMON-WAITING"),
)
def name_missing(live: Live) -> Iterator[tuple[str, ...]]:
    """Asked and answered, and nowhere."""
    found = router_answers(live)
    if found and not any(a.records for a in found) and not any(_blocked(live, a) for a in found):
        yield tuple(answer.quote for answer in found)


@live_rule(
    "LIVE-NAME-BLOCKED",
    "error",
    "the ISATAP router's name is one that DNS servers block",
    cause="Windows' DNS servers answer nothing for isatap and wpad, whatever records there are (the global "
    "query block list). From outside a blocked name looks like a missing one.",
    remedy=(
        "choose a unique name: isatap.name in the site file, then manageout rollout gpo",
        "on the DNS server: Get-DnsServerGlobalQueryBlockList   (shows whether it is blocked there)",
    ),
    hides=("LIVE-NAME-MISSING", "LIVE-NAME-DIFFERS", "LIVE-DAEMON-WAITING"),
)
def name_blocked(live: Live) -> Iterator[tuple[str, ...]]:
    """The bare name, and a server of its zone that has nothing."""
    found = [answer for answer in router_answers(live) if _blocked(live, answer)]
    if found:
        yield tuple(answer.quote for answer in found)


@live_rule(
    "LIVE-NAME-DIFFERS",
    "warning",
    "name servers disagree about the ISATAP router's name",
    cause="A record has not reached every server, or some server belongs to another network: what a host "
    "finds depends on whom it asks.",
    remedy=(
        "repadmin /syncall /AdeP   (on a domain controller: replicate now)",
        "take servers that do not know the intranet's zone out of /etc/resolv.conf",
    ),
)
def name_differs(live: Live) -> Iterator[tuple[str, ...]]:
    """Other records, or none, on some of them."""
    found = router_answers(live)
    if len({answer.records for answer in found}) > 1:
        yield tuple(answer.quote for answer in found)


@live_rule(
    "LIVE-NAME-ASTRAY",
    "error",
    "the ISATAP router's name leads to a machine that is none of its routers",
    cause="An address of the name is neither in isatap.locators nor in isatap.routers: hosts that try it get "
    "no advertisement, or one from a stranger.",
    remedy=(
        "remove the record, or list the address in isatap.routers of the site file",
        "manageout plan   (shows the records that are wanted)",
    ),
)
def name_astray(live: Live) -> Iterator[tuple[str, ...]]:
    """A record that the site file does not know."""
    known = set(live.expected.routers)
    stray = [answer for answer in router_answers(live) if known and set(answer.records) - known]
    if stray:
        yield (*(answer.quote for answer in stray), f"site file: {', '.join(sorted(known))}")


@live_rule(
    "LIVE-NAME-PUBLIC",
    "warning",
    "the bare name isatap is in the DNS",
    cause="Every Windows machine with ISATAP looks for it: machines become ISATAP hosts that nobody has "
    "chosen, and wait for IPv6 that may lead nowhere.",
    remedy=(
        "manageout retire census   (who publishes it, who follows it)",
        "manageout rollout gpo   (give the managers a unique name first)",
        "then remove the record isatap, and see that the block list is on: "
        "Set-DnsServerGlobalQueryBlockList -Enable $true -List wpad,isatap",
    ),
)
def name_public(live: Live) -> Iterator[tuple[str, ...]]:
    """It has addresses on some server."""
    found = [a for a in live.answers if a.name.partition(".")[0].lower() == "isatap" and a.records]
    if found:
        yield tuple(answer.quote for answer in found)


def _held(record: Record) -> list[DnsAnswer]:
    return [answer for answer in record.answers if answer.rcode]


def _missing(live: Live, kinds: tuple[str, ...]) -> list[Record]:
    return [
        record
        for record in live.records
        if record.kind in kinds and (held := _held(record)) and not any(answer.records for answer in held)
    ]


_LIMIT = 20
_NAMES_REMEDY = (
    "manageout status   (findings of [names] say why an update failed)",
    "manageout check   (tries the key and the zone of [names])",
)


@live_rule(
    "LIVE-RECORD-MISSING",
    "warning",
    "a connected client is not in the DNS",
    cause="It holds a lease, but its name has no address: managers reach it by address only.",
    remedy=_NAMES_REMEDY,
)
def record_missing(live: Live) -> Iterator[tuple[str, ...]]:
    """No server has A or AAAA."""
    lost = _missing(live, ("A", "AAAA"))
    if lost:
        yield tuple(
            f"{r.client}: wants {r.kind} {', '.join(r.wanted)}; {_held(r)[0].quote}" for r in lost[:_LIMIT]
        )


@live_rule(
    "LIVE-RECORD-STALE",
    "error",
    "a client's name leads to another address than its lease",
    cause="An old record was left behind, or somebody else registers the name: whoever calls it reaches "
    "nobody, or another machine.",
    remedy=(
        "remove the record that is not the client's: nsupdate, or Remove-DnsServerResourceRecord",
        *_NAMES_REMEDY,
    ),
)
def record_stale(live: Live) -> Iterator[tuple[str, ...]]:
    """A server has an address that the client does not hold."""
    found = [
        f"{record.client} holds {', '.join(record.wanted)}; {answer.quote}"
        for record in live.records
        if record.kind != "PTR"
        for answer in _held(record)
        if set(answer.records) - set(record.wanted)
    ]
    if found:
        yield tuple(found[:_LIMIT])


@live_rule(
    "LIVE-RECORD-PTR",
    "note",
    "a client's address has no name, or another's",
    cause="The reverse zone is not ours to update, or was not updated: logs and some tools show a wrong name.",
    remedy=_NAMES_REMEDY,
)
def record_ptr(live: Live) -> Iterator[tuple[str, ...]]:
    """PTR lacks, or differs."""
    found = [
        f"{record.client}: {answer.quote}"
        for record in live.records
        if record.kind == "PTR"
        for answer in _held(record)
        if set(answer.records) != set(record.wanted)
    ]
    if found:
        yield tuple(found[:_LIMIT])
