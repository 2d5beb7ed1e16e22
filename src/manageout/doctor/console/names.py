"""What DNS said -> look-ups, records, the block list: nslookup in any language, dnscmd, the resolver's cache."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from manageout.doctor.facts import Facts, HeldRecord, Lookup, Seen
from manageout.doctor.pasted.segments import Part
from manageout.windows.text import MAX_ADDRESSES, addresses
from manageout.wire.address import is_address

MAX_LOOKUPS = 1000
MAX_RECORDS = 5000
"""Of a zone."""
_PAIR = re.compile(r"^\s*(\S[^:]{0,40}?)\s?[:\uff1a]\s*(\S.*)?$")
_EQUALS = re.compile(r"^(\S+)\s+.*=\s*(\S+)$")
_TIMED_OUT = re.compile(
    r"timed?[ -]?out|zeitüberschreitung|délai|tiempo de espera|超时|タイムアウト", re.IGNORECASE
)
_HOST = re.compile(r"(?<![\w.-])([\w-]{1,63}(?:\.[\w-]{1,63}){1,20})\.?(?![\w-])")


@dataclass
class _Question:
    """What was asked, and what came. ``kind``: the type of record, upper case, "" for addresses."""

    name: str = ""
    kind: str = ""
    server: str = ""
    server_label: str = ""
    answered: str = ""
    found: list[IPv4Address | IPv6Address] = field(default_factory=list)
    error: str = ""
    listing: bool = False
    """Whether the lines go on with addresses of the name."""


def nslookup(facts: Facts, part: Part) -> bool:
    """One question, or a session with its prompts; with or without the command.

    In every language the server's name and address come first; then a name with its addresses, or a line with stars.
    A server's lines that come again begin another question.
    """
    name, kind = _asked(part.command.split()[1:])
    question = _Question(name, kind)
    told = False
    for line in [*part.lines, "> "]:
        if line.startswith("> ") or line == ">":
            told |= _answer(facts, question)
            words = line[1:].split()
            kind = _set(words, question.kind)
            name = words[0] if words and words[0].lower() not in ("set", "server", "lserver", "exit") else ""
            question = _Question(name, kind)
        elif _again(line, question):
            told |= _answer(facts, question)
            question = _Question("", question.kind, server_label=question.server_label)
            _line(question, line)
        else:
            _line(question, line)
    return told


def _asked(words: list[str]) -> tuple[str, str]:
    """The name and the type of ``nslookup -type=AAAA NAME SERVER``."""
    plain = [word for word in words if word[0] not in "-/"]
    kinds = [word.partition("=")[2] for word in words if "=" in word]
    return (plain[0] if plain else ""), (kinds[0].upper() if kinds else "")


def _set(words: list[str], before: str) -> str:
    if words and words[0].lower() == "set" and len(words) > 1 and re.match("q|ty", words[1], re.I):
        return words[1].partition("=")[2].upper()
    return before


def _again(line: str, question: _Question) -> bool:
    match = _PAIR.match(line)
    known = question.server_label and (question.server or question.answered)
    return bool(
        match and known and match[1] == question.server_label and (question.answered or question.error)
    )


def _line(question: _Question, line: str) -> None:
    match = _PAIR.match(line)
    value = (match[2] or "").strip() if match else ""
    if line.startswith("**"):
        question.error, question.listing = line.strip(), False
    elif _TIMED_OUT.search(line):
        question.error = question.error or line.strip()
    elif equals := _EQUALS.match(line):
        question.answered = question.answered or equals[1]
        question.found += addresses(equals[2])
    elif match and (own := next(addresses(value.partition("#")[0]), None)):
        question.server_label = question.server_label or match[1]
        _addressed(question, own, value)
    elif match and value:
        if not question.server_label or match[1] == question.server_label:
            question.server_label = match[1]
        elif not question.answered and question.server:
            question.answered, question.listing = value.split()[0], True
        else:
            question.listing = match[1] != question.server_label and question.listing and "." not in value
    elif question.listing and line.strip():
        more = list(addresses(line)) if len(line.split()) < 3 else []  # a sentence is no more of the list
        question.found += more
        question.listing = bool(more)


def _addressed(question: _Question, own: IPv4Address | IPv6Address, value: str) -> None:
    """The server's address comes before any answer."""
    if not question.answered and not question.server:
        question.server = str(own)
    elif question.answered and len(question.found) < MAX_ADDRESSES:
        question.found += addresses(value)
        question.listing = True


