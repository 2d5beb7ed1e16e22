"""What can be wrong with any Windows machine, and with evidence: IPv6 switched off, services stopped, the clock."""

import re
from collections.abc import Iterator

from manageout.doctor.facts import CLOCK_EVENTS, Facts, Seen
from manageout.doctor.rules.evidence import quotes, stated
from manageout.doctor.rules.rule import Case, Theme

rule = Theme()
PARAMETERS = r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters"
TUNNELS_OFF, ISATAP_OFF, TEREDO_OFF, CARDS_OFF = 0x01, 0x04, 0x08, 0x10
BITS = {
    TUNNELS_OFF: "no tunnel interfaces",
    0x02: "no 6to4",
    ISATAP_OFF: "no ISATAP",
    TEREDO_OFF: "no Teredo",
    CARDS_OFF: "no IPv6 on network cards",
    0x20: "IPv4 before IPv6",
    0x40: "no IPv6 on VPN connections",
}
"""What each bit of DisabledComponents takes away."""
WRONG_ALL = 0xFFFFFFFF
SKEW = 300.0
"""Seconds that Kerberos tolerates."""
EARLIEST = 1_577_836_800.0
"""2020-01-01: the collector did not exist before."""
TOLERANCE = 600.0


def disabled_components(facts: Facts) -> Seen[int] | None:
    """The value, or None when it is not set."""
    found = facts.value(PARAMETERS, "DisabledComponents")
    if found is None or not isinstance(found.value, int):
        return None
    value = found.value & 0xFFFFFFFF
    words = ", ".join(f"0x{bit:02x} {what}" for bit, what in BITS.items() if value & bit)
    return Seen(value, f"{PARAMETERS}\\DisabledComponents = 0x{value:x}{f' ({words})' if words else ''}")


def _without(value: int, bits: int) -> str:
    """What is left of it; the bits that Windows does not know go too."""
    return f"0x{value & 0x7F & ~bits:x}" if value < 0xFF else "0x0"


@rule("TUNNELS-OFF")
def tunnels_off(facts: Facts) -> Iterator[Case]:
    """DisabledComponents bit 0, or everything."""
    found = disabled_components(facts)
    if found is not None and found.value & TUNNELS_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, TUNNELS_OFF | ISATAP_OFF)})


@rule("ISATAP-OFF-BIT")
def isatap_off(facts: Facts) -> Iterator[Case]:
    """Bit 2 without bit 0, on any machine but a client."""
    found = disabled_components(facts)
    bits = found.value & (TUNNELS_OFF | ISATAP_OFF) if found is not None else 0
    if found is not None and bits == ISATAP_OFF and facts.role != "client":
        yield Case((found.quote,), {"VALUE": _without(found.value, ISATAP_OFF)})


@rule("TEREDO-OFF-BIT")
def teredo_off(facts: Facts) -> Iterator[Case]:
    """Bit 3 without bit 0."""
    found = disabled_components(facts)
    if found is not None and found.value & (TUNNELS_OFF | TEREDO_OFF) == TEREDO_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, TEREDO_OFF)})


@rule("IPV6-CARDS-OFF")
def cards_off(facts: Facts) -> Iterator[Case]:
    """Bit 4."""
    found = disabled_components(facts)
    if found is not None and found.value & CARDS_OFF:
        yield Case((found.quote,), {"VALUE": _without(found.value, CARDS_OFF | TUNNELS_OFF)})


@rule("IPV6-WRONG-VALUE")
def wrong_value(facts: Facts) -> Iterator[tuple[str, ...]]:
    """The undocumented value."""
    yield stated(disabled_components(facts), WRONG_ALL)


