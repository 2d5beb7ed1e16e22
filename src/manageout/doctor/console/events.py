"""Events of Windows' logs, as the viewer, wevtutil and Get-WinEvent show them -> those that a rule judges; the others
are named, for nobody is to take them for health.

Labels are translated, numbers and the names of sources are not.
"""

import re
from collections.abc import Sequence

from manageout.doctor.console.logs import MAX_KEPT
from manageout.doctor.facts import Dropped, Facts, Seen
from manageout.windows.text import any_address
from manageout.words import toml_of

MAX_UNREAD = 50
"""Events that are named."""
MAX_BEHIND = 30
"""Lines behind an event's number among which its message is."""
KINDS = toml_of("manageout.doctor.console", "events.toml")
_NUMBER = re.compile(
    r"^\s*(?:event[ -]?id|ereignis-?id|id de l.[ée]v[ée]nement|id\.? del? evento|identificador de evento|id evento|"
    r"gebeurtenis-?id)\s*[:：]\s*(\d{1,5})\b",
    re.I,
)
_NAMED = re.compile(
    r"\b(?:event|ereignis|[ée]v[ée]nement|evento)s?(?:[ -]?ids?)?[ #:]{0,3}"
    r"(\d{4,5})(?: ?(?:/|,|and|und|et|y) ?(\d{4,5}))?\b",
    re.I,
)
"""In prose; numbers of three digits are anything."""
_NONE = re.compile(
    r"\b(?:no|without|kein\w*|ohne|aucun\w*|sans|ning[uú]n\w*|sin)\s+(?:[^\s,.;:]+\s+)?$", re.I
)
"""Behind such a word somebody says that there is none."""
_SPOKEN = re.compile(r"[Ee]vent|EVENT|reignis|v[ée]nement|ebeurtenis")
"""Without such a word there is none."""
_SOURCE = re.compile(r"^\s*(?:source|quelle|origen|origine|bron|provider ?name)\s*[:：]\s*(\S.{0,80})$", re.I)
_PROTOCOLS = {6: "TCP", 17: "UDP", 58: "ICMPV6"}
_BLOCKED = re.compile(r"\b515[27]\b|Filtering Platform|Filterplattform|plateforme WFP|plataforma de filtrado")


def read(facts: Facts, lines: Sequence[str]) -> bool:
    """Events with labels of their own, and those that prose has the number of. False when there is none."""
    found, source = False, ""
    for place, line in enumerate(lines if _SPOKEN.search("\n".join(lines)) else ()):
        labelled = ":" in line or "：" in line
        if labelled and (match := _SOURCE.match(line)):
            source = match[1].strip()
        elif labelled and (match := _NUMBER.match(line)):
            add(facts, int(match[1]), source, _message(line, lines[place + 1 : place + MAX_BEHIND]))
            found = True
        elif ("ve" in line or "vé" in line or "reignis" in line) and (match := _NAMED.search(line)):
            for number in filter(None, match.groups() if not _NONE.search(line[: match.start()]) else ()):
                if _kind(int(number), ""):
                    add(facts, int(number), "", line.strip())
                    found = True
    return found


def _message(number: str, behind: Sequence[str]) -> str:
    """The first sentence behind the number, as the line that says most."""
    said = next((line.strip() for line in behind if len(line.split()) > 5), "")
    return f"{number.strip()}: {said}" if said else number.strip()


def _kind(number: int, source: str) -> str:
    for kind, what in KINDS.items():
        known = not source or re.search(what["source"], source, re.I)
        if known and number in what["numbers"]:
            return kind
    return ""


def add(facts: Facts, number: int, source: str, quote: str) -> None:
    """Keep an event, or say that none of the rules looks at it."""
    kind = _kind(number, source)
    if kind:
        facts.logged.setdefault(kind, Seen(number, quote[:MAX_KEPT]))
    elif (
        len(facts.unread) < MAX_UNREAD
        and (words := f"event {number} ({source or 'of no source'})") not in facts.unread
    ):
        facts.unread.append(words)


def dropped(facts: Facts, lines: Sequence[str]) -> bool:
    """What 5152 and 5157 tell of a packet: direction, source, port, destination, port, protocol, in this order."""
    if not _BLOCKED.search("\n".join(lines)):
        return False
    inbound: bool | None = None
    addresses: list[str] = []
    numbers: list[int] = []
    found = False
    for line in lines:
        label, colon, value = line.partition(":")
        value = value.strip()
        if not colon or not label.strip():
            continue
        if _DIRECTION.fullmatch(value):
            inbound, addresses, numbers = _IN.match(value) is not None, [], []
        elif any_address(value) is not None and not value.isdecimal():
            addresses.append(value)
        elif addresses and value.isdecimal() and len(value) < 6:
            numbers.append(int(value))
        if len(addresses) == 2 and len(numbers) == 3 and len(facts.dropped) < MAX_KEPT:
            protocol = _PROTOCOLS.get(numbers[2], str(numbers[2]))
            quote = f"blocked: {addresses[0]} to {addresses[1]} port {numbers[1]}, protocol {numbers[2]}"
            facts.dropped.append(Dropped(protocol, numbers[1], addresses[0], addresses[1], inbound, quote))
            facts.understood = found = True
            addresses, numbers = [], []
    return found


_IN = re.compile(r"in|ein|entr|%%14592|вход|inb", re.I)
_DIRECTION = re.compile(
    r"(?:in|out)bound|(?:ein|aus)gehend|entrante?|sortante?|entrada|salida|saliente|%%1459[23]", re.I
)