def _answer(facts: Facts, question: _Question) -> bool:
    """Keep what was learnt. An empty answer for one type of record says nothing of the other."""
    name = question.name
    if not name or (question.answered and "." not in name.rstrip(".")):
        name = question.answered or next((found for found in _HOST.findall(question.error)[-1:]), "")
    told = bool(question.found or question.error or question.answered)
    only = question.kind not in ("", "A", "ANY") and not question.found
    if not name or is_address(name) or only or not (question.found or question.error or question.server):
        return told
    if len(facts.lookups) < MAX_LOOKUPS:
        found = tuple(dict.fromkeys(question.found))[:MAX_ADDRESSES]
        words = ", ".join(map(str, found)) or question.error or "no address"
        quote = f"nslookup {name}: {words}" if found or not question.error else question.error
        facts.lookups.append(Lookup(name.rstrip("."), question.server, found, question.error, quote))
    return True


# --- dnscmd -----------------------------------------------------------------------------------------------


def dnscmd(facts: Facts, part: Part) -> bool:
    """``/info /globalqueryblocklist``, ``/info /enableglobalqueryblocklist``, ``/enumrecords``, ``/zoneprint``."""
    command = part.command.lower()
    pairs = [(match[1].lower(), match[2] or "", line) for line in part.lines if (match := _PAIR.match(line))]
    number = next(
        ((value.split()[0], line) for label, value, line in pairs if label == "dword" and value), None
    )
    names = tuple(value.lower() for label, value, _ in pairs if label == "string" and value)
    off = facts.block_list is not None and not facts.block_list.value
    if number is not None and ("blocklist" in command or not command):
        if number[0] == "0":
            facts.block_list = Seen((), f"{part.command or 'dnscmd'}: {number[1].strip()}")
        return True
    if names and not off and ("blocklist" in command or not command):
        facts.block_list = Seen(names, f"{part.command or 'dnscmd'}: {', '.join(names)}")
    return bool(names) or _records(facts, part) or _no_record(facts, part)


def _no_record(facts: Facts, part: Part) -> bool:
    """The zone's own server has no such node (error 9714)."""
    asked = _ENUMERATED.search(part.command)
    error = next((line.strip() for line in part.lines if _NO_NODE.search(line)), "")
    if asked is None or not error or len(facts.lookups) >= MAX_LOOKUPS:
        return False
    facts.lookups.append(Lookup(f"{asked[2]}.{asked[1]}", "", (), error, f"{part.command[:120]}: {error}"))
    return True


_ENUMERATED = re.compile(r"/enumrecords\s+([\w.-]{1,255})\s+([\w.-]{1,255})", re.I)
_NO_NODE = re.compile(r"\b9714\b|0x0*25f2\b|NAME_DOES_NOT_EXIST", re.I)


_RECORD = re.compile(r"^(\S*)\s+(?:\[?Aging:\d+\]?\s+)?(?:\d+\s+)?(?:IN\s+)?(A|AAAA)\s+(\S+)\s*$")


def _records(facts: Facts, part: Part) -> bool:
    words = part.command.split()
    lower = [word.lower() for word in words]
    place = next((n for n, word in enumerate(lower) if word in ("/enumrecords", "/zoneprint")), None)
    zone = words[place + 1] if place is not None and place + 1 < len(words) else ""
    # "@" is the node that was asked for; of a whole zone its top
    asked = words[place + 2] if place is not None and place + 2 < len(words) else "@"
    node = asked if not asked.startswith("/") else "@"
    top = node
    count = len(facts.records)
    for line in part.lines:
        if (match := _RECORD.match(line)) and len(facts.records) < MAX_RECORDS:
            node = (top if match[1] == "@" else match[1]) or node
            for address in addresses(match[3]):
                facts.records.append(HeldRecord(node or "@", address, line.strip(), zone))
    return len(facts.records) > count


# --- The cache --------------------------------------------------------------------------------------------


def displaydns(facts: Facts, part: Part) -> bool:
    """Names of the cache with addresses. What a cache lacks is no finding: only what is there is kept, as records of
    ISATAP addresses may be.
    """
    found = False
    for name, address in _cached(part.lines):
        found = True
        if isinstance(address, IPv6Address) and len(facts.lookups) < MAX_LOOKUPS:
            quote = f"ipconfig /displaydns: {name} {address}"
            facts.lookups.append(Lookup(name, "", (address,), "", quote))
    return found


def _cached(lines: list[str]) -> Iterator[tuple[str, IPv4Address | IPv6Address]]:
    name = ""
    for line in lines:
        value = line.partition(" : ")[2].strip()
        if not value:
            continue
        if (address := next(addresses(value), None)) is not None and name:
            yield name, address
        elif _HOST.fullmatch(value) and not value.isdigit():
            name = value