CURRENT = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_LESS = re.compile(
    r"\b(?:pro|profes\w*|home|famil\w*|core\w*|starter|basic|premium|hogar|thuis|casa)\b|专业|專業|家庭|家用|домашн|професс|홈|프로",
    re.I,
)
_MORE = re.compile(
    r"enterpri|entrepri|корпорат|企业|企業|엔터프|ultimate|server|(?<!pro )educa|éduca|教育|образов", re.I
)
_OF_MANAGERS = re.compile(r"manage.?out|helpdesk|help desk|\badmin|console|isatap|directaccess clients", re.I)
"""Who speaks so of DirectAccess sits at a manager, which may be of any edition."""
_PRO_EDUCATION = re.compile(r"pro(?:fessional)? ?education|专业教育", re.I)


@rule("EDITION")
def edition(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Pro, Home and their like, of what is meant as a client: by its settings, or by the text about it."""
    found = facts.value(CURRENT, "EditionID") or facts.edition or facts.value(CURRENT, "ProductName")
    name = str(found.value) if found is not None else ""
    with_it = _MORE.search(name) and not _PRO_EDUCATION.search(name)
    if found is None or with_it or not (_LESS.search(name) or _PRO_EDUCATION.search(name)):
        return
    manages = facts.of_kind("isatap") or facts.isatap_state or facts.isatap_router
    told = facts.told.direct if facts.role == "unknown" and not (manages or facts.told.hosts) else ""
    told = "" if _OF_MANAGERS.search(told) else told
    meant = quotes(facts.iphttps_url, *(facts.nrpt or [])[:1]) if facts.role in ("client", "unknown") else ()
    if facts.role == "client" or told or (meant and not manages):
        yield (found.quote, *(meant or ((told,) if told else ())))


LAST, SINCE = 26100, 9200
"""Builds of Windows Server 2025, the last one with DirectAccess, and of 2012, which called its feature so."""
_NEXT = re.compile(r"server\b.{0,12}\b(?:vnext|insider|preview|20(?:2[6-9]|[3-9]\d))\b", re.I)


@rule("SERVER-WITHOUT-DIRECTACCESS")
def without_directaccess(facts: Facts) -> Iterator[Case]:
    """A feature that this Windows Server does not know; or a later one, in a text about DirectAccess."""
    build = facts.build
    if facts.no_feature and (build is None or not SINCE <= build <= LAST):
        words = quotes(facts.edition or facts.version)
        yield Case((facts.no_feature, *words), variant="older" if build and build < SINCE else "")
        return
    named = facts.edition.quote if facts.edition is not None else ""
    later = next((words for words in (named, facts.told.direct) if _NEXT.search(words)), "")
    if later and facts.told.direct and facts.role == "unknown" and (build is None or build > LAST):
        yield Case(tuple(dict.fromkeys((later, facts.told.direct))))


@rule("IPSEC-SERVICE")
def ipsec_stopped(facts: Facts) -> Iterator[Case]:
    """One of the three on a machine that is no manager."""
    off = {name: stated(facts.services.get(name), False) for name in ("bfe", "mpssvc", "ikeext")}
    first = next((name for name, said in off.items() if said), None)
    if facts.role != "manager":
        yield Case(tuple(quote for said in off.values() for quote in said), {"NAME": first})


@rule("CLOCK")
def clock(facts: Facts) -> Iterator[tuple[str, ...]]:
    """More than Kerberos tolerates, or its own word that the clocks differ."""
    off = facts.clock_error is not None and abs(facts.clock_error.value) > SKEW
    told = tuple(line for line in facts.events if any(mark in line for mark in CLOCK_EVENTS))
    yield (*(quotes(facts.clock_error) if off else ()), *told)


@rule("EVIDENCE")
def evidence(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Sections that failed."""
    yield tuple(facts.unread[:10])


@rule("EVIDENCE-TWICE")
def twice(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Two outputs of one command in a text."""
    yield tuple(facts.replaced)


@rule("EVIDENCE-CLOCK")
def evidence_clock(facts: Facts) -> Iterator[tuple[str, ...]]:
    """Before the collector existed, or later than now."""
    if facts.clock is None or facts.read_at is None:
        return
    if not EARLIEST <= facts.clock.value <= facts.read_at + TOLERANCE:
        yield (facts.clock.quote,)
